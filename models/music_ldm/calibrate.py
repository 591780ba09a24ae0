"""What to ask of the model so that a timbre is what sounds.

The networks answer a timbre code a little too tamely and always a little off: squared errors flatten, the VAE loses some air. How
they answer is measured on training pieces, coordinate by coordinate, against the same pieces through the vocoder alone:

    heard = a code + b          generated with the piece's own code
    vocoded = a' code + b'      the piece itself
    code asked for = scale code + offset,  scale = a' / a,  offset = (b' - b) / a

`python -m models.music_ldm.calibrate --corpus DIR` writes scale and offset into the denoiser's checkpoint.
"""
import argparse
import dataclasses
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import torch

from core import checkpoints
from core.audio import Audio
from core.audio import mel as mels
from core.errors import BadInput, BatonError
from models.data.shards import AUDIO_RATE
from models.music_ldm.evaluation_rows import Pieces, through
from models.music_ldm.pipeline import MusicLDM
from models.music_ldm.scoring import LEAD_IN
from models.music_ldm.timbre import timbre_profile

LEAST_PIECES = 8
LEAST_ANSWER, MOST_SCALE, MOST_OFFSET = 0.3, 1.5, 1.0       # slopes below the first say nothing; bounds of what is asked for

_worker = {}


def answers(codes, heard, vocoded):
    """(scale, offset), each (K,), from codes asked for, codes heard and codes of the vocoded pieces, each (N, K).

    Raises BadInput for too few pieces.
    """
    codes, heard, vocoded = (np.asarray(values, dtype=np.float64) for values in (codes, heard, vocoded))
    if len(codes) < LEAST_PIECES:
        raise BadInput(f"How the model answers a timbre cannot be measured on {len(codes)} pieces; give {LEAST_PIECES} or more.")
    scale, offset = np.ones(codes.shape[1]), np.zeros(codes.shape[1])
    for k in range(codes.shape[1]):
        slope, level = np.polyfit(codes[:, k], heard[:, k], 1)
        true_slope, true_level = np.polyfit(codes[:, k], vocoded[:, k], 1)
        if slope > LEAST_ANSWER:
            scale[k], offset[k] = true_slope / slope, (true_level - level) / slope
    return np.clip(scale, 1 / MOST_SCALE, MOST_SCALE), np.clip(offset, -MOST_OFFSET, MOST_OFFSET)


def profile_of(sound):
    """The timbre profile of (2, N) at 48 kHz from its second `LEAD_IN` on: pieces begin with silence before their first beat,
    which takes go without."""
    sounding = np.asarray(sound, np.float32)[:, int(LEAD_IN * AUDIO_RATE):]
    return torch.from_numpy(timbre_profile(mels.log_mel(mels.model_mono(Audio(sounding, AUDIO_RATE)))))


def start_worker(corpus, seconds, count, folder):
    """What each process keeps: the pieces and the model without a calibration."""
    torch.set_num_threads(1)
    model = MusicLDM.load([folder], "cpu")
    model.denoiser.config = dataclasses.replace(model.denoiser.config, timbre_scale=[], timbre_offset=[])
    _worker.update(model=model, pieces=Pieces(corpus, seconds, count, "train"), seconds=seconds)


@torch.inference_mode()
def measure(number):
    """(code, heard, vocoded) of a piece, each (K,)."""
    model, piece = _worker["model"], _worker["pieces"][number]
    made = model.generate(piece["motion"], genre=piece["genre"], beats=piece["beats"], duration=_worker["seconds"], seed=number,
                          like=Audio(piece["sound"], AUDIO_RATE))[0]
    like = timbre_profile(mels.log_mel(mels.model_mono(Audio(piece["sound"], AUDIO_RATE))))
    profiles = (torch.from_numpy(like), profile_of(made), profile_of(through(model, piece["sound"], False)))
    return [model.denoiser.condition.timbre.code(profile).numpy() for profile in profiles]


def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.music_ldm.calibrate", description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", required=True, help="folder of dance shards with a train split")
    parser.add_argument("--checkpoints", default=str(checkpoints.FOLDER), help="the denoiser's folder (default: the shipped one)")
    parser.add_argument("--count", type=int, default=100, help="pieces, as many of each genre")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args(arguments)
    try:
        found = checkpoints.find("music_ldm", "denoiser", [options.checkpoints])
        if not found.config.get("timbre"):
            raise BadInput(f"{found.path.name} knows no timbre code; there is nothing to calibrate.")
        count = len(Pieces(options.corpus, options.seconds, options.count, "train"))
        with ProcessPoolExecutor(options.processes, get_context("spawn"), start_worker,
                                 (options.corpus, options.seconds, options.count, options.checkpoints)) as pool:
            rows = list(pool.map(measure, range(count)))
        scale, offset = answers(*(np.array(values) for values in zip(*rows)))
        config = {**found.config, "timbre_scale": scale.round(4).tolist(), "timbre_offset": offset.round(4).tolist()}
        card = found.path.with_suffix(".md").read_text(encoding="utf-8")
        written = checkpoints.save(found.path.parent, name=found.path.stem, system="music_ldm", part="denoiser", config=config,
                                   state_dict=checkpoints.load_state(found), card_text=card, licence=found.licence,
                                   extra=found.extra)
    except BatonError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{count} pieces: scale {scale.min():.2f} to {scale.max():.2f}, offset {offset.min():.2f} to {offset.max():.2f}; "
          f"{written.path} sha256 {written.sha256[:16]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
