"""Where a dance goes on the floor: in place, along a path, back to where a loop or a kept range begins.

Networks draw velocities. While they sample, the course that the current estimate adds up to is bent to what is
wanted and turned into velocities again, so that the steps of the next estimate fit it; correcting the result alone
would make feet slide.
Torch, on canvases (V, T, 152) of un-normalised vectors.
"""
import math

import torch
import torch.nn.functional as F

from models.motion.representation import rotated, trajectory
from models.motion.smoothing import runs

SMOOTH_SECONDS = 1.5                        # sigma of what counts as the course; faster is stepping and swaying


def smoothed(course, fps, loop=False):
    """(V, T, 2) low-passed over time by a Gaussian; ends are continued by point reflection, rings by themselves."""
    half = min(int(3 * SMOOTH_SECONDS * fps), course.shape[1] - 1)
    offsets = torch.arange(-half, half + 1, device=course.device) / (SMOOTH_SECONDS * fps)
    kernel = torch.exp(-0.5 * offsets.square())
    x = course.transpose(1, 2)
    if loop:
        padded = torch.cat([x[..., -half:], x, x[..., :half]], dim=-1)
    else:
        before = 2 * x[..., :1] - x[..., 1:half + 1].flip(-1)
        padded = torch.cat([before, x, 2 * x[..., -1:] - x[..., -half - 1:-1].flip(-1)], dim=-1)
    kernel = (kernel / kernel.sum()).to(x).expand(2, 1, -1)
    return F.conv1d(padded, kernel, groups=2).transpose(1, 2)


def resampled_path(path, frames):
    """(frames, 2) points at an even pace along a polyline (K, 2) in metres, from its first point to its last."""
    path = torch.as_tensor(path, dtype=torch.float32)
    length = (path[1:] - path[:-1]).norm(dim=-1)
    along = torch.cat([length.new_zeros(1), length.cumsum(0)])
    place = torch.linspace(0, float(along[-1]), frames)
    left = (torch.searchsorted(along, place, right=True) - 1).clamp(0, len(path) - 2)
    part = ((place - along[left]) / length[left].clamp(min=1e-9)).clamp(0, 1)[:, None]
    return path[left] * (1 - part) + path[left + 1] * part


def with_course(vectors, turn, place, fps):
    """Vectors whose root velocities add up to these headings (V, T) and places (V, T, 2); frame 0 keeps its
    velocity."""
    step = rotated((place[:, 1:] - place[:, :-1]) * fps, -turn[:, :-1])
    speed = (turn[:, 1:] - turn[:, :-1]) * fps
    out = vectors.clone()
    out[:, 1:, :2], out[:, 1:, 2] = step, speed
    return out


class Course:
    """What a course must be; `bend` makes a canvas obey.

    fps       of the canvas
    in_place  the dancer stays where the canvas (or what is kept at its start) begins
    path      polyline (K, 2) in metres relative to the start, walked at an even pace over the canvas
    loop      the last frame leads back to the first
    kept      None or (mask (T,) bool, heading (T,), place (T, 2)): frames whose course is given
    before    frames at the canvas's start that come before the path
    """

    def __init__(self, fps, in_place=False, path=None, loop=False, kept=None, before=0):
        self.fps, self.in_place, self.loop, self.kept, self.before = fps, in_place, loop, kept, before
        self.path = None if path is None else torch.as_tensor(path, dtype=torch.float32)[:, :2]

    @property
    def free(self):
        """Nothing is asked for."""
        return not (self.in_place or self.path is not None or self.loop or self.kept is not None)

    def solve(self, vectors):
        """Headings (V, T) and places (V, T, 2) of a canvas, bent."""
        turn, place = trajectory(vectors, self.fps)
        # it begins where and as what is kept does: paths lie in the world
        if self.kept is not None and self.kept[0][0]:
            place = self.kept[2][0].to(place) + rotated(place, self.kept[1][0].to(turn))
            turn = turn + self.kept[1][0].to(turn)
        if self.in_place or self.path is not None:
            low = smoothed(place, self.fps, False)
            target = torch.zeros_like(low)
            if self.path is not None:
                walked = resampled_path(self.path, place.shape[1] - self.before).to(place)
                target = torch.cat([walked[:1].expand(self.before, 2), walked]).expand_as(place)
            place = place - low + target + (low[:, :1] - target[:, :1])
        if self.loop:
            turn, place = self._round(vectors, turn, place)
        if self.kept is not None:
            turn, place = self._through(turn, place)
        return turn, place

    def bend(self, vectors):
        """The canvas with the velocities of its bent course."""
        return vectors if self.free else with_course(vectors, *self.solve(vectors), self.fps)

    def _round(self, vectors, turn, place):
        """What is missing after one more frame, to whole turns and to the first place, is spread over all frames."""
        frames = place.shape[1]
        share = torch.arange(frames, device=place.device) / frames
        last = turn[:, -1] + vectors[:, 0, 2] / self.fps
        missing = last - torch.round(last / (2 * math.pi)) * 2 * math.pi
        bent = turn - missing[:, None] * share
        place = _respun(place, turn, bent)
        back = place[:, -1] + rotated(vectors[:, 0, :2] / self.fps, bent[:, -1])
        return bent, place - share[:, None] * (back - place[:, :1].squeeze(1))[:, None]

    def _through(self, turn, place):
        """The free passages moved to where the kept ones leave off, and bent to arrive at the next."""
        mask, kept_turn, kept_place = self.kept
        turn, place = turn.clone(), place.clone()
        frames = place.shape[1]
        for start, stop in runs(~mask.cpu().numpy()):
            low, high = max(0, start - 1), min(frames - 1, stop)              # the kept frames next to the passage
            if mask[low]:
                own, goal = turn[:, low:low + 1].clone(), kept_turn[low]
                turned = goal - own
                spin = turned * 0 if self.in_place or self.path is not None else turned
                place[:, low:stop + 1] = kept_place[low] + rotated(place[:, low:stop + 1] - place[:, low:low + 1], spin)
                turn[:, low:stop + 1] += turned
                if mask[high] and high > low:
                    self._arrive(turn, place, low, high, kept_turn[high], kept_place[high])
            elif mask[high]:
                turned = kept_turn[high] - turn[:, high:high + 1]
                place[:, :high + 1] = kept_place[high] + rotated(place[:, :high + 1] - place[:, high:high + 1], turned)
                turn[:, :high + 1] += turned
        turn[:, mask], place[:, mask] = kept_turn[mask].to(turn), kept_place[mask].to(place)
        return turn, place

    @staticmethod
    def _arrive(turn, place, low, high, goal_turn, goal_place):
        """Spread over the passage what is missing at its end: first in heading, then in place."""
        share = torch.arange(high - low + 1, device=turn.device) / (high - low)
        missing = goal_turn - turn[:, high]
        missing = missing - torch.round(missing / (2 * math.pi)) * 2 * math.pi
        bent = turn[:, low:high + 1] + missing[:, None] * share
        piece = _respun(place[:, low:high + 1], turn[:, low:high + 1], bent)
        away = goal_place - piece[:, -1]
        place[:, low:high + 1] = piece + share[:, None] * away[:, None]
        turn[:, low:high + 1] = bent


def _respun(place, turn, bent):
    """Places (V, T, 2) walked with other headings: each step turns with its heading."""
    step = rotated(place[:, 1:] - place[:, :-1], (bent - turn)[:, :-1])
    return torch.cat([place[:, :1], place[:, :1] + step.cumsum(1)], dim=1)
