"""A steady grid of beats under activations: one tempo and phase over a passage, slow drift, sections. numpy, scipy.

What a passage says of a grid of frequency f and phase a is one Fourier component over all of it,

    z(f) = sum_t s(t) exp(-2 pi i f t) / sqrt(T sum_t |s(t)|^2),

whose length (0..1) is the grid's strength and whose angle its phase. s is the phase that the network predicts for every
frame, plus its beats; the beats' second harmonic, at 2 f, tells a beat from the point half-way to the next. A dance
keeps its song's tempo, and so does most music: where single beats are doubtful, the sum over a passage is not.

`straight` finds the best grid of one tempo. `drifting` finds the best path over (tempo, phase) in steps of a second
whose tempo may creep at a cost, and jump to a new section at a high one (Viterbi; after the bar-pointer model of
Whiteley et al. 2006, with a tempo that is stiff); the tempo of each section is then smoothed as far as the activations
bear it out.
`pieced` finds songs that were cut together: sections of one tempo each. Over the cut either tempo's component fades,
so that what looks like a dancer without a beat may be one who dances well to two songs.
"""
import copy
import dataclasses
from dataclasses import dataclass, field

import numpy as np

from core.rhythm.splines import line, solve

PHASES = 32                     # places in a beat that the path over sections tells apart


@dataclass(frozen=True)
class SteadyConfig:
    """Constants of the estimator. Evidence is counted in seconds of full agreement."""

    min_bpm: float = 40.0
    max_bpm: float = 220.0
    beat_share: float = 0.5         # of the beats beside the phase channels, in the first harmonic
    second_share: float = 0.5       # of the beats' second harmonic
    prior_weight: float = 0.08      # per second, of half the squared distance from the expected tempo in widths
    prior_bpm: float = 110.0        # expected where the caller says nothing
    prior_octaves: float = 1.0      # its width
    step: float = 1.0               # s: the path's tempo may change so often
    tempo_ratio: float = 0.005      # spacing of the path's tempi
    creep: float = 0.08             # cost of a change to a neighbouring tempo
    reach: int = 3                  # the furthest neighbour in one step
    jump: float = 7.0               # cost of a new section
    stiffness: float = 2.0          # of the smoothed tempo: cost of a second per (rad / s^2)^2 of curvature
    cut: float = 4.0                # cost of a new section among those of one tempo each ...
    cut_ratio: float = 1.05         # ... whose tempi differ at least so much: a dancer strays by less and comes back
    cut_seconds: float = 6.0        # the shortest of them


MUSIC = SteadyConfig()
# A dancer strays from the song's tempo and comes back: that is no drift of the song.
BODY = SteadyConfig(stiffness=60.0)


@dataclass(frozen=True)
class Section:
    """A stretch with one phase curve: `turns` (K,) beats counted at `knots` (K,) seconds, linear between them."""

    knots: np.ndarray
    turns: np.ndarray

    @property
    def start(self):
        """First second of the section."""
        return float(self.knots[0])

    @property
    def stop(self):
        """Last second of the section."""
        return float(self.knots[-1])

    @property
    def bpm(self):
        """Mean tempo."""
        return float(60.0 * (self.turns[-1] - self.turns[0]) / max(self.stop - self.start, 1e-9))

    def beats(self, factor=1.0, offset=0.0):
        """Times (B,) of whole turns; factor 2 or 0.5 for other levels, offset in beats of the new level."""
        turns = self.turns * factor - offset
        whole = np.arange(np.ceil(turns[0] - 1e-9), np.floor(turns[-1] + 1e-9) + 1)
        return np.interp(whole, turns, self.knots)

    def angle(self, times):
        """Phase (N,) in radians at times within the section, 0 on a beat."""
        return 2 * np.pi * np.interp(times, self.knots, self.turns)


@dataclass(frozen=True)
class Grid:
    """Sections in order, without gaps, and how much of the activations they explain.

    strength: |z|, 0..1, the share of the activations' length that agrees with the grid. agreement: mean over time of
    the predicted phase along the grid's, 0..1: low too where the network was unsure.
    """

    sections: tuple
    strength: float
    agreement: float
    extra: dict = field(default_factory=dict)

    @property
    def bpm(self):
        """Tempo of the longest section; 0 without one."""
        longest = max(self.sections, key=lambda section: section.stop - section.start, default=None)
        return longest.bpm if longest else 0.0

    def beats(self):
        """Times (B,) in seconds; no two closer than half a beat where sections meet."""
        times, spans = [], []
        for section in self.sections:
            found = section.beats()
            times.append(found)
            spans.append(np.full(len(found), 60.0 / max(section.bpm, 1e-6)))
        times, spans = (np.concatenate(part) if part else np.zeros(0) for part in (times, spans))
        keep = np.ones(len(times), dtype=bool)
        last = -np.inf
        for index, (time, span) in enumerate(zip(times, spans)):
            keep[index] = time - last > 0.5 * span
            last = time if keep[index] else last
        return times[keep]


