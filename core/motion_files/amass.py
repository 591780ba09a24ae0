"""AMASS-style npz: `poses` (T, 66 or more) axis-angle, `trans` (T,3), `mocap_framerate` or `mocap_frame_rate`,
`betas`."""
import io

import numpy as np

from core.body.kinematics import FPS, forward_kinematics
from core.body.rotations import axis_angle_to_matrix
from core.contract import PARENTS
from core.contract.arrays import Unsound, check_npz
from core.errors import BadInput, reading
from core.motion_files.passage import check_size, rows_of
from core.motion_files.rates import rate_of_rate
from core.motion_files.up import find_up, to_z
from core.retarget import anchored_root, resample
from core.retarget.contacts import HEIGHTS, canonical_points, to_canonical
from core.retarget.rest import CANONICAL_LEG, ID

RATES = ("mocap_framerate", "mocap_frame_rate", "fps", "framerate", "frame_rate")
# EDGE's `full_pose` holds places of joints beside `smpl_poses`.
POSES = (("poses",), ("smpl_poses",), ("fullpose",), ("full_pose",), ("root_orient", "pose_body"),
         ("global_orient", "body_pose"), ("pose_world",), ("pose",), ("pred_rotmat",))
IN_WORLD = {("pose_world",): ("trans_world",), ("pred_rotmat",): ("pred_trans",)}
WHOLE_TURNS = 10.0          # radians: nobody's axis-angles are as long as that, degrees are
UNITS = {100.0: "centimetres", 1000.0: "millimetres"}
TRANSLATIONS = ("trans", "transl", "translation", "smpl_trans", "root_trans")
ASSUMED = 30.0              # frames a second of files that say none, as most models' outputs are
KIND_OF_WIDTH = {72: "smpl", 156: "smplh", 165: "smplx"}
LIMIT_BYTES = 512 << 20     # of what an archive unpacks to: two hours of SMPL-X at 120 fps


def read_npz(data, name, fps=None, models=None, up=None, notify=None, passage=(0.0, None)):
    """npz bytes -> (`Motion` at 30 fps of at least the passage (start, duration), the second of the file at which it
    starts). Which way is up is looked for in the motion, z (AMASS) as a hint. Raises BadInput.

    models: the user's folder of SMPL body models; with it the clip's betas and gender give the performer's skeleton.
    """
    held = _arrays(data, name)
    poses, trans = parameters(held, name)
    rate = fps or next((_number(held[key], key, name) for key in RATES if np.size(held.get(key, ()))), None)
    if rate is None:
        rate = ASSUMED
        if notify is not None:
            notify(f"{name} does not say its frame rate; {ASSUMED:g} frames a second are taken, say --fps if that is "
                   "wrong.")
    rate = rate_of_rate(rate, name, notify)
    exact = bool(held.get("trans_is_pelvis", False))
    skeleton = None
    if models and not exact:
        from core.body.smpl_body import load_body
        kind = KIND_OF_WIDTH.get(poses.shape[-1], "smplh")
        skeleton = load_body(models, held.get("betas", ()), _gender(held), kind).skeleton
    return smpl_motion(poses, trans, rate, name, hint="z", up="z" if exact else up, on_floor=not exact,
                       skeleton=skeleton, notify=notify, passage=passage)


def _number(value, key, name):
    """The first number of a field. Raises BadInput."""
    try:
        return float(np.ravel(value)[0])
    except (TypeError, ValueError, IndexError, OverflowError) as error:
        raise BadInput(f"{name} has a {key} that is no number; export it again.") from error


def _arrays(data, name):
    """{key: array, or None where nothing needs it} of an npz; objects (old AMASS files hold the gender as one) are
    left out."""
    wanted = {*RATES, *TRANSLATIONS, "trans_world", *(key for keys in POSES for key in keys), "trans_is_pelvis",
              "betas",
              "gender"}
    try:
        found = check_npz(io.BytesIO(data), LIMIT_BYTES, strict=False)
    except Unsound as error:
        raise BadInput(f"{name} is not a readable npz ({error}); download or export it again.") from error
    with reading(f"{name} is not a readable npz; download or export it again."), \
            np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return {key: archive[key] if key in wanted else None for key in found}


