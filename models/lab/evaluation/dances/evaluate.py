"""Scores of a system on any dance corpus or folder of pairs: `build.py evaluate dances --corpus DIR --system NAME`.

Music to dances: BCS, BHS, CSD, HSD, F1 in both definitions, BAS as its code has it and with its rates put right, beat
F1 at 70 ms, Frechet distances and genre. Dances to music: FID_k (as published and corrected), FID_g, diversity, BAS,
beat alignment, the same flags, PFC. Every figure stands beside mismatched pairs; the rows of what is real, of clicks or
of a body that stands, and of scrambled weights show what it is worth.
"""
import argparse
import sys
import tempfile
from pathlib import Path

import torch

from core.errors import command
from models.lab.evaluation.dances import bodies
from models.lab.evaluation.dances.figures import kinematic_beats, row_figures
from models.lab.evaluation.dances.material import SPLITS, imported, passages
from models.lab.evaluation.dances.rows import Maker, record
from models.lab.evaluation.tables import markdown_table, tell

FLAGS = {f"{{0}}, {style.upper()}'s definition, percent": tuple(
    f"{style}_{name}{end}" for name in ("BCS", "CSD", "BHS", "HSD", "F1") for end in ("", "_mismatched"))
    for style in ("loris", "cdcd")}
GROUPS = {
    "Beats: F1 at 70 ms against the passage's own beats; BAS of the body's kinematic beats against the music's": (
        "beat_f1_70ms", "beat_f1_70ms_mismatched", "beat_f1_70ms_chance", "bas_as_published", "bas", "bas_mismatched",
        "bas_chance", "clips"),
    **{title.format("Onset flags a second against the paired real sound"): names for title, names in FLAGS.items()},
    "Sound: Frechet distances to the real set (floor: its halves), genre": (
        "fd_logmel", "fd_logmel_floor", "fd_judge", "fd_judge_floor", "genre_accuracy", "genre_kld_own"),
}
DANCE_GROUPS = {
    "Beats: BAS (music to body) and beat alignment (body to music), sigma 50 ms": (
        "bas", "bas_mismatched", "bas_chance", "beat_align", "beat_align_mismatched", "beat_align_chance", "clips"),
    **{title.format("The body's beats against the music's in bins of a second"): names
       for title, names in FLAGS.items()},
    "Frechet distance to the passages' own dances (floor: their halves) and diversity; feet; genre": (
        "fid_k", "fid_k_floor", "fid_k_corrected", "fid_k_corrected_floor", "fid_g", "fid_g_floor", "div_k",
        "div_k_corrected", "div_g", "pfc", "slide_cm", "genre_accuracy"),
}


def evaluate(found, maker, judge, rows=None, report=print):
    """{row: figures} of [Passage]; rows: those of the maker's direction where None."""
    see, figures = (bodies.record, bodies.dance_figures) if maker.dances else (record, row_figures)
    others = bodies.music_beats(found) if maker.dances else {p.id: kinematic_beats(p.motion) for p in found}
    kept, real = {}, {}
    for row in maker.rows if rows is None else rows:
        if row.source == "model" and not maker.can(row):
            report(f"{row.name}: left out, the denoiser of {maker.row.label} is not known here")
            continue
        records = {}
        for number, passage in enumerate(found):
            made = maker(row, passage, number)
            if made is not None:
                records[passage.id] = see(made, judge)
        report(f"{row.name}: {len(records)} of {len(found)} passages")
        if row.source == "real":
            real = records
        kept[row.name] = records
    return {name: figures(records, real, [p for p in found if p.id in records], others)
            for name, records in kept.items() if records}


def markdown(results):
    """The section of a results page."""
    s = results["settings"]
    parts = [f"## Dances of {s['material']}\n\n{results['passages']} passages of {s['seconds']:g} s by {s['system']}, "
             f"split {s['split']}. *mismatched*: against up to five other passages. "
             + ("Features are z-scored by the passages' own dances, as many of each." if results["dances"] else
                "`bas_as_published` compares music frames at 43.07 Hz with motion frames at 60 fps, as its code does; "
                "it is there to be recognised, not to be read.")]
    for title, columns in (DANCE_GROUPS if results["dances"] else GROUPS).items():
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
    parser.add_argument("--system", default="music_ldm", help="a system that makes music from motion, or motion "
                        "from music")
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
    wanted = [row for row in maker.rows if options.rows is None or row.source == "real"
              or row.name.startswith(tuple(options.rows))]
    rows = evaluate(found, maker, GenreJudge("motion" if maker.dances else "audio", maker.folders), wanted, report)
    results = {"settings": {"material": Path(options.folder or options.corpus).name, "system": options.system,
                            "split": split, "seconds": options.seconds, **chosen},
               "dances": maker.dances, "passages": len(found), "rows": rows}
    tell(results, markdown(results), "dances", options.out, options.docs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
