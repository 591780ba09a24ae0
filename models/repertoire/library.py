"""Labelled moves in one table: what they look like at any instant, and how they are kept in a file.

A `Clip` is one passage of motion without glitches, with the beats it was danced to. A `Library` puts the frames of all
its clips in one row and answers for many instants at once: joints about the hips, speeds, contacts, where the dancer
has gone.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from core.body.kinematics import forward_kinematics
from core.body.motion import MIRROR, Motion
from core.body.rotations import (
    axis_angle_to_matrix,
    matrix_to_axis_angle,
    matrix_to_quaternion,
    quaternion_to_matrix,
    unroll_quaternions,
)
from core.rhythm.beats import Beats
from core.squeeze import expand, squeeze
from models.motion.representation import foot_contacts, headings

SEEN = (
    0,
    4,
    5,
    7,
    8,
    10,
    11,
    12,
    15,
    18,
    19,
    20,
    21,
)  # joints that a join is judged by: hips, knees, feet, neck, head, arms
WEIGHT = np.array([1.0, 1.0, 1.0, 1.5, 1.5, 1.5, 1.5, 1.0, 1.0, 0.8, 0.8, 0.8, 0.8])
RATE = 60.0  # frames a second of the table and of the file: at half of it, warping would smooth what makes people real
SPAN = 1.0 / 30.0  # s, over which speeds are taken
STILL = 0.15  # m/s, mean of all joints: who is slower stands and waits
AHEAD = 0.15  # s: speeds count by how far they would carry a joint
ANGLE_STEPS = 8192 / np.pi  # of a rotation vector in the file: 0.02 degrees, a quarter of a millimetre at the wrist
ROOT_STEPS = 4000.0  # a quarter of a millimetre


@dataclass(frozen=True, eq=False)
class Clip:
    """motion; beats in its seconds. sure: the beats were told, not found. split: of the recording."""

    name: str
    style: str
    motion: Motion
    beats: Beats
    split: str = "own"
    sure: bool = False
    recording: str = ""

    @cached_property
    def quaternions(self):
        """(T, 24, 4) without jumps of sign."""
        return unroll_quaternions(matrix_to_quaternion(self.motion.rotations))

    def at(self, times):
        """rotations (N, 24, 3, 3) and root (N, 3) at seconds (N,): cubic between frames, held beyond the ends."""
        where = np.clip(np.asarray(times) * self.motion.fps, 0, len(self.motion) - 1)
        low = np.minimum(where.astype(int), max(len(self.motion) - 2, 0))
        part = where - low
        index = np.clip(low[:, None] + np.arange(-1, 3), 0, len(self.motion) - 1)
        weight = _cubic(part)
        turned = (self.quaternions[index] * weight[:, :, None, None]).sum(1)
        return quaternion_to_matrix(turned), (self.motion.root[index] * weight[:, :, None]).sum(1)


def _cubic(part):
    """(N, 4) weights of the four frames around a fraction (N,) (Catmull-Rom): exact on frames, no jump in speed."""
    u = part[:, None]
    return (
        np.concatenate([-u + 2 * u**2 - u**3, 2 - 5 * u**2 + 3 * u**3, u + 4 * u**2 - 3 * u**3, -(u**2) + u**3], axis=1)
        / 2
    )


def at_rate(clip):
    """The clip with its motion at `RATE`; frames between those that it has are cubic."""
    if clip.motion.fps == RATE or len(clip.motion) < 2:
        return clip
    count = int((len(clip.motion) - 1) / clip.motion.fps * RATE + 1e-6) + 1
    rotations, root = clip.at(np.arange(count) / RATE)
    return replace(clip, motion=Motion(rotations, root.astype(np.float32), RATE))


class Library:
    """Clips in one table. Rows are frames at `RATE`; `first` (C,): where a clip's rows begin, `count` (C,) of them."""

    def __init__(self, clips):
        self.clips = [at_rate(clip) for clip in clips]
        self.count = np.array([len(clip.motion) for clip in self.clips], dtype=int)
        self.first = (np.cumsum(self.count) - self.count).astype(int)
        points, places, turns = [np.zeros((0, 24, 3))], [np.zeros((0, 2))], [np.zeros(0)]
        speeds, contacts = [np.zeros(0)], [np.zeros((0, 4))]
        for clip in self.clips:
            positions, _ = forward_kinematics(clip.motion.rotations, clip.motion.root)
            turn = headings(clip.motion.rotations[:, 0])
            points.append(_about_hips(positions, turn))
            places.append(clip.motion.root[:, :2])
            turns.append(turn)
            contacts.append(foot_contacts(torch.from_numpy(np.ascontiguousarray(positions)), RATE).numpy())
            step = np.linalg.norm(np.diff(positions, axis=0), axis=-1).mean(1) * RATE
            speeds.append(np.concatenate([step[:1], step]))
        self.points, self.places, self.turns = (np.concatenate(rows) for rows in (points, places, turns))
        self.contacts, self.speeds = np.concatenate(contacts), np.concatenate(speeds)
        self.moved = np.concatenate([[0.0], np.cumsum(self.speeds)])
        self.held = np.concatenate([[0.0], np.cumsum(self.speeds < STILL)])

    def __len__(self):
        return len(self.clips)

    @property
    def seconds(self):
        """Of motion."""
        return float(self.count.sum() / RATE)

    @property
    def styles(self):
        """Names of the styles that it has, in order."""
        return list(dict.fromkeys(clip.style for clip in self.clips))

    def rows(self, clip, times):
        """Row and fraction (N,) of seconds (N,) of clips (N,)."""
        where = np.clip(np.asarray(times) * RATE, 0, self.count[clip] - 1.001)
        low = where.astype(int)
        return self.first[clip] + low, where - low

    def _between(self, table, clip, times):
        row, part = self.rows(clip, times)
        part = part.reshape(-1, *(1,) * (table.ndim - 1))
        return table[row] * (1 - part) + table[row + 1] * part

    def looks(self, clip, times, mirror):
        """(N, D) what a join compares, in metres: joints about the hips in the axes of the heading, their speeds,
        planted feet.

        clip, times (s), mirror: (N,).
        """
        clip, times, mirror = np.asarray(clip), np.asarray(times, float), np.asarray(mirror, bool)
        here = self._between(self.points, clip, times)
        span = SPAN
        speed = (self._between(self.points, clip, times + span) - self._between(self.points, clip, times - span)) / (
            2 * span
        )
        travel = (self._between(self.places, clip, times + span) - self._between(self.places, clip, times - span)) / (
            2 * span
        )
        turn = self._between(self.turns, clip, times)
        spin = (self._between(self.turns, clip, times + span) - self._between(self.turns, clip, times - span)) / (
            2 * span
        )
        return looks_of(here, speed, _spun(travel, -turn), spin, self._between(self.contacts, clip, times), mirror)

    def energy(self, clip, start, stop):
        """(N,) mean joint speed in m/s between two instants of clips (N,)."""
        first, last = self.rows(clip, start)[0], self.rows(clip, stop)[0]
        return (self.moved[last] - self.moved[first]) / np.maximum(last - first, 1)

    def stillness(self, clip, start, stop):
        """(N,) share of the time between two instants of clips (N,) in which the body hardly moves."""
        first, last = self.rows(clip, start)[0], self.rows(clip, stop)[0]
        return (self.held[last] - self.held[first]) / np.maximum(last - first, 1)

    def travel(self, clip, start, stop, mirror):
        """(N, 2) metres in the axes of the heading at `start`, and (N,) radians, that the dancer goes and turns."""
        way = self._between(self.places, clip, stop) - self._between(self.places, clip, start)
        turn = self._between(self.turns, clip, start)
        spin = self._between(self.turns, clip, stop) - turn
        way, sign = _spun(way, -turn), np.where(mirror, -1.0, 1.0)
        return way * np.stack([sign, np.ones_like(sign)], axis=1), spin * sign

    def without(self, recordings):
        """The library without clips of these recordings."""
        return Library([clip for clip in self.clips if clip.recording not in recordings])

    def of(self, **wanted):
        """The library of the clips with these attributes; a value may be a collection of them."""

        def fits(clip):
            return all(
                getattr(clip, name) in (value if isinstance(value, (set, tuple, list)) else (value,))
                for name, value in wanted.items()
            )

        return Library([clip for clip in self.clips if fits(clip)])


