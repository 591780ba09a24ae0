"""ConductorMotion100: mel spectrograms (90 Hz, 128 bands) and 13 COCO keypoints in the picture (30 fps); no sound, no
body."""
from functools import partial
from pathlib import Path

import numpy as np

from core.errors import BadInput
from models.lab.loaders.common import Clip, beat_array

SPLITS = {"train": "train", "val": "valid", "valid": "valid", "test": "test"}
MEL_RATE, FPS, BANDS, POINTS = 90, 30, 128, 13


def cm100_clips(folder, options):
    """Clips of train|val|test/<id>/ as published, or of <id>/ alone (test)."""
    folder = Path(folder)
    found = sorted(path.parent for path in folder.rglob("motion.npy"))
    if not found:
        raise BadInput(f"No motion.npy lies under {folder}; give the folder that holds train, val and test.")
    result = []
    for place in found:
        split = next((SPLITS[part] for part in place.relative_to(folder).parts if part in SPLITS), "test")
        result.append(Clip(f"cm100/{place.relative_to(folder).as_posix()}", split, partial(_read, place)))
    return result


def _load(path, shape):
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BadInput(f"{path} cannot be read: {error}.") from error
    if array.shape[1:] != shape or not np.isfinite(array).all():
        raise BadInput(f"{path} has the shape {array.shape}, expected (T, {', '.join(map(str, shape))}) of finite "
                       f"numbers.")
    return array


def _read(place):
    """(meta, arrays): `mel` (T,128) float16 at 90 Hz in 0..1, `keypoints13` (T,13,2) float16 at 30 fps."""
    keypoints, mel = _load(place / "motion.npy", (POINTS, 2)), _load(place / "mel.npy", (BANDS,))
    duration = min(len(keypoints) / FPS, len(mel) / MEL_RATE)
    arrays = {"keypoints13": keypoints[:int(round(duration * FPS))].astype(np.float16),
              "mel": mel[:int(round(duration * MEL_RATE))].astype(np.float16), "beats": beat_array([], [])}
    return {"kind": "conducting", "genre": None, "metre": 4, "bpm": None, "duration": round(duration, 4),
            "source": "cm100", "beat_confidence": 0.0, "lead": 0.0, "seed": None}, arrays
