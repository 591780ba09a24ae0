"""From beat activations to beats: a dynamic programme over tempo and phase; `bars` has the one over bars. numpy only.

The first is the bar-pointer model (Whiteley et al. 2006; Krebs et al. 2015, "An efficient state-space model for
joint tempo and meter tracking") in its semi-Markov form: as the tempo may change only on a beat, the states
(period, position) of one beat collapse into a segment, and the recursion runs over beats instead of positions:

    D[t, k] = B[t] + S[t, k] + max_j (D[t - p_k, j] + A[j, k])

D: best score with a beat at frame t whose period is p_k; B: log odds of a beat at t; S: agreement of the predicted
phase with a straight ramp over the segment; A: cost of a change of period, -min(|log(p_j / p_k)| / change, change_cap).
It is exact, and segments of all periods are scored at once through running sums.
"""
import numpy as np

from core.errors import BadInput
from core.rhythm.bars import around, find_bars
from core.rhythm.beats import Beats
from core.rhythm.decoder_config import CONFIG


def decode(activations, fps, *, bpm=None, metre=None, beats=None, level="normal", start=0.0, bars=None, config=CONFIG,
           guide=None):
    """Beats of a passage.

    activations: (T, 2) or (T, 4): probability of a beat and of a downbeat per frame, 0..1, and, if there, cos and sin
    of the beat's phase (0 on the beat), whose length says how sure it is. Frame i is the instant start + i / fps
    (seconds).
    bpm: fixed tempo (the decoder stays within `hint_width` of it). metre: counts in a bar, else the best of those that
    the evidence can name.
    beats: the user's own `Beats` (same clock as `start`): times are kept, and positions too unless all are 0 (unknown).
    level: "half", "normal" or "double" time. bars: evidence about bars, see `find_bars`. guide: times (B,) of a grid in
    seconds from frame 0, near whose tempo of the moment every beat stays.
    Returns `Beats` with confidence 0..1; fewer than two frames give no beats. Raises BadInput on bad values.
    """
    activations = check_activations(activations, fps, bpm, metre, level)
    if beats is not None:
        return given_beats(beats, activations, fps, metre, level, start, bars, config)
    if len(activations) < 2:
        return Beats([], [], metre or 4, 0.0)
    frames = activations.astype(np.float64)
    factor = max(1, int(np.ceil(config.decode_fps / fps)))
    if factor > 1:
        frames = _upsample(frames, factor)
    periods = _periods(fps * factor, bpm, config)
    if guide is not None:
        periods = _near(periods / (fps * factor), guide, periods)
    segments = _segment_scores(frames, periods, fps * factor, config, bpm)
    if guide is not None:
        segments = segments - _guide_prior(segments.shape, periods, fps * factor, guide, config)
    times, periods = _track(frames, fps * factor, periods, segments, config)
    if guide is None and bpm is None and config.own_weight > 0 and len(periods) > 4:
        # The middle of the piece's own tempi, as a prior of the second pass: a level is chosen once.
        segments = segments - _own_prior(fps * factor, np.median(periods), config)
        times, periods = _track(frames, fps * factor, _periods(fps * factor, bpm, config), segments, config)
    times = _refine(times, periods, frames, fps * factor, config)
    keep = (times >= 0) & (times <= (len(activations) - 1) / fps)
    times = times[keep]
    if len(times) == 0:
        return Beats([], [], metre or 4, 0.0)
    positions, found = find_bars(activations, fps, times, metre, bars, config)
    result = Beats(times + start, positions, found, confidence(activations, fps, times))
    return apply_level(result, level, metre)


def check_activations(activations, fps, bpm, metre, level):
    """Activations as an array. Raises BadInput on those and on options that `decode` does not take."""
    activations = np.asarray(activations)
    if activations.ndim != 2 or activations.shape[1] not in (2, 4):
        raise BadInput(f"Beat activations must be (T,2) or (T,4), not {activations.shape}.")
    if not np.isfinite(activations).all():
        raise BadInput("The beat activations hold NaN or infinite values; the motion or sound they come from is "
                       "damaged.")
    if not fps > 0:
        raise BadInput(f"The frame rate of beat activations must be positive, not {fps}.")
    if bpm is not None and not 20 <= bpm <= 400:
        raise BadInput(f"A tempo of {bpm:g} BPM is outside 20..400; give the tempo of the beat you would tap.")
    if metre is not None and not 1 <= metre <= 16:
        raise BadInput(f"A metre of {metre} counts is outside 1..16.")
    if level not in ("half", "normal", "double"):
        raise BadInput(f"The beat level is half, normal or double, not {level!r}.")
    return activations


def given_beats(beats, activations, fps, metre, level, start, bars, config):
    """The user's beats: times stay; bars are looked for only where the user gave none."""
    positions, found = beats.positions, metre or beats.metre
    if len(beats) and not positions.any():
        positions, found = find_bars(activations, fps, beats.times - start, metre, bars, config)
    return apply_level(Beats(beats.times, positions, found, beats.confidence, beats.extra), level, metre)


