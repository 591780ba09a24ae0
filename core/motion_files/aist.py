"""AIST++ motion pickles: `smpl_poses` (T,72), `smpl_trans` (T,3), `smpl_scaling`; tempo and genre from the file
name."""
import re
from pathlib import Path

import numpy as np

from core.body.unpickle import load_numpy_pickle
from core.contract import load
from core.errors import BadInput
from core.motion_files.amass import has_motion, parameters, smpl_motion
from core.motion_files.smpl_people import one_of, read_torch

FPS_AIST = 60.0
FPS_MODELS = 30.0           # what EDGE and its successors write
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


def read_pkl(data, name, fps=None, models=None, up=None, notify=None, passage=(0.0, None), root=None, torch=False):
    """Bytes of a pickle (plain or of joblib), or of torch.save -> (`Motion` at 30 fps of at least the passage, the
    second at which it starts). root: the key of a person, where the file holds several.

    AIST++ (60 fps, y up, `smpl_scaling`) and what dance models write in its likeness (EDGE: 30 fps, z up, no scaling).
    models: folder of SMPL body models, for the exact pelvis. Raises BadInput."""
    held = read_torch(data, name) if torch else load_numpy_pickle(data, name)
    if isinstance(held, (list, tuple)) and held and all(isinstance(one, dict) for one in held):
        held = {str(number): one for number, one in enumerate(held)}       # a list of people
    if not isinstance(held, dict):
        raise BadInput(f"{name} holds no dictionary of arrays; Baton reads the motions of AIST++ and its likes.")
    held = one_of(held, has_motion, name, root, notify)
    poses, trans = parameters(held, name)
    try:
        scaling = float(np.ravel(np.asarray(held.get("smpl_scaling", 1.0), dtype=np.float64))[0])
    except (TypeError, ValueError, IndexError) as error:
        raise BadInput(f"{name} has a smpl_scaling that is no number; export it again.") from error
    if not np.isfinite(scaling) or scaling <= 0:
        raise BadInput(f"{name} has smpl_scaling {scaling}; expected a positive number.")
    skeleton = None
    if models:
        from core.body.smpl_body import load_body
        skeleton = load_body(models).skeleton                 # AIST++ fits the neutral mean body
    # AIST++ fits a scaled body: the translation in body units is trans / scaling, in metres.
    recorded = "smpl_scaling" in held
    return smpl_motion(poses, trans / scaling, fps or (FPS_AIST if recorded else FPS_MODELS), name,
                       hint="y" if recorded else "z", up=up, skeleton=skeleton, notify=notify, passage=passage)
