"""Retargeting: any mapped rig -> the canonical SMPL-24 skeleton (`to_smpl`) and back (`from_smpl`).

Global rotations are carried over, corrected by constants of the two rest poses (core/retarget/rest.py). Positions are
scaled by leg length and anchored at planted feet (core/retarget/contacts.py).
"""
from dataclasses import dataclass, field, replace

import numpy as np

from core.body.kinematics import FPS, forward_kinematics, local_from_global
from core.body.motion import Motion
from core.body.rotations import axis_angle_to_matrix, matrix_to_axis_angle, matrix_to_quaternion, unroll_quaternions
from core.contract.bone_tables import control_table
from core.contract.files import replacing
from core.errors import BadInput
from core.retarget.carrier import carried_rig
from core.retarget.contacts import (
    anchor_weights,
    canonical_points,
    contact,
    from_canonical,
    rest_heights,
    rig_points,
    to_canonical,
)
from core.retarget.feet import keep_feet
from core.retarget.legs_ik import leg_channels
from core.retarget.limbs_ik import limb_channels
from core.retarget.own_rest import to_own
from core.retarget.placing import beside, heights_over_floor
from core.retarget.pose import RigPose, basis_of, blend_weights, mix
from core.retarget.rest import ID, align_rest, joint_rotations, stance
from core.retarget.step_in import reachable, rig_steps
from core.retarget.tpose import leading_tpose

LOWER_BODY = ("pelvis", *(f"{side}_{joint}" for side in ("left", "right")
                          for joint in ("hip", "knee", "ankle", "foot")))


@dataclass(frozen=True)
class Options:
    """How a motion is put on a rig; durations in seconds."""

    root_motion: bool = True        # False: in place, the hips keep their place on the floor
    place: str = "rig"              # "rig": start where the rig stands, facing its way; "motion": as in the motion
    mirror: bool = False            # exchange left and right
    blend_in: float = 0.0           # from the rig's present pose
    blend_out: float = 0.0          # back to it
    plant_feet: bool = True         # lock planted feet and keep soles above the floor
    legs: bool = True               # False: pelvis and legs keep what the rig has; only trunk, arms and head are keyed
    fingers: str = "none"           # "none", "relaxed" (both hands), "baton" or "baton_left" (the hand that grips)
    fps: float | None = None        # of the channels; None: the rig's, else the motion's


@dataclass(frozen=True)
class Channels:
    """What the add-on keys: times (T,) s; rotations {bone: (T,4) wxyz}; locations {bone: (T,3)} of `matrix_basis`.

    settle: seconds over which pelvis and legs, which come by steps from the pose the rig has, are still to be mixed
    with it; 0: they do not come by steps.
    """

    times: np.ndarray
    rotations: dict
    locations: dict = field(default_factory=dict)
    settle: float = 0.0

    def save(self, path):
        """Write `channels.npz` (docs/contracts.md, section 5)."""
        arrays = {f"rotation/{bone}": values.astype(np.float32) for bone, values in self.rotations.items()}
        arrays |= {f"location/{bone}": values.astype(np.float32) for bone, values in self.locations.items()}
        with replacing(path) as temporary, open(temporary, "wb") as handle:
            np.savez(handle, times=np.asarray(self.times, dtype=np.float64), settle=np.float64(self.settle),
                     **arrays)


def to_smpl(rig, poses, times, *, fps=FPS, floor="auto", notify=None):
    """Sampled poses of a rig -> `Motion` at `fps`, frame 0 at times[0].

    poses (T,N,4,4): bone matrices in armature space; times (T,) ascending seconds. floor: "auto" finds the height
    the feet stand on, "rest" takes the rest pose's, a number is a world height. Facing and place are kept (scaled).
    A T-pose that the clip begins with and leaves at once is replaced by the first real pose. Of a control rig the
    driven bones are read where they are in `rig`. notify(sentence): where the pelvis of the bone map is passed over.
    Raises BadInput for empty or non-finite input.
    """
    poses, times = np.asarray(poses, dtype=np.float64), np.asarray(times, dtype=np.float64)
    _check(rig, poses, times)
    rig = carried_rig(rig.reading(), poses, notify)
    flash = leading_tpose(rig, poses)
    if flash:
        poses = np.concatenate([poses[flash:flash + 1].repeat(flash, 0), poses[flash:]])
    rest = align_rest(rig, strict=False)
    global_rotations = joint_rotations(rig, rest, poses)
    heads = {bone: poses[:, bone, :3, 3] for bone in rest.bones.values()}
    points, heights = rig_points(rig, rest, heads, global_rotations), rest_heights(rest)
    if floor == "auto":
        floor = float(np.percentile((points[:, 1:, 2] - heights[1:]).min(axis=1), 10))
    elif floor == "rest":
        floor = rest.floor
    local = local_from_global(global_rotations)
    root = anchored_root(to_canonical(points, heights, floor, rest.scale), local, float(np.median(np.diff(times))))
    return resample(local, root, times - times[0], fps)


