"""A path of the scene as a motion sees it."""
import numpy as np

from core.errors import BadInput
from core.retarget.rest import align_rest, stance


def from_world(points: np.ndarray, rig, poses) -> np.ndarray:
    """World points (N,3) -> (N,3) float32 in the space of a motion that starts where the rig stands in poses[0], facing
    its way: metres of the canonical skeleton, the middle of the hips at xy = 0, facing -y,
    heights from the rig's floor.

    poses (T,B,4,4) in armature space, None: the rest pose. Raises BadInput without a rig.
    """
    if rig is None:
        raise BadInput("A path needs the rig that is to follow it; sample the rig again.")
    rest = align_rest(rig)
    pose = rig.rest[None] if poses is None or len(poses) == 0 else np.asarray(poses[:1], dtype=np.float64)
    heading, hips = stance(rig, rest, pose)
    moved = np.asarray(points, dtype=np.float64) - [hips[0], hips[1], rest.floor]
    cos, sin = np.cos(-heading), np.sin(-heading)
    turned = np.stack([cos * moved[:, 0] - sin * moved[:, 1], sin * moved[:, 0] + cos * moved[:, 1], moved[:, 2]],
                      axis=1)
    return (turned * rest.scale).astype(np.float32)