def apply_level(beats, level, metre=None):
    """`Beats` at "half", "normal" or "double" time. metre: the one asked for, which they keep, or None."""
    if level == "half":
        return beats.half_time(threes=metre is None)
    return beats.double_time() if level == "double" else beats


def _upsample(frames, factor):
    """Linear interpolation in time to `factor` times as many frames; frame 0 stays where it is."""
    index = np.arange((len(frames) - 1) * factor + 1) / factor
    low = np.minimum(index.astype(int), len(frames) - 2)
    part = (index - low)[:, None]
    return frames[low] * (1 - part) + frames[low + 1] * part


def _log_odds(probability):
    clipped = np.clip(probability, 0.002, 0.998)
    return np.log(clipped / (1 - clipped))


def _periods(fps, bpm, config):
    """Candidate periods in whole frames, ascending, without doubles."""
    if bpm is None:
        slow, fast = config.min_bpm, config.max_bpm
    else:
        slow, fast = bpm * (1 - config.hint_width), bpm * (1 + config.hint_width)
    octaves = np.log2(fast / slow)
    count = max(3, int(np.ceil(octaves * config.steps_per_octave)) + 1)
    bpms = slow * 2 ** np.linspace(0, octaves, count)
    return np.unique(np.maximum(2, np.round(60.0 * fps / bpms)).astype(int))


def _segment_scores(frames, periods, fps, config, bpm):
    """S (T + 2 pad, K): score of a beat segment of period k that ends at each (padded) frame;
    pad is the longest period."""
    pad = int(periods[-1])
    total = len(frames) + 2 * pad
    scores = np.zeros((total, len(periods)))
    if frames.shape[1] == 4:
        phase = np.zeros(total, dtype=np.complex128)
        phase[pad:pad + len(frames)] = frames[:, 2] + 1j * frames[:, 3]
        clock = np.arange(total)
        for k, period in enumerate(periods):
            turn = np.exp(-2j * np.pi * clock / period)
            running = np.concatenate([[0], np.cumsum(phase * turn)])      # running[t] = sum over frames < t
            # A segment that ends at t covers frames t - period .. t - 1; its ramp is 0 at t, so turn(t) realigns it.
            ends = clock[period:]
            scores[period:, k] = ((running[ends] - running[ends - period]) * np.conj(turn[ends])).real
        scores *= config.phase_weight / fps
    centre = config.preferred_bpm if bpm is None else bpm
    octaves = np.log2(60.0 * fps / periods / centre)
    width = config.prior_octaves if bpm is None else 0.05
    scores -= config.prior_weight * 0.5 * (octaves / width) ** 2
    return scores


def _own_prior(fps, own, config):
    """Cost (K,) of each period where the piece is known to keep loosely to the period `own`."""
    return config.own_weight * 0.5 * (np.log2(own / _periods(fps, None, config)) / config.own_octaves) ** 2


def _near(spans, guide, periods):
    """The periods whose spans in seconds come anywhere near those of the guide's beats."""
    gaps = np.diff(guide)
    kept = (spans >= 0.75 * gaps.min()) & (spans <= 1.33 * gaps.max())
    return periods[kept] if kept.sum() > 2 else periods


def _guide_prior(shape, periods, fps, guide, config):
    """Cost (T + 2 pad, K) of each period at each (padded) frame, by how far it is from the guide's at that moment."""
    seconds = (np.arange(shape[0]) - periods[-1]) / fps
    local = np.interp(seconds, (guide[1:] + guide[:-1]) / 2, np.diff(guide))
    return 0.5 * (np.log2(periods[None] / fps / local[:, None]) / config.guide_octaves) ** 2


