"""Motion that stays: ranges of an earlier take, or what a rig did just before the passage that is made."""
import numpy as np
import torch

from core.body.motion import Motion
from core.errors import BadInput
from models.motion.representation import encode, headings

BEFORE_SECONDS = 2.0                        # of given motion that a dance grows out of, at most


def known_of(asked, frames, fps, step=1, seconds=BEFORE_SECONDS):
    """(`Kept` or None, frames before the passage) of what settings give: `keep` (Motion, [(from, to), ...]) or `grow`,
    the `Motion` before the passage (one frame: a pose), of which up to `seconds` count.

    fps: of the frames; step: frames before are a multiple of it. Raises BadInput.
    """
    if asked.keep is not None:
        motion, ranges = asked.keep
        return Kept(motion, ranges, frames, asked.mirror, fps), 0
    if asked.grow is None or len(asked.grow) == 0:
        return None, 0
    if asked.loop:
        raise BadInput("A loop begins with its own end: it cannot grow out of another motion; turn one of the two off.")
    motion = asked.grow.resampled(float(fps))
    before = min(int(seconds * fps / step), len(motion) // step) * step
    if before < 2 * step:                                  # a pose is held for two frames
        held = np.array([len(motion) - 1] * (2 * step))
        motion, before = Motion(motion.rotations[held], motion.root[held], float(fps)), 2 * step
    motion = motion.slice(len(motion) - before, len(motion))
    return Kept(motion, [(0.0, before / fps)], frames + before, asked.mirror, fps), before


class Kept:
    """Frames of a given motion that stay, at `fps`: mask (T,) bool; `motion` of T frames, held beyond its end."""

    def __init__(self, motion, ranges, frames, mirror, fps):
        """ranges: [(from, to), ...] in seconds. mirror: all is exchanged left for right at the end, so this is
        beforehand.
        """
        self.fps = fps
        motion = motion.resampled(float(fps))
        index = np.arange(frames)
        self.mask = np.zeros(frames, dtype=bool)
        for low, high in ranges:
            if not 0 <= low < high:
                raise BadInput(f"A range to keep runs from an earlier to a later second, not {low} to {high}.")
            self.mask |= (index >= round(low * fps)) & (index < round(high * fps))
        if self.mask[len(motion) + fps // 2:].any():
            raise BadInput(f"The motion to keep lasts {motion.duration:.1f} s and ends before the range that stays.")
        if not self.mask.any():
            raise BadInput("The range to keep is shorter than a frame or lies outside the passage.")
        held = np.minimum(index, len(motion) - 1)
        motion = Motion(motion.rotations[held], motion.root[held], float(fps))
        self.motion = motion.mirrored() if mirror else motion
        self.turn = headings(self.motion.rotations[:, 0])

    def vectors(self, fps):
        """(vectors (t, 152), mask (t,)) at the rate of a stage, for masked replacement."""
        stride = self.fps // fps
        rotations, root = torch.from_numpy(self.motion.rotations), torch.from_numpy(self.motion.root)
        # A frame whose velocity reaches back into what is made anew stays too: the course decides where it stands.
        return encode(rotations, root, self.fps, stride)[::stride], torch.from_numpy(self.mask[::stride].copy())

    def course(self, stride):
        """The kept course for `Course`, every `stride`-th frame."""
        return (torch.from_numpy(self.mask[::stride].copy()), torch.from_numpy(self.turn[::stride].astype(np.float32)),
                torch.from_numpy(self.motion.root[::stride, :2].astype(np.float32)))
