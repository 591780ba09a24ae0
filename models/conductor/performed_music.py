"""What the denoiser is trained on beside motion: features of the corpus's music by the frozen encoder, statistics of
its rows."""
import numpy as np
import torch

from core.body.motion import Motion
from models.conductor.config import FOOT, MOVING
from models.conductor.device_data import varied
from models.conductor.encoder import Frozen
from models.conductor.features import body_from_vector
from models.conductor.legs import BALL_HEIGHT, Feet, hang
from models.conductor.performed import Rows
from models.training.flat import Flat

VERSIONS = 2                # of the music: as rendered, and as another recording might have it
FLOOR = 0.003               # smallest std of a channel, so that standardising cannot blow up its noise
# Feet are constants with rare excursions: these stds (ball xyz, sin, cos, pitch, contact) keep one step from
# outweighing all else.
FOOT_FLOOR = np.array([0.04, 0.04, 0.03, 0.10, 0.10, 0.10, 0.5], dtype=np.float32)


@torch.no_grad()
def music_features(encoder, corpus):
    """(VERSIONS, M, C) float16 on the CPU: every mel frame of a flat corpus as the frozen encoder hears it, made on a
    GPU if any."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    frozen = Frozen(encoder).to(device, memory_format=torch.channels_last)
    flat, generator = Flat(corpus), torch.Generator().manual_seed(0)
    mel = torch.from_numpy(np.array(flat.array("mel")))
    bands = mel.shape[1]
    out = torch.zeros(VERSIONS, len(mel), encoder.head.out_channels, dtype=torch.float16)
    for item in (item for item in flat.items if flat.has(item, "mel")):
        start, count = item["arrays"]["mel"]
        piece = mel[start:start + count].to(device)[None].float() / 255
        for version in range(VERSIONS):
            heard = piece
            if version:
                gain, tilt, floor, chance, mask = torch.rand(5, 1, 1, 1, generator=generator).to(device)
                heard = varied(piece, gain, tilt, floor, chance, torch.arange(bands, device=device) / bands, mask)
            out[version, start:start + count] = frozen(heard)[0].half().cpu()
    encoder.to("cpu")
    return out


def row_statistics(corpus, cache):
    """mean, std (113,) of the performed train rows and a standing pose (147,): their mean body over feet set down."""
    rows = Rows(corpus, cache, "train", 2)
    vector = rows.array("vector")
    last = max(row["first"] + row["frames"] for row in rows.rows)
    used = np.zeros(last, bool)
    for row in rows.rows:
        used[row["first"]:row["first"] + row["frames"]] = True
    values = np.asarray(vector[:last][used], dtype=np.float64)
    mean, std = values.mean(0).astype(np.float32), np.maximum(values.std(0), FLOOR).astype(np.float32)
    feet = 3 + 6 * len(MOVING)
    std[feet:] = np.maximum(std[feet:], np.tile(FOOT_FLOOR, 2))
    weights = [row["frames"] for row in rows.rows]
    body = np.average([row["pose"] for row in rows.rows], axis=0, weights=weights).astype(np.float32)
    return mean, std, standing(mean, body)


def standing(mean, body):
    """(147,) of a body with the mean trunk and arms, standing on the mean feet with soles on the floor."""
    home = Feet.from_vector(mean[None, 3 + 6 * len(MOVING):].reshape(1, 2 * FOOT))
    home.ball[..., 2], home.pitch[:] = BALL_HEIGHT, 0.0
    motion = hang(body_from_vector(mean[None], body), home)
    return Motion(motion.rotations, motion.root).to_vector()[0].astype(np.float32)
