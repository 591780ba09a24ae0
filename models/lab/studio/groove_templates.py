"""How human drummers place and weigh their strokes: `groove_templates.json`, measured on the Groove MIDI Dataset.

    python -m models.lab.studio.groove_templates --dataset DIR [--out FILE]

Gillick et al. 2019, "Learning to Groove with Inverse Sequence Transformations": 13.6 h of drumming against an exact
click (Google LLC, CC BY 4.0). A template is one performance's habits over two bars of 16ths: for kick, snare and
cymbals the mean offset from the grid (thousandths of a 16th) and the mean velocity (percent of that drum's own mean),
and how much both scatter.
"""
import argparse
import csv
import json
import struct
from functools import lru_cache
from pathlib import Path

import numpy as np

from core.errors import BadInput, command
from models.lab.studio.midi import NOTE_ON, read_events

FILE = Path(__file__).with_name("groove_templates.json")
STEPS = 32                          # two bars of 4/4 in 16ths
VOICES = {"kick": (35, 36), "snare": (37, 38, 39, 40), "cymbal": (22, 26, 42, 44, 46, 51, 53, 59)}
STYLES = ("funk", "hiphop", "soul", "pop", "rock", "jazz", "dance", "latin")
PER_STYLE = 6
MOST_SWING = 0.15                   # of a 16th: plans have a swing of their own, so swung performances are left out
FEWEST_STROKES = 60


class Template:
    """offset (3, 32) in 16ths and velocity (3, 32) relative to the voice's mean; scatter: standard deviations of
    both."""

    def __init__(self, row):
        self.offset = np.array(row["offset"], dtype=np.float64).reshape(3, STEPS) / 1000
        self.velocity = np.array(row["velocity"], dtype=np.float64).reshape(3, STEPS) / 100
        self.offset_scatter, self.velocity_scatter = row["scatter"][0] / 1000, row["scatter"][1] / 100

    def stroke(self, key, step, bar, rng):
        """(offset in 16ths, velocity factor) of one stroke of a GM key at a step of a bar; the same rng, the same
        stroke."""
        voice = next((number for number, keys in enumerate(VOICES.values()) if key in keys), 2)
        place = (int(step) + 16 * (bar % 2)) % STEPS
        offset = self.offset[voice, place] + rng.normal(0, self.offset_scatter)
        velocity = self.velocity[voice, place] * (1 + rng.normal(0, self.velocity_scatter))
        return float(np.clip(offset, -0.3, 0.3)), float(np.clip(velocity, 0.3, 1.6))


@lru_cache(maxsize=1)
def _table():
    return json.loads(FILE.read_text(encoding="utf-8"))["styles"]


def template(rng, styles):
    """A `Template` drawn from one of the `styles` (names of the dataset)."""
    rows = _table()[styles[int(rng.integers(len(styles)))]]
    return Template(rows[int(rng.integers(len(rows)))])


def read_midi(path):
    """[(onset in quarter notes, key, velocity)] of all note-ons of a standard MIDI file. Raises BadInput."""
    try:
        division, tracks = read_events(Path(path).read_bytes())
    except (ValueError, IndexError, struct.error) as error:
        raise BadInput(f"{path} is not a standard MIDI file ({error}).") from error
    return sorted((tick / division, stroke[0], stroke[1]) for events in tracks for tick, status, stroke in events
                  if status >> 4 == NOTE_ON and stroke[1])


def measure(notes):
    """A template's row of one performance, or None when it is too sparse or swung."""
    groups = []
    for keys in VOICES.values():
        chosen = np.array([(4 * onset, velocity) for onset, key, velocity in notes if key in keys])
        if len(chosen) < FEWEST_STROKES // 3:
            return None
        groups.append(chosen)
    centre = np.concatenate([(g[:, 0] - np.round(g[:, 0]))[np.round(g[:, 0]) % 4 == 0] for g in groups]).mean()
    offsets, velocities, spread = np.zeros((3, STEPS)), np.ones((3, STEPS)), []
    for voice, group in enumerate(groups):
        step = np.round(group[:, 0])
        offset, velocity = group[:, 0] - step - centre, group[:, 1] / group[:, 1].mean()
        for place in range(STEPS):
            # A place that is seldom played takes what all places of its kind within the beat have.
            kinds = (step % STEPS == place, step % 4 == place % 4, step % 2 == place % 2, step > -9)
            same = next(kind for kind in kinds if kind.sum() >= 4)
            offsets[voice, place], velocities[voice, place] = np.median(offset[same]), velocity[same].mean()
        place = step.astype(int) % STEPS
        spread.append([np.median(np.abs(offset - offsets[voice, place])) * 1.48,
                       np.median(np.abs(velocity / velocities[voice, place] - 1)) * 1.48])
    late = offsets.reshape(3, -1, 4).mean(axis=1)
    if np.abs(late[:, 1::2]).max() > MOST_SWING or np.abs(late[:, 2]).max() > MOST_SWING:
        return None
    scatter = np.mean(spread, axis=0)
    return {"offset": np.round(1000 * offsets).astype(int).ravel().tolist(),
            "velocity": np.round(100 * velocities).astype(int).ravel().tolist(),
            "scatter": [int(round(1000 * min(scatter[0], 0.08))), int(round(100 * min(scatter[1], 0.2)))]}


def build(dataset, out=FILE):
    """Write the templates of the dataset's training split; returns {style: number}. Raises BadInput."""
    info = Path(dataset) / "info.csv"
    if not info.exists():
        raise BadInput(f"{dataset} holds no info.csv; give the folder of the Groove MIDI Dataset.")
    with open(info, encoding="utf-8") as handle:
        rows = [row for row in csv.DictReader(handle) if row["beat_type"] == "beat" and row["time_signature"] == "4-4"
                and row["split"] == "train" and float(row["duration"]) > 16]
    styles = {}
    for style in STYLES:
        own = sorted((row for row in rows if row["style"].split("/")[0] == style),
                     key=lambda row: -float(row["duration"]))
        found = [{"performance": row["midi_filename"], **measured} for row in own
                 if (measured := measure(read_midi(Path(dataset) / row["midi_filename"])))]
        if found:
            chosen = np.unique(np.linspace(0, len(found) - 1, PER_STYLE).round().astype(int))
            styles[style] = [found[index] for index in chosen]
    credit = "Measured on the Groove MIDI Dataset (Gillick et al. 2019, Google LLC), CC BY 4.0"
    lines = ",\n".join(f' "{style}": [\n  ' + ",\n  ".join(json.dumps(row) for row in chosen) + "]"
                       for style, chosen in styles.items())
    Path(out).write_text(f'{{"credit": "{credit}",\n "styles": {{\n{lines}}}}}\n', encoding="utf-8")
    return {style: len(chosen) for style, chosen in styles.items()}


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.lab.studio.groove_templates",
                                     description=__doc__.split("\n")[0])
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--out", default=FILE)
    options = parser.parse_args(arguments)
    print(build(options.dataset, options.out))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
