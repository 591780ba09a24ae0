"""Frames to seconds and back: the one place where the two meet. No bpy, so that it can be tested anywhere."""
from dataclasses import dataclass

import numpy as np


def scene_fps(render):
    """Frames per second of a `RenderSettings`, fps_base included."""
    return render.fps / render.fps_base


def frame_in(scene, other, frame):
    """Frame of `scene` at the instant of a frame of the scene `other`: two scenes are taken to begin together."""
    if scene == other:
        return frame
    seconds = (frame - other.frame_start) / scene_fps(other.render)
    return scene.frame_start + seconds * scene_fps(scene.render)


@dataclass(frozen=True)
class Passage:
    """A stretch of a scene: frame `first` is second 0; `duration` in seconds; `fps` of the scene."""

    first: float
    duration: float
    fps: float

    @classmethod
    def from_frames(cls, first, last, fps):
        """Both frames included: one frame lasts 1 / fps."""
        return cls(float(first), (last - first + 1) / fps, float(fps))

    def frame(self, seconds):
        """Seconds from the start of the passage -> frame of the scene (float)."""
        return self.first + seconds * self.fps

    def seconds(self, frame):
        """Frame of the scene -> seconds from the start of the passage."""
        return (frame - self.first) / self.fps

    def frames(self):
        """Whole frames (N,) int64 that lie inside the passage."""
        start = int(np.ceil(self.first - 1e-6))
        stop = int(np.ceil(self.first + self.duration * self.fps - 1e-6))
        return np.arange(start, max(stop, start + 1))


@dataclass(frozen=True)
class Clip:
    """What of a sound file is heard and when.

    path; `start` seconds into the file; `duration` seconds on the timeline; `speed` seconds of file a second of
    timeline; `first` frame of the scene at which it is first heard (float).
    """

    path: str
    start: float
    duration: float
    speed: float
    first: float


class SpeedChanges(ValueError):
    """A strip changes its speed within itself, or might: its file cannot be read as one stretch."""


def clip_from_strip(path, *, final_start, final_end, offset_start, frame_duration, media_frames, retiming_keys,
                    hard_offset, sound_offset, fps):
    """Timing of a sound strip as a `Clip`.

    Frames as Blender gives them: visible `final_start`..`final_end`, `offset_start` trimmed at the left (timeline
    frames), `frame_duration` length of the content on the timeline, `media_frames` its length at normal speed,
    `retiming_keys` their number or None where Blender does not tell (before 4.4), `hard_offset` frames cut for good,
    `sound_offset` in seconds (sub-frame start of the sound inside its strip).

    Raises SpeedChanges where the strip changes speed within itself, or might.
    """
    speed = 1.0
    if retiming_keys is not None and retiming_keys > 2:
        raise SpeedChanges("more than one speed")
    if media_frames and abs(frame_duration - media_frames) > 1.5:  # one frame is the rounding of compressed files
        if retiming_keys is None:
            raise SpeedChanges("retimed, and Blender before 4.4 does not tell how")
        speed = media_frames / frame_duration
    begin = (offset_start * speed + hard_offset) / fps - sound_offset * speed
    duration = (final_end - final_start) / fps
    first = float(final_start)
    if begin < 0:  # the strip begins with silence before its sound
        first += -begin / speed * fps
        duration += begin / speed
        begin = 0.0
    return Clip(path, begin, duration, speed, first)


def resample_quaternions(times, quaternions, at):
    """Rotations (T, 4) wxyz at `times` (T,) -> (N, 4) at `at` (N,), neighbours in one hemisphere, normalised."""
    quaternions = np.array(quaternions, dtype=np.float64)
    sign = np.where((quaternions[1:] * quaternions[:-1]).sum(-1) < 0, -1.0, 1.0)
    quaternions[1:] *= np.cumprod(sign)[:, None]
    out = np.stack([np.interp(at, times, quaternions[:, i]) for i in range(4)], axis=1)
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-9)


def resample_vectors(times, vectors, at):
    """Vectors (T, 3) at `times` (T,) -> (N, 3) at `at` (N,), linear."""
    vectors = np.asarray(vectors, dtype=np.float64)
    return np.stack([np.interp(at, times, vectors[:, i]) for i in range(vectors.shape[1])], axis=1)