class Evidence:
    """Activations (T, 2) or (T, 4) at fps as two complex signals: `first` (T,) turns once a beat, `second` twice."""

    def __init__(self, activations, fps, config=MUSIC):
        frames = np.asarray(activations, dtype=np.float64)
        self.fps, self.config, self.times = fps, config, np.arange(len(frames)) / fps
        beat = frames[:, 0] - frames[:, 0].mean() if len(frames) else np.zeros(0)
        phase = frames[:, 2] + 1j * frames[:, 3] if frames.shape[1] == 4 else np.zeros(len(frames), dtype=np.complex128)
        self.raw = phase if frames.shape[1] == 4 else 2.0 * beat.astype(np.complex128)
        share = config.beat_share if frames.shape[1] == 4 else 1.0
        first = phase + share * beat
        self.power = float(np.sqrt(np.mean(np.abs(first) ** 2))) if len(first) else 0.0
        scale = 1.0 / max(self.power, 1e-6)
        self.first, self.second = first * scale, config.second_share * beat * scale

    def with_config(self, config):
        """The same signals under other constants of the path (the shares of the signals stay)."""
        other = copy.copy(self)
        other.config = config
        return other

    def at_two_levels(self):
        """The same where the network may have heard the beat at double time: its phase then turns twice a beat."""
        other = copy.copy(self)
        other.second = self.first + self.second
        return other

    @property
    def duration(self):
        """Seconds."""
        return len(self.times) / self.fps

    def grid(self, sections):
        """The `Grid` of sections, with its scores."""
        total, raw, size = 0.0, 0.0, max(len(self.times), 1)
        for section in sections:
            low, high = np.searchsorted(self.times, [section.start - 1e-9, section.stop - 1e-9])
            turn = np.exp(-1j * section.angle(self.times[low:high]))
            total += float((self.first[low:high] * turn).real.sum())
            raw += float((self.raw[low:high] * turn).real.sum())
        return Grid(tuple(sections), max(total / size, 0.0), max(raw / size, 0.0))

    def one_at(self, bpm):
        """The `Grid` of exactly this tempo, at the phase that explains most of both signals."""
        turn = np.exp(-2j * np.pi * bpm / 60.0 * self.times)
        value, angle = _best_phase((self.first * turn).mean(), (self.second * turn ** 2).mean())
        ends = np.array([0.0, self.duration])
        section = Section(ends, bpm / 60.0 * ends - angle / (2 * np.pi))
        return dataclasses.replace(self.grid([section]), strength=float(np.clip(value, 0.0, 1.0)))

    def of_beats(self, times):
        """The `Grid` of any ascending beat times: what a free path explains, to be held against a steady one."""
        if len(times) < 2:
            return Grid((), 0.0, 0.0)
        return self.grid([Section(np.asarray(times, dtype=np.float64), np.arange(len(times), dtype=np.float64))])


def tempo_prior(bpm, config=MUSIC, centre=None, width=None):
    """Cost per second (...,) of tempi: half the squared distance in octaves from the expected tempo, in widths."""
    octaves = np.log2(np.asarray(bpm) / (centre or config.prior_bpm)) / (width or config.prior_octaves)
    return config.prior_weight * 0.5 * octaves ** 2


def _best_phase(one, two):
    """Largest Re(one e^{ia} + two e^{2ia}) over a and that a; one and two (...,) complex."""
    angles = np.arange(64) * (2 * np.pi / 64)
    turn = np.exp(1j * angles)
    values = (one[..., None] * turn).real + (two[..., None] * turn ** 2).real
    place = values.argmax(-1)
    return np.take_along_axis(values, place[..., None], -1)[..., 0], angles[place]


