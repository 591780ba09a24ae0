"""Several dancers out of finished dances: pure functions over motions.

unison    all do the same
mirrored  every second one the mirror image
canon     each begins `delay` seconds (a bar) after the one before, from the same stance
own       each the dance of its own seed
"""
import numpy as np

from core.body.motion import Motion
from core.errors import BadInput

MODES = ("unison", "mirrored", "canon", "own")
SHAPES = ("line", "wedge", "circle", "block")
MOST = 8


def group(motions, mode="unison", count=2, spacing=1.5, shape="line", delay=2.0):
    """`count` motions, spaced `spacing` metres apart, of one dance or (mode "own") of as many as there are dancers.

    motions: list of `Motion` of one rate; modes but "own" use the first. delay: seconds, of "canon". Raises BadInput.
    """
    if mode not in MODES or shape not in SHAPES:
        raise BadInput(f"Dancers go in {', '.join(MODES)} and stand in a {', '.join(SHAPES)}, not {mode!r} and "
                       f"{shape!r}.")
    if not 1 <= count <= MOST:
        raise BadInput(f"{count} dancers are out of range; choose 1 to {MOST}.")
    if mode == "own" and len(motions) < count:
        raise BadInput(f"{count} dancers with seeds of their own need {count} dances, not {len(motions)}; make more "
                       f"variations.")
    first = motions[0]
    each = {"unison": lambda k: first, "own": lambda k: motions[k],
            "mirrored": lambda k: about_start(first) if k % 2 else first,
            "canon": lambda k: delayed(first, k * delay)}[mode]
    return [each(k).moved(after=tuple(place)) for k, place in enumerate(places(count, spacing, shape))]


def places(count, spacing, shape="line"):
    """(count, 2) in metres, the first dancer at 0, all facing -y: a line to both sides,
    a wedge or block behind, or a circle."""
    index = np.arange(count)
    side = np.where(index % 2, 1, -1) * ((index + 1) // 2)                  # 0, 1, -1, 2, -2, ...
    if shape == "line":
        return np.stack([side * spacing, np.zeros(count)], axis=1)
    if shape == "wedge":
        return np.stack([side * spacing, np.abs(side) * spacing * 0.8], axis=1)
    if shape == "block":
        wide = int(np.ceil(np.sqrt(count)))
        return np.stack([(index % wide) * spacing, (index // wide) * spacing], axis=1).astype(float)
    radius = spacing / (2 * np.sin(np.pi / count)) if count > 1 else 0.0
    angle = 2 * np.pi * index / count
    return radius * np.stack([np.sin(angle), 1 - np.cos(angle)], axis=1)


def about_start(motion):
    """The mirror image about the dancer's own first place and facing, not about the world's x axis."""
    turn, place = motion.heading(0), motion.root[0, :2]
    return motion.moved(-turn, before=-place).mirrored().moved(turn, after=place)


def delayed(motion, seconds):
    """The motion begun `seconds` later, its first pose held until then; as long as before."""
    wait = min(len(motion), int(round(seconds * motion.fps)))
    index = np.maximum(np.arange(len(motion)) - wait, 0)
    return Motion(motion.rotations[index], motion.root[index], motion.fps)
