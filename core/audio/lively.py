"""How lively a song is from stretch to stretch: loudness and attacks against the middle of the song itself."""
import numpy as np
from scipy.ndimage import gaussian_filter1d

from core.audio.frames import FRAME_HZ, frame_log_mel

DECIBEL = 8.7                               # of one unit of natural log magnitude
LOUD_DB = 12.0                              # louder than the middle of the song by so much is as lively as can be
LEAST, MOST = 0.05, 0.95
SMOOTH_SECONDS = 1.5                        # sigma of the curve: a dance swells over phrases, not over single notes


def lively(mel, cuts):
    """(B,) 0..1, 0.5 in the middle of the song, of the stretches of log-mel rows (M, 64) between B + 1 cuts."""
    level = np.log(np.exp(mel).mean(1) + 1e-5) * DECIBEL
    attack = np.maximum(np.diff(mel, axis=0, prepend=mel[:1]), 0).mean(1)
    loud, sharp = (
        np.array([curve[a:max(b, a + 1)].mean() if a < len(curve) else np.nan for a, b in zip(cuts[:-1], cuts[1:])])
        for curve in (level, attack)
    )
    loud, sharp = (np.where(np.isfinite(values), values, np.nanmedian(values)) for values in (loud, sharp))
    spread = max(float(np.median(sharp)), 1e-4)
    return np.clip(
        0.5 + 0.35 * (loud - np.median(loud)) / LOUD_DB * 2 + 0.25 * (sharp - np.median(sharp)) / spread, LEAST, MOST
    )


def lively_curve(audio, seconds, mel=None):
    """(N,) 0..1 at instants (N,) in seconds of an `Audio`, smooth; held beyond its ends. mel: its `frame_log_mel`,
    where that is known already."""
    mel = frame_log_mel(audio) if mel is None else mel
    whole = np.arange(0, max(len(mel), 1) + FRAME_HZ - 1, FRAME_HZ)              # stretches of a second
    values = gaussian_filter1d(lively(mel, whole), SMOOTH_SECONDS, mode="nearest")
    return np.interp(seconds, (whole[:-1] + FRAME_HZ / 2) / FRAME_HZ, values)
