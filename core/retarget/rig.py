"""A rig as data: rest bones, their parents, the object's transform, and which bone is which SMPL joint."""
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from core.contract import JOINTS, SKELETON, json_text
from core.contract.arrays import check_npy
from core.contract.bone_tables import control_table, reading_map
from core.contract.files import reason
from core.errors import BadInput, reading

LIMIT_BYTES = 2 << 30        # of sampled poses: ten minutes of 400 bones at 60 fps are 0.9 GB
MOST_BONES = 20_000
BEYOND = 1e9                 # no place and no scale is as large; squares of larger ones overflow
MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0])
OTHER = {"left": "right", "right": "left"}


@dataclass(frozen=True)
class Rig:
    """names, parents (index or -1, parents first); rest (N,4,4) in armature space; tails (N,3) in armature space.

    matrix_world (4,4) takes armature space to the z-up world. bone_map: {SMPL joint: bone name}. fps: the scene's
    frame rate in Hz or None. follows: {bone: bone it really moves with, or None}, for control rigs whose
    constraints, not parents, carry a control; bones not named there follow their parent. neutral: bones of a control
    rig that only its switches move: once a take has set these, they add nothing to what they follow. real: the rig
    whose rest channels are for, where `rest` was laid out anew from its motion. mirrored: rest and poses are those of
    an armature object with a negative scale, seen in a mirror (`unmirrored`), left and right of the bone map exchanged.
    ik: limbs that a constraint of the rig's own solves (core/retarget/limbs_ik.py).
    """

    names: tuple
    parents: tuple
    rest: np.ndarray
    tails: np.ndarray
    matrix_world: np.ndarray
    bone_map: dict
    fps: float | None = None
    follows: dict = field(default_factory=dict)
    neutral: frozenset = frozenset()
    real: "Rig | None" = None
    mirrored: bool = False
    ik: tuple = ()

    def __post_init__(self):
        count = len(self.names)
        if self.rest.shape != (count, 4, 4) or self.tails.shape != (count, 3) or len(self.parents) != count:
            raise BadInput(f"The rig lists {count} bones, but its matrices or tails are of another number.")
        if any(parent >= index for index, parent in enumerate(self.parents)):
            raise BadInput("The rig's bones must be listed parents first.")
        for joint, bone in self.bone_map.items():
            if joint not in JOINTS:
                raise BadInput(f"The bone map names an unknown joint {joint!r}.")
            if bone not in self.index:
                raise BadInput(f"The bone map gives {joint} the bone {bone!r}, which the rig does not have; "
                               "pick another.")
        missing = [joint for joint in SKELETON["required"] if joint not in self.bone_map]
        if missing:
            raise BadInput(f"The bone map lacks {', '.join(missing)}; assign these bones, then try again.")
        if not all((np.abs(values) < BEYOND).all() for values in (self.rest, self.tails, self.matrix_world)):
            raise BadInput("The rig's rest pose holds values that are not numbers or beyond measure; repair the "
                           "armature.")

    @cached_property
    def index(self):
        """{bone name: place in `names`}."""
        return {name: number for number, name in enumerate(self.names)}

    def bone(self, joint):
        """Index of the bone mapped to a joint, or None."""
        name = self.bone_map.get(joint)
        return None if name is None else self.index[name]

    def reading(self):
        """The rig with the bones to sample: those that a control rig's controls drive, where they are at hand."""
        bone_map = reading_map(self.bone_map, self.names)
        return self if bone_map == self.bone_map else replace(self, bone_map=bone_map)

    @cached_property
    def effective_parents(self):
        """Index of the bone each bone moves with (-1: none): the parent unless `follows` says otherwise."""
        return tuple(self.index[self.follows[name]] if self.follows.get(name) else
                     (-1 if name in self.follows else self.parents[number])
                     for number, name in enumerate(self.names))

    @cached_property
    def world_rotation(self):
        """(3,3) rotation of the object, free of scale."""
        return orthonormal(self.matrix_world[:3, :3])

    def to_world(self, points):
        """(..., 3) armature space -> world."""
        return points @ self.matrix_world[:3, :3].T + self.matrix_world[:3, 3]

    @cached_property
    def rest_heads(self):
        """(N,3) bone heads at rest in the world."""
        return self.to_world(self.rest[:, :3, 3])

    @cached_property
    def rest_rotations(self):
        """(N,3,3) bone rotations at rest in armature space."""
        return orthonormal(self.rest[:, :3, :3])


def orthonormal(matrices):
    """The rotation nearest to each (...,3,3) matrix, by singular value decomposition; scale and shear are dropped."""
    matrices = np.asarray(matrices, dtype=np.float64)
    scaled = matrices / np.maximum(np.linalg.norm(matrices, axis=-2, keepdims=True), 1e-12)
    # Bones are seldom sheared or mirrored: unit columns at right angles need no decomposition, which is slow.
    skew = np.swapaxes(scaled, -1, -2) @ scaled - np.eye(3)
    if np.abs(skew).max(initial=0.0) < 1e-6 and np.linalg.det(scaled).min(initial=1.0) > 0:
        return scaled
    u, _, vt = np.linalg.svd(matrices)
    u[..., :, 2] *= np.linalg.det(u @ vt)[..., None]
    return u @ vt


