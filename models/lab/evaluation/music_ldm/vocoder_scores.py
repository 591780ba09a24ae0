"""Scores of the vocoder beside Griffin-Lim on pieces neither has seen.

    python -m models.lab.evaluation.music_ldm.vocoder_scores --corpus DIR [--pieces 12] [--seconds 10] [--json FILE]
                                                             [--checkpoints DIR]

In the mel's own band (mono, 22,050 Hz): multi-resolution STFT distance and log-mel distance of the reconstruction from
the true log-mel. At full band (stereo, 44,100 Hz; Griffin-Lim has nothing above 11 kHz there): the same of left and
right, the level above 11 kHz and the share of the side against the truth. And seconds of sound per second on this
machine.
"""
import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch

from core.audio import Audio
from core.audio.mel import griffin_lim, levelled, log_mel
from core.errors import command
from models.music_ldm.vocoder import RATE, load_vocoder, vocode
from models.music_ldm.vocoder_train import multi_resolution
from models.training.shards import AUDIO_RATE, Corpus, unpack_audio

MEL_RATE = 22_050


def stft_distance(found, true):
    """`multi_resolution` of two mono sounds (N,)."""
    return float(multi_resolution(torch.from_numpy(found)[None], torch.from_numpy(true)[None])[0])


def mel_distance(found, true):
    """Mean absolute difference of `core.audio.mel.log_mel`, both sounds mono at 22,050 Hz."""
    return float(np.abs(log_mel(found) - log_mel(true)).mean())


def air(stereo):
    """Mean level in dB above 11 kHz of stereo (2, N) at 44,100 Hz."""
    spectrum = torch.stft(torch.from_numpy(stereo), 2048, 512, window=torch.hann_window(2048),
                          return_complex=True).abs()
    return float(20 * torch.log10(spectrum[:, 512:].square().mean().sqrt() + 1e-6))


def side_share(stereo):
    """Energy of the side channel as a share of all, of stereo (2, N)."""
    mid, side = stereo[0] + stereo[1], stereo[0] - stereo[1]
    return float((side ** 2).sum() / max((mid ** 2).sum() + (side ** 2).sum(), 1e-9))


def score(corpus, pieces=12, seconds=10.0, folders=None, report=print):
    """Means over test pieces of the corpus: {"learned": {...}, "network alone": {...} (nothing after it),
    "griffin_lim_32": {...}, "pieces", "seconds", "checkpoint"}."""
    network, checkpoint = load_vocoder(folders)
    items = Corpus(corpus, split="test")
    rows = {"learned": [], "network alone": [], "griffin_lim_32": []}
    chosen = np.unique(np.linspace(0, len(items) - 1, pieces).astype(int))
    for index in chosen:
        raw = items.array(int(index), "audio", int(2 * AUDIO_RATE), int((2 + seconds) * AUDIO_RATE))
        audio = Audio(unpack_audio(raw), AUDIO_RATE)
        mono, gain = levelled(audio.resampled(MEL_RATE).mono())
        mel = log_mel(mono)
        truth = audio.resampled(RATE).samples * gain
        began = time.perf_counter()
        learned = vocode(network, mel, rate=RATE)
        walls = [time.perf_counter() - began]
        began = time.perf_counter()
        bare = vocode(network, mel, rate=RATE, finish=False, tones=False, attacks=False)
        walls.append(time.perf_counter() - began)
        began = time.perf_counter()
        published = griffin_lim(mel, 32)
        walls.append(time.perf_counter() - began)
        for (name, stereo), wall in zip((("learned", learned), ("network alone", bare), ("griffin_lim_32", None)),
                                        walls):
            own = Audio(stereo, RATE).resampled(MEL_RATE).mono() if stereo is not None else published
            if stereo is None:
                stereo = Audio(published, MEL_RATE).resampled(RATE).stereo().samples
            count, own_count = min(truth.shape[1], stereo.shape[1]), min(len(mono), len(own))
            full = np.mean([stft_distance(np.ascontiguousarray(stereo[c, :count]),
                                          np.ascontiguousarray(truth[c, :count]))
                            for c in (0, 1)])
            rows[name].append({
                "stft_22k": stft_distance(np.ascontiguousarray(own[:own_count]), mono[:own_count]),
                "mel": mel_distance(own[:own_count], mono[:own_count]), "stft_44k_stereo": float(full),
                "air_db_error": air(stereo[:, :count]) - air(truth[:, :count]),
                "side_share": side_share(stereo[:, :count]), "true_side_share": side_share(truth[:, :count]),
                "times_real_time": seconds / wall})
        report(f"{items.meta(int(index))['id']}: " + ", ".join(
            f"{name} stft {r[-1]['stft_22k']:.3f} mel {r[-1]['mel']:.3f}" for name, r in rows.items()))
    means = {name: {key: round(float(np.mean([row[key] for row in values])), 4) for key in values[0]}
             for name, values in rows.items()}
    return {**means, "pieces": len(chosen), "seconds": seconds, "checkpoint": checkpoint.sha256[:16]}


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.lab.evaluation.music_ldm.vocoder_scores",
                                     description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--pieces", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--checkpoints")
    parser.add_argument("--json")
    options = parser.parse_args(arguments)
    result = score(options.corpus, options.pieces, options.seconds, options.checkpoints)
    text = json.dumps(result, indent=1)
    print(text)
    if options.json:
        Path(options.json).write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