def _track(frames, fps, periods, segment, config):
    """Beat frames (B,) and the period (B,) of the segment that ends at each, by the recursion of the module's head.

    segment: `_segment_scores` of the periods.
    """
    pad = int(periods[-1])
    total = len(frames) + 2 * pad
    beat = np.zeros(total)
    beat[pad:pad + len(frames)] = config.beat_weight * (_log_odds(frames[:, 0]) + config.beat_bias)
    # A[j, k]
    change = -np.minimum(np.abs(np.log(periods[:, None] / periods[None, :])) / config.change, config.change_cap)
    beat, segment, change = (array.astype(np.float32) for array in (beat, segment, change))          # twice as fast

    # `leave[t, k]`: best score on leaving a beat at t with period k. A path may begin anywhere in the front padding.
    leave = np.full((total, len(periods)), -np.inf, dtype=np.float32)
    leave[:pad] = 0.0
    best = np.full((total, len(periods)), -np.inf, dtype=np.float32)
    shortest = int(periods[0])
    change = _Change(change, config.change_cap, shortest)
    columns = np.arange(len(periods))
    for first in range(pad, total, shortest):                            # a block depends on earlier blocks only
        rows = np.arange(first, min(first + shortest, total))
        before = rows[:, None] - periods[None, :]
        best[rows] = beat[rows, None] + segment[rows] + leave[before, columns]
        leave[rows] = change.best(best[rows])

    # The last beat is the first one past the end; all of the back padding is a possible end.
    tail = best[pad + len(frames):]
    frame, k = np.unravel_index(int(tail.argmax()), tail.shape)
    frame += pad + len(frames)
    beats, spans = [], []
    while frame >= pad:
        beats.append(frame)
        spans.append(periods[k])
        frame = frame - periods[k]
        if frame < pad:
            break
        k = change.source(best[frame], k)
    # Drop the beat past the end; the period of a beat is that of the segment before it.
    return np.asarray(beats[:0:-1], dtype=np.int64) - pad, np.asarray(spans[:0:-1], dtype=np.float64)


def _nearest_capped(change, cap):
    """The smallest distance of places in `change` (K, K) beyond which every change costs the cap;
    K where there is none."""
    count = len(change)
    distance = np.abs(np.arange(count)[:, None] - np.arange(count)[None])
    below = change > -cap * (1 - 1e-6)
    return int(distance[below].max()) if below.any() else count


class _Change:
    """What it costs to go from one period to another, made ready to be asked for many blocks of frames."""

    def __init__(self, change, cap, rows):
        self.change, self.cap, self.near = change, change.min(), _nearest_capped(change, cap)
        count = len(change)
        self.banded = 2 * self.near + 1 < count
        if self.banded:
            # Scores stand between margins; moved along them by one place each, they are the moves between periods.
            self.wide = np.full((rows, count + 2 * self.near), -np.inf, dtype=change.dtype)
            self.moved = np.lib.stride_tricks.sliding_window_view(self.wide, count, axis=1)     # (rows, moves, K)
            self.band = np.ascontiguousarray(_band(change, self.near).T)[None]

    def best(self, scores):
        """max (B, K) over j of scores (B, j) + change (j, k). Periods further apart than `near` cost the same, so that
        only the best of all has to be tried among them."""
        if not self.banded:
            return (scores[:, :, None] + self.change[None]).max(axis=1)
        rows, count = scores.shape
        self.wide[:rows, self.near:self.near + count] = scores
        return np.maximum((self.moved[:rows] + self.band).max(axis=1), (scores.max(axis=1) + self.cap)[:, None])

    def source(self, scores, k):
        """The j of that maximum for one frame (K,) and one k: only the path is asked where it came from."""
        return int((scores + self.change[:, k]).argmax())


def _band(change, near):
    """Costs (K, 2 near + 1) of a change from the period at place k - near .. k + near to that at k."""
    count = len(change)
    place = np.arange(count)[:, None] + np.arange(-near, near + 1)[None]
    inside = (place >= 0) & (place < count)
    return np.where(inside, change[np.clip(place, 0, count - 1), np.arange(count)[:, None]], 0.0).astype(change.dtype)


def _refine(beats, periods, frames, fps, config):
    """Beat times (B,) in seconds: each beat moved to the centre of the bump of activation around it."""
    if len(beats) == 0:
        return np.zeros(0)
    reach = max(1, int(round(config.refine_reach * fps)))
    offsets = np.arange(-reach, reach + 1)
    index = np.clip(beats[:, None] + offsets, 0, len(frames) - 1)
    allowed = np.abs(offsets)[None, :] <= np.maximum(1, periods[:, None] * config.refine_share)
    weight = np.where(allowed, (frames[index, 0] + 1e-3) ** config.refine_power, 0.0)
    times = (beats + (weight * offsets).sum(1) / weight.sum(1)) / fps
    # Neighbours never cross: the window is narrower than half a beat.
    return np.maximum.accumulate(times + np.arange(len(times)) * 1e-6)


def confidence(activations, fps, times):
    """0..1: how much the beats stand out: activation on the beats against half-way between,
    and agreement of the phase."""
    if len(times) < 2:
        return 0.0
    on = around(activations, fps, times, 0)
    off = around(activations, fps, (times[1:] + times[:-1]) / 2, 0)
    contrast = float(np.clip(on.mean() - off.mean(), 0, 1))
    if activations.shape[1] < 4:
        return contrast
    frames = np.arange(int(np.ceil(times[0] * fps)), int(times[-1] * fps) + 1)
    angle = 2 * np.pi * np.interp(frames / fps, times, np.arange(len(times)))
    agreement = float(np.mean(activations[frames, 2] * np.cos(angle) + activations[frames, 3] * np.sin(angle)))
    return float(np.clip((contrast + max(agreement, 0.0)) / 2, 0, 1))
