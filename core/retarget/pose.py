"""A rig posed over time: the bones that matter, their rotations and heads, and the local channels that give them."""
import numpy as np

from core.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from core.retarget.carrier import mover
from core.retarget.rig import orthonormal


class RigPose:
    """Mapped bones and all bones they move with, over `frames` frames, in armature space.

    `wanted` {bone: (T,3,3)} rotations of mapped bones; `rotations` and `heads` {bone: (T,3,3) / (T,3)} after `solve`.
    Unmapped bones keep `basis` (1 or T,N,4,4), the local pose they have, now or in each frame.
    """

    def __init__(self, rig, rest, frames, basis):
        self.rig, self.rest, self.frames, self.rest_basis = rig, rest, frames, basis
        self.root = mover(rig)                           # whose location moves the body
        needed = set()
        for bone in (*rest.bones.values(), self.root):
            while bone >= 0 and bone not in needed:
                needed.add(bone)
                bone = rig.effective_parents[bone]
        self.order = _parents_first(needed, rig.effective_parents)
        self.wanted, self.rotations, self.heads = {}, {}, {}
        self.shift = np.zeros((frames, 3))               # of the root bone, armature space

    def _free(self, bone):
        """Rotation and head that the bone has with a neutral local pose."""
        rig, parent = self.rig, self.rig.effective_parents[bone]
        rotation, head = rig.rest_rotations[bone], rig.rest[bone, :3, 3]
        if parent < 0:
            return (np.broadcast_to(rotation, (self.frames, 3, 3)), np.broadcast_to(head, (self.frames, 3)))
        turn = self.rotations[parent] @ rig.rest_rotations[parent].T
        return turn @ rotation, self.heads[parent] + turn @ (head - rig.rest[parent, :3, 3])

    def solve(self):
        """Forward kinematics: fill `rotations` and `heads`."""
        for bone in self.order:
            rotation, head = self._free(bone)
            mapped = bone in self.wanted
            if not mapped:
                head = head + (rotation @ self.rest_basis[:, bone, :3, 3, None])[..., 0]
            if bone == self.root:
                head = head + self.shift
            self.rotations[bone] = self.wanted[bone] if mapped else rotation @ self.rest_basis[:, bone, :3, :3]
            self.heads[bone] = head

    def move_root(self, world_shift):
        """Move the pelvis by (T,3) in the world and solve again."""
        self.shift = self.shift + world_shift @ np.linalg.inv(self.rig.matrix_world[:3, :3]).T
        self.solve()

    def turn(self, bone, world_turn):
        """Turn a mapped bone by (T,3,3) in the world; `solve` afterwards."""
        world = self.rig.world_rotation
        self.wanted[bone] = world.T @ world_turn @ world @ self.wanted[bone]

    def basis(self):
        """({bone: (T,3,3)}, {root: (T,3)}): local rotations of mapped bones and location
        of the bone that moves the body."""
        rotations, locations = {}, {}
        for bone in {*self.wanted, self.root}:
            free, head = self._free(bone)
            if bone in self.wanted:
                rotations[bone] = np.swapaxes(free, -1, -2) @ self.rotations[bone]
            if bone == self.root:
                locations[bone] = (np.swapaxes(free, -1, -2) @ (self.heads[bone] - head)[..., None])[..., 0]
        return rotations, locations


def _parents_first(bones, parents):
    def depth(bone):
        count = 0
        while parents[bone] >= 0 and count <= len(parents):
            bone, count = parents[bone], count + 1
        return count
    return sorted(bones, key=depth)


def basis_of(rig, pose):
    """Local pose (...,N,4,4), rotations without scale, of sampled poses (...,N,4,4) in armature space."""
    clean = np.array(pose, dtype=np.float64)
    clean[..., :3, :3] = orthonormal(clean[..., :3, :3])
    result = np.empty_like(clean)
    rest = rig.rest.copy()
    rest[:, :3, :3] = rig.rest_rotations
    for bone, parent in enumerate(rig.effective_parents):
        if rig.names[bone] in rig.neutral:
            result[..., bone, :, :] = np.eye(4)
            continue
        free = rest[bone] if parent < 0 else clean[..., parent, :, :] @ np.linalg.inv(rest[parent]) @ rest[bone]
        result[..., bone, :, :] = np.linalg.inv(free) @ clean[..., bone, :, :]
    return result


def blend_weights(times, blend_in, blend_out):
    """(T,) share of the take, 0..1, easing in over blend_in and out over blend_out seconds."""
    weight = np.ones(len(times))
    if blend_in > 0:
        weight = np.minimum(weight, np.clip(times / blend_in, 0, 1))
    if blend_out > 0:
        weight = np.minimum(weight, np.clip((times[-1] - times) / blend_out, 0, 1))
    return weight * weight * (3 - 2 * weight)


def mix(rig, rotations, locations, poses, weight):
    """Blend local channels with the present pose(s) by (T,) weight of the channels."""
    if np.all(weight >= 1):
        return rotations, locations
    blended = np.nonzero(weight < 1)[0]
    sample = np.minimum(blended, len(poses) - 1)
    present = {number: basis_of(rig, poses[number]) for number in np.unique(sample)}
    rotations, locations = dict(rotations), dict(locations)
    part = weight[blended][:, None]
    for bone, values in rotations.items():
        start = np.stack([present[number][bone, :3, :3] for number in sample])
        delta = matrix_to_axis_angle(np.swapaxes(start, -1, -2) @ values[blended])
        values = values.copy()
        values[blended] = start @ axis_angle_to_matrix(delta * part)
        rotations[bone] = values
    for bone, values in locations.items():
        start = np.stack([present[number][bone, :3, 3] for number in sample])
        values = values.copy()
        values[blended] = start * (1 - part) + values[blended] * part
        locations[bone] = values
    return rotations, locations