def straight(evidence, low=None, high=None, centre=None, width=None):
    """The `Grid` of one tempo over the passage, between low and high BPM. None when it is shorter than two beats."""
    config, fps = evidence.config, evidence.fps
    low, high = low or config.min_bpm, high or config.max_bpm
    if evidence.duration < 2 * 60.0 / high:
        return None
    size = 8 * int(2 ** np.ceil(np.log2(max(len(evidence.first), 16))))
    bins = np.arange(max(1, int(np.floor(low / 60.0 * size / fps))), int(np.ceil(high / 60.0 * size / fps)) + 1)
    one = np.fft.fft(evidence.first, size)[bins] / fps
    two = np.fft.fft(evidence.second, size)[np.minimum(2 * bins, size - 1)] / fps
    cost = tempo_prior(60.0 * bins * fps / size, config, centre, width) * evidence.duration
    ceiling = np.abs(one) + np.abs(two) - cost
    tried = np.argsort(-ceiling)[:256]                  # the phase is looked for only where the best can be
    values, angles = _best_phase(one[tried], two[tried])
    best = int((values - cost[tried]).argmax())
    frequency, angle = bins[tried[best]] * fps / size, angles[best]
    section = _smoothed(evidence, np.array([0.0, evidence.duration]),
                        np.array([-angle, 2 * np.pi * frequency * evidence.duration - angle]), np.inf)
    return evidence.grid([section])


def drifting(evidence, low=None, high=None, centre=None, width=None):
    """The `Grid` of the best path over tempo and phase, with sections; None below four steps."""
    config = evidence.config
    hop = max(1, int(round(config.step * evidence.fps)))
    steps = len(evidence.first) // hop
    if steps < 4:
        return None
    low, high = low or config.min_bpm, high or config.max_bpm
    count = max(8, int(np.ceil(np.log(high / low) / config.tempo_ratio)))
    bpm = low * (high / low) ** (np.arange(count) / (count - 1))
    scores = _step_scores(evidence, bpm, hop, steps, centre, width)
    tempo, phase, fresh = _path(scores, bpm / 60.0, hop / evidence.fps, config)
    starts = np.flatnonzero(fresh).tolist() + [steps]
    sections = []
    for first, last in zip(starts[:-1], starts[1:]):
        knots = np.arange(first, last + 1) * hop / evidence.fps
        rate = 2 * np.pi * bpm[tempo[first:last]] / 60.0
        # The angle at the section's start, then the integral of its tempo; small jumps of rounding are smoothed later.
        angle = rate[0] * knots[0] - phase[first] * 2 * np.pi / PHASES
        turned = angle + np.concatenate([[0.0], np.cumsum(rate * np.diff(knots))])
        turned[:-1] += _wrap(rate * knots[:-1] - phase[first:last] * 2 * np.pi / PHASES - turned[:-1])
        if last == steps:
            turned[-1] = turned[-2] + rate[-1] * (evidence.duration - knots[-2])
            knots[-1] = evidence.duration
        sections.append(_smoothed(evidence, knots, turned, config.stiffness))
    return evidence.grid(sections)


def pieced(evidence, low=None, high=None, centre=None, width=None):
    """The `Grid` of sections of one tempo each;
    None where one tempo, or tempi too near each other, explain most."""
    config = evidence.config
    rigid = dataclasses.replace(config, jump=config.cut, reach=0, tempo_ratio=0.0025, stiffness=np.inf)
    grid = drifting(evidence.with_config(rigid), low, high, centre, width)
    if grid is None or len(grid.sections) < 2:
        return None
    tempi = np.log([section.bpm for section in grid.sections])
    if np.abs(np.diff(tempi)).min() < np.log(config.cut_ratio):
        return None
    return grid if min(section.stop - section.start for section in grid.sections) >= config.cut_seconds else None


def _wrap(angle):
    return (angle + np.pi) % (2 * np.pi) - np.pi


def _step_scores(evidence, bpm, hop, steps, centre, width):
    """(steps, tempi, PHASES) seconds of evidence of each grid in each step; the phase counts from second 0."""
    fps, config = evidence.fps, evidence.config
    inside = np.arange(hop) / fps
    starts = np.arange(steps) * hop / fps
    scores = np.zeros((steps, len(bpm), PHASES), dtype=np.float32)
    turn = np.exp(2j * np.pi * np.arange(PHASES) / PHASES)
    for signal, harmonic in ((evidence.first, 1), (evidence.second, 2)):
        frequency = harmonic * bpm / 60.0
        windows = signal[:steps * hop].reshape(steps, hop)
        local = windows @ np.exp(-2j * np.pi * inside[:, None] * frequency[None]) / fps           # (steps, tempi)
        local *= np.exp(-2j * np.pi * starts[:, None] * frequency[None])
        scores += (local[..., None] * turn ** harmonic).real
    return scores - (tempo_prior(bpm, config, centre, width) * hop / fps).astype(np.float32)[None, :, None]


