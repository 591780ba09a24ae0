"""Whether Blender renders or saves, so that a result waits."""
import time

import bpy

JOBS = ("RENDER", "OBJECT_BAKE", "COMPOSITE")
STALE_SECONDS = 5.0  # of what a handler told the beginning of and no handler the end


class Busy(set):
    """What handlers have told: "render", "save"."""

    since = None

    def now(self):
        """True while Blender is at it. Whoever asks runs in Blender's own loop, so that a save or render which is only
        told of cannot be under way for long."""
        if any(bpy.app.is_job_running(name) for name in JOBS):
            self.since = None
            return True
        if not self:
            self.since = None
            return False
        self.since = self.since or time.monotonic()
        if time.monotonic() - self.since > STALE_SECONDS:
            self.clear()
            self.since = None
        return bool(self)
