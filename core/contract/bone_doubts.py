"""What speaks against a bone map once names have been read: the hierarchy, and where the bones lie at rest.

A doubt is a clause about one joint ("lies on the side of the other hip"). Both sides of the process wall ask here, so
it is standard library only. A mapping is {SMPL joint: bone name}, heads {bone: (x, y, z)} at rest in armature space.
"""
from math import sqrt

from .bone_tables import control_table

UNSURE = 0.5                    # the confidence of a row that is doubted
SIDES = ("left", "right")
SPINE = ("spine1", "spine2", "spine3")
# joint -> joint that must be among the ancestors of its bone
BELOW = {f"{side}_{joint}": f"{side}_{above}" for side in SIDES for joint, above in (
    ("knee", "hip"), ("ankle", "knee"), ("foot", "ankle"), ("elbow", "shoulder"), ("wrist", "elbow"), ("hand", "wrist"),
    ("shoulder", "collar"))} | {"spine2": "spine1", "spine3": "spine2", "head": "neck"}
LIMBS = (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
ORDER = ("spine1", "spine2", "spine3", "neck", "head")
EVEN = 1.3                      # left and right limbs are as long as each other up to this factor
PAIR = 2.6                      # and the two halves of a limb up to this one
LEAST = 1e-4                    # of a leg's length: two joints at one point


def doubts(mapping: dict[str, str], parents: dict[str, str | None], heads: dict | None = None) -> dict[str, str]:
    """{joint: clause} of the joints whose bone is doubtful; empty where hierarchy and rest pose agree with the mapping.

    parents {bone: parent or None} of all bones. heads None: only the hierarchy is asked.
    """
    mapping = {joint: bone for joint, bone in mapping.items() if bone in parents}
    found = {} if control_table(mapping) else _hierarchy(mapping, parents)
    if heads is not None:
        at = {joint: heads[bone] for joint, bone in mapping.items() if bone in heads}
        for joint, clause in _geometry(at).items():
            found.setdefault(joint, clause)
    return {joint: found[joint] for joint in mapping if joint in found}


def sentence(named: dict[str, str], what: str = "the armature") -> str:
    """One sentence that names doubtful rows for the user; "" where there are none.
    named {shown name of a joint: clause}."""
    if not named:
        return ""
    first = [f"{joint} ({clause})" for joint, clause in list(named.items())[:3]]
    more = f" and {len(named) - 3} more" if len(named) > 3 else ""
    return f"Unsure bones of {what}: {', '.join(first)}{more}; look at them in the bone map."


def absent(mapping: dict[str, str]) -> list[str]:
    """The joints that a body should have and the mapping has no bone for: spine, neck, collars, toes."""
    return [joint for joint in (*ORDER[:-1], *(f"{side}_{joint}" for joint in ("collar", "foot") for side in SIDES))
            if joint not in mapping]


def absent_sentence(named: list[str], what: str = "The armature") -> str:
    """One sentence that names `absent` joints for the user; "" where there are none."""
    if not named:
        return ""
    return (f"{what} has no {'bone' if len(named) == 1 else 'bones'} for {', '.join(named)}; what "
            "these do is not in it, so they move as their neighbours do.")


def stands(at: dict) -> bool:
    """Does a rest stand, so that it tells where limbs point? at {joint: (x, y, z)} with head,
    hips, knees and ankles."""
    legs = [_far(at, f"{side}_{a}", f"{side}_{b}") for side in SIDES for a, b in (("hip", "knee"), ("knee", "ankle"))]
    return None not in legs and "head" in at and sum(legs) > 0 and _standing(at, sum(legs) / 2) is not None


def along_one_line(at: dict) -> bool:
    """Do thighs, shins, arms and trunk of a rest all point along one line,
    so that it tells nothing? at {joint: (x, y, z)}."""
    ways = [_minus(at[f"{side}_{b}"], at[f"{side}_{a}"]) for side in SIDES for a, b in LIMBS
            if f"{side}_{a}" in at and f"{side}_{b}" in at]
    if "pelvis" in at and "head" in at:
        ways.append(_minus(at["head"], at["pelvis"]))
    longest = max(map(_length, ways), default=0.0)
    ways = [_unit(way) for way in ways if _length(way) > 1e-6 * longest]
    return not ways or all(abs(_dot(way, ways[0])) > 0.9 for way in ways)


# ---------------------------------------------------------------------------------------------- hierarchy

def _above(bone, parents):
    """The bone's ancestors."""
    seen, bone = set(), parents.get(bone)
    while bone is not None and bone not in seen:
        seen.add(bone)
        bone = parents.get(bone)
    return seen


def _hierarchy(mapping, parents):
    above = {joint: _above(bone, parents) for joint, bone in mapping.items()}
    found = {}
    for joint, other in BELOW.items():
        if joint in mapping and other in mapping and mapping[other] not in above[joint]:
            found[joint] = f"is not below {mapping[other]}"
    trunk = next((mapping[joint] for joint in reversed(SPINE) if joint in mapping), None)
    for joint in ("neck", "left_collar", "right_collar"):
        if trunk and joint in mapping and trunk not in above[joint]:
            found[joint] = f"is not below {trunk}"
    pelvis = mapping.get("pelvis")
    carried = [joint for joint in ("left_hip", "right_hip") if joint in mapping]
    carried += [joint for joint in (*SPINE, "neck", "head") if joint in mapping][:1]
    left_behind = [mapping[joint] for joint in carried if pelvis and pelvis not in above[joint]]
    if left_behind:
        found["pelvis"] = f"does not carry {left_behind[0]}"
    return found


# ---------------------------------------------------------------------------------------------- rest pose

def _geometry(at):
    """Doubts from where the joints lie. at {joint: (x, y, z)}."""
    legs = [_far(at, f"{side}_{a}", f"{side}_{b}") for side in SIDES for a, b in (("hip", "knee"), ("knee", "ankle"))]
    if any(length is None for length in legs) or "head" not in at:
        return {}
    leg = sum(legs) / 2
    if leg <= 0:
        return {}
    found = _lengths(at, leg)
    frame = _standing(at, leg)
    if frame is not None:                      # a rest with every bone along one axis tells lengths alone
        up, left, hips = frame
        for clauses in (_toes(at, up, left, leg), _sides(at, left, hips, leg), _heights(at, up, hips, leg)):
            found = {**clauses, **found}           # the first of them to speak of a joint is heard
    return found


def _lengths(at, leg):
    found = {}
    for start, end in LIMBS:
        left, right = (_far(at, f"{side}_{start}", f"{side}_{end}") for side in SIDES)
        for side, length in (("left", left), ("right", right)):
            if length is not None and length < LEAST * leg:
                found[f"{side}_{end}"] = f"starts where the {start} does"
        if left and right and not 1 / EVEN < left / right < EVEN:
            for side in SIDES:
                found.setdefault(f"{side}_{end}", "is not as far from its neighbour as on the other side")
    for upper, middle, lower in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")):
        for side in SIDES:
            one, two = _far(at, f"{side}_{upper}", f"{side}_{middle}"), _far(at, f"{side}_{middle}", f"{side}_{lower}")
            if one and two and not 1 / PAIR < one / two < PAIR:
                found.setdefault(f"{side}_{middle}", f"lies too near the {upper if one < two else lower}")
    for side in SIDES:
        arm = [_far(at, f"{side}_shoulder", f"{side}_elbow"), _far(at, f"{side}_elbow", f"{side}_wrist")]
        if None not in arm and not 0.25 < sum(arm) / leg < 2.0:
            found.setdefault(f"{side}_wrist", "makes an arm that does not fit the legs")
        for joint, near, most in (("hand", "wrist", 0.4), ("foot", "ankle", 0.6)):
            far = _far(at, f"{side}_{joint}", f"{side}_{near}")
            if far is not None and far > most * leg:
                found.setdefault(f"{side}_{joint}", f"lies far from the {near}")
    return found


def _standing(at, leg):
    """(up, left, middle of the hips) of a rest that stands, or None."""
    hips = _mean(at["left_hip"], at["right_hip"])
    up, left = _unit(_minus(at["head"], hips)), _minus(at["left_hip"], at["right_hip"])
    if up is None:
        return None
    if _length(left) < LEAST * leg:
        left = _minus(at["left_knee"], at["right_knee"])
    left = _unit(left)
    legs = [_unit(_minus(at[f"{side}_ankle"], at[f"{side}_hip"])) for side in SIDES]
    if left is None or None in legs or abs(_dot(left, up)) > 0.86 or any(_dot(way, up) > -0.64 for way in legs):
        return None
    return up, _unit(_minus(left, [_dot(left, up) * value for value in up])), hips


def _heights(at, up, hips, leg):
    def height(joint):
        return _dot(_minus(at[joint], hips), up) / leg
    found, last, before = {}, None, None
    for joint in ORDER:
        if joint not in at:
            continue
        if last is not None and height(joint) < last - 0.03:
            found[joint] = f"lies below {before}"
        last, before = height(joint), joint
    if "pelvis" in at and not -0.6 < height("pelvis") < 0.4:
        found["pelvis"] = "lies far from the hips"
    for side in SIDES:
        if f"{side}_shoulder" in at and height(f"{side}_shoulder") < 0.1:
            found[f"{side}_shoulder"] = "lies no higher than the hips"
    return found


def _sides(at, left, hips, leg):
    found = {}
    for joint in ("hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist", "hand"):
        if f"left_{joint}" not in at or f"right_{joint}" not in at:
            continue
        apart = _dot(_minus(at[f"left_{joint}"], at[f"right_{joint}"]), left) / leg
        if apart < (-0.02 if joint == "collar" else 0.0 if joint == "hip" else 0.01):
            for side in SIDES:
                found[f"{side}_{joint}"] = "lies on the side of the other one"
    for side, sign in (("left", 1), ("right", -1)):
        if f"{side}_shoulder" in at and f"{side}_collar" in at:
            outer, inner = (sign * _dot(_minus(at[f"{side}_{joint}"], hips), left) for joint in ("shoulder", "collar"))
            if outer < inner - 0.01 * leg:
                found.setdefault(f"{side}_collar", "lies further out than the shoulder")
    return found


def _toes(at, up, left, leg):
    """Toes that point backwards: heels, or left and right exchanged."""
    found, backwards = {}, (up[1] * left[2] - up[2] * left[1], up[2] * left[0] - up[0] * left[2],
                            up[0] * left[1] - up[1] * left[0])
    for side in SIDES:
        if f"{side}_foot" in at and _dot(_minus(at[f"{side}_foot"], at[f"{side}_ankle"]), backwards) > 0.08 * leg:
            found[f"{side}_foot"] = "points backwards: a heel, or left and right are exchanged"
    return found


# ---------------------------------------------------------------------------------------------- vectors

def _minus(a, b):
    return [x - y for x, y in zip(a, b)]


def _mean(a, b):
    return [(x + y) / 2 for x, y in zip(a, b)]


def _dot(a, b):
    return sum(x * y for x, y in zip(a, b))


def _length(a):
    return sqrt(_dot(a, a))


def _unit(a):
    length = _length(a)
    return [x / length for x in a] if length > 1e-12 else None


def _far(at, one, two):
    return _length(_minus(at[one], at[two])) if one in at and two in at else None
