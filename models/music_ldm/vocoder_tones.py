"""Steady tones kept steady, after the vocoder's network: the phase of a partial below 2 kHz goes on from frame to
frame.

A convolutional network answers equal rows of a mel with equal frames of sound, whatever came before. So it cannot carry
a tone's phase on, and tones come out rough: with its magnitudes and the real phases the harmonic share of real pieces
is 0.47 of 0.51, with the real magnitudes and its phases 0.34. Here the peaks of the mel are followed (McAulay &
Quatieri 1986). Cells of the STFT around a peak that lives on take its phase: the network's where the tone begins, from
there the integral of its frequency (Laroche & Dolson 1999, "identity phase locking"). Their magnitude is the mel's,
brought from bands to bins by rounds of Richardson-Lucy, so that no noise lies between partials. All other cells, first
frames of strokes among them, stay the network's.

The STFT is the mel's own at 44,100 Hz: frame i, 4096 samples long, is centred on sample 1024 i and on row i.
"""
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F

from core.audio.mel import BANDS, FLOOR, filters
from core.audio.mel import RATE as MEL_RATE
from core.audio.spectra import slaney_filters
from models.layers.inverse_stft import inverse_stft

RATE, N_FFT, HOP = 44_100, 4096, 1024
TOP_HERTZ = 2000.0              # above it bands are too wide to tell a partial's frequency
LIFE = 5                        # least frames that a tone lives on, 0.12 s: peaks of noise pass sooner
RISE = 1.0                      # of a peak's log-magnitude in a frame: more is a new stroke
DRIFT_HERTZ, DRIFT_PART = 9.0, 0.015   # how far a partial may move in a frame, the larger of both
ROUNDS = 2                      # from bands to bins
LEAST = float(np.log(FLOOR)) + 2.0      # log-mel of a peak, about 60 dB under a loud partial
NOBODY = -1
BLOCK = 512                     # rows whose peaks are found at once


