"""Forward kinematics of the SMPL-24 joint tree; one function for numpy arrays and torch tensors."""
import numpy as np

from core.contract import PARENTS, SKELETON

OFFSETS = np.asarray(SKELETON["offsets_m"], dtype=np.float32)
FPS = float(SKELETON["fps"])


def _stack(items, axis):
    if isinstance(items[0], np.ndarray):
        return np.stack(items, axis=axis)
    import torch
    return torch.stack(items, dim=axis)


def forward_kinematics(rotations, root, offsets=OFFSETS, parents=PARENTS):
    """Joint positions and global rotations.

    rotations: (..., J, 3, 3) local; root: (..., 3) position of joint 0 in metres;
    offsets: (J, 3) rest offsets from the parent, in the joint's own axes (numpy or the same kind as rotations).
    Returns positions (..., J, 3) and global rotations (..., J, 3, 3). Equal to
    `smplx.lbs.batch_rigid_transform` up to the root position (tested).
    """
    if not isinstance(rotations, np.ndarray) and isinstance(offsets, np.ndarray):
        offsets = rotations.new_tensor(offsets)
    global_rotations, positions = [rotations[..., 0, :, :]], [root]
    for joint in range(1, len(parents)):
        parent = parents[joint]
        above = global_rotations[parent]
        positions.append(positions[parent] + (above @ offsets[joint][:, None])[..., 0])
        global_rotations.append(above @ rotations[..., joint, :, :])
    return _stack(positions, -2), _stack(global_rotations, -3)


def local_from_global(global_rotations, parents=PARENTS):
    """(..., J, 3, 3) global -> local rotations: R_local = R_parent^T R."""
    local = [global_rotations[..., 0, :, :]]
    for joint in range(1, len(parents)):
        above = global_rotations[..., parents[joint], :, :]
        above = np.swapaxes(above, -1, -2) if isinstance(above, np.ndarray) else above.transpose(-1, -2)
        local.append(above @ global_rotations[..., joint, :, :])
    return _stack(local, -3)
