"""Training of the vocoder's attacks (`vocoder_attacks.Attacks`) on what it gives back in use:

    python -m models.music_ldm.vocoder_attacks_train SOUNDS.zip --out FOLDER [--steps 1400] [--width 48]

SOUNDS.zip: `models.lab.packs.sound`. Each excerpt goes through the VAE, the vocoder's network and its steady tones; the
gains are to bring the envelopes of mid to those of the real sound, around real attacks. Where a stroke lies within the
mel's blur cannot be known to a millisecond, so the real envelope may be moved by up to `SHIFT` frames, at a price, for
each stretch of time: else the answer would be the mean over all places, which is a blur again. Elsewhere any gain
costs. The vocoder itself is not changed.
"""
import argparse
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from core import checkpoints
from core.audio.mel import FLOOR
from core.errors import BadInput, command
from models.music_ldm.sound_pack import read_pack
from models.music_ldm.vae import load_vae
from models.music_ldm.vocoder import RATE, Vocoder, load_vocoder, vocode
from models.music_ldm.vocoder_attacks import FRAMES, Attacks
from models.music_ldm.vocoder_tone import heard_mels

CROP = 48                       # mel frames of an item: 1.1 s
BATCH = 16
RATE_OF_LEARNING = 3e-3
SHIFT, PRICE = 2, 0.03          # frames of 2.9 ms a stroke may lie elsewhere, and what each costs
NEAR = 17                       # frames of a stretch around an attack: 25 ms on both sides
RISE, LOUD = 0.7, 3e-5          # an attack: 6 dB in a band, and its least mean power
AFTER, BEFORE = 3, (5, 2)       # frames: the attack, and the stretch before it (from, to)
QUIET = 0.3                     # weight of gains where there is no attack
LEVEL = (-0.5, 0.3)             # natural log of the level jitter


