"""What a vocoder's sound is judged by besides distances: bands, tilt, attacks, and a judge trained afterwards.

All on stereo (2, N) float32 at 44,100 Hz, found and true of the same length and level.
"""
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from models.music_ldm.vocoder import RATE
from models.music_ldm.vocoder_tone import third_levels

BANDS = 1000.0 * 2.0 ** (np.arange(-13, 12) / 3)    # centres of thirds of an octave, 50 Hz to 12.7 kHz
ATTACK_HERTZ = 2000.0                               # attacks are heard above this
BEFORE, AFTER = (0.014, 0.004), (0.0, 0.008)        # seconds from an attack: the stretch before it, and the attack
RISE_DB = 10.0                                      # least rise of a true attack
JUDGED_HERTZ = 16_000.0  # a judge hears up to here: above, codecs of training sound would tell
CROP = 16_384                                       # samples a judge hears at once: 0.37 s


def band_levels(stereo):
    """Levels (25,) in dB of the thirds of an octave `BANDS`, both channels' power together."""
    return third_levels(stereo, BANDS)


def tilt(levels):
    """Slope in dB per octave of band levels (25,), 100 Hz to 10 kHz."""
    inside = (BANDS >= 99) & (BANDS <= 10_100)
    return float(np.polyfit(np.log2(BANDS[inside]), levels[inside], 1)[0])


def _high(stereo):
    """Mono above ATTACK_HERTZ, (N,)."""
    spectrum = np.fft.rfft(stereo.mean(axis=0))
    spectrum[np.fft.rfftfreq(stereo.shape[1], 1 / RATE) < ATTACK_HERTZ] = 0
    return np.fft.irfft(spectrum, stereo.shape[1])


def _rises(high, places):
    """Rise in dB at sample places: energy of the attack over the energy of the stretch before it."""
    energy = np.concatenate([[0.0], np.cumsum(high ** 2)])

    def mean(first, last):
        a, b = places + int(first * RATE), places + int(last * RATE)
        return (energy[b] - energy[a]) / (b - a) + 1e-10
    return 10 * np.log10(mean(*AFTER) / mean(-BEFORE[0], -BEFORE[1]))


def attack_places(true):
    """Sample places of the clear attacks of a sound: local maxima of its rise above 2 kHz, at least 60 ms apart."""
    high = _high(true)
    grid = np.arange(int(0.05 * RATE), len(high) - int(0.05 * RATE), 44)
    rise = _rises(high, grid)
    loud = np.convolve(high ** 2, np.ones(353) / 353, mode="same")
    places = []
    for index in np.argsort(-rise):
        if rise[index] < RISE_DB or len(places) >= 200:
            break
        if loud[grid[index] + 200] > 1e-6 and all(abs(grid[index] - other) > 0.06 * RATE for other in places):
            places.append(grid[index])
    return np.array(sorted(places), dtype=int)


def attack_loss_db(found, true):
    """How many dB less the found sound rises at the true sound's attacks, mean; 0 is as sharp. NaN without attacks."""
    places = attack_places(true)
    if not len(places):
        return float("nan")
    return float((_rises(_high(true), places) - _rises(_high(found), places)).mean())


class Judge(nn.Module):
    """A small network that tells vocoded from real: log-magnitudes of mid and side (N, 2, samples) -> logit (N,)."""

    def __init__(self, width=16):
        super().__init__()
        self.register_buffer("window", torch.hann_window(1024))
        sizes = (2, width, 2 * width, 2 * width, 2 * width)
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 5, stride=2, padding=2) for a, b in zip(sizes, sizes[1:]))
        self.out = nn.Linear(2 * width, 1)

    def forward(self, sound):
        z = torch.stft(sound.flatten(0, 1), 1024, 256, window=self.window, return_complex=True).abs()
        z = z[:, :int(JUDGED_HERTZ / RATE * 1024)]
        x = torch.log(z + 1e-3).reshape(len(sound), 2, *z.shape[1:])
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
        return self.out(x.mean(dim=(2, 3)))[:, 0]


def _crops(sounds, rng, count):
    """(count, 2, CROP) mid and side of random places of random sounds."""
    out = []
    for number in rng.integers(len(sounds), size=count):
        sound = sounds[number]
        place = int(rng.integers(sound.shape[1] - CROP))
        cut = sound[:, place:place + CROP]
        out.append(np.stack([cut.mean(0), (cut[0] - cut[1]) / 2]) * np.exp(rng.uniform(-0.3, 0.3)))
    return torch.from_numpy(np.stack(out).astype(np.float32))


def judge_accuracy(found, true, learn, *, steps=200, batch=12, seed=0):
    """Share of crops a judge, trained for it afterwards, tells apart (0.5: it cannot), on sounds it has not heard.

    found, true: lists of (2, N), pairs of one piece; learn: how many of the first pairs it learns from.
    """
    torch.manual_seed(seed)
    rng, judge = np.random.default_rng(seed), Judge()
    optimizer = torch.optim.AdamW(judge.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    labels = torch.cat([torch.ones(batch // 2), torch.zeros(batch // 2)])
    for _ in range(steps):
        sound = torch.cat([_crops(found[:learn], rng, batch // 2), _crops(true[:learn], rng, batch // 2)])
        loss = F.binary_cross_entropy_with_logits(judge(sound), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
    right, rng = [], np.random.default_rng(seed + 1)
    with torch.no_grad():
        for _ in range(8):
            right.append((judge(_crops(found[learn:], rng, 24)) > 0).float().mean())
            right.append((judge(_crops(true[learn:], rng, 24)) < 0).float().mean())
    return float(torch.stack(right).mean())
