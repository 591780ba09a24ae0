"""Chosen phrases as one motion: warped so that their beats fall on the song's, set down where the one before ends,
joined.

A join is inertialised on both sides (after Bollo 2018): half of the difference in pose and speed dies away backwards
into the phrase that ends, half forwards into the one that begins, so that neither is bent far. A foot that would be
dragged to another place over it is lifted: people step.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from core.body.kinematics import forward_kinematics
from core.body.motion import Motion
from core.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from models.motion.smoothing import minimum_jerk

SOFT = 0.30  # s on each side of a join
SPAN = 1.0 / 60.0  # s over which a speed is taken
# Share by which a move runs slower on each beat and faster between two: no instant moves by more than 0.04 of a beat.
# On 12 pieces of 8 s of validation: lift 0.50 without, 0.61 at 0.12, 0.73 at 0.25, 0.82 at 0.4; jerk 191, 192, 201,
# 211.
ACCENT = 0.25
LIFT_FROM, LIFT_SHARE, LIFT_MOST = (
    0.03,
    0.25,
    0.07,
)  # m: a foot that moves further is lifted, by this share of the way, at most
LEGS = ((7, 10), (8, 11))
LOW = 0.13  # m, of an ankle that stands


@dataclass
class Piece:
    """A phrase in the music's time: from `start` to `stop` s; `moment` maps seconds of the music to seconds of the
    clip.
    """

    clip: object
    mirror: bool
    start: float
    stop: float
    moment: object
    turn: float = 0.0  # of the world, about z; then `shift` (2,)
    shift: np.ndarray | None = None

    def at(self, times):
        """rotations (N, 24, 3, 3) and root (N, 3) in the world at seconds (N,) of the music."""
        rotations, root = self.clip.at(self.moment(np.asarray(times, float)))
        motion = Motion(rotations, root.astype(np.float32), 60.0)
        motion = motion.mirrored() if self.mirror else motion
        if self.shift is not None:
            motion = motion.moved(self.turn, after=tuple(self.shift))
        return motion.rotations.astype(np.float64), motion.root.astype(np.float64)


def pieces_of(picks, book, bars):
    """[`Piece`] of what the search chose."""
    out = []
    for bar, span, phrases, index in picks:
        times = bars.times(bar, span)
        knots = book.knots(phrases, index, len(times) - 1)
        out.append(
            Piece(
                book.library.clips[int(phrases.clip[index])],
                bool(phrases.mirror[index]),
                float(times[0]),
                float(times[-1]),
                warp(times, knots),
            )
        )
    return out


def warp(times, knots, accent=ACCENT):
    """Seconds of the music -> seconds of the move: through all beats, never backwards, without kinks; straight on
    beyond both ends. accent: see `ACCENT`.
    """
    inner = PchipInterpolator(times, knots)
    slopes = inner.derivative()(times[[0, -1]]) * (1 - accent)

    def moment(at):
        inside = inner(accented(np.clip(at, times[0], times[-1]), times, accent))
        return inside + np.minimum(at - times[0], 0) * slopes[0] + np.maximum(at - times[-1], 0) * slopes[1]

    return moment


def accented(at, times, accent):
    """Seconds (N,) whose run is slowed by a share `accent` on the beats `times` (B,) and sped up as much between
    them."""
    number = np.arange(len(times))
    phase = np.interp(at, times, number)
    return np.interp(phase - accent / (2 * np.pi) * np.sin(2 * np.pi * phase), number, times)


def perform(pieces, begin, frames, fps=60.0):
    """(`Motion` of `frames` at fps whose frame 0 is second `begin`, lifts (frames, 2) m of the feet, seconds of the
    joins).

    It starts at xy = 0 facing -y.
    """
    times = begin + np.arange(frames) / fps
    pieces = [piece for piece in pieces if piece.stop > begin and piece.start <= times[-1]]
    rotations, root = np.zeros((frames, 24, 3, 3)), np.zeros((frames, 3))
    lifts, seams = np.zeros((frames, 2)), []
    place(pieces)
    for piece in pieces:
        mine = _mine(piece, pieces, times)
        rotations[mine], root[mine] = piece.at(times[mine])
    for early, late in zip(pieces, pieces[1:]):
        seams.append(late.start - begin)
        ahead, behind = _mine(late, pieces, times), _mine(early, pieces, times)
        _join(early, late, times, behind, ahead, rotations, root, lifts)
    motion = Motion(rotations.astype(np.float32), root.astype(np.float32), float(fps))
    return motion.canonical(), lifts, np.array(seams)


def _mine(piece, pieces, times):
    first, last = piece is pieces[0], piece is pieces[-1]
    return np.flatnonzero((first | (times >= piece.start - 1e-9)) & (last | (times < piece.stop - 1e-9)))


def place(pieces):
    """Each piece set down where the one before ends: standing feet on their places, else the body as near as can be."""
    for early, late in zip(pieces, pieces[1:]):
        at = [late.start - SPAN, late.start, late.start + SPAN]
        one, other = (_standing(piece.at(at)) for piece in (early, late))
        late.turn, late.shift = _laid(other[0], one[0], 0.4 + one[1] * other[1])


def _standing(posed):
    """Joints (24, 3) at the middle one of three instants and weights (24,): how surely each is at rest on the floor."""
    positions, _ = forward_kinematics(*posed)
    weight = np.zeros(24)
    for ankle, toe in LEGS:
        speed = np.linalg.norm(positions[2, [ankle, toe], :2] - positions[0, [ankle, toe], :2], axis=-1) / (2 * SPAN)
        low = np.clip(1 - (positions[1, ankle, 2] - LOW) / 0.06, 0, 1)
        weight[[ankle, toe]] = 2.2 * low * np.exp(-((speed / 0.35) ** 2))
    return positions[1], weight


def _laid(moved, onto, weight):
    """(turn, shift) that bring xy of points `moved` (J, 3) nearest to `onto` (J, 3), weighted (J,)."""
    weight = weight / weight.sum()
    a, b = moved[:, :2], onto[:, :2]
    middle_a, middle_b = weight @ a, weight @ b
    a, b = a - middle_a, b - middle_b
    turn = np.arctan2((weight * (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])).sum(), (weight * (a * b).sum(1)).sum())
    cos, sin = np.cos(turn), np.sin(turn)
    return float(turn), middle_b - np.array(
        [cos * middle_a[0] - sin * middle_a[1], sin * middle_a[0] + cos * middle_a[1]]
    )


def _join(early, late, times, behind, ahead, rotations, root, lifts):
    """Both sides of a join bent towards one another, in place."""
    now = late.start
    at = np.array([now - SPAN, now, now + SPAN])
    (turned_a, root_a), (turned_b, root_b) = early.at(at), late.at(at)
    gap = matrix_to_axis_angle(np.swapaxes(turned_a[1], -1, -2) @ turned_b[1]) / 2
    rate = (_rate(turned_b) - _rate(turned_a)) / 2
    shift, speed = (root_b[1] - root_a[1]) / 2, ((root_b[2] - root_b[0]) - (root_a[2] - root_a[0])) / (4 * SPAN)
    back = np.swapaxes(turned_b[1], -1, -2) @ turned_a[1]
    gaps = {1.0: gap, -1.0: matrix_to_axis_angle(back) / 2}
    for sign, index, soft in (
        (1.0, behind, min(SOFT, 0.45 * (early.stop - early.start))),
        (-1.0, ahead, min(SOFT, 0.45 * (late.stop - late.start))),
    ):
        index = index[np.abs(times[index] - now) < soft]
        if not len(index):
            continue
        away = (times[index] - now)[:, None, None]
        fade = 1 - minimum_jerk(np.abs(away) / soft)
        rotations[index] = rotations[index] @ axis_angle_to_matrix((gaps[sign] + sign * away * rate) * fade)
        root[index] += (sign * shift + away[:, 0] * sign * speed) * fade[:, 0]
    _lift(early, late, now, times, lifts)


def _rate(turned):
    """(24, 3) rotation vectors a second over three instants `SPAN` apart."""
    return matrix_to_axis_angle(np.swapaxes(turned[0], -1, -2) @ turned[2]) / (2 * SPAN)


def _lift(early, late, now, times, lifts):
    """Feet that stand before and after a join, but elsewhere, are raised over it."""
    (here, stands), (there, stood) = (
        _standing(early.at([now - SPAN, now, now + SPAN])),
        _standing(late.at([now - SPAN, now, now + SPAN])),
    )
    soft = min(SOFT, 0.45 * (late.stop - late.start), 0.45 * (early.stop - early.start))
    for foot, (ankle, toe) in enumerate(LEGS):
        way = float(np.linalg.norm((there - here)[[ankle, toe], :2].mean(0)))
        low = min(stands[ankle], stood[ankle]) / 2.2
        if way > LIFT_FROM and low > 0.2:
            height = min(LIFT_MOST, LIFT_SHARE * way + 0.01) * low
            near = np.clip(1 - np.abs(times - now) / soft, 0, 1)
            lifts[:, foot] = np.maximum(lifts[:, foot], height * np.sin(near * np.pi / 2) ** 2)
