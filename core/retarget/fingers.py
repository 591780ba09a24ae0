"""Still finger poses for rigs that have finger bones: relaxed hands, and the grip of a baton in one of them."""
import numpy as np

from core.body.rotations import axis_angle_to_matrix
from core.errors import BadInput
from core.retarget.bonemap_fuzzy import words
from core.retarget.rest import align_rest, unit

FINGERS = {"thumb": ("thumb",), "index": ("index",), "middle": ("mid",), "ring": ("ring",),
           "pinky": ("pinky", "little")}
# Degrees of flexion from the knuckle outwards.
RELAXED = {"thumb": (8, 8, 5), "index": (14, 20, 12), "middle": (18, 24, 14), "ring": (22, 26, 16),
           "pinky": (24, 28, 16)}
GRIP = {"thumb": (18, 24, 16), "index": (38, 48, 24), "middle": (58, 62, 34), "ring": (66, 70, 40),
        "pinky": (68, 72, 40)}
GRIPPING = {"relaxed": None, "baton": "right", "baton_left": "left"}      # mode: hand that holds the baton
PREFIXES = ("DEF-", "ORG-", "MCH-")


def finger_bones(rig, side):
    """{finger: [bone indices from the knuckle outwards]} of one hand, of the same layer of the rig as the wrist."""
    wrist = rig.bone_map[f"{side}_wrist"]
    layer = next((prefix for prefix in PREFIXES if wrist.startswith(prefix)), "")
    found = _named_fingers([name for name in rig.names if name.startswith(layer)] if layer else [], side)
    if not any(found.values()):
        found = _named_fingers([name for name in rig.names if not name.startswith(PREFIXES)], side)
    found = {finger: [rig.index[name] for name in names] for finger, names in found.items()}
    for finger, bones in found.items():
        bones.sort(key=lambda b: np.linalg.norm(rig.rest_heads[b] - rig.rest_heads[rig.index[wrist]]))
        found[finger] = bones[:3]
    return {finger: bones for finger, bones in found.items() if bones}


def _named_fingers(names, side):
    found = {finger: [] for finger in FINGERS}
    for name in names:
        its_side, word = words(name)
        if its_side != side or "metacarpal" in word or "palm" in word or "master" in word:
            continue
        for finger, keys in FINGERS.items():
            if any(word.startswith((key, f"f{key}", f"hand{key}", f"finger{key}")) for key in keys):
                found[finger].append(name)
    return found


def finger_rotations(rig, mode, frames):
    """{bone index: (T,3,3) local rotation} for a mode of `GRIPPING`. Empty if the rig has no finger bones."""
    if mode not in GRIPPING:
        raise BadInput(f"Fingers are 'none', {', '.join(map(repr, GRIPPING))}, not {mode!r}.")
    rest, result = align_rest(rig), {}
    for side in ("left", "right"):
        table = GRIP if side == GRIPPING[mode] else RELAXED
        fingers = finger_bones(rig, side)
        axes = _flexion_axes(rig, rest, side, fingers)
        for finger, bones in fingers.items():
            for bone, degrees in zip(bones, table[finger]):
                frame = rig.world_rotation @ rig.rest_rotations[bone]
                turn = axis_angle_to_matrix(frame.T @ axes[finger] * np.radians(degrees))
                result[bone] = np.broadcast_to(turn, (frames, 3, 3))
    return result


def _flexion_axes(rig, rest, side, fingers):
    """{finger: world axis at rest about which a positive turn closes the hand}."""
    sign = -1.0 if side == "left" else 1.0
    reference = rest.reference[f"{side}_wrist"]
    along = reference @ np.array([-sign, 0.0, 0.0])
    across = reference @ np.array([0.0, 0.0, 1.0])          # towards the thumb, palm down in a T-pose
    if "index" in fingers and "pinky" in fingers:
        # The knuckles tell how the palm really faces, as in an A-pose with palms inward.
        line = rig.rest_heads[fingers["index"][0]] - rig.rest_heads[fingers["pinky"][0]]
        across = unit(line - (line @ along) * along)
    axes = {finger: sign * across for finger in fingers}
    if "thumb" in fingers and "middle" in fingers:
        thumb = rig.rest_heads[fingers["thumb"][-1]] - rig.rest_heads[fingers["thumb"][0]]
        goal = rig.rest_heads[fingers["middle"][0]] + 0.5 * np.linalg.norm(thumb) * np.cross(sign * across, along)
        axis = np.cross(thumb, goal - rig.rest_heads[fingers["thumb"][0]])
        if np.linalg.norm(axis) > 1e-9:
            axes["thumb"] = unit(axis)
    return axes