def anchored_root(wanted, local, step):
    """Root (T,3) of canonical rotations local (T,24,3,3) whose anchor points agree with wanted (T,5,3).

    step: seconds between samples. `from_smpl` sees only the canonical feet, so the weights must come from these.
    """
    free = canonical_points(forward_kinematics(local, np.zeros((len(local), 3)))[0])
    feet = wanted[:, 1:]
    for _ in range(3):                      # from a first guess; three rounds settle it
        weights = anchor_weights(feet, step)
        root = (weights[..., None] * (wanted - free)).sum(axis=1)
        feet = free[:, 1:] + root[:, None]
    return root


def _check(rig, poses, times):
    if poses.ndim != 4 or poses.shape[1:] != (len(rig.names), 4, 4) or len(poses) != len(times):
        raise BadInput(f"Poses must be (T,{len(rig.names)},4,4) with T times, not {poses.shape} with {len(times)}.")
    if len(poses) < 2:
        raise BadInput(f"The motion has {len(poses)} frame(s); at least 2 are needed.")
    if not np.isfinite(poses).all() or not np.isfinite(times).all():
        bad = np.nonzero(~np.isfinite(poses).all(axis=(1, 2, 3)))[0]
        where = f" at sample {bad[0]}" if len(bad) else " in its times"
        raise BadInput(f"The motion holds values that are not numbers (NaN or infinite){where}; repair the source.")
    if np.any(np.diff(times) <= 0):
        raise BadInput("Sample times must ascend.")


def resample(local, root, times, fps):
    """Samples at `times` (T,) -> `Motion` at `fps` by slerp and linear interpolation, frame 0 at time 0."""
    # A thousandth of a frame of slack, because files round their frame time.
    count = int(np.floor(times[-1] * fps + 1e-3)) + 1
    at = np.minimum(np.arange(count) / fps, times[-1])
    low = np.clip(np.searchsorted(times, at, side="right") - 1, 0, len(times) - 2)
    part = ((at - times[low]) / (times[low + 1] - times[low]))[:, None]
    a, b = local[low], local[low + 1]
    delta = matrix_to_axis_angle(np.swapaxes(a, -1, -2) @ b)
    rotations = a @ axis_angle_to_matrix(delta * part[..., None])
    place = root[low] * (1 - part) + root[low + 1] * part
    return Motion(rotations.astype(np.float32), place.astype(np.float32), float(fps))


def from_smpl(motion, rig, options=None, poses=None, stays=None):
    """Put a `Motion` on a rig -> `Channels` for every mapped bone.

    poses (K,N,4,4): the rig's present pose in armature space, one sample or one a frame of the take; it gives place,
    facing, what to blend from and to, and the pose of bones that are not mapped. None: the rest pose.
    stays: `Stays`, where a part of what the rig does now is kept:
    the motion is then placed by that, not by its first frame.
    """
    options = options or Options()
    if len(motion) < 2:
        raise BadInput(f"The motion has {len(motion)} frame(s); at least 2 are needed.")
    if not np.isfinite(motion.rotations).all() or not np.isfinite(motion.root).all():
        raise BadInput("The motion holds values that are not numbers; make the take again.")
    rest = align_rest(rig)
    poses = rig.rest[None] if poses is None or len(poses) == 0 else np.asarray(poses, dtype=np.float64)
    motion = motion.mirrored() if options.mirror else motion
    motion = motion.resampled(options.fps or rig.fps or motion.fps)
    if stays is not None:
        motion, floor = beside(motion, stays, rig, rest, poses)
        rest = replace(rest, floor=floor)
    elif options.place == "rig":
        rest = replace(rest, floor=_floor_now(rig, rest, poses[:1]))
        motion = _placed(motion, rig, rest, poses[:1])
    settle = 0.0
    if options.blend_in > 0 and options.legs and options.root_motion:
        present = to_smpl(rig, poses[[0, 0]], np.array([0.0, 1.0 / motion.fps]), fps=motion.fps, floor=rest.floor)
        if reachable(motion, present):
            motion, settle = _by_steps(motion, present, rig, rest, poses[:1], options)
    pose = _pose(motion, rig, rest, poses[:1] if stays is None else _held(poses, len(motion)), options)
    return _channels(pose, rig, motion, options, poses, settle)


def _by_steps(motion, present, rig, rest, pose, options):
    """`rig_steps` from a pose (1,N,4,4), `present` as a `Motion`."""
    joints = [f"{side}_ankle" for side in ("left", "right")]

    def ankles(made):
        heads = _pose(made, rig, rest, pose, options).heads
        return np.stack([rig.to_world(heads[rest.bones[joint]]) for joint in joints], axis=1)
    shown = rig.reading()
    here = np.stack([rig.to_world(pose[0, shown.bone(joint), :3, 3]) for joint in joints])
    return rig_steps(motion, present, options.blend_in, ankles, here, rest.scale)


