"""The long-term spectrum a finished dance track has, and the equaliser that leads a mix part of the way there.

The common curve: number-one singles of 1950-2010 peak near 100 Hz and fall about 5 dB per octave of power density from
there to 4 kHz, steeper above (Pestana et al. 2013, "Spectral Characteristics of Popular Commercial Recordings
1950-2010"). Genres depart from it in the direction found by Elowsson & Friberg 2017 ("Long-term Average Spectrum in
Popular Music and its Relation to the Level of the Percussion") and Hove et al. 2019 ("Increased levels of bass in
popular music recordings"): rap and electronic dance music have more below 100 Hz and, being percussive, above 5 kHz;
older and acoustic styles less. Sizes of departures are ours.
"""
import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

BANDS = 1000.0 * 2.0 ** (np.arange(-14, 12) / 3)        # centres of thirds of an octave, 39 Hz to 12.7 kHz
DENSITY = ((30, -12), (50, -3), (80, 0), (110, 0), (4000, -26), (8000, -34), (16000, -46))     # Hz, dB of power density
DEPARTURES = {                      # genre -> dB below 100 Hz, dB above 5 kHz
    "break": (-4.0, 0.0), "pop": (1.0, 1.0), "lock": (-3.0, 0.0), "middle-hip-hop": (3.0, 0.0),
    "la-hip-hop": (3.0, 1.0),
    "house": (2.0, 1.0), "waack": (-1.5, 1.0), "krump": (3.0, 1.0), "street-jazz": (0.0, 1.0),
    "ballet-jazz": (-4.0, -4.0)}
SHARE, LIMIT_DB = 0.7, 12.0         # of the way to the curve; most that a band is moved
SPREAD = 1.2                        # thirds of an octave over which the correction is smoothed


def target_db(genre):
    """Levels (26,) of the thirds of an octave `BANDS` in dB, the loudest at 0."""
    hertz, level = zip(*DENSITY)
    low, high = DEPARTURES[genre]
    curve = np.interp(np.log2(BANDS), np.log2(hertz), level) + 10 * np.log10(BANDS)
    curve = curve + low / (1 + (BANDS / 100.0) ** 3) + high / (1 + (5000.0 / BANDS) ** 3)
    return curve - curve.max()


def band_levels(audio, rate):
    """Levels (26,) in dB of the thirds of an octave of (2, N), both channels' power together."""
    size = next_fast_len(audio.shape[-1], real=True)
    power = (np.abs(rfft(audio, size, axis=-1)) ** 2).sum(axis=0)
    total = np.concatenate([[0.0], np.cumsum(power, dtype=np.float64)])
    edges = np.clip(np.round(np.outer((2 ** (-1 / 6), 2 ** (1 / 6)), BANDS) * size / rate).astype(int), 0, len(power))
    return 10 * np.log10(np.maximum(total[edges[1]] - total[edges[0]], 1e-12))


def towards(audio, rate, genre, share=SHARE):
    """(2, N) whose long-term spectrum lies `share` of the way nearer to the genre's; zero phase, level kept by the
    caller."""
    gap = target_db(genre) - band_levels(audio, rate)
    gap = gap - gap[4:-5].mean()                        # 100 Hz to 4 kHz: colour, not level
    distance = np.subtract.outer(np.arange(len(BANDS)), np.arange(len(BANDS)))
    kernel = np.exp(-0.5 * (distance / SPREAD) ** 2)
    gain_db = np.clip(share * (kernel * gap).sum(axis=1) / kernel.sum(axis=1), -LIMIT_DB, LIMIT_DB)
    # A matrix product's last bit depends on where memory lies; a piece's bytes follow from its seed alone.
    gain_db = np.round(gain_db, 3)
    size = next_fast_len(audio.shape[-1] + 4096, real=True)
    hertz = np.maximum(np.fft.rfftfreq(size, 1.0 / rate), 1.0)
    gain = 10 ** (np.interp(np.log2(hertz), np.log2(BANDS), gain_db) / 20)
    return irfft(rfft(audio, size, axis=-1) * gain.astype(np.float32), size,
                 axis=-1)[..., : audio.shape[-1]].astype(np.float32)
