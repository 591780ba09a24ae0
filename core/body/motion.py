"""The one motion type of Baton: SMPL-24 rotations on the canonical skeleton (docs/contracts.md, Representation)."""
from dataclasses import dataclass

import numpy as np

from core.body.kinematics import FPS, forward_kinematics
from core.body.rotations import (
    ROOT_TO_BLENDER,
    axis_angle_to_matrix,
    matrix_to_6d,
    matrix_to_axis_angle,
    sixd_to_matrix,
)
from core.contract import JOINTS, SKELETON
from core.errors import BadInput

VECTOR_SIZE = 3 + len(JOINTS) * 6
MIRROR = np.asarray(SKELETON["mirror"])


@dataclass(frozen=True)
class Motion:
    """rotations (T,24,3,3) local matrices; root (T,3) pelvis position in metres, z up, floor at 0; fps in Hz."""

    rotations: np.ndarray
    root: np.ndarray
    fps: float = FPS

    def __post_init__(self):
        if self.rotations.shape[1:] != (len(JOINTS), 3, 3) or self.root.shape != (len(self.rotations), 3):
            raise BadInput(f"A motion needs rotations (T,24,3,3) and root (T,3), not {self.rotations.shape} "
                           f"and {self.root.shape}.")

    def __len__(self):
        return len(self.root)

    @property
    def duration(self):
        """Seconds."""
        return len(self) / self.fps

    def positions(self):
        """Joint positions (T,24,3) in metres on the canonical skeleton."""
        return forward_kinematics(self.rotations, self.root)[0]

    def to_vector(self):
        """(T,147): root xyz, then 24 x 6D. What every network sees, before standardisation."""
        sixd = matrix_to_6d(self.rotations).reshape(len(self), -1)
        return np.concatenate([self.root, sixd], axis=1).astype(np.float32)

    @classmethod
    def from_vector(cls, vector, fps=FPS):
        """Inverse of `to_vector`; 6D values are orthonormalised."""
        vector = np.asarray(vector, dtype=np.float32)
        return cls(sixd_to_matrix(vector[:, 3:].reshape(len(vector), len(JOINTS), 6)), vector[:, :3], fps)

    def slice(self, start, stop):
        """Frames start..stop as a new motion."""
        return Motion(self.rotations[start:stop], self.root[start:stop], self.fps)

    def resampled(self, fps=FPS):
        """The same motion at another frame rate (slerp and linear), frame 0 at the same instant."""
        if abs(fps - self.fps) < 1e-6 or len(self) < 2:
            return Motion(self.rotations, self.root, fps)
        step = round(self.fps / fps)
        if step >= 1 and abs(self.fps - step * fps) < 1e-6:         # every frame is one of these
            return Motion(self.rotations[::step].astype(np.float32), self.root[::step].astype(np.float32), fps)
        count = int(np.floor((len(self) - 1) / self.fps * fps + 1e-6)) + 1
        position = np.minimum(np.arange(count) * self.fps / fps, len(self) - 1)
        low = np.minimum(position.astype(int), len(self) - 2)
        part = (position - low).astype(np.float32)
        a, b = self.rotations[low], self.rotations[low + 1]
        delta = matrix_to_axis_angle(np.swapaxes(a, -1, -2) @ b)
        rotations = a @ axis_angle_to_matrix(delta * part[:, None, None])
        root = self.root[low] * (1 - part[:, None]) + self.root[low + 1] * part[:, None]
        return Motion(rotations.astype(np.float32), root.astype(np.float32), fps)

    def mirrored(self):
        """Left and right exchanged (reflection in the x axis)."""
        sign = np.array([-1.0, 1.0, 1.0], dtype=np.float32)
        rotations = self.rotations[:, MIRROR] * sign[:, None] * sign[None, :]
        return Motion(rotations, self.root * sign, self.fps)

    def heading(self, frame=0):
        """Angle in radians about z by which the pelvis faces away from -y at `frame`."""
        forward = self.rotations[frame, 0] @ np.array([0.0, 0.0, 1.0])
        return float(np.arctan2(forward[0], -forward[1]))

    def moved(self, turn=0.0, before=(0.0, 0.0), after=(0.0, 0.0)):
        """Shifted by `before` (x, y in metres), turned by `turn` radians about the z axis, shifted by `after`."""
        matrix = axis_angle_to_matrix(np.array([0.0, 0.0, turn]))
        root = (self.root + np.append(before, 0.0)) @ matrix.T + np.append(after, 0.0)
        rotations = self.rotations.copy()
        rotations[:, 0] = matrix @ rotations[:, 0]
        return Motion(rotations, root.astype(np.float32), self.fps)

    def canonical(self, frame=0):
        """Moved so that `frame` stands at xy = 0 and faces -y; heights unchanged."""
        return self.moved(-self.heading(frame), before=-self.root[frame, :2])


def rest_motion(frames, fps=FPS):
    """A T-pose standing on the floor, facing -y: (frames) frames."""
    rotations = np.tile(np.eye(3, dtype=np.float32), (frames, len(JOINTS), 1, 1))
    rotations[:, 0] = ROOT_TO_BLENDER
    root = np.tile(np.array([0, 0, SKELETON["hip_height_m"]], dtype=np.float32), (frames, 1))
    return Motion(rotations, root, fps)
