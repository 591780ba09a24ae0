"""The tone of a trained vocoder set right, without training on: the last biases of its magnitudes.

    python -m models.music_ldm.vocoder_tone SOUNDS.zip --out FOLDER [--rounds 3]

Against discriminators a vocoder learns texture, and its long-term spectrum may end some dB away from the sound's. Here
it hears the mels of the pack's training excerpts through the VAE, as in use. The difference of the mean levels of mid
and of side, by thirds of an octave, is added to the bias of each bin of the head's log-magnitude (`StftHead`). Frames
overlap, so the levels are measured again after each round. SOUNDS.zip: `models.music_ldm.sound_pack`.
"""
import argparse
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from core import checkpoints
from core.audio import Audio
from core.audio.mel import log_mel
from core.errors import command
from models.music_ldm.sound_pack import read_pack
from models.music_ldm.vae import load_vae
from models.music_ldm.vocoder import BINS, N_FFT, RATE, load_vocoder, vocode

THIRDS = 1000.0 * 2.0 ** (np.arange(-14, 13) / 3)   # centres of thirds of an octave in Hz, 39 Hz to 16 kHz
MEL_RATE = 22_050
LARGEST = 6.0                                       # dB a round may add: beyond it the network is not the one meant
QUIET_DB = -60.0        # a band this far below a sound's loudest says nothing about tone


def third_levels(sound, centres=THIRDS):
    """Levels (len(centres),) in dB of the thirds of an octave at `centres` (Hz) of a sound (N,) or (channels, N) at
    44,100 Hz, the channels' power together."""
    sound = np.atleast_2d(sound)
    size = sound.shape[1]
    power = (np.abs(np.fft.rfft(sound, axis=1)) ** 2).sum(axis=0)
    total = np.concatenate([[0.0], np.cumsum(power)])
    edges = np.round(np.outer((2 ** (-1 / 6), 2 ** (1 / 6)), centres) * size / RATE).astype(int)
    return 10 * np.log10(np.maximum(total[edges[1]] - total[edges[0]], 1e-9) / size ** 2)


def level_gap(found, true):
    """Mean over sounds of how much louder (dB) the true ones are in each third, (len(THIRDS),). found, true: lists of
    (N,). Thirds in which a true sound is quiet beside its loudest third are left out; where all are, the gap is 0."""
    gaps = []
    for mine, other in zip(found, true, strict=True):
        size = min(len(mine), len(other))
        a, b = third_levels(mine[:size]), third_levels(other[:size])
        gaps.append(np.where(b > b.max() + QUIET_DB, b - a, np.nan))
    heard = np.isfinite(gaps).any(axis=0)
    return np.where(heard, np.nansum(gaps, axis=0) / np.maximum(np.isfinite(gaps).sum(axis=0), 1), 0.0)


def to_bins(gap):
    """A gap (len(THIRDS),) in dB as what is added to natural log-magnitudes of the head's bins (BINS,): linear in the
    logarithm of frequency, held below the lowest and above the highest third."""
    hertz = np.maximum(np.arange(BINS) * RATE / N_FFT, 1.0)
    decibels = np.interp(np.log(hertz), np.log(THIRDS), np.clip(gap, -LARGEST, LARGEST))
    return (decibels * np.log(10) / 20).astype(np.float32)


@torch.inference_mode()
def through_vae(vae, mel):
    """A log-mel (T, 256) as the VAE gives it back."""
    padded = np.pad(mel, ((0, -len(mel) % vae.config.downsample), (0, 0)), mode="edge")
    return vae.decode_long(vae.encode(torch.from_numpy(padded)[None])[0])[0].numpy()[:len(mel)]


def heard_mels(sounds, vae):
    """Log-mels (T, 256) of stereo sounds (2, N) at 44,100 Hz as the VAE gives them back."""
    return [through_vae(vae, log_mel(Audio(sound, RATE).resampled(MEL_RATE).mono())) for sound in sounds]


def set_tone(network, mels, sounds, rounds=3, say=print):
    """Change the biases of `network` in place until it gives `sounds` [(2, N)] back from `mels` with their levels.

    Returns the mean absolute gap in dB of (mid, side) before each round and at the end, [(float, float)].
    """
    def split(sound):
        return sound.mean(axis=0), (sound[0] - sound[1]) / 2
    true, found_gaps = [split(sound) for sound in sounds], []
    for number in range(rounds + 1):
        found = [split(vocode(network, mel, rate=RATE, finish=False)) for mel in mels]
        gaps = [level_gap([pair[side] for pair in found], [pair[side] for pair in true]) for side in (0, 1)]
        found_gaps.append(tuple(float(np.abs(gap).mean()) for gap in gaps))
        say(f"round {number}: mid {found_gaps[-1][0]:.2f} dB, side {found_gaps[-1][1]:.2f} dB")
        if number == rounds:
            break
        for head, gap in zip((network.mid, network.side), gaps):
            with torch.no_grad():
                head.out.bias[:BINS] += torch.from_numpy(to_bins(gap))
    return found_gaps


@command
def main(arguments=None):
    """The command line of this file."""
    parser = argparse.ArgumentParser(prog="python -m models.music_ldm.vocoder_tone",
                                     description=(__doc__ or "").split("\n")[0])
    parser.add_argument("pack", help="sounds of models.lab.packs.sound")
    parser.add_argument("--out", required=True, help="folder to write the checkpoint to")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--checkpoints", help="folder of the vocoder that is set right (default: the shipped one)")
    parser.add_argument("--vae", default=str(checkpoints.FOLDER / "music_ldm-vae.safetensors"), help="its run or file")
    options = parser.parse_args(arguments)
    network, checkpoint = load_vocoder([Path(options.checkpoints)] if options.checkpoints else None)
    sounds = [sound for _, sound in read_pack(options.pack, "train")]
    gaps = set_tone(network, heard_mels(sounds, load_vae(options.vae)[0]), sounds, options.rounds)
    words = (f"- Tone set right on {len(sounds)} excerpts (`models.music_ldm.vocoder_tone`): mean gap of thirds of an "
             f"octave, mid {gaps[0][0]:.2f} -> {gaps[-1][0]:.2f} dB, side {gaps[0][1]:.2f} -> {gaps[-1][1]:.2f} dB.\n")
    checkpoints.save_again(checkpoint, options.out, network.state_dict(), words, config=asdict(network.config),
                           extra={"tone_db": gaps[-1]})
    return 0


if __name__ == "__main__":
    sys.exit(main())
