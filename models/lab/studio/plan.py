"""The plan of a studio piece: the ground truth that composer, dancer and conductor all follow."""
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from core.contract import load
from core.rhythm.beats import Beats
from models.lab.studio.rubato import rhapsodic_times, romantic_times

GROUPS = ("strings", "winds", "brass", "timpani")
SWUNG_EIGHTHS = ("street-jazz", "ballet-jazz")
STYLES = (None, "rhapsodic")        # that can be asked for; "romantic" is drawn
# Seed ranges of the splits (docs/contracts.md): a piece's split follows from its seed alone.
SPLIT_SEEDS = {"train": (0, 800_000), "valid": (800_000, 900_000), "test": (900_000, 1_000_000)}


def split_of(seed):
    """The split a seed belongs to: train, valid or test."""
    for name, (low, high) in SPLIT_SEEDS.items():
        if low <= seed < high:
            return name
    raise ValueError(f"studio seeds lie in 0..999999, not {seed}")


@dataclass(frozen=True)
class Section:
    """Beats first..last-1 (indices into Plan.beats); kind: intro, groove, break, build, idle (dance) or
    phrase, tutti, solo, transition (orchestra); energy 0..1; articulation 0 legato .. 1 staccato; yaw: where who has
    the melody sits, as a cue's."""

    first: int
    last: int
    kind: str
    energy: float
    articulation: float = 0.3
    yaw: float | None = None


@dataclass(frozen=True)
class Cue:
    """Something the conductor prepares one beat ahead: kind is entry, cutoff, accent or fermata, or look where the eyes
    alone go to who comes in; yaw: where who plays it sits, rad to the conductor's left (`seating.seated`), None where
    nobody does or nobody has asked."""

    beat: int
    kind: str
    group: str = "strings"
    yaw: float | None = None


@dataclass(frozen=True)
class Plan:
    """beats cover [first <= 0.3 s .. duration]; positions 1..metre; dynamics (B,) 0..1 (pp..ff) per beat."""

    kind: str                       # "dance" or "conducting"
    seed: int
    duration: float                 # seconds
    metre: int                      # 2, 3, 4, 6 or 9
    genre: str | None               # slug, dance only
    bpm: float                      # nominal
    times: np.ndarray               # (B,) seconds
    positions: np.ndarray           # (B,) 1..metre
    dynamics: np.ndarray            # (B,) 0..1
    articulation: np.ndarray        # (B,) 0..1
    swing: float = 0.5              # place of the off-beat inside a beat, 0.5 straight .. 0.67 triplet
    sections: tuple = ()
    cues: tuple = ()
    extra: dict = field(default_factory=dict)

    def to_json(self):
        """A JSON-ready dict from which `plan_from_json` makes the same plan, whatever library draws numbers there."""
        arrays = {name: [round(float(v), 5) for v in getattr(self, name)] for name in ("times", "dynamics",
                                                                                       "articulation")}
        return {**{name: getattr(self, name) for name in ("kind", "seed", "duration", "metre", "genre", "bpm", "swing",
                                                          "extra")},
                **arrays, "positions": [int(p) for p in self.positions],
                "sections": [list(asdict(s).values()) for s in self.sections],
                "cues": [list(asdict(c).values()) for c in self.cues]}

    @property
    def beats(self):
        """The ground truth as `Beats`."""
        return Beats(self.times, self.positions, self.metre)

    def section_at(self, beat):
        """The section that holds beat index `beat`."""
        for section in self.sections:
            if section.first <= beat < section.last:
                return section
        return self.sections[-1]


def plan_from_json(data):
    """The `Plan` that wrote `data` (times to 10 microseconds)."""
    arrays = {name: np.asarray(data[name], float) for name in ("times", "dynamics", "articulation")}
    return Plan(**{**data, **arrays, "positions": np.asarray(data["positions"], int),
                   "sections": tuple(Section(*s) for s in data["sections"]),
                   "cues": tuple(Cue(*c) for c in data["cues"])})


def _rng(seed, word):
    return np.random.default_rng([seed, *word.encode()])