def parameters(held, name):
    """poses (T, 3 J) and trans (T, 3) of a file's arrays, under any of the names that SMPL tools give them. Raises
    BadInput."""
    keys, moved = _keys(held)
    if keys is None or moved is None:
        held_names = ", ".join(sorted(map(str, held))[:8]) or "nothing"
        raise BadInput(f"{name} lacks `poses` or `trans` (it holds {held_names}); Baton reads SMPL motions: poses, "
                       "fullpose, root_orient and pose_body, or global_orient and body_pose, with trans or transl.")
    try:
        parts = [_axis_angles(np.asarray(held[key], dtype=np.float64), name) for key in keys]
        trans = np.asarray(held[moved], dtype=np.float64)
        if trans.ndim == 3 and len(trans) == 1 and all(len(part) == 1 for part in parts):
            parts, trans = [part[0] for part in parts], trans[0]        # a batch of one, as models put it out
        parts = [part.reshape(len(part), -1) for part in parts]
        trans = trans.reshape(len(trans), -1) if trans.ndim else trans
        if len({len(part) for part in parts}) != 1:
            raise ValueError("lengths differ")
        poses = np.concatenate(parts, axis=1)
    except (TypeError, ValueError) as error:
        raise BadInput(f"{name}: its {' and '.join(keys)} are no arrays of joint rotations; export it "
                       "again.") from error
    return poses, trans


def has_motion(held):
    """Does a dictionary hold both poses and a translation?"""
    return None not in _keys(held)


def _keys(held):
    """(names of the poses, name of the translation) among a dictionary's keys, each None where there is none."""
    keys = next((keys for keys in POSES if all(key in held for key in keys)), None)
    return keys, next((key for key in (*IN_WORLD.get(keys, ()), *TRANSLATIONS) if key in held), None)


def _axis_angles(pose, name):
    """Rotation matrices (T, J, 3, 3) as axis-angle (T, J, 3); axis-angles as they are. Raises BadInput for other
    forms of rotations."""
    form = {4: "quaternions", 6: "six numbers each"}.get(pose.shape[-1] if pose.ndim == 3 else 0)
    if form:
        raise BadInput(f"{name} holds rotations as {form} {pose.shape}; save them as axis-angles (T, J, 3) or matrices "
                       "(T, J, 3, 3).")
    if pose.ndim != 4 or pose.shape[-2:] != (3, 3):
        return pose
    from core.body.rotations import matrix_to_axis_angle
    return matrix_to_axis_angle(pose)


def _gender(held):
    word = held.get("gender", "neutral")
    word = word.item() if getattr(word, "shape", None) == () else str(np.ravel(word)[0]) if np.size(word) else "neutral"
    word = word.decode() if isinstance(word, bytes) else str(word)
    return word if word in ("male", "female") else "neutral"


