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
JUDGED_HERTZ = 16_000.0  # a judge hears up to here: above, codecs of training sound would tell
CROP = 16_384                                       # samples a judge hears at once: 0.37 s


def band_levels(stereo):
    """Levels (25,) in dB of the thirds of an octave `BANDS`, both channels' power together."""
    return third_levels(stereo, BANDS)


def tilt(levels):
    """Slope in dB per octave of band levels (25,), 100 Hz to 10 kHz."""
    inside = (BANDS >= 99) & (BANDS <= 10_100)
    return float(np.polyfit(np.log2(BANDS[inside]), levels[inside], 1)[0])


class Strokes:
    """Beginnings of strokes in a range of frequencies: where a true sound has clear ones, and how much a sound rises
    there.

    low, high: Hz; before: (s, s) from a beginning back, the stretch that is quiet; after: seconds that are loud;
    rise: least dB of a true one; loud: least mean square after it; apart: seconds between two.
    """

    def __init__(self, low, high, before, after, rise, loud, apart):
        self.low, self.high, self.before, self.after = low, high, before, after
        self.rise, self.loud, self.apart = rise, loud, apart

    def inside(self, stereo):
        """Mono within the range, (N,)."""
        spectrum, hertz = np.fft.rfft(stereo.mean(axis=0)), np.fft.rfftfreq(stereo.shape[1], 1 / RATE)
        spectrum[(hertz < self.low) | (hertz > self.high)] = 0
        return np.fft.irfft(spectrum, stereo.shape[1])

    def rises(self, mono, places):
        """Rise in dB at sample places: energy after each over the energy of the stretch before it."""
        energy = np.concatenate([[0.0], np.cumsum(mono ** 2)])

        def mean(first, last):
            a, b = places + int(first * RATE), places + int(last * RATE)
            return (energy[b] - energy[a]) / (b - a) + 1e-10
        return 10 * np.log10(mean(0.0, self.after) / mean(-self.before[0], -self.before[1]))

    def places(self, true):
        """Sample places of the clear beginnings of a sound: local maxima of its rise."""
        mono = self.inside(true)
        grid = np.arange(int(0.05 * RATE), len(mono) - int(0.05 * RATE), 44)
        rise = self.rises(mono, grid)
        loud = np.convolve(mono ** 2, np.ones(353) / 353, mode="same")
        places = []
        for index in np.argsort(-rise):
            if rise[index] < self.rise or len(places) >= 200:
                break
            if loud[grid[index] + 200] > self.loud and all(abs(grid[index] - other) > self.apart * RATE
                                                           for other in places):
                places.append(grid[index])
        return np.array(sorted(places), dtype=int)

    def loss_db(self, found, true):
        """How many dB less the found sound rises where the true one begins its strokes, mean; 0 is as sharp. NaN
        without strokes."""
        places = self.places(true)
        if not len(places):
            return float("nan")
        return float((self.rises(self.inside(true), places) - self.rises(self.inside(found), places)).mean())


ATTACKS = Strokes(2000.0, RATE / 2, before=(0.014, 0.004), after=0.008, rise=10.0, loud=1e-6, apart=0.06)
KICKS = Strokes(0.0, 300.0, before=(0.040, 0.010), after=0.025, rise=8.0, loud=3e-4, apart=0.1)


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
