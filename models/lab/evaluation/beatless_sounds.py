"""Sounds with and without a beat: how many are told one, and how far the threshold of no beat stands from both.

    python -m models.lab.evaluation.beatless_sounds [--sounds DIR] [--flat FLAT ...] [--seconds 6 12 20 30] [--most 40]

DIR holds a folder a kind with recordings (WAV, FLAC, Ogg), `without/KIND` and `with/KIND`, each recording cut into
passages; FLAT are flat folders of rendered pieces (`models.lab.rhythm.corpus --split test`), kinds with a beat. Noise,
wind and drones are made. Passages are heard as in use, with silence before them. The agreements are those of the
network that is asked first; *share of what is asked* is the most that this network, or the mean with the one trained on
recorded music, reaches of what `core.rhythm.tempo.pulse` asks of a passage that long: from 1 on there is a beat. Two
networks that find the same beats, or different ones, may still decide otherwise.
"""
import argparse
import sys
from pathlib import Path

import numpy as np

from core.audio.io import read_audio
from core.audio.resample import resample
from core.errors import BadInput, command
from core.rhythm import tempo
from models.lab.evaluation.rhythm_world import sounds_without_beat
from models.lab.evaluation.tables import markdown_table, write_json
from models.rhythm.config import MUSIC_FPS, MUSIC_RATE
from models.rhythm.detect import LEAD_S, WEAK, Heard, music_beats

SUFFIXES = (".wav", ".flac", ".ogg")
TENTHS, FIFTHS = np.arange(0.0, 1.05, 0.1), np.append(np.arange(0.0, 2.01, 0.2), np.inf)
KEYS = ("one", "drifting", "free", "share")


