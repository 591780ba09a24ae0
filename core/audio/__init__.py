"""Sound as data, in seconds; reading and writing in `io`, delivery in `loudness`, log-mel in `mel`."""
from dataclasses import dataclass

import numpy as np

from core.audio.resample import resample
from core.errors import BadInput

DELIVERY_RATE = 48_000
OPPOSITE = 0.02                 # channels in opposite phase: so little of the power is left in their mean
HALF_POWER = np.float32(np.sqrt(0.5))


@dataclass(frozen=True)
class Audio:
    """samples (C,N) float32, full scale 1; rate in Hz. Time is counted from sample 0."""

    samples: np.ndarray
    rate: int

    def __post_init__(self):
        samples = np.asarray(self.samples, dtype=np.float32)
        samples = samples[None] if samples.ndim == 1 else samples
        if samples.ndim != 2:
            raise BadInput(f"Audio needs samples (channels, N), not {samples.shape}.")
        object.__setattr__(self, "samples", samples)

    @property
    def channels(self):
        """Number of channels."""
        return self.samples.shape[0]

    @property
    def duration(self):
        """Seconds."""
        return self.samples.shape[1] / self.rate

    def stereo(self):
        """Two channels. Surround (L R C LFE Ls Rs) is folded down as ITU-R BS.775 does, the LFE left out."""
        x = self.samples
        if len(x) == 1:
            x = np.repeat(x, 2, axis=0)
        elif len(x) in (3, 4):                                   # L R C [LFE], or L R and two rears: no way to know
            x = x[:2] + HALF_POWER * x[2:3]
        elif len(x) >= 5:
            rears = x[3:5] if len(x) == 5 else x[4:6]
            x = x[:2] + HALF_POWER * x[2:3] + HALF_POWER * rears
        return Audio(x, self.rate)

    def mono(self):
        """(N,) float32: mean of the (folded) left and right channels; the louder one where they cancel each other."""
        if self.channels == 1:
            return self.samples[0]
        left, right = self.stereo().samples
        mean = 0.5 * (left + right)         # ten times as fast as numpy's mean over two rows
        energies = [float(np.dot(channel, channel)) for channel in (left, right, mean)]
        return (left, right)[int(np.argmax(energies[:2]))] if energies[2] < OPPOSITE * max(energies[:2]) else mean

    def slice(self, start, stop=None):
        """Seconds start..stop as new audio; what lies outside is left out."""
        first = max(0, int(round(start * self.rate)))
        last = self.samples.shape[1] if stop is None else max(first, int(round(stop * self.rate)))
        return Audio(self.samples[:, first:last], self.rate)

    def padded(self, before=0.0, duration=None):
        """Silence of `before` seconds in front; then cut or padded with silence to `duration` seconds."""
        head = int(round(before * self.rate))
        total = head + self.samples.shape[1] if duration is None else int(round(duration * self.rate))
        out = np.zeros((self.channels, total), dtype=np.float32)
        body = self.samples[:, : max(0, total - head)]
        out[:, head : head + body.shape[1]] = body
        return Audio(out, self.rate)

    def resampled(self, rate):
        """The same sound at another sample rate (soxr, high quality)."""
        return Audio(resample(self.samples, self.rate, rate), rate)

    def sped_up(self, speed):
        """Played `speed` times as fast (pitch follows), at the same sample rate: what a strip's speed factor does."""
        if abs(speed - 1.0) < 1e-9:
            return self
        return Audio(resample(self.samples, self.rate * speed, self.rate), self.rate)