def attack_stretches(levels):
    """1.0 within `NEAR` / 2 frames of an attack, else 0.0: natural log envelopes (N, BANDS, frames) -> the same
    shape."""
    power = torch.exp(2 * levels)
    after = F.avg_pool1d(F.pad(power, (0, AFTER - 1), mode="replicate"), AFTER, 1)
    length = BEFORE[0] - BEFORE[1] + 1
    before = F.avg_pool1d(F.pad(power, (BEFORE[0], 0), mode="replicate"), length, 1)[..., :power.shape[-1]]
    rises = 0.5 * torch.log((after + 1e-9) / (before + 1e-9)) > RISE
    return F.max_pool1d((rises & (after > LOUD)).float(), NEAR, 1, NEAR // 2)


def attack_losses(network, found, true, log_mel):
    """(error at attacks, gains elsewhere, error at attacks without the network), scalars.

    found, true: natural log envelopes (N, BANDS, 8 (T - 1) + 1) of vocoded and real mid; log_mel (N, T, 256).
    """
    gains, near = network.gains(found, log_mel), attack_stretches(true)
    share = near.mean().clamp_min(1e-3)

    def errors(mine):
        apart = [F.avg_pool1d((mine - torch.roll(true, shift, -1)).abs() * near, NEAR, 1, NEAR // 2)
                 + PRICE * abs(shift) for shift in range(-SHIFT, SHIFT + 1)]
        return torch.stack(apart).amin(0).mean() / share
    return errors(found + gains), (gains.abs() * (1 - near)).mean(), errors(found).detach()


def pairs(network, vae, pack, split, say=print):
    """[(envelopes (BANDS, frames) of vocoded mid, of real mid, log-mel (T, 256))] of the pack's excerpts, on the
    CPU."""
    measure, out = Attacks(8), []
    for _, sound in read_pack(pack, split):
        mel = np.maximum(heard_mels([sound], vae)[0], np.log(FLOOR))
        made = vocode(network, mel, rate=RATE, attacks=False)
        count = min(made.shape[1], sound.shape[1]) // 1024 * 1024
        with torch.no_grad():
            found, true = (measure.levels(measure.spectrum(torch.from_numpy(x[None, :, :count].mean(1))).abs().square())
                           for x in (made, sound))
        out.append((found[0], true[0], torch.from_numpy(mel[:count // 1024 + 1])))
        if len(out) % 40 == 0:
            say(f"{split}: {len(out)} excerpts heard")
    if not out or min(len(mel) for _, _, mel in out) <= CROP:
        raise BadInput(f"{pack} has no {split} excerpts longer than {CROP * 1024 / RATE:.1f} s; make longer ones.")
    return out


def crops(items, rng, count=BATCH):
    """(found, true, log_mel) of random places of random items, at random levels."""
    chosen = []
    for number in rng.integers(len(items), size=count):
        found, true, mel = items[number]
        row = int(rng.integers(len(mel) - CROP))
        first, frames = row * FRAMES, (CROP - 1) * FRAMES + 1
        chosen.append((found[:, first:first + frames], true[:, first:first + frames], mel[row:row + CROP]))
    jitter = torch.from_numpy(rng.uniform(*LEVEL, (count, 1, 1)).astype(np.float32))
    return tuple(torch.stack(each) + jitter for each in zip(*chosen))


def learn(network, train, valid, steps, *, seed=0, say=print):
    """Train in place; returns [(step, validation's three losses)]."""
    rng, history = np.random.default_rng(seed), []
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE_OF_LEARNING, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE_OF_LEARNING, total_steps=steps)
    for step in range(1, steps + 1):
        error, quiet, _ = attack_losses(network, *crops(train, rng))
        optimizer.zero_grad(set_to_none=True)
        (error + QUIET * quiet).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % max(steps // 20, 1) == 0:
            with torch.no_grad():
                scores = [attack_losses(network, *crops(valid, np.random.default_rng(number))) for number in range(6)]
            history.append((step, [float(np.mean([float(score[i]) for score in scores])) for i in range(3)]))
            say("step {}: attacks {:.3f} ({:.3f} without), elsewhere {:.3f}".format(
                step, history[-1][1][0], history[-1][1][2], history[-1][1][1]))
    return history


def with_attacks(network, attacks, width):
    """A vocoder like `network`, its attacks those of `attacks`."""
    made = Vocoder(replace(network.config, attacks=width))
    made.load_state_dict({**{k: v for k, v in network.state_dict().items() if not k.startswith("attacks.")},
                          **{f"attacks.{k}": v for k, v in attacks.state_dict().items()}})
    return made.eval()


@command
def main(arguments=None):
    """The command line of this file; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.music_ldm.vocoder_attacks_train",
                                     description=(__doc__ or "").split("\n")[0])
    parser.add_argument("pack", help="sounds of models.lab.packs.sound")
    parser.add_argument("--out", required=True, help="folder to write the checkpoint to")
    parser.add_argument("--steps", type=int, default=1400)
    parser.add_argument("--width", type=int, default=48)
    parser.add_argument("--checkpoints", help="folder of the vocoder (default: the shipped one)")
    parser.add_argument("--vae", default=str(checkpoints.FOLDER / "music_ldm-vae.safetensors"), help="its run or file")
    options = parser.parse_args(arguments)
    torch.manual_seed(0)
    network, checkpoint = load_vocoder([Path(options.checkpoints)] if options.checkpoints else None)
    vae, attacks = load_vae(options.vae)[0], Attacks(options.width, network.config.bands)
    train, valid = (pairs(network, vae, options.pack, split) for split in ("train", "valid"))
    history = learn(attacks, train, valid, options.steps)
    made = with_attacks(network, attacks, options.width)
    error, quiet, before = history[-1][1]
    words = (f"- Attacks (`vocoder_attacks`, width {options.width}): {options.steps} steps of {BATCH} crops of "
             f"{len(train)} excerpts of the studio through the VAE; error of the envelopes at attacks of {len(valid)} "
             f"others {before:.3f} -> {error:.3f} (natural log), gains elsewhere {quiet:.3f}.\n")
    checkpoints.save_again(checkpoint, options.out, made.state_dict(), words, config=asdict(made.config))
    return 0


if __name__ == "__main__":
    sys.exit(main())