def looks_of(points, speed, travel, spin, contacts, mirror):
    """(N, D) of joints (N, 24, 3) about the hips and their speeds, travel (N, 2) m/s in the axes of the heading, spin
    (N,) rad/s, contacts (N, 4), mirror (N,) bool.
    """
    sign = np.array([-1.0, 1.0, 1.0])
    flip = mirror[:, None, None]
    points, speed = (np.where(flip, table[:, MIRROR] * sign, table)[:, SEEN] for table in (points, speed))
    travel = np.where(mirror[:, None], travel * sign[:2], travel)
    spin, contacts = np.where(mirror, -spin, spin), np.where(mirror[:, None], contacts[:, [2, 3, 0, 1]], contacts)
    scale = (WEIGHT / WEIGHT.sum()) ** 0.5
    parts = [
        points * scale[:, None],
        speed * (AHEAD * scale)[:, None],
        travel * AHEAD,
        spin[:, None] * (AHEAD * 0.3),
        contacts * 0.05,
    ]
    return np.concatenate([part.reshape(len(mirror), -1) for part in parts], axis=1).astype(np.float32)


def looks_of_motion(motion, frame):
    """(1, D) of a frame of a `Motion`."""
    span = slice(max(0, frame - 2), min(len(motion), frame + 3))
    piece, here = motion.slice(span.start, span.stop), frame - span.start
    if len(piece) < 2:
        piece, here = Motion(piece.rotations[[0, 0, 0]], piece.root[[0, 0, 0]], piece.fps), 1
    positions, _ = forward_kinematics(piece.rotations, piece.root)
    turn = headings(piece.rotations[:, 0])
    points = _about_hips(positions, turn)
    contacts = foot_contacts(torch.from_numpy(np.ascontiguousarray(positions)), piece.fps).numpy()
    rate = lambda table: np.gradient(table, axis=0)[here : here + 1] * piece.fps  # noqa: E731
    return looks_of(
        points[here : here + 1],
        rate(points),
        _spun(rate(piece.root[:, :2]), -turn[here : here + 1]),
        rate(turn),
        contacts[here : here + 1],
        np.zeros(1, bool),
    )