def make_plan(kind, seed, *, genre=None, metre=None, bpm=None, duration=24.0, beats=None, fermatas=False, style=None):
    """A plan drawn from `seed` alone; genre, metre or bpm given fixes it, `beats` (core.rhythm.beats.Beats) fixes the
    times.

    fermatas: let some conducted pieces hold a beat at the end of a section, and a third of them take the tempi of a
    Romantic dance (`extra["style"]`). style: "rhapsodic", a conducted piece with rubato inside its bars.
    The same arguments give the same plan on every machine. Raises ValueError on an unknown kind or style.
    """
    if style not in STYLES or (style and (kind != "conducting" or beats is not None)):
        raise ValueError(f"style is rhapsodic or None, and for conducted pieces with tempi of their own, not {style!r}")
    if kind not in ("dance", "conducting"):
        raise ValueError(f"kind is dance or conducting, not {kind!r}")
    rng = _rng(seed, kind)
    genres, asked = load("genres"), bpm
    drawn_genre = genres[int(rng.integers(len(genres)))]["slug"]
    drawn_metre = int(rng.choice([2, 3, 4, 6], p=[0.2, 0.27, 0.38, 0.15]))
    if kind == "dance":
        genre, metre = genre or drawn_genre, 4
        low, high = next(g["bpm"] for g in genres if g["slug"] == genre)
        # A wider tail keeps real dances (salsa) in range.
        bpm = float(rng.uniform(low, high) if rng.random() < 0.8 else rng.uniform(70, 180))
    else:
        genre, metre = None, metre or drawn_metre
        bpm = float(np.exp(rng.uniform(np.log(50), np.log(168))))
        if metre == 6:
            bpm = float(rng.uniform(90, 168))       # six beaten out
    bpm = bpm if asked is None else float(asked)
    if beats is not None:
        times, positions = _fill_edges(beats, duration)
        metre, bpm = beats.metre, beats.tempo_bpm
    else:
        times, positions = _draw_times(kind, rng, bpm, metre, duration)
    extra, romance = {}, _rng(seed, "romantic")
    if style == "rhapsodic":
        draw = _rng(seed, style)
        bpm = float(np.exp(draw.uniform(np.log(60), np.log(190))))
        times, positions = rhapsodic_times(draw, bpm, metre, duration)
        extra = {"style": style}
    elif fermatas and kind == "conducting" and beats is None and romance.random() < 0.35:
        times, positions = romantic_times(romance, bpm, metre, duration)
        extra = {"style": "romantic"}
    count = len(times)
    sections = _draw_sections(kind, rng, count, metre)
    energy, articulation = np.zeros(count), np.zeros(count)
    for section in sections:
        energy[section.first:section.last] = section.energy
        articulation[section.first:section.last] = section.articulation
    if kind == "conducting":
        energy = _hairpins(rng, energy, metre)
    cues = _draw_cues(rng, sections, count) if kind == "conducting" else ()
    if fermatas and kind == "conducting" and beats is None:
        times, sections, cues = _hold(_rng(seed, "fermata"), np.asarray(times), sections, cues, duration)
        positions, energy, articulation = (values[:len(times)] for values in (positions, energy, articulation))
    swing = float(rng.uniform(0.54, 0.66)) if kind == "dance" and rng.random() < 0.35 else 0.5
    # funk, disco and hip-hop swing their 16ths; the off-beat stays straight
    if swing != 0.5 and genre not in SWUNG_EIGHTHS:
        extra, swing = {"swing16": min(swing, 0.62)}, 0.5
    return Plan(kind, seed, float(duration), metre, genre, bpm, np.asarray(times), np.asarray(positions),
                np.clip(energy, 0.05, 1.0), np.clip(articulation, 0, 1), swing, sections, cues, extra)


def _fill_edges(beats, duration):
    """Given beats, continued at their edge tempo over 0..duration; unknown bar positions are counted from the first
    known one."""
    times = np.asarray(beats.times, dtype=np.float64)
    if len(times) < 2:
        raise ValueError("A piece needs at least two beats.")
    first, last = times[1] - times[0], times[-1] - times[-2]
    before = max(0, int(np.ceil((times[0] - 0.3) / first)))
    after = max(0, int((duration - times[-1]) / last - 1e-6))
    known = np.flatnonzero(beats.positions > 0)
    anchor = int(known[0]) if len(known) else 0
    counted = (np.arange(len(times)) - anchor + (beats.positions[anchor] if len(known) else 1) - 1) % beats.metre + 1
    inner = np.where(beats.positions > 0, beats.positions, counted)
    early = (inner[0] - 1 - np.arange(before, 0, -1)) % beats.metre + 1
    late = (inner[-1] - 1 + np.arange(1, after + 1)) % beats.metre + 1
    full = np.concatenate([times[0] - first * np.arange(before, 0, -1), times,
                           times[-1] + last * np.arange(1, after + 1)])
    positions = np.concatenate([early, inner, late])
    keep = (full >= 0) & (full < duration)
    return full[keep], positions[keep]


