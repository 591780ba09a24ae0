"""AIST++ motion pickles: `smpl_poses` (T,72), `smpl_trans` (T,3), `smpl_scaling`; tempo and genre from the file name."""
import re
from pathlib import Path

import numpy as np

from core.body.unpickle import load_numpy_pickle
from core.contract import load
from core.errors import BadInput
from core.motion_files.amass import smpl_motion

FPS_AIST = 60.0
NAME = re.compile(r"^(g[A-Z]{2})_(s[A-Z]{2})_(c\w+)_(d\d+)_(m([A-Z]{2})(\d))_(ch\d+)")


def parse_name(name):
    """{"genre": slug, "music": "mBR0", "bpm", "dancer", "situation", "choreography"} of an AIST++ file name, or None.

    Tempo: music 0..5 is 80..130 BPM in steps of 10; house (mHO) is 110..135 in steps of 5.
    """
    match = NAME.match(Path(name).name)
    if match is None:
        return None
    slugs = {genre["aist"]: genre["slug"] for genre in load("genres")}
    number = int(match[7])
    bpm = 110 + 5 * number if match[6] == "HO" else 80 + 10 * number
    return {"genre": slugs.get(match[1]), "music": match[5], "bpm": float(bpm), "dancer": match[4],
            "situation": match[2], "choreography": match[8]}


def read_pkl(data, name, fps=None, models=None):
    """pkl bytes -> `Motion` at 30 fps. models: folder of SMPL body models, for the exact pelvis. Raises BadInput."""
    held = load_numpy_pickle(data, name)
    if not isinstance(held, dict) or "smpl_poses" not in held or "smpl_trans" not in held:
        raise BadInput(f"{name} lacks smpl_poses or smpl_trans; Baton reads the motions of AIST++.")
    scaling = float(np.asarray(held.get("smpl_scaling", 1.0)).reshape(-1)[0])
    if not np.isfinite(scaling) or scaling <= 0:
        raise BadInput(f"{name} has smpl_scaling {scaling}; expected a positive number.")
    # AIST++ fits a scaled body: the translation in body units is trans / scaling, in metres.
    trans = np.asarray(held["smpl_trans"], dtype=np.float64) / scaling
    skeleton = None
    if models:
        from core.body.smpl_body import load_body
        skeleton = load_body(models).skeleton                 # AIST++ fits the neutral mean body
    return smpl_motion(held["smpl_poses"], trans, fps or FPS_AIST, name, y_up=True, skeleton=skeleton)