class Recording:
    """A recording or piece of `duration` seconds; cut(start, seconds): log-mel (T, 80) of a passage."""

    def __init__(self, duration, cut):
        self.duration, self.cut = duration, cut

    def passages(self, seconds):
        """[(self, start)] of passages of so many seconds, one after another."""
        return [(self, number * seconds) for number in range(int((self.duration + 1e-6) // seconds))]


def of_file(path):
    """The `Recording` of a sound file, of which no more than is asked is read."""
    import soundfile

    from models.rhythm.features import log_mel

    def cut(start, seconds):
        audio = read_audio(path, start=start, duration=seconds)
        return log_mel(resample(audio.mono(), audio.rate, MUSIC_RATE), MUSIC_RATE)
    return Recording(soundfile.info(str(path)).duration, cut)


def of_mel(mel):
    """The `Recording` of a log-mel (T, 80)."""
    return Recording(len(mel) / MUSIC_FPS, lambda start, seconds: mel[round(start * MUSIC_FPS):
                                                                      round((start + seconds) * MUSIC_FPS)])


def spread_over(rows, most):
    """At most `most` of the rows, evenly over all."""
    return rows if len(rows) <= most else [rows[int(place)] for place in np.linspace(0, len(rows) - 1, most)]


def kinds_of(sounds, flats):
    """{(side, kind): [`Recording`]} of everything; side: "without" or "with"."""
    from models.rhythm.features import log_mel
    from models.rhythm.resident import logmel_of
    from models.training.flat import Flat
    made = [of_mel(log_mel(mono.astype(np.float32), MUSIC_RATE)) for mono in sounds_without_beat().values()]
    found = {("without", "noise, wind, drones (made)"): made}
    for side in ("without", "with") if sounds else ():
        for folder in sorted(Path(sounds, side).glob("*")):
            rows = found.setdefault((side, folder.name), [])
            rows += [of_file(path) for path in sorted(folder.iterdir()) if path.suffix in SUFFIXES]
    for place in flats or ():
        flat = Flat(place)
        for item in flat.items:
            found.setdefault(("with", f"rendered: {item['kind']}"), []).append(of_mel(logmel_of(flat, item)))
    if sounds and len(found) == 1:
        raise BadInput(f"No recordings in {sounds}; it needs folders without/KIND and with/KIND.")
    return found


def heard_row(mel, folders=None):
    """Whether a passage is told a beat, its agreements, and the share of what is asked."""
    heard = Heard(mel, folders, lead=LEAD_S)
    asked = np.array(tempo.pulse("music", len(mel) / MUSIC_FPS))
    agreements = np.array(heard.agreements)
    share = (agreements / asked).max()
    # So strong a beat is told without asking any further, which saves most of the time with music.
    found = share >= WEAK and heard.activations is heard.world
    if not found:
        found = music_beats(heard).extra["tempo"]["chosen"] != "none"
    if heard.recorded and share < WEAK:
        share = max(share, ((agreements + heard.explained_wide.agreements) / 2 / asked).max())
    return {"told": bool(found), **{key: round(float(value), 3) for key, value in zip(KEYS, (*agreements, share))}}


def evaluate(kinds, seconds, most, folders=None, report=lambda line, so_far: None):
    """{seconds: {"side, kind": [rows of `heard_row`]}}."""
    out = {}
    for length in seconds:
        rows = out.setdefault(f"{length:g}", {})
        for (side, kind), recordings in kinds.items():
            chosen = spread_over([row for each in recordings for row in each.passages(length)], most)
            if chosen:
                rows[f"{side}, {kind}"] = [heard_row(each.cut(start, length), folders) for each, start in chosen]
                told = sum(row["told"] for row in rows[f"{side}, {kind}"])
                report(f"{length:g} s, {side}, {kind}: {told} of {len(chosen)}", out)
    return out


def tables(result):
    """The rows as Markdown: how many are told a beat by kind and length, then the histograms of each length."""
    names = list(dict.fromkeys(name for rows in result.values() for name in rows))
    said = lambda rows: f"{sum(row['told'] for row in rows)} of {len(rows)}" if rows else ""         # noqa: E731
    parts = ["Passages told a beat:\n\n" + markdown_table(
        {name: {f"{length} s": said(rows.get(name)) for length, rows in result.items()} for name in names},
        [f"{length} s" for length in result], "sounds")]
    for length, rows in result.items():
        sides = {side: [row for name, kind in rows.items() if name.split(", ")[0] == side for row in kind]
                 for side in ("without", "with")}
        asked = ", ".join(f"{value:.2f}" for value in tempo.pulse("music", float(length)))
        counted = {f"{side}, {key}": np.histogram([row[key] for row in found], TENTHS)[0]
                   for key in KEYS[:3] for side, found in sides.items() if found}
        shares = {side: np.histogram([row["share"] for row in found], FIFTHS)[0]
                  for side, found in sides.items() if found}
        columns = [f"{low:.1f}" for low in TENTHS[:-1]]
        fifths = [f"{low:.1f}" for low in FIFTHS[:-1]]
        parts.append(f"{length} s, passages by agreement in tenths (asked {asked}):\n\n"
                     + markdown_table({name: dict(zip(columns, map(int, counts))) for name, counts in counted.items()},
                                      columns, "sounds")
                     + "\n\nand by share of what is asked, in fifths (from 1.0 on a beat, the last column 2 and more):"
                     + "\n\n" + markdown_table({name: dict(zip(fifths, map(int, counts)))
                                                for name, counts in shares.items()}, fifths, "sounds"))
    return "\n\n".join(parts)


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.lab.evaluation.beatless_sounds", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sounds")
    parser.add_argument("--flat", nargs="*")
    parser.add_argument("--seconds", type=float, nargs="*", default=(6.0, 12.0, 20.0, 30.0))
    parser.add_argument("--most", type=int, default=40, help="passages of a kind and length")
    parser.add_argument("--checkpoints")
    parser.add_argument("--json")
    options = parser.parse_args(arguments)

    def report(line, so_far):
        print(line, file=sys.stderr, flush=True)
        if options.json:
            write_json(options.json, so_far)
    kinds = kinds_of(options.sounds, options.flat)
    print(tables(evaluate(kinds, options.seconds, options.most, options.checkpoints, report)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
