"""A standing rest for skeletons whose rest pose does not stand, found in their own motion.

Skeletons converted from other programs often have every bone along one axis at rest, so that the rest tells neither
where a limb points nor how it is rolled. The motion does. For every joint this module finds the constant turn K from
the bone's axes to SMPL's: trunk and head from the body's frames over time, limbs from their own direction, the side to
which elbows and knees bend, and the twist they have on average. Programs put bones along axes, so K is taken to be the
nearest quarter turn wherever a bone lies along an axis. Some turn the axes of necks and collars too until they meet the
next joint exactly; the motion tells which. The rig laid out by these turns stands in a T-pose.
"""
from dataclasses import replace

import numpy as np

from core.body.kinematics import OFFSETS
from core.contract import PARENTS
from core.contract.bone_doubts import along_one_line
from core.errors import BadInput
from core.retarget.quarters import ALONG, EXACT, QUARTERS, between, fit, nearest_axis, quarter
from core.retarget.rest import ID, TORSO, joint_bones, swing, unit
from core.retarget.rig import orthonormal
from core.retarget.standing_feet import FLAT, flat_axes, foot_axes, pitch_of_feet, toed_out

FRAMES = 1500                       # looked at, spread over the clip
LEAST = 30                          # frames that a rest can be found in
CLEARLY = 0.07                      # of the trace of a rotation
TRUNK = ("pelvis", *TORSO, "neck", "head")
SAME = 0.7                          # what it counts for that a bone is rolled like the one it hangs on
BEND = 2.0                          # and that its hinge bends the right way
ALIKE = 0.2                         # length of a mean of unit vectors from which on it is a direction
ROLLED = np.radians(15.0)           # knees bend at most 9 degrees beside straight back on bodies that people were
# An elbow bends straight forward on the studio's bodies, 30 degrees higher on captured ones: what lies between.
ELBOW = np.array([0.0, np.sin(np.radians(15.0)), np.cos(np.radians(15.0))])
WORLD = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])      # SMPL axes -> z up, facing -y
# joint -> (joint it hangs on, joint it points to, joint whose bend tells its roll, where that bends to in SMPL axes)
LIMBS = {f"{side}_{joint}": tuple(f"{side}_{name}" if name else None for name in names) + (way,)
         for side in ("left", "right") for joint, *names, way in (
             ("shoulder", None, "elbow", "wrist", (0, 0, 1)), ("elbow", "shoulder", "wrist", None, None),
             ("wrist", "elbow", "hand", None, None), ("hip", None, "knee", "ankle", (0, 0, -1)),
             ("knee", "hip", "ankle", None, None))}


def stands(rig):
    """Do both legs of the rest pose point away from the head, and do hips and head span a plane?"""
    heads = {joint: rig.rest[rig.index[bone], :3, 3] for joint, bone in rig.bone_map.items()}
    sides = ("left", "right")
    middle = (heads["left_hip"] + heads["right_hip"]) / 2
    up = unit(heads["head"] - middle)
    left = heads["left_hip"] - heads["right_hip"]
    if np.linalg.norm(left) > 1e-6 and abs(unit(left) @ up) > np.cos(np.radians(30)):
        return False
    return all(unit(heads[f"{side}_ankle"] - heads[f"{side}_hip"]) @ up < -np.cos(np.radians(50)) for side in sides)


def source_rig(rig, poses):
    """The rig, in a rest that stands, of a motion (T,N,4,4) of its own. Raises BadInput where neither rest nor motion
    tell."""
    if stands(rig):
        return rig
    return standing_rig(rig, poses) if len(poses) >= LEAST else target_rig(rig, poses)


def target_rig(rig, poses=None, own=None):
    """The rig that a motion is put on, in a rest that stands: found in what it does by itself, `own` (T,N,4,4), where
    the add-on has read that; else its first pose is the rest where all bones lie along one line.

    Raises BadInput where nothing tells which way such bones point.
    """
    if stands(rig):
        return rig
    if own is not None and len(own) >= LEAST:
        return replace(standing_rig(rig, own), real=rig)
    if not along_one_line({joint: rig.rest[rig.index[bone], :3, 3] for joint, bone in rig.bone_map.items()}):
        return rig                                # limb by limb, core/retarget/rest.py
    posed = None if poses is None or len(poses) == 0 else _posed(rig, poses[0])
    if posed is None or not stands(posed):
        raise BadInput("All bones of the armature lie along one line at rest, and it neither moves nor stands in a "
                       "pose that would tell which way they point; put it into a T-pose, or give it an action, and "
                       "try again.")
    return replace(posed, real=rig)