def _about_hips(positions, turn):
    """(T, 24, 3): hips at xy = 0, facing -y; heights stay."""
    away = positions - np.concatenate([positions[:, :1, :2], np.zeros_like(positions[:, :1, 2:])], axis=-1)
    return np.concatenate([_spun(away[..., :2], -turn[:, None]), away[..., 2:]], axis=-1)


def _spun(vector, angle):
    """(..., 2) turned by (...) radians."""
    x, y = vector[..., 0], vector[..., 1]
    return np.stack([np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y], axis=-1)


# ---------------------------------------------------------------------------------------------- in a file


def to_arrays(library):
    """({name: uint8 array}, config) of a library: what `core.checkpoints.save` writes."""
    angles = np.concatenate([matrix_to_axis_angle(clip.motion.rotations).reshape(-1, 72) for clip in library.clips])
    roots = np.concatenate([clip.motion.root for clip in library.clips])
    arrays = {
        "rotations": np.round(angles * ANGLE_STEPS).astype(np.int16),
        "root": np.round(roots * ROOT_STEPS).astype(np.int32),
    }
    rows = [
        {
            "name": clip.name,
            "style": clip.style,
            "split": clip.split,
            "recording": clip.recording,
            "sure": clip.sure,
            "frames": len(clip.motion),
            "beats": clip.beats.to_json(),
        }
        for clip in library.clips
    ]
    return (
        {name: np.frombuffer(squeeze(array, 2), np.uint8).copy() for name, array in arrays.items()},
        {"format": 1, "fps": RATE, "frames": int(len(roots)), "clips": rows},
    )


def from_arrays(arrays, config):
    """The `Library` of `to_arrays`. Raises ValueError for a format that this Baton does not know."""
    if config.get("format") != 1:
        raise ValueError(f"format {config.get('format')}")
    frames = config["frames"]
    angles = expand(arrays["rotations"].tobytes(), np.int16, (frames, 72), 2)
    roots = expand(arrays["root"].tobytes(), np.int32, (frames, 3), 2)
    rotations = axis_angle_to_matrix(angles.reshape(frames, 24, 3) / ANGLE_STEPS)
    root, clips, row = (roots / ROOT_STEPS).astype(np.float32), [], 0
    for each in config["clips"]:
        motion = Motion(rotations[row : row + each["frames"]], root[row : row + each["frames"]], float(config["fps"]))
        clips.append(
            Clip(
                each["name"],
                each["style"],
                motion,
                Beats.from_json(each["beats"]),
                each["split"],
                each["sure"],
                each["recording"],
            )
        )
        row += each["frames"]
    return Library(clips)
