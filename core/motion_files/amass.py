"""AMASS-style npz: `poses` (T, 66 or more) axis-angle, `trans` (T,3), `mocap_framerate` or `mocap_frame_rate`, `betas`."""
import io

import numpy as np

from core.body.kinematics import FPS, forward_kinematics
from core.body.rotations import ROOT_TO_BLENDER, axis_angle_to_matrix
from core.contract import PARENTS
from core.errors import BadInput
from core.retarget import anchored_root, resample
from core.retarget.contacts import HEIGHTS, canonical_points, to_canonical
from core.retarget.rest import CANONICAL_LEG, ID

RATES = ("mocap_framerate", "mocap_frame_rate", "fps")


KIND_OF_WIDTH = {72: "smpl", 156: "smplh", 165: "smplx"}


def read_npz(data, name, fps=None, models=None):
    """npz bytes -> `Motion` at 30 fps. z-up (AMASS) is assumed. Raises BadInput.

    models: the user's folder of SMPL body models; with it the clip's betas and gender give the performer's skeleton.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            held = {key: archive[key] for key in archive.files if key in
                    ("poses", "trans", "trans_is_pelvis", "root_orient", "pose_body", "betas", "gender", *RATES)}
    except (ValueError, OSError, EOFError, KeyError) as error:
        raise BadInput(f"{name} is not a readable npz ({error}); download or export it again.") from error
    if "poses" not in held and "root_orient" in held and "pose_body" in held:
        held["poses"] = np.concatenate([held["root_orient"], held["pose_body"]], axis=1)
    if "poses" not in held or "trans" not in held:
        raise BadInput(f"{name} lacks `poses` or `trans`; Baton reads AMASS-style npz files.")
    rate = fps or next((float(held[key]) for key in RATES if key in held), None)
    if not rate or not np.isfinite(rate) or rate <= 0:
        raise BadInput(f"{name} does not say its frame rate; give --fps.")
    exact = bool(held.get("trans_is_pelvis", False))
    skeleton = None
    if models and not exact:
        from core.body.smpl_body import load_body
        kind = KIND_OF_WIDTH.get(np.shape(held["poses"])[-1], "smplh")
        skeleton = load_body(models, held.get("betas", ()), _gender(held), kind).skeleton
    return smpl_motion(held["poses"], held["trans"], rate, name, on_floor=not exact, skeleton=skeleton)


def _gender(held):
    word = held.get("gender", "neutral")
    word = word.item() if getattr(word, "shape", None) == () else str(np.ravel(word)[0])
    word = word.decode() if isinstance(word, bytes) else str(word)
    return word if word in ("male", "female") else "neutral"


def smpl_motion(poses, trans, fps, name, *, y_up=False, on_floor=True, skeleton=None):
    """SMPL parameters -> `Motion` at 30 fps.

    poses (T,>=66) axis-angle in SMPL order; trans (T,3) metres. y_up: the world is SMPL's own (AIST++), not z-up.
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
    root = trans
    if y_up:
        rotations[:, 0] = ROOT_TO_BLENDER @ rotations[:, 0]
        root = trans @ ROOT_TO_BLENDER.T.astype(np.float64)
    if skeleton is not None:
        root = _with_skeleton(rotations, trans, np.asarray(skeleton, dtype=np.float64), fps, y_up)
    elif on_floor:
        feet = canonical_points(forward_kinematics(rotations, root)[0])[:, 1:, 2] - HEIGHTS[1:]
        root = root - np.array([0, 0, np.percentile(feet.min(axis=1), 10)])
    return resample(rotations, root, np.arange(len(poses)) / fps, FPS)


def _with_skeleton(rotations, trans, skeleton, fps, y_up):
    """Canonical root of a performer with rest joints `skeleton` (24,3); world axes already z up in `rotations`."""
    # SMPL turns about the pelvis joint, so the pelvis is at its rest place plus trans, in the file's own axes.
    pelvis = trans + skeleton[0]
    if y_up:
        pelvis = pelvis @ ROOT_TO_BLENDER.T.astype(np.float64)
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
    heights = np.array([ankle, ankle, standing[2, 1] - standing[1, 1] + ankle, ankle, standing[4, 1] - standing[3, 1] + ankle])
    floor = np.percentile((points[:, 1:, 2] - heights[1:]).min(axis=1), 10)
    return anchored_root(to_canonical(points, heights, floor, scale), local=rotations, step=1 / fps)
