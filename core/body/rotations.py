"""Rotations as batched functions on the last axes; numpy unless said otherwise.

6D is the first two *columns* of the matrix, concatenated (Zhou et al. 2019, "On the Continuity of
Rotation Representations", section 4). Quaternions are (w, x, y, z). Angles are radians.
"""
import numpy as np

# Rest root rotation: SMPL's y-up, +z-forward becomes Blender's z-up, facing -y.
ROOT_TO_BLENDER = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]], dtype=np.float32)

ROUNDING = 1e-4             # of the entries of R R^T: what single precision leaves of a rotation after many products


def _scipy():
    """scipy's Rotation, imported when needed: training machines need not have scipy."""
    from scipy.spatial.transform import Rotation
    return Rotation


def matrix_to_6d(matrix):
    """(..., 3, 3) -> (..., 6). Works on numpy arrays and torch tensors alike."""
    first, second = matrix[..., :, 0], matrix[..., :, 1]
    if isinstance(matrix, np.ndarray):
        return np.concatenate([first, second], axis=-1)
    import torch
    return torch.cat([first, second], dim=-1)


def sixd_to_matrix(sixd):
    """(..., 6) -> (..., 3, 3) by Gram-Schmidt; numpy or torch. Degenerate input gives a finite matrix."""
    a, b = sixd[..., :3], sixd[..., 3:]
    if isinstance(sixd, np.ndarray):
        x = a / np.maximum(np.linalg.norm(a, axis=-1, keepdims=True), 1e-8)
        y = b - (x * b).sum(-1, keepdims=True) * x
        y = y / np.maximum(np.linalg.norm(y, axis=-1, keepdims=True), 1e-8)
        return np.stack([x, y, np.cross(x, y)], axis=-1)
    import torch
    x = torch.nn.functional.normalize(a, dim=-1, eps=1e-8)
    y = torch.nn.functional.normalize(b - (x * b).sum(-1, keepdim=True) * x, dim=-1, eps=1e-8)
    return torch.stack([x, y, torch.linalg.cross(x, y, dim=-1)], dim=-1)


def _batched(convert, array, tail_in):
    array = np.asarray(array)
    lead = array.shape[: array.ndim - tail_in]
    out = convert(array.reshape((-1,) + array.shape[array.ndim - tail_in:]))
    return out.reshape(lead + out.shape[1:]).astype(np.float32)


def axis_angle_to_matrix(axis_angle):
    """(..., 3) rotation vectors -> (..., 3, 3)."""
    return _batched(lambda a: _scipy().from_rotvec(a).as_matrix(), axis_angle, 1)


def matrix_to_axis_angle(matrix):
    """(..., 3, 3) -> (..., 3) rotation vectors, of length pi at most; of what is no rotation the nearest one's."""
    return _batched(_rotation_vectors, matrix, 2)


def _rotation_vectors(matrix):
    """(N, 3, 3) -> (N, 3). scipy finds the nearest rotation by a singular value decomposition, which takes five times
    as long as all the rest: only what is further than `ROUNDING` from a rotation goes that way."""
    m = np.asarray(matrix, dtype=np.float64)
    off = np.abs(m @ np.swapaxes(m, -1, -2) - np.eye(3)).max(axis=(-2, -1))
    sound = (off < ROUNDING) & ((np.cross(m[:, 0], m[:, 1]) * m[:, 2]).sum(-1) > 0)
    if not sound.all():
        out = np.empty((len(m), 3))
        out[~sound] = _scipy().from_matrix(m[~sound]).as_rotvec()
        out[sound] = _rotation_vectors(m[sound])
        return out
    return _scipy().from_quat(_quaternions(m)).as_rotvec()


def _quaternions(m):
    """(N, 4) unit quaternions (x, y, z, w) of rotations (N, 3, 3), by the largest component (Shepperd 1978)."""
    diagonal = m[:, [0, 1, 2], [0, 1, 2]]
    choice = np.concatenate([diagonal, diagonal.sum(1, keepdims=True)], axis=1).argmax(1)
    q = np.empty((len(m), 4))
    turned = choice == 3
    t = m[turned]
    q[turned] = np.stack([t[:, 2, 1] - t[:, 1, 2], t[:, 0, 2] - t[:, 2, 0], t[:, 1, 0] - t[:, 0, 1],
                          1 + diagonal[turned].sum(1)], axis=1)
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        rows = choice == i
        t = m[rows]
        q[rows, i] = 1 + 2 * t[:, i, i] - diagonal[rows].sum(1)
        q[rows, j], q[rows, k] = t[:, j, i] + t[:, i, j], t[:, k, i] + t[:, i, k]
        q[rows, 3] = t[:, k, j] - t[:, j, k]
    return q / np.linalg.norm(q, axis=1, keepdims=True)


def euler_to_matrix(angles, order):
    """(..., 3) radians -> (..., 3, 3). `order` such as "ZXY": intrinsic, first letter applied outermost (as in BVH)."""
    return _batched(lambda a: _scipy().from_euler(order.upper(), a).as_matrix(), angles, 1)


def matrix_to_euler(matrix, order):
    """(..., 3, 3) -> (..., 3) radians, intrinsic `order` as in `euler_to_matrix`."""
    return _batched(lambda a: _scipy().from_matrix(a).as_euler(order.upper()), matrix, 2)


def quaternion_to_matrix(quaternion):
    """(..., 4) as (w, x, y, z) -> (..., 3, 3)."""
    return _batched(lambda a: _scipy().from_quat(a[:, [1, 2, 3, 0]]).as_matrix(), quaternion, 1)


def matrix_to_quaternion(matrix):
    """(..., 3, 3) -> (..., 4) as (w, x, y, z), sign free (see `unroll_quaternions`)."""
    return _batched(lambda a: _scipy().from_matrix(a).as_quat()[:, [3, 0, 1, 2]], matrix, 2)


def unroll_quaternions(quaternion):
    """(T, ..., 4): flip signs so that neighbours in time lie in one hemisphere, as animation curves need."""
    q = np.array(quaternion, dtype=np.float32)
    sign = np.where((q[1:] * q[:-1]).sum(-1) < 0, -1.0, 1.0)
    q[1:] *= np.cumprod(sign, axis=0)[..., None].astype(np.float32)
    return q


def geodesic(a, b):
    """Angle in radians between rotation matrices (..., 3, 3), shape (...)."""
    trace = np.einsum("...ij,...ij->...", a, b)
    return np.arccos(np.clip((trace - 1.0) / 2.0, -1.0, 1.0))
