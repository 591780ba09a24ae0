"""Scores of a music system on any dance corpus or folder of pairs: `build.py evaluate dances --corpus DIR`.

The forms of the literature stand side by side: BCS, BHS, CSD, HSD, F1 in both definitions, BAS as its code has it and
with its rates put right, beat F1 at 70 ms, Frechet distances and genre. Every figure stands beside mismatched pairs;
the rows with real audio, a click track and scrambled weights show what it is worth.
"""
import argparse
import sys
import tempfile
from pathlib import Path

import torch

from core.errors import command
from models.lab.evaluation.dances.figures import kinematic_beats, row_figures
from models.lab.evaluation.dances.material import SPLITS, imported, passages
from models.lab.evaluation.dances.rows import ROWS, Maker, record
from models.lab.evaluation.tables import markdown_table, tell

GROUPS = {
    "Beats: F1 at 70 ms against the passage's own beats; BAS of the body's kinematic beats against the music's": (
        "beat_f1_70ms", "beat_f1_70ms_mismatched", "beat_f1_70ms_chance", "bas_as_published", "bas", "bas_mismatched",
        "bas_chance", "clips"),
    **{f"Onset flags a second against the paired real sound, {style.upper()}'s definition, percent": tuple(
        f"{style}_{name}{end}" for name in ("BCS", "CSD", "BHS", "HSD", "F1") for end in ("", "_mismatched"))
       for style in ("loris", "cdcd")},
    "Sound: Frechet distances to the real set (floor: its halves), genre": (
        "fd_logmel", "fd_logmel_floor", "fd_judge", "fd_judge_floor", "genre_accuracy", "genre_kld_own"),
}


def evaluate(found, maker, judge, rows=ROWS, report=print):
    """{row: figures} of [Passage]."""
    bodies = {p.id: kinematic_beats(p.motion) for p in found}
    kept, real = {}, {}
    for row in rows:
        if row.source == "model" and not maker.can(row):
            report(f"{row.name}: left out, the denoiser of {maker.row.label} is not known here")
            continue
        records = {}
        for number, passage in enumerate(found):
            sound = maker(row, passage, number)
            if sound is not None:
                records[passage.id] = record(sound, judge)
        report(f"{row.name}: {len(records)} of {len(found)} passages")
        if row.source == "real":
            real = records
        kept[row.name] = records
    return {name: row_figures(records, real, [p for p in found if p.id in records], bodies)
            for name, records in kept.items() if records}


def markdown(results):
    """The section of a results page."""
    s = results["settings"]
    parts = [f"## Dances of {s['material']}\n\n{results['passages']} passages of {s['seconds']:g} s by {s['system']}, "
             f"split {s['split']}. *mismatched*: against up to five other passages. `bas_as_published` compares music "
             "frames at 43.07 Hz with motion frames at 60 fps, as its code does; it is there to be recognised, not to "
             "be read."]
    for title, columns in GROUPS.items():
        if any(figures.get(name) is not None for figures in results["rows"].values() for name in columns):
            parts.append(f"{title}:\n\n" + markdown_table(results["rows"], columns))
    return "\n\n".join(parts)


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="build.py evaluate dances", description=__doc__.splitlines()[0])
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--corpus", help="folder of shards (of `build.py train import`, or of the studio)")
    source.add_argument("--folder", help="folder of your own pairs, NAME.bvh|npz|pkl with NAME.wav|mp3|...")
    parser.add_argument("--system", default="music_ldm", help="a system that makes music from motion")
    parser.add_argument("--split", choices=SPLITS, help="default: test, of a folder all")
    parser.add_argument("--seconds", type=float, default=20.0, help="of every passage (5 in Tan et al.)")
    parser.add_argument("--count", type=int, default=200, help="most passages")
    parser.add_argument("--steps", type=int, help="sampling steps (default: Normal)")
    parser.add_argument("--guidance", type=float)
    parser.add_argument("--rows", nargs="*", metavar="NAME", help="only rows whose names begin so")
    parser.add_argument("--checkpoints", help="folder of exported checkpoints that goes before the shipped ones")
    parser.add_argument("--cache", help="where a folder's corpus is kept (default: the system's temporary folder)")
    parser.add_argument("--out", default="dances_results.json")
    parser.add_argument("--docs", help="Markdown file whose section dances is replaced")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    report = lambda text: print(text, flush=True)              # noqa: E731
    from models.genre.judge import GenreJudge
    corpus, split = options.corpus, options.split or ("all" if options.folder else "test")
    if options.folder:
        corpus, skipped = imported(options.folder, options.cache or Path(tempfile.gettempdir()) / "baton-dances")
        for sentence in skipped:
            report(f"left out: {sentence}")
    found = passages(corpus, split, options.seconds, options.count)
    chosen = {"steps": options.steps, "guidance_scale": options.guidance}
    maker = Maker(options.system, [options.checkpoints] if options.checkpoints else None,
                  **{name: value for name, value in chosen.items() if value is not None})
    wanted = [row for row in ROWS if options.rows is None or row.source == "real"
              or row.name.startswith(tuple(options.rows))]
    rows = evaluate(found, maker, GenreJudge("audio", maker.folders), wanted, report)
    results = {"settings": {"material": Path(options.folder or options.corpus).name, "system": options.system,
                            "split": split, "seconds": options.seconds, **chosen},
               "passages": len(found), "rows": rows}
    tell(results, markdown(results), "dances", options.out, options.docs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
