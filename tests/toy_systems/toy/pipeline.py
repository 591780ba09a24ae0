"""A hum for a motion, nods for a sound, both at once. No weights; what comes out shows every setting that came in."""
import numpy as np

from core.body.motion import Motion, rest_motion
from core.body.rotations import axis_angle_to_matrix

HEAD, RATE = 15, 48_000


class Toy:
    """What the three share."""

    @classmethod
    def load(cls, folders=None, device="cpu"):
        """There is nothing to load."""
        return cls()

    def generate(self, condition, settings, *, progress, should_cancel):
        """One entry a variation, of seeds seed, seed + 1, ..."""
        made = []
        for number in range(settings.variations):
            progress("Sampling", number / settings.variations, f"{number}/{settings.variations}")
            made.append(self.make(condition, settings, settings.seed + number))
        return made


def hum(settings, seed):
    """(2, N) a sine; each seed a semitone higher, blue an octave."""
    octave = 2 if settings.colour == 2 else 1
    t = np.arange(round(settings.duration * RATE)) / RATE
    frequency = getattr(settings, "pitch", 220.0) * octave * 2 ** (seed / 12)
    return np.tile(0.3 * np.sin(2 * np.pi * frequency * t), (2, 1)).astype(np.float32)


def nod(settings, seed):
    """A nod a second along the path, from where the motion before it ends."""
    motion = rest_motion(round(settings.duration * 30))
    angle = np.zeros((len(motion), 3), dtype=np.float32)
    angle[:, 0] = 0.2 * np.sin(2 * np.pi * (np.arange(len(motion)) / 30 + seed / 10))
    rotations, root = motion.rotations.copy(), motion.root.copy()
    rotations[:, HEAD] = axis_angle_to_matrix(angle)
    before, path = getattr(settings, "seed_motion", None), getattr(settings, "path", None)
    if before is not None:
        rotations[:, 16:18] = before.rotations[-1, 16:18]
    if path is not None:
        share = np.linspace(0, len(path) - 1, len(motion))
        root[:, :2] = np.stack([np.interp(share, np.arange(len(path)), path[:, axis]) for axis in (0, 1)], 1)
    return Motion(rotations, root, 30.0)


class Hum(Toy):
    """Motion to sound."""

    def make(self, motion, settings, seed):
        """(2, N)"""
        return hum(settings, seed)


class Nod(Toy):
    """Sound to motion."""

    def make(self, audio, settings, seed):
        """`Motion`"""
        return nod(settings, seed)


class Both(Toy):
    """Sound and motion from nothing."""

    def make(self, nothing, settings, seed):
        """((2, N), `Motion`)"""
        return hum(settings, seed), nod(settings, seed)