def rig_from_json(data):
    """A `Rig` from the contents of a job's `rig.json` (docs/contracts.md, section 5). Raises BadInput.

    Per bone, `follows` (name or null) is optional; known control rigs bring theirs from the bone map tables. Bones
    may come in any order; see `bone_order`.
    """
    with reading("rig.json lacks bones, or what it says of them is damaged; sample the rig again."):
        bones = data["bones"]
        if len(bones) > MOST_BONES:
            raise BadInput(f"The rig has {len(bones)} bones; Baton handles {MOST_BONES}.")
        if not all(isinstance(bone["name"], str) and isinstance(bone["parent"], (str, type(None))) for bone in bones):
            raise TypeError("names")
        if not all(isinstance(pair, str) for row in data["bone_map"].items() for pair in row):
            raise TypeError("bone map")
        order = bone_order([(bone["name"], bone["parent"]) for bone in bones])
        bones = [bones[number] for number in order]
        index = {bone["name"]: number for number, bone in enumerate(bones)}
        control = control_table(data["bone_map"]) or {}
        world = np.array(data["matrix_world"], dtype=np.float64).reshape(4, 4)
        size = np.linalg.det(world[:3, :3])
        if abs(size) < 1e-12:
            raise BadInput("The armature object has a scale of 0; give it a size, then try again.")
        if size < 0 and control:
            raise BadInput("The armature object has a negative scale, with which its control rig does not work; apply "
                           "the scale (Ctrl A), then try again.")
        follows = {bone: target for bone, target in control.get("follows", {}).items() if {bone, target} <= set(index)}
        follows |= {bone["name"]: bone["follows"] for bone in bones if "follows" in bone}
        rig = Rig(tuple(index), tuple(index[b["parent"]] if b["parent"] else -1 for b in bones),
                  np.array([b["matrix_local"] for b in bones], dtype=np.float64).reshape(-1, 4, 4),
                  np.array([b["tail"] for b in bones], dtype=np.float64).reshape(-1, 3), world, dict(data["bone_map"]),
                  _rate(data.get("fps")), follows, frozenset(set(control.get("neutral", ())) & set(index)),
                  ik=_limbs(data.get("ik", ()), data["bone_map"], index))
        return rig if size > 0 else mirror_image(rig)


def _limbs(rows, bone_map, index):
    """`Rig.ik` from the rows of a `rig.json`; those of joints or bones that are not there are left out."""
    limbs = [{"joints": tuple(row["joints"]), "goal": row["goal"], "control": row["control"], "pole": row.get("pole"),
              "still": tuple(row.get("still", ())), "copies": bool(row.get("copies"))} for row in rows]
    return tuple(limb for limb in limbs if len(limb["joints"]) == 3 and {*limb["joints"]} <= set(bone_map)
                 and {limb["goal"], limb["control"], *limb["still"], *filter(None, [limb["pole"]])} <= set(index))


def _rate(fps):
    if fps is not None and not (type(fps) in (int, float) and 1 <= fps <= 1000):
        raise BadInput(f"The scene has a rate of {str(fps)[:20]} frames a second; give it 1 to 1000.")
    return fps


def mirror_image(rig):
    """The rig of an object with a negative scale as one with a positive scale that looks the same: armature space is
    mirrored at x = 0, and what hangs on the left of it is the left."""
    bone_map = {_other_side(joint): bone for joint, bone in rig.bone_map.items()}
    limbs = tuple({**limb, "joints": tuple(map(_other_side, limb["joints"]))} for limb in rig.ik)
    return replace(rig, ik=limbs, rest=unmirrored(rig.rest), tails=rig.tails * [-1.0, 1.0, 1.0],
                   matrix_world=rig.matrix_world @ MIRROR, bone_map=bone_map, mirrored=True)


def _other_side(joint):
    side, _, rest = joint.partition("_")
    return f"{OTHER[side]}_{rest}" if side in OTHER else joint


def unmirrored(matrices):
    """(...,4,4) matrices of a mirrored armature space, seen in a mirror at x = 0: proper again, and its own inverse."""
    return MIRROR @ matrices @ MIRROR


def bone_order(pairs):
    """Order (list of indices) of (name, parent name or None) pairs that puts parents first."""
    place = {name: number for number, (name, _) in enumerate(pairs)}
    depth = {}
    for name, parent in pairs:
        chain, above = [name], {name}
        while parent is not None and parent not in depth:
            if parent in above or parent not in place:
                raise BadInput(f"The bone {chain[-1][:60]!r} has a parent that does not exist or is its own child.")
            chain.append(parent)
            above.add(parent)
            parent = pairs[place[parent]][1]
        start = depth[parent] + 1 if parent is not None else 0
        for offset, link in enumerate(reversed(chain)):
            depth[link] = start + offset
    return sorted(range(len(pairs)), key=lambda number: depth[pairs[number][0]])


def read_job(folder):
    """(Rig, poses (T,N,4,4), times (T,)) of a job folder; poses are reordered to the rig's bones."""
    from pathlib import Path
    folder = Path(folder)
    try:
        data = json_text.read(folder / "rig.json", finite=False)
        for name, most in (("pose.npy", LIMIT_BYTES), ("times.npy", LIMIT_BYTES >> 4)):
            check_npy(folder / name, most)
        poses, times = np.load(folder / "pose.npy"), np.load(folder / "times.npy")
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else error
        raise BadInput(f"The job's rig cannot be read ({why}); sample the rig again.") from error
    rig = rig_from_json(data)
    if poses.dtype.kind != "f" or times.dtype.kind != "f" or times.ndim != 1:
        raise BadInput("The job's poses or times are no numbers; sample the rig again.")
    place = {bone["name"]: number for number, bone in enumerate(data["bones"])}
    if poses.ndim != 4 or poses.shape[1:] != (len(place), 4, 4) or len(times) != len(poses):
        raise BadInput(f"pose.npy must be (T,{len(place)},4,4) with T times, not {poses.shape} and {len(times)}.")
    poses = poses[:, [place[name] for name in rig.names]]
    return rig, unmirrored(poses) if rig.mirrored else poses, times