def _posed(rig, pose):
    """The rig with a pose (N,4,4) as its rest."""
    rest = np.array(pose, dtype=np.float64)
    rest[:, :3, :3] = orthonormal(rest[:, :3, :3])
    turn = rest[:, :3, :3] @ np.swapaxes(rig.rest_rotations, -1, -2)
    return replace(rig, rest=rest, tails=rest[:, :3, 3] + np.einsum("nab,nb->na", turn, rig.tails - rig.rest[:, :3, 3]))


def standing_rig(rig, poses, notify=None):
    """`Rig` in a T-pose made from its motion. poses (T,N,4,4) in armature space. notify(sentence): where bones are
    rolled freely. Raises BadInput where joints coincide."""
    poses = poses[::max(1, len(poses) // FRAMES)]
    # Since rest: programs that give bones axes of their own (Blender) have turned them away from those of the file.
    turns = orthonormal(poses[..., :3, :3]) @ np.swapaxes(rig.rest_rotations, -1, -2)
    bones = {joint: rig.index[name] for joint, name in joint_bones(rig).items()}
    axes = _Axes(rig, bones, turns, poses[..., :3, 3])
    axes.trunk()
    axes.free = axes.rolled_freely()
    if axes.free:
        axes.trunk()
        if notify is not None:
            notify("The axes of its bones are rolled freely, so that it is known to some 30 degrees only how its limbs "
                   "are turned about themselves.")
    for joint in LIMBS:
        axes.limb(joint)
    axes.feet()
    return _laid_out(rig, {bones[joint]: turn for joint, turn in axes.found.items()}, turns)


class _Axes:
    """found {joint: (3,3)}: axes of the rest -> SMPL axes. turns (T,N,3,3) of all bones since rest and places (T,N,3)
    in armature space."""

    def __init__(self, rig, bones, turns, places):
        self.rig, self.bones = rig, bones
        self.turns = {joint: turns[:, bone] for joint, bone in bones.items()}
        self.places = {joint: places[:, bone] for joint, bone in bones.items()}
        self.up = rig.world_rotation.T @ np.array([0.0, 0.0, 1.0])
        self.found, self.free = {}, False

    def frames(self, joint):
        """(T,3,3) global rotation of a joint whose axes are known."""
        return self.turns[joint] @ self.found[joint].T

    def trunk(self):
        """Pelvis by hips and head, chest by shoulders and head, what lies between and beyond by its nearer
        neighbour."""
        hips, shoulders = self._middle("hip"), self._middle("shoulder")
        top = self.places.get("neck", self.places["head"])
        pelvis = _frame(self._across("hip"), shoulders - hips)
        chest = _frame(self._across("shoulder"), top - hips)
        means = {joint: np.mean(np.swapaxes(pelvis if joint in ("pelvis", "spine1") else chest, -1, -2)
                                @ self.turns[joint], axis=0)
                 for joint in (*TRUNK, "left_collar", "right_collar") if joint in self.bones}
        self.turned = self._turned(means)
        quarters = {joint: quarter(mean, self.turned.get(joint, QUARTERS)) for joint, mean in means.items()}
        turns = {joint: orthonormal(mean) for joint, mean in means.items()}
        odd = any(np.trace(quarters[joint].T @ turns[joint]) < 1 + 2 * np.cos(ROLLED)
                  for joint in ("pelvis", *TORSO) if joint in means)
        self.found |= turns if self.free and odd else quarters
        self.chest = chest

    def rolled_freely(self):
        """Does a knee bend beside the axes that its thigh would have by a quarter turn? Free rolls show there, for
        knees bend straight back on any body."""
        beside = []
        for joint in ("left_hip", "right_hip"):
            self.limb(joint)
            _, end, _, bends = LIMBS[joint]
            along = self.along(joint, end)
            if along is None or np.linalg.norm(self._bent(joint, along)) < ALIKE:
                continue
            canonical, bent = self.found[joint] @ along, self.found[joint] @ unit(self._bent(joint, along))
            wanted = unit(bends - (canonical @ bends) * canonical)
            beside.append(np.arccos(np.clip(wanted @ bent, -1, 1)))
        return max(beside, default=0.0) > ROLLED

    def _bent(self, joint, along):
        """(3,) mean direction in the bone's axes to which the limb beyond it bends, at right angles to the bone."""
        _, end, hinge, _ = LIMBS[joint]
        bent = np.mean(unit(np.einsum("tba,tb->ta", self.turns[joint], self.places[hinge] - self.places[end])), axis=0)
        return bent - (bent @ along) * along

    def _turned(self, means):
        """{joint: (n,3,3)} of the trunk's bones that lie exactly along an axis: what their axes may be if they were
        turned until they did. Empty where the means {joint: (3,3)} of the motion fit quarter turns better."""
        chain = [joint for joint in TRUNK if joint in self.bones]
        ends = {**dict(zip(chain, chain[1:])), "left_collar": "left_shoulder", "right_collar": "right_shoulder"}
        turned = {}
        for joint, end in ends.items():
            along = self.along(joint, end) if joint in means else None
            if along is not None and np.abs(along).max() > EXACT:
                turned[joint] = _turned_onto(along, _canonical(joint, end))
        gain = sum(fit(means[joint], turns).max() - fit(means[joint], QUARTERS).max()
                   for joint, turns in turned.items())
        if gain <= 0:
            return {}
        return {**turned, "head": self._last({"head": means["head"]}, {"head": OFFSETS[ID["head"]]})["head"]}

    def _last(self, means, onward, out=None):
        """{joint: (n,3,3)} what the axes of a head, or of both toes, may be: none lies beyond them, so that they mostly
        go straight on, turned by `out` {joint: (3,3)}; or in the direction {joint: (3,)} of the bone before, where
        the means {joint: (3,3)} say so clearly."""
        straight, turned, gain = {}, {}, 0.0
        for joint, mean in means.items():
            along = self.along(joint, None)
            straight[joint] = QUARTERS if out is None else np.concatenate([QUARTERS, out[joint] @ QUARTERS])
            turned[joint] = straight[joint]
            if along is not None and np.abs(along).max() > EXACT:
                turned[joint] = _turned_onto(along, unit(onward[joint]))
            turn = orthonormal(mean)
            gain += (fit(turn, turned[joint]).max() - fit(turn, straight[joint]).max()) / len(means)
        return turned if gain > CLEARLY else straight

    def _middle(self, joint):
        return (self.places[f"left_{joint}"] + self.places[f"right_{joint}"]) / 2

    def _across(self, joint):
        across = self.places[f"left_{joint}"] - self.places[f"right_{joint}"]
        if np.median(np.linalg.norm(across, axis=-1)) < 1e-9:
            other = "shoulder" if joint == "hip" else "hip"
            across = self.places[f"left_{other}"] - self.places[f"right_{other}"]
        return across

    def along(self, joint, end):
        """(3,) unit direction in which a bone points at rest; None where it has no length."""
        bone = self.bones[joint]
        to = self.rig.rest[self.bones[end], :3, 3] if end in self.bones else self.rig.tails[bone]
        way = to - self.rig.rest[bone, :3, 3]
        return unit(way) if np.linalg.norm(way) > 1e-9 else None

    def limb(self, joint):
        """The quarter turn that lays the bone along the canonical limb; of the four, the one that fits the motion
        best."""
        if joint not in self.bones:
            return
        start, end, hinge, bends = LIMBS[joint]
        # Where a hand without fingers ends is often made up: it is read by its turn alone.
        canonical, along = unit(OFFSETS[ID[end]]), self.along(joint, end) if end in self.bones else None
        base = self.frames(start) if start else self.frames("pelvis") if "hip" in joint else self.chest
        swung = base if along is None else swing(base @ canonical, self.turns[joint] @ along) @ base
        mean = np.mean(np.swapaxes(swung, -1, -2) @ self.turns[joint], axis=0)
        if self.free:
            self.found[joint] = self._free_limb(joint, canonical, along, mean)
            return
        scores = np.einsum("nab,ab->n", QUARTERS, mean)
        if start:
            scores = scores + SAME * (np.abs(QUARTERS - self.found[start]).max(axis=(1, 2)) < 1e-6)
        if along is None:
            self.found[joint] = QUARTERS[int(np.argmax(scores))] if scores.max() > 1.5 else orthonormal(mean)
            return
        if hinge:
            bent = self._bent(joint, along)
            sure = min(1.0, np.linalg.norm(bent) / ALIKE)
            scores = scores + BEND * sure * (QUARTERS @ unit(bent) @ np.array(bends, float))
        scores[QUARTERS @ along @ canonical < np.cos(np.radians(45))] = -np.inf
        if np.abs(along).max() < ALONG or np.isinf(scores).all():
            self.found[joint] = orthonormal(mean)
        else:
            self.found[joint] = QUARTERS[int(np.argmax(scores))]

    def _free_limb(self, joint, canonical, along, mean):
        """Axes of a limb's bone that no quarter turn gives: by its hinge, else as it is turned on average."""
        hinge, bends = LIMBS[joint][2:]
        bent = self._bent(joint, along) if hinge and along is not None else np.zeros(3)
        if np.linalg.norm(bent) < ALIKE:
            return orthonormal(mean)
        bends = ELBOW if "shoulder" in joint else np.array(bends, float)
        return between((along, bent), (canonical, bends))

    def feet(self):
        """Ankles and toes: pitched as the feet are while they stand, their sideways axis across the shin's bend."""
        means, ways = {}, {}
        for side in ("left", "right"):
            ankle = f"{side}_ankle"
            means[side] = np.mean(np.swapaxes(self.frames(f"{side}_knee"), -1, -2) @ self.turns[ankle], axis=0)
            along = self.along(ankle, f"{side}_foot")
            if along is not None:
                ways[side] = nearest_axis(along) if np.abs(along).max() > ALONG and not self.free else along
        pitch = pitch_of_feet(self, ways)
        toes, outward = {}, {}
        for side, mean in means.items():
            ankle, toe = f"{side}_ankle", f"{side}_foot"
            along = self.along(ankle, toe)
            self.found[ankle] = foot_axes(mean, ways[side], pitch) if side in ways else quarter(mean)
            if along is not None and not self.free and np.abs(along).max() < (EXACT if abs(pitch) < FLAT else ALONG):
                self.found[ankle] = flat_axes(mean, along, self.found[ankle])
            if self.turned and along is not None and np.abs(along).max() > EXACT:     # toed out, as feet are
                outward[toe] = swing([0, 0, 1.0], OFFSETS[ID[toe]] * [1, 0, 1])
                self.found[ankle] = toed_out(outward[toe], pitch) @ self.found[ankle]
            if toe in self.bones:
                toes[toe] = np.mean(np.swapaxes(self.frames(ankle), -1, -2) @ self.turns[toe], axis=0)
        axes = self._last(toes, {toe: OFFSETS[ID[toe]] for toe in toes}, outward) if len(outward) == 2 else {}
        for toe, mean in toes.items():
            self.found[toe] = orthonormal(mean) if self.free else quarter(mean, axes.get(toe, QUARTERS))


def _frame(left, up):
    """(T,3,3) with columns left, up, forward; left is exact. Raises BadInput where there is none."""
    if np.median(np.linalg.norm(left, axis=-1)) < 1e-9 or np.median(np.linalg.norm(up, axis=-1)) < 1e-9:
        raise BadInput("Hips, shoulders and head of the motion lie at one point; check the bone map.")
    left = unit(left)
    up = unit(up - (up * left).sum(-1, keepdims=True) * left)
    return np.stack([left, up, np.cross(left, up)], axis=-1)


def _canonical(joint, end):
    """(3,) unit direction in which the canonical `end` lies of a `joint` above it."""
    way, number = np.zeros(3), ID[end]
    while number not in (ID[joint], -1):
        way, number = way + OFFSETS[number], PARENTS[number]
    return unit(way)


def _turned_onto(along, canonical):
    """(n,3,3) the quarter turns that bring a bone near its canonical direction, each turned on until it lies there."""
    near = QUARTERS[QUARTERS @ along @ canonical > np.cos(np.radians(46))]
    return swing(near @ along, canonical) @ near


def _laid_out(rig, found, turns):
    """The rig whose bones `found` {bone: axes} have turned from their rest into a T-pose; other bones turn with their
    parent as they do on average."""
    body = rig.world_rotation.T @ WORLD
    rest, tails = rig.rest.copy(), np.zeros_like(rig.tails)
    turned = np.tile(np.eye(3), (len(rig.names), 1, 1))
    for bone, parent in enumerate(rig.parents):
        if bone in found:
            turned[bone] = body @ found[bone]
        elif parent >= 0:
            turned[bone] = turned[parent] @ quarter(
                np.mean(np.swapaxes(turns[:, parent], -1, -2) @ turns[:, bone], axis=0))
        rest[bone, :3, :3] = turned[bone] @ rig.rest_rotations[bone]
        if parent >= 0:
            rest[bone, :3, 3] = rest[parent, :3, 3] + turned[parent] @ (rig.rest[bone, :3, 3] - rig.rest[parent, :3, 3])
        tails[bone] = rest[bone, :3, 3] + turned[bone] @ (rig.tails[bone] - rig.rest[bone, :3, 3])
    return replace(rig, rest=rest, tails=tails)
