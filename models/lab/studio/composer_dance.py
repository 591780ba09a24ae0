"""Composer of dance music: from a plan (beats, sections, swing, genre) to a score, by the tables of the genres."""
import numpy as np

from models.lab.studio.genres_club import CLUB
from models.lab.studio.genres_street import STREET
from models.lab.studio.harmony import chord_tones
from models.lab.studio.layers import write_layers
from models.lab.studio.players import Bar, Writer, pick
from models.lab.studio.rhythm_section import write_bass, write_drums
from models.lab.studio.score import Grid, Score, bars_of, rng_of

GENRES = STREET | CLUB


def compose_dance(plan):
    """Score of a dance plan; raises ValueError on an unknown genre."""
    if plan.genre not in GENRES:
        raise ValueError(f"No such genre: {plan.genre!r}; known: {', '.join(GENRES)}.")
    genre = GENRES[plan.genre]
    swing16 = plan.extra.get("swing16")
    if swing16 is None:
        draw = rng_of(plan.seed, "swing16")
        swing16 = (
            float(draw.uniform(*genre.swing16[1:])) if draw.random() < genre.swing16[0] and plan.swing == 0.5 else 0.5
        )
    grid = Grid(plan, swing16)
    bars = _bars(plan)
    scale, root = _harmony(plan, genre, bars)
    writer = Writer(plan, grid)
    parts, kicks = write_drums(plan, genre, bars, writer)
    parts.append(write_bass(plan, genre, bars, writer, scale, root, kicks))
    parts += write_layers(plan, genre, bars, writer, scale, root)
    return Score([part for part in parts if part.notes], plan.duration, _mix(plan, genre), "dance")


def _bars(plan):
    spans = bars_of(plan)
    bars = []
    for index, (first, beats) in enumerate(spans):
        section = plan.section_at(max(first, 0))
        following = plan.section_at(min(first + beats, len(plan.times) - 1))
        before = plan.section_at(max(first - 1, 0))
        bars.append(Bar(index, first, beats, section, following is not section, before is not section or index == 0))
    for bar, following in zip(bars[-2::-1], bars[:0:-1]):
        bar.bars_left = 1 if bar.last_of_section else following.bars_left + 1
    return bars


def _harmony(plan, genre, bars):
    rng = rng_of(plan.seed, "harmony")
    scale, root = pick(rng, genre.scales), int(rng.integers(12))
    extension = int(rng.choice(genre.extension))
    first, second = (genre.progressions[int(rng.integers(len(genre.progressions)))] for _ in range(2))
    for bar in bars:
        chords = second if bar.kind in ("break", "build") else first
        bar.degree = chords[bar.index % len(chords)]
        bar.tones = chord_tones(scale, bar.degree, extension)
    return scale, root


def _mix(plan, genre):
    """Settings of the whole mix, drawn from the seed alone."""
    rng = rng_of(plan.seed, "mix")
    u = rng.uniform
    lowfi = rng.random()
    return {
        "genre": plan.genre,
        "glue": float(rng_of(plan.seed, "drum bus").uniform(0.0, 0.7)),
        "cents": float(rng.normal(0, 12)),
        "seed": int(plan.seed),
        "width": float(u(0.3, 1.0)) * (rng.random() > 0.08),
        "balance_db": float(rng.normal(0, 2.0)),  # drums against the rest
        "tilt_db": float(rng.normal(0, 3.0)),
        "low_db": float(rng.normal(0, 2.5)),
        "mid_db": float(rng.normal(0, 2.5)),
        "mid_hz": float(np.exp(u(np.log(300), np.log(4000)))),
        "high_db": float(rng.normal(0, 3.0)),
        "lowpass": float(u(3500, 9000)) if lowfi < 0.06 else float(u(10000, 17000)) if lowfi < 0.3 else 0.0,
        "highpass": float(u(60, 250)) if rng.random() < 0.12 else 0.0,
        "reverb_seconds": float(np.exp(u(np.log(0.25), np.log(2.2)))),
        "reverb_bright": float(u(0.1, 0.7)),
        "reverb_db": float(u(-12, 2)),
        "ratio": float(u(1.2, 5.0)),
        "threshold_db": float(u(-24, -10)),
        "release": float(u(0.06, 0.3)),
        "drive_db": float(u(0, 9)) * (rng.random() < 0.6),
        "level_db": float(u(-23, -10)),
        "noise": "vinyl" if rng.random() < genre.vinyl else str(rng.choice(["", "", "", "pink", "hum"])),
        "noise_db": float(u(-62, -36)),
        "wow": (float(u(0.4, 0.8)), float(u(0.0005, 0.002))) if rng.random() < 0.4 * genre.vinyl else None,
    }