def _path(scores, frequency, seconds, config):
    """Viterbi over (tempo, phase): places (steps,) in both, and where (steps,) a section begins."""
    steps, tempi, _ = scores.shape
    best = scores[0].copy()
    came_tempo = np.zeros((steps, tempi, PHASES), dtype=np.int16)
    came_phase = np.zeros((steps, tempi, PHASES), dtype=np.int8)
    jumped = np.zeros((steps, tempi, PHASES), dtype=bool)
    moves = np.arange(-config.reach, config.reach + 1)
    source = np.arange(tempi)[:, None] + moves[None]                                    # (tempi, moves)
    allowed = (source >= 0) & (source < tempi)
    source = np.clip(source, 0, tempi - 1)
    cost = np.where(allowed, config.creep * np.abs(moves)[None], np.inf).astype(np.float32)
    places, apart = np.arange(PHASES), frequency[:, None] - frequency[source]
    first = (np.arange(tempi)[:, None] * source.shape[1] * PHASES + places)             # of each (tempo, phase), move 0
    for step in range(1, steps):
        # A grid that turns at f from here on and met one of g before: a = a' + 2 pi t (f - g), both from second 0.
        shift = np.round(PHASES * step * seconds * apart).astype(int)
        before = source[..., None] * PHASES + (places - shift[..., None]) % PHASES     # (tempi, moves, PHASES), flat
        value = best.take(before) - cost[..., None]
        chosen = first + value.argmax(1) * PHASES                                       # (tempi, PHASES), flat
        arrived = value.take(chosen)
        came_tempo[step], came_phase[step] = divmod(before.take(chosen), PHASES)
        top = int(best.argmax())
        leap = best.flat[top] - config.jump
        jumped[step] = leap > arrived
        came_tempo[step][jumped[step]], came_phase[step][jumped[step]] = divmod(top, PHASES)
        best = np.maximum(arrived, leap) + scores[step]
    tempo, phase, fresh = np.zeros(steps, int), np.zeros(steps, int), np.zeros(steps, bool)
    tempo[-1], phase[-1] = divmod(int(best.argmax()), PHASES)
    for step in range(steps - 1, 0, -1):
        here = tempo[step], phase[step]
        fresh[step] = jumped[step][here]
        tempo[step - 1], phase[step - 1] = came_tempo[step][here], came_phase[step][here]
    fresh[0] = True
    return tempo, phase, fresh


def _smoothed(evidence, knots, angle, stiffness):
    """The `Section` whose phase follows the evidence around a first guess `angle` (K,) radians at `knots` (K,) seconds.

    Largest sum of evidence minus stiffness x the squared second derivative of the phase; infinite stiffness: one tempo.
    """
    fps, rigid = evidence.fps, not np.isfinite(stiffness)
    low, high = np.searchsorted(evidence.times, [knots[0] - 1e-9, knots[-1] - 1e-9])
    times = evidence.times[low:high]
    for _ in range(4):
        if len(times) < 4:
            break
        turn = np.exp(-1j * np.interp(times, knots, angle))
        rest = evidence.first[low:high] * turn / fps + 2.0 * (evidence.second[low:high] * turn ** 2).real / fps
        if rigid:
            angle = angle + line(times, rest, knots)
            continue
        place = np.clip(np.searchsorted(knots, times, side="right") - 1, 0, len(knots) - 2)
        part = (times - knots[place]) / (knots[place + 1] - knots[place])
        # Gauss-Newton on the angle that is left: weights are the evidence, targets its angle.
        at_knots = np.zeros(len(knots), dtype=np.complex128)
        np.add.at(at_knots, place, rest * (1 - part))
        np.add.at(at_knots, place + 1, rest * part)
        weight = np.abs(at_knots) * np.maximum(np.cos(np.angle(at_knots)), 0.05) + 1e-4
        angle = solve(knots, angle, angle + np.clip(np.angle(at_knots), -1.0, 1.0), weight, stiffness)
    return Section(knots, angle / (2 * np.pi))