def smpl_motion(poses, trans, fps, name, *, hint="z", up=None, on_floor=True, skeleton=None, notify=None,
                passage=(0.0, None)):
    """SMPL parameters -> (`Motion` at 30 fps of at least the passage (start, duration) in s, the second at which it
    starts).

    poses (T,>=66) axis-angle in SMPL order; trans (T,3) metres. up: the axis of the file's world that is up, looked for
    in the motion where None; hint: the one that its kind of file usually has. on_floor: trans is SMPL's translation,
    whose height over the floor depends on the body; the standing feet are put on z = 0. skeleton (24,3): rest joints of
    the performer's body in SMPL axes; the pelvis is then exact and the way is scaled to the canonical body, else the
    body is taken to be of canonical size. Hands 22, 23 are taken only from 24-joint poses: other SMPL variants hold
    fingers there.
    """
    poses, trans = np.asarray(poses, dtype=np.float64), np.asarray(trans, dtype=np.float64)
    if poses.ndim != 2 or poses.shape[1] < 66 or poses.shape[1] % 3 or trans.shape != (len(poses), 3):
        raise BadInput(f"{name} has poses {poses.shape} and trans {trans.shape}; expected (T,72) and (T,3).")
    if len(poses) < 2:
        raise BadInput(f"{name} has {len(poses)} frame(s); a motion needs at least 2.")
    if not np.isfinite(poses).all() or not np.isfinite(trans).all():
        raise BadInput(f"{name} holds values that are not numbers (NaN or infinite); repair or skip the clip.")
    if np.percentile(np.linalg.norm(poses[:, :66].reshape(-1, 3), axis=1), 99) > WHOLE_TURNS:
        raise BadInput(f"{name} holds rotations of several whole turns, so they seem to be degrees; save radians.")
    first, last = rows_of(len(poses), fps, *passage)
    check_size(last - first, 24, fps, name)
    some = slice(None, None, max(1, len(poses) // 2000))            # the whole clip tells which way is up
    turns = _matrices(poses[some])
    trans = _in_metres(trans, turns, some, name, notify)
    points = forward_kinematics(turns, trans[some])[0]
    head, feet = points[:, ID["head"]], points[:, [ID["left_ankle"], ID["right_ankle"]]]
    turn = to_z(find_up(points, head, feet, hint=hint, asked=up, name=name, notify=notify))
    floor = 0.0
    if on_floor and skeleton is None:
        turns[:, 0] = turn @ turns[:, 0]
        feet = canonical_points(forward_kinematics(turns, trans[some] @ turn.T)[0])[:, 1:, 2] - HEIGHTS[1:]
        floor = np.percentile(feet.min(axis=1), 10)
    poses, trans = poses[first:last], trans[first:last]
    rotations = _matrices(poses)
    rotations[:, 0] = turn @ rotations[:, 0]
    root = trans @ turn.T - np.array([0.0, 0.0, floor])
    if skeleton is not None:
        root = _with_skeleton(rotations, trans, np.asarray(skeleton, dtype=np.float64), fps, turn)
    return resample(rotations, root, np.arange(len(poses)) / fps, FPS), first / fps


def _in_metres(trans, turns, some, name, notify):
    """trans (T,3) in metres: of feet that slide when they are taken to be that, but stand when it is centimetres or
    millimetres, it is so."""
    def slide(factor):
        feet = canonical_points(forward_kinematics(turns, trans[some] / factor)[0])[:, 1:]
        return np.median(np.linalg.norm(np.diff(feet, axis=0), axis=-1).min(axis=1))
    moved = np.median(np.linalg.norm(np.diff(trans[some], axis=0), axis=-1))
    away = np.abs(trans).max()
    if away < 20.0 or moved == 0:                       # nobody dances that far away from the origin
        return trans
    factor = min((1.0, *UNITS), key=slide)
    if factor > 1.0 and notify is not None:
        notify(f"{name}: its translation is read as {UNITS[factor]}, with which the feet stand.")
    return trans / factor


def _matrices(poses):
    """(T,24,3,3) of axis-angle poses (T,>=66); hands only of 24 joints."""
    rotations = np.tile(np.eye(3), (len(poses), 24, 1, 1))
    joints = 24 if poses.shape[1] == 72 else 22
    rotations[:, :joints] = axis_angle_to_matrix(poses[:, :joints * 3].reshape(len(poses), joints, 3))
    return rotations


def _with_skeleton(rotations, trans, skeleton, fps, turn):
    """Canonical root of a performer with rest joints `skeleton` (24,3); world axes already z up in `rotations`."""
    # SMPL turns about the pelvis joint, so the pelvis is at its rest place plus trans, in the file's own axes.
    pelvis = (trans + skeleton[0]) @ turn.T
    offsets = skeleton - skeleton[np.maximum(PARENTS, 0)]
    offsets[0] = 0.0
    points = canonical_points(forward_kinematics(rotations, pelvis, offsets)[0])
    still = np.tile(np.eye(3), (1, 24, 1, 1))
    standing = canonical_points(forward_kinematics(still, np.zeros((1, 3)), offsets)[0])[0]
    leg = np.mean([np.linalg.norm(offsets[ID[f"{side}_knee"]]) + np.linalg.norm(offsets[ID[f"{side}_ankle"]])
                   for side in ("left", "right")])
    scale = CANONICAL_LEG / leg
    # The sole lies under the ankle as deep as on the canonical body of this size.
    ankle = HEIGHTS[0] / scale
    heights = np.array([ankle, ankle, standing[2, 1] - standing[1, 1] + ankle, ankle,
                        standing[4, 1] - standing[3, 1] + ankle])
    floor = np.percentile((points[:, 1:, 2] - heights[1:]).min(axis=1), 10)
    return anchored_root(to_canonical(points, heights, floor, scale), local=rotations, step=1 / fps)