def _draw_times(kind, rng, bpm, metre, duration):
    period = 60.0 / bpm
    count = int(duration / period * 1.6) + 8
    if kind == "dance":
        drift = np.cumsum(rng.normal(0, 0.0006, count)) * (rng.random() < 0.5)
        periods = period * (1 + np.clip(drift, -0.02, 0.02))
    else:
        depth = rng.choice([0.0, 0.03, 0.08, 0.15], p=[0.2, 0.3, 0.3, 0.2])
        phrase = metre * rng.choice([2, 4])
        phase = np.arange(count) / phrase
        rubato = depth * (np.sin(2 * np.pi * phase + rng.uniform(0, 6.28)) + 0.4 * np.sin(4 * np.pi * phase))
        walk = np.cumsum(rng.normal(0, 0.15 * depth, count))
        walk -= np.linspace(0, walk[-1], count)
        ritardando = np.zeros(count)
        if depth > 0 and rng.random() < 0.5:      # a ritardando into a phrase end, then a tempo
            end = int(rng.integers(2, 8)) * phrase
            span = metre * 2
            if end < count:
                ritardando[max(0, end - span):end] = np.linspace(0, rng.uniform(0.15, 0.5), min(span, end))
        periods = period * np.clip(1 + rubato + walk + ritardando, 0.7, 1.8)
    start = rng.uniform(0.05, 0.3)
    times = start + np.concatenate([[0.0], np.cumsum(periods)[:-1]])
    first = int(rng.integers(metre)) if rng.random() < 0.5 else 0
    positions = (np.arange(count) + first) % metre + 1
    keep = times < duration
    return times[keep], positions[keep]


def _draw_sections(kind, rng, count, metre):
    sections, first = [], 0
    names = (["groove", "groove", "groove", "break", "build", "idle"] if kind == "dance"
             else ["phrase", "phrase", "tutti", "solo", "transition"])
    if kind == "dance" and rng.random() < 0.3:
        length = min(count, metre * int(rng.choice([1, 2])))
        sections.append(Section(0, length, "intro", float(rng.uniform(0.2, 0.5))))
        first = length
    base = rng.uniform(0.35, 0.85)
    while first < count:
        last = min(count, first + metre * int(rng.choice([2, 4, 4, 8])))
        name = str(rng.choice(names, p=[0.3, 0.25, 0.2, 0.1, 0.1, 0.05] if kind == "dance" else None))
        shift = {"break": -0.3, "build": 0.1, "idle": -0.5, "tutti": 0.3, "solo": -0.25}.get(name, 0.0)
        energy = float(np.clip(base + shift + rng.normal(0, 0.12), 0.08, 1.0))
        sections.append(Section(first, last, name, energy, float(rng.beta(0.8, 1.2))))
        first = last
    return tuple(sections)


def _hold(rng, times, sections, cues, duration):
    """Two pieces in five hold the last beat of a section 1.6 to 2.6 times as long; what no longer fits is cut off."""
    ends = [section.last - 1 for section in sections[:-1]]
    if not ends or rng.random() > 0.4:
        return times, sections, cues
    beat, factor = int(rng.choice(ends)), float(rng.uniform(1.6, 2.6))
    times = times.copy()
    times[beat + 1:] += (factor - 1) * (times[beat + 1] - times[beat])
    count = int((times < duration).sum())
    sections = tuple(replace(s, last=min(s.last, count)) for s in sections if s.first < count)
    cues = [cue for cue in cues if cue.beat < count - 1 and cue.beat != beat]
    if beat + 1 < count:
        cues.append(Cue(beat, "fermata", str(rng.choice(GROUPS))))
    return times[:count], sections, tuple(sorted(cues, key=lambda c: c.beat))


def _hairpins(rng, energy, metre):
    """Crescendi and diminuendi between sections: smooth, with a few sudden steps left in."""
    width = metre * int(rng.choice([1, 2, 4]))
    kernel = np.hanning(width + 2)[1:-1]
    padded = np.pad(energy, width, mode="edge")
    smooth = np.convolve(padded, kernel / kernel.sum(), mode="same")[width:width + len(energy)]
    return smooth if rng.random() < 0.75 else 0.5 * smooth + 0.5 * energy


def _draw_cues(rng, sections, count):
    cues = []
    for section in sections[1:]:
        group = str(rng.choice(GROUPS, p=[0.4, 0.3, 0.2, 0.1]))
        kind = "entry" if section.energy >= 0.4 or rng.random() < 0.6 else "cutoff"
        cues.append(Cue(section.first, kind, group))
    for beat in range(1, count - 1):
        if rng.random() < 0.03:
            cues.append(Cue(beat, "accent", str(rng.choice(GROUPS))))
    return tuple(sorted(cues, key=lambda c: c.beat))
