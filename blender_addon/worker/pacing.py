"""How long a tick of the timer works at Blender's expense, and when the panel is drawn anew.

What a drawn window costs differs by a hundred times: a tick works about as long as Blender took for itself since the
last one, so that a job gets its half however slowly the window is drawn, and small steps do not wait for a frame each.
"""
import time

from ..scene import compat

SHORTEST_SECONDS, LONGEST_SECONDS = 0.008, 0.1
REDRAW_SECONDS = 0.1


class Pace:
    """clock: seconds that only grow."""

    def __init__(self, clock=time.perf_counter):
        self.clock = clock
        self._ended, self._drawn, self._shown = 0.0, 0.0, None

    def until(self):
        """When the tick that begins now has worked long enough."""
        now = self.clock()
        return now + min(max(now - self._ended, SHORTEST_SECONDS), LONGEST_SECONDS)

    def end(self, shown):
        """The tick is over. shown: what the panel says of the job; it is drawn anew where that has changed, and not
        more often than it can be read."""
        self._ended = self.clock()
        if shown != self._shown and self._ended - self._drawn >= REDRAW_SECONDS:
            self._drawn, self._shown = self._ended, shown
            compat.tag_redraw_sidebars()