def _floor_now(rig, rest, pose):
    """World height of the floor under a pose (1,N,4,4): of the rest's floor and the object's origin, the one nearer to
    the soles. A capture's rest hangs with the hips at the origin, yet its motion stands on it."""
    soles = float(heights_over_floor(rig, rest, pose, joint_rotations(rig, rest, pose))[0])
    return min((rest.floor, float(rig.matrix_world[2, 3])), key=lambda height: abs(height - soles))


def _placed(motion, rig, rest, pose):
    """The motion turned and moved so that it starts at the rig's place and facing."""
    heading, hips = stance(rig, rest, pose)
    first = motion.slice(0, 1).canonical().moved(heading)
    start = canonical_points(forward_kinematics(first.rotations, first.root)[0])[0, 0]
    return motion.canonical().moved(heading, after=hips[:2] * rest.scale - start[:2])


def _held(poses, count):
    """The first `count` poses, the last one held where there are fewer."""
    return poses[np.minimum(np.arange(count), len(poses) - 1)]


def _pose(motion, rig, rest, poses, options):
    """The `RigPose` over the whole take, feet kept; poses (1 or T,N,4,4) tell what bones do that are not mapped."""
    positions, turns = forward_kinematics(motion.rotations.astype(np.float64), motion.root.astype(np.float64))
    wanted = canonical_points(positions)
    planted = contact(wanted[:, 1:], 1 / motion.fps)
    weights, heights = anchor_weights(wanted[:, 1:], 1 / motion.fps), rest_heights(rest)
    pose = RigPose(rig, rest, len(motion), basis_of(rig, poses))
    world = rig.world_rotation
    for joint, bone in rest.bones.items():
        pose.wanted[bone] = (world.T @ turns[:, ID[joint]] @ rest.reference[joint].T @ world @ rig.rest_rotations[bone])
    pose.solve()
    target = from_canonical(wanted, heights, rest.floor, rest.scale)
    move = (weights[..., None] * (target - rig_points(rig, rest, pose.heads, turns))).sum(axis=1)
    if not options.root_motion:
        hips = rig_points(rig, rest, pose.heads, turns)[:, 0] + move
        move[:, :2] -= hips[:, :2] - hips[:1, :2]
    pose.move_root(move)
    if options.plant_feet:
        keep_feet(pose, rig, rest, turns, planted if options.root_motion else None, heights, motion.fps)
    return pose


def _channels(pose, rig, motion, options, poses, settle=0.0):
    """settle: seconds in which pelvis and legs, which come by steps, are still mixed with the present pose."""
    times = np.arange(len(motion)) / motion.fps
    rotations, locations = pose.basis()
    lower = {pose.rest.bones[joint] for joint in LOWER_BODY if joint in pose.rest.bones} | {pose.root}
    for extra in (leg_channels(pose, rig, poses[0]), limb_channels(pose, rig, poses[0], "hip")):
        lower |= {*extra[0], *extra[1]}
        rotations, locations = rotations | extra[0], locations | extra[1]
    arms = limb_channels(pose, rig, poses[0], "shoulder")
    rotations, locations = rotations | arms[0], locations | arms[1]
    if not options.legs:
        rotations, locations = ({bone: values for bone, values in channels.items() if bone not in lower}
                                for channels in (rotations, locations))
    if options.fingers != "none":
        from core.retarget.fingers import finger_rotations
        rotations |= finger_rotations(rig, options.fingers, len(motion))
    # What the controls of a control rig show is known in Blender alone, where its keys are mixed.
    blend_in = 0.0 if control_table(rig.bone_map) else options.blend_in
    weight = blend_weights(times, blend_in, options.blend_out)
    if settle:
        settled = blend_weights(times, settle if blend_in else 0.0, options.blend_out)
        own = [{bone: values for bone, values in channels.items() if bone in lower}
               for channels in (rotations, locations)]
        own = mix(rig, *own, poses, settled)
        rotations, locations = mix(rig, *({bone: values for bone, values in channels.items() if bone not in lower}
                                          for channels in (rotations, locations)), poses, weight)
        rotations, locations = rotations | own[0], locations | own[1]
    else:
        rotations, locations = mix(rig, rotations, locations, poses, weight)
    rotations, locations = to_own(rig, rotations, locations)
    quaternions = {rig.names[bone]: unroll_quaternions(matrix_to_quaternion(values))
                   for bone, values in rotations.items()}
    return Channels(times, quaternions, {rig.names[bone]: values for bone, values in locations.items()}, settle)
