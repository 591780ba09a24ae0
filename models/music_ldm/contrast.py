"""Contrast of the generated mel: its level and its spread over time, band by band, as music of the training split has them.

What a network trained on squared errors answers is smoother than its data, and guidance overshoots elsewhere, so bands come out
a little too even or too lively, always in the same way. The global-variance post-filter of speech synthesis (Toda & Tokuda 2007, "A
speech parameter generation algorithm considering global variance", section 2) puts that right with two measured numbers a band:

    y_t = mean(x) + offset + gain (x_t - mean(x))          x: log-mel of the passage in a band, mean over time

`python -m models.music_ldm.contrast --corpus DIR` measures them on training pieces and writes them into the denoiser's checkpoint.
"""
import argparse
import dataclasses
import sys

import numpy as np
import torch

from core import checkpoints
from core.audio import Audio
from core.audio import mel as mels
from core.errors import BadInput, BatonError

SMOOTH = 9                  # bands over which the measured numbers are averaged
MOST_GAIN, MOST_OFFSET = 1.25, 0.5
STEPS = 20                  # of the sampling while measuring
QUIET = 0.05                # spread in nats below which a band says nothing


def restore_contrast(mel, gain, offset):
    """The filter on a log-mel (T, bands); gain and offset (bands,), or empty lists: the mel itself."""
    if len(gain) == 0:
        return mel
    mean = mel.mean(0, keepdims=True)
    return (mean + np.asarray(offset, np.float32) + np.asarray(gain, np.float32) * (mel - mean)).astype(np.float32)


def measure(pairs):
    """(gain, offset), each (bands,), from pairs of log-mels (generated (T, bands), real (T', bands)) of the same dance."""
    gains, offsets = [], []
    for made, real in pairs:
        spread = np.stack([made.std(0), real.std(0)])
        spread = np.where(spread.min(0) > QUIET, spread, 1.0)
        gains.append(np.log(spread[1] / spread[0]))
        offsets.append(real.mean(0) - made.mean(0))
    if not gains:
        raise BadInput("Contrast cannot be measured without pieces; give a corpus with a train split.")
    gain, offset = (_smooth(np.mean(values, axis=0)) for values in (gains, offsets))
    gain = np.clip(np.exp(gain), 1 / MOST_GAIN, MOST_GAIN)
    return gain.astype(np.float32), np.clip(offset, -MOST_OFFSET, MOST_OFFSET).astype(np.float32)


def _smooth(values):
    padded = np.pad(values, SMOOTH // 2, mode="edge")
    return np.convolve(padded, np.ones(SMOOTH) / SMOOTH, mode="valid")


def pairs_of(model, corpus, count, seconds, report=lambda text: None):
    """Generated log-mels and real ones as the VAE gives them back, of `count` studio pieces spread over the train split; the true
    rhythm is given."""
    from core.beats import Beats
    from models.data.shards import AUDIO_RATE, Corpus, unpack_motion
    data = Corpus(corpus, split="train", kind="dance")
    known = [i for i in range(len(data)) if data.meta(i)["source"] == "studio" and data.meta(i)["duration"] >= seconds]
    for number, index in enumerate(np.unique(np.linspace(0, len(known) - 1, count).astype(int)) if known else []):
        index = known[index]
        meta, written = data.meta(index), data.array(index, "beats").astype(float)
        motion = unpack_motion(data.array(index, "motion_rot6d"), data.array(index, "motion_root"))
        beats = Beats(written[:, 0], written[:, 1].astype(int), 4).within(0.0, seconds)
        made = model.mel(motion.slice(0, int(seconds * motion.fps)), genre=meta["genre"], beats=beats, duration=seconds,
                         seed=number, steps=STEPS)
        sound = data.array(index, "audio", 0, int(seconds * AUDIO_RATE)).T.astype(np.float32) / 32767
        yield made, model.through_vae(mels.log_mel(mels.model_mono(Audio(sound, AUDIO_RATE))))
        if number % 10 == 9:
            report(f"{number + 1} pieces")


def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.music_ldm.contrast", description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", required=True, help="folder of dance shards with a train split")
    parser.add_argument("--checkpoints", default=str(checkpoints.FOLDER), help="folder of the denoiser (default: the shipped one)")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        from models.music_ldm.pipeline import MusicLDM
        model = MusicLDM.load([options.checkpoints], "cpu")
        model.denoiser.config = dataclasses.replace(model.denoiser.config, contrast_gain=[], contrast_offset=[])
        pairs = pairs_of(model, options.corpus, options.count, options.seconds, lambda text: print(text, flush=True))
        gain, offset = measure(pairs)
        found = checkpoints.find("music_ldm", "denoiser", [options.checkpoints])
        config = {**found.config, "contrast_gain": gain.round(4).tolist(), "contrast_offset": offset.round(4).tolist()}
        card = found.path.with_suffix(".md").read_text(encoding="utf-8")
        written = checkpoints.save(found.path.parent, name=found.path.stem, system="music_ldm", part="denoiser", config=config,
                                   state_dict=checkpoints.load_state(found), card_text=card, licence=found.licence,
                                   extra=found.extra)
    except BatonError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"gain {gain.min():.3f} to {gain.max():.3f}, offset {offset.min():.3f} to {offset.max():.3f} nats; {written.path} "
          f"sha256 {written.sha256[:16]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