@lru_cache(maxsize=1)
def _grid():
    """Of the bands and bins up to a little above TOP_HERTZ: centres of the bands in Hz, sums of their filters, their
    filters (bands, bins) for magnitudes of N_FFT, and the place of each bin among the bands."""
    centres = slaney_filters(BANDS, MEL_RATE, N_FFT // 2)[0][1:-1]
    bands, bins = int(np.searchsorted(centres, 1.15 * TOP_HERTZ)), int(1.15 * TOP_HERTZ * N_FFT / RATE)
    weights = filters()[:bands] / 2                         # the window is twice as long as the mel's
    places = np.interp(np.arange(bins) * RATE / N_FFT, centres[:bands], np.arange(bands))
    return centres[:bands], 2 * weights.sum(axis=1), weights[:, :bins], places


def magnitudes(log_mel):
    """Magnitudes (T, bins) of the STFT whose mel is log_mel (T, 256), below TOP_HERTZ."""
    _, sums, weights, places = _grid()
    wanted, level = np.exp(log_mel[:, :len(sums)]), log_mel[:, :len(sums)] - np.log(sums / 2)
    low = np.minimum(places.astype(int), len(sums) - 2)
    part = (places - low).astype(np.float32)
    found = np.exp(level[:, low] * (1 - part) + level[:, low + 1] * part)
    norm = np.maximum(weights.sum(axis=0), 1e-9)
    for _ in range(ROUNDS):
        found *= (wanted / np.maximum(found @ weights.T, FLOOR * 1e-3)) @ weights / norm
    return found.astype(np.float32)


class Tones:
    """The steady tones of a log-mel (T, 256).

    `tone` (T, bands): the number of the tone that holds a cell, or NOBODY; `turned` (T, bands): its phase since it
    began, in radians; `frame`, `bin` (tones,): where each began.
    """

    def __init__(self, log_mel):
        number, self.turned, frame, first = _followed(log_mel)
        rows, last = np.arange(len(number))[:, None], np.zeros(len(frame) + 1, int)     # one more: NOBODY's
        np.maximum.at(last, number, np.broadcast_to(rows, number.shape))
        kept = np.flatnonzero(last[:-1] - frame >= LIFE)
        name = np.full(len(last), NOBODY, np.int32)
        name[kept] = np.arange(len(kept))
        self.tone = np.where(np.append(frame, NOBODY)[number] == rows, NOBODY, name[number])
        self.frame = frame[kept]
        self.bin = np.minimum(np.round(first[kept] * N_FFT / RATE).astype(int), len(_nearest()) - 1)


def _followed(log_mel):
    """Peaks followed from frame to frame: numbers (T, bands) of tones and their phases since they began (T, bands), and
    the frames and frequencies (tones,) of their beginnings. A band belongs to the nearest peak."""
    bands = np.arange(len(_grid()[0]))
    number = np.full((len(log_mel), len(bands)), NOBODY, np.int32)
    turned = np.zeros(number.shape, np.float32)
    frames, firsts, count, before, angle = [], [], 0, np.zeros(len(bands)), np.zeros(len(bands))
    for row, (at, mine, rises) in enumerate(_peaks(log_mel)):
        if not len(at):
            before = np.zeros(len(bands))
            continue
        was = before[at]
        new = rises | (np.abs(mine - was) > np.maximum(DRIFT_HERTZ, DRIFT_PART * mine)) | (was == 0)
        names = np.where(new, np.cumsum(new) - 1 + count, number[row - 1, at])
        phase = np.where(new, 0.0, angle[at] + np.pi * HOP / RATE * (mine + was))
        frames.append(np.full(int(new.sum()), row))
        firsts.append(mine[new])
        count += len(firsts[-1])
        owner = np.searchsorted((at[1:] + at[:-1]) / 2, bands)
        before, angle, number[row] = mine[owner], phase[owner], names[owner]
        turned[row] = np.remainder(angle, 2 * np.pi)
    empty = [np.zeros(0, int)]
    return number, turned, np.concatenate(frames or empty), np.concatenate(firsts or empty)


def _peaks(log_mel):
    """Of each row of log_mel (T, 256): bands that are peaks, their frequencies in Hz (by the parabola through a peak
    and its neighbours), and whether they have just risen."""
    centres, sums, _, _ = _grid()
    bands = np.arange(len(centres))
    for first in range(0, len(log_mel), BLOCK):
        begin = max(first - 1, 0)
        rows = log_mel[begin:first + BLOCK, :len(centres)]
        level = rows - np.log(sums)
        left, here, right = level[:, :-2], level[:, 1:-1], level[:, 2:]
        peak, place = np.zeros(level.shape, bool), np.zeros(level.shape)
        peak[:, 1:-1] = (here > left) & (here >= right) & (rows[:, 1:-1] > LEAST) & (centres[1:-1] < TOP_HERTZ)
        place[:, 1:-1] = np.clip((left - right) / np.minimum(2 * (left + right - 2 * here), -1e-6), -0.5, 0.5)
        hertz = np.interp(place + bands, bands, centres)
        rises = np.diff(level, axis=0, prepend=level[:1]) > RISE
        for row in range(first - begin, len(level)):
            at = np.flatnonzero(peak[row])
            yield at, hertz[row, at], rises[row, at]


class Singer:
    """Puts the steady tones of a whole log-mel (T, 256) into its sound, piece by piece in order."""

    def __init__(self, log_mel):
        self.mel, self.tones = log_mel, Tones(log_mel)
        self.begins, self.known = None, 0                   # phases at which tones begin; frames whose tones have one

    @torch.no_grad()
    def __call__(self, sound, first, sure):
        """sound (2, N), mid and side, whose sample 1024 i is the middle of row first + i -> (2, N), mid with its tones.
        Tones that begin before row `sure` take their phase from it, later ones from the next piece."""
        tones, device = self.tones, sound.device
        if not len(tones.frame):
            return sound
        stop = min(first + sound.shape[1] // HOP + 1, len(self.mel))
        cell = _nearest()
        window = torch.hann_window(N_FFT, device=device)
        spectrum = torch.stft(sound[0], N_FFT, HOP, window=window, pad_mode="constant", return_complex=True)
        low = spectrum[:len(cell), :stop - first] * _to_centre(len(cell), device)
        new = np.flatnonzero((tones.frame >= max(first, self.known)) & (tones.frame < min(sure, stop)))
        if self.begins is None:
            self.begins = torch.zeros(len(tones.frame) + 1, device=device)
        places = torch.from_numpy(np.stack([new, tones.bin[new], tones.frame[new] - first])).to(device)
        self.begins[places[0]] = low[places[1], places[2]].angle()
        self.known = min(sure, stop)
        held = tones.tone[first:stop][:, cell].T
        tone = torch.from_numpy(held.astype(np.int64)).to(device)
        wanted = np.stack([magnitudes(self.mel[first:stop])[:, :len(cell)].T, tones.turned[first:stop][:, cell].T])
        magnitude, turned = torch.from_numpy(wanted).to(device)
        tonal = torch.polar(magnitude, self.begins[tone] + turned)
        change = torch.zeros_like(spectrum)
        change[:len(cell), :stop - first] = torch.where(tone >= 0, tonal - low, 0) * _to_centre(len(cell), device)
        added = F.pad(inverse_stft(change[None], window, HOP)[0], (0, sound.shape[1] % HOP))
        return torch.stack([sound[0] + added, sound[1]])


@lru_cache(maxsize=1)
def _nearest():
    """The band nearest to each bin below TOP_HERTZ."""
    return np.round(_grid()[3][:int(TOP_HERTZ * N_FFT / RATE)]).astype(int)


def _to_centre(bins, device):
    """(bins, 1): +1, -1, ...: between phases of the middle of a frame and of its beginning."""
    return (1 - 2 * (torch.arange(bins, device=device) % 2)).float()[:, None]
