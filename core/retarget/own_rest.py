"""Channels in the axes of the rig as it really is, where retargeting saw another:
a rest laid out anew, a mirror image."""
import numpy as np

from core.retarget.rig import MIRROR

TURNED = MIRROR[:3, :3]


def to_own(rig, rotations, locations):
    """({bone: (T,3,3)}, {bone: (T,3)}) of `matrix_basis` against `rig.rest` -> against the real rest, unmirrored."""
    if rig.real is not None:
        turns = {bone: _between(rig, bone) for bone in {*rotations, *locations}}
        rotations = {bone: turns[bone] @ values for bone, values in rotations.items()}
        locations = {bone: values @ turns[bone].T for bone, values in locations.items()}
    if rig.mirrored:
        rotations = {bone: TURNED @ values @ TURNED for bone, values in rotations.items()}
        locations = {bone: values @ TURNED for bone, values in locations.items()}
    return rotations, locations


def _between(rig, bone):
    """(3,3) from the axes that a bone has under its parent in `rig.rest` to those in `rig.real.rest`."""
    parent, new, old = rig.effective_parents[bone], rig.rest_rotations, rig.real.rest_rotations
    if parent < 0:
        return old[bone].T @ new[bone]
    return old[bone].T @ old[parent] @ np.swapaxes(new[parent], -1, -2) @ new[bone]
