"""AMASS-style npz: `poses` (T, 66 or more) axis-angle, `trans` (T,3), `mocap_framerate` or `mocap_frame_rate`,
`betas`."""
import io
import zipfile

import numpy as np

from core.body.kinematics import FPS, forward_kinematics
from core.body.rotations import axis_angle_to_matrix
from core.contract import PARENTS
from core.errors import BadInput
from core.motion_files.rates import rate_of_rate
from core.motion_files.up import find_up, to_z
from core.retarget import anchored_root, resample
from core.retarget.contacts import HEIGHTS, canonical_points, to_canonical
from core.retarget.rest import CANONICAL_LEG, ID

RATES = ("mocap_framerate", "mocap_frame_rate", "fps")
POSES = (("poses",), ("fullpose",), ("full_pose",), ("smpl_poses",), ("root_orient", "pose_body"),
         ("global_orient", "body_pose"))
TRANSLATIONS = ("trans", "transl", "translation", "smpl_trans", "root_trans")
ASSUMED = 30.0              # frames a second of files that say none, as most models' outputs are
KIND_OF_WIDTH = {72: "smpl", 156: "smplh", 165: "smplx"}
LIMIT_BYTES = 1 << 30       # of what an archive unpacks to


def read_npz(data, name, fps=None, models=None, up=None, notify=None):
    """npz bytes -> `Motion` at 30 fps. Which way is up is looked for in the motion, z (AMASS) as a hint. Raises
    BadInput.

    models: the user's folder of SMPL body models; with it the clip's betas and gender give the performer's skeleton.
    """
    held = _arrays(data, name)
    poses, trans = parameters(held, name)
    rate = fps or next((float(np.ravel(held[key])[0]) for key in RATES if np.size(held.get(key, ()))), None)
    if rate is None:
        rate = ASSUMED
        if notify is not None:
            notify(f"{name} does not say its frame rate; {ASSUMED:g} frames a second are taken, say --fps if that is "
                   f"wrong.")
    rate = rate_of_rate(rate, name, notify)
    exact = bool(held.get("trans_is_pelvis", False))
    skeleton = None
    if models and not exact:
        from core.body.smpl_body import load_body
        kind = KIND_OF_WIDTH.get(poses.shape[-1], "smplh")
        skeleton = load_body(models, held.get("betas", ()), _gender(held), kind).skeleton
    return smpl_motion(poses, trans, rate, name, hint="z", up="z" if exact else up, on_floor=not exact,
                       skeleton=skeleton, notify=notify)


def _arrays(data, name):
    """{key: array} of the plain arrays of an npz; objects (old AMASS files hold the gender as one) are left out."""
    held = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > LIMIT_BYTES:
                raise BadInput(f"{name} unpacks to more than 1 GiB; that is no motion. Cut it.")
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            for key in archive.files:
                try:
                    held[key] = archive[key]
                except ValueError:                            # an object array: nothing that is needed is one
                    continue
    except BadInput:
        raise
    # numpy, zipfile and zlib raise what they like on a damaged file; all mean the same here.
    except Exception as error:  # noqa: BLE001
        raise BadInput(f"{name} is not a readable npz; download or export it again.") from error
    return held


def parameters(held, name):
    """poses (T, 3 J) and trans (T, 3) of a file's arrays, under any of the names that SMPL tools give them. Raises
    BadInput."""
    keys = next((keys for keys in POSES if all(key in held for key in keys)), None)
    moved = next((key for key in TRANSLATIONS if key in held), None)
    if keys is None or moved is None:
        held_names = ", ".join(sorted(map(str, held))[:8]) or "nothing"
        raise BadInput(f"{name} lacks `poses` or `trans` (it holds {held_names}); Baton reads SMPL motions: poses, "
                       "fullpose, root_orient and pose_body, or global_orient and body_pose, with trans or transl.")
    try:
        parts = [np.asarray(held[key], dtype=np.float64) for key in keys]
        trans = np.asarray(held[moved], dtype=np.float64)
        parts = [part.reshape(len(part), -1) for part in parts]
        if len({len(part) for part in parts}) != 1:
            raise ValueError("lengths differ")
        poses = np.concatenate(parts, axis=1)
    except (TypeError, ValueError) as error:
        raise BadInput(f"{name}: its {' and '.join(keys)} are no arrays of joint rotations; export it "
                       "again.") from error
    return poses, trans.reshape(len(trans), -1) if trans.ndim else trans


def _gender(held):
    word = held.get("gender", "neutral")
    word = word.item() if getattr(word, "shape", None) == () else str(np.ravel(word)[0]) if np.size(word) else "neutral"
    word = word.decode() if isinstance(word, bytes) else str(word)
    return word if word in ("male", "female") else "neutral"


def smpl_motion(poses, trans, fps, name, *, hint="z", up=None, on_floor=True, skeleton=None, notify=None):
    """SMPL parameters -> `Motion` at 30 fps.

    poses (T,>=66) axis-angle in SMPL order; trans (T,3) metres. up: the axis of the file's world that is up, looked for
    in the motion where None; hint: the one that its kind of file usually has.
    on_floor: trans is SMPL's translation, whose height over the floor depends on the body; the standing feet are put
    on z = 0. skeleton (24,3): rest joints of the performer's body in SMPL axes; the pelvis is then exact and the way
    is scaled to the canonical body, else the body is taken to be of canonical size.
    Hands 22, 23 are taken only from 24-joint poses: other SMPL variants hold fingers there.
    """
    poses, trans = np.asarray(poses, dtype=np.float64), np.asarray(trans, dtype=np.float64)
    if poses.ndim != 2 or poses.shape[1] < 66 or poses.shape[1] % 3 or trans.shape != (len(poses), 3):
        raise BadInput(f"{name} has poses {poses.shape} and trans {trans.shape}; expected (T,72) and (T,3).")
    if len(poses) < 2:
        raise BadInput(f"{name} has {len(poses)} frame(s); a motion needs at least 2.")
    if not np.isfinite(poses).all() or not np.isfinite(trans).all():
        raise BadInput(f"{name} holds values that are not numbers (NaN or infinite); repair or skip the clip.")
    rotations = np.tile(np.eye(3), (len(poses), 24, 1, 1))
    joints = 24 if poses.shape[1] == 72 else 22
    rotations[:, :joints] = axis_angle_to_matrix(poses[:, :joints * 3].reshape(len(poses), joints, 3))
    some = slice(None, None, max(1, len(poses) // 2000))
    points = forward_kinematics(rotations[some], trans[some])[0]
    turn = to_z(find_up(points, points[:, ID["head"]], points[:, [ID["left_ankle"], ID["right_ankle"]]], hint=hint,
                        asked=up, name=name, notify=notify))
    rotations[:, 0] = turn @ rotations[:, 0]
    root = trans @ turn.T
    if skeleton is not None:
        root = _with_skeleton(rotations, trans, np.asarray(skeleton, dtype=np.float64), fps, turn)
    elif on_floor:
        feet = canonical_points(forward_kinematics(rotations, root)[0])[:, 1:, 2] - HEIGHTS[1:]
        root = root - np.array([0, 0, np.percentile(feet.min(axis=1), 10)])
    return resample(rotations, root, np.arange(len(poses)) / fps, FPS)


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
    heights = np.array([ankle, ankle, standing[2, 1] - standing[1, 1] + ankle, ankle, standing[4, 1] - standing[3, 1]
                        + ankle])
    floor = np.percentile((points[:, 1:, 2] - heights[1:]).min(axis=1), 10)
    return anchored_root(to_canonical(points, heights, floor, scale), local=rotations, step=1 / fps)
