"""Scores of the music model beside the rows that expose them: `build.py evaluate music_ldm --corpus DIR`.

Beats are heard by librosa's tracker, which is no part of Baton, at the strict metrical level; the ceiling is the same
tracker on the paired real audio. Rows and how many pieces each has: `rows.py`; figures: `scoring.py`. Every piece's
record is kept in the cache: interrupted, the same command goes on, and new weights make only the rows that
depend on them anew.
"""
import argparse
import hashlib
import json
import sys
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

import torch

from core import checkpoints
from core.errors import BadInput, command
from models.lab.evaluation.music_ldm import report as evaluation_report
from models.lab.evaluation.music_ldm.rows import GENRES_APART, MAIN, SAMPLING, Pieces, Row, Store, deliver, make_rows
from models.lab.evaluation.music_ldm.scoring import FIELDS, GROUP, HALF, Space, heard, row_figures
from models.lab.evaluation.tables import replace_section, write_json
from models.lab.metrics import pairing
from models.training.loop import default_cache

SECTIONS = ("main", "sampling", "alike", "dances", "vocoder", "sheets")
TEST_DANCES = ("cmu_salsa/05", "cmu_salsa/20", "cmu_salsa/11", "cmu_salsa/26", "cmu_indian/07", "cmu_martial/05")
DANCE_SECONDS = 18.0            # all TEST clips are as long; seen clips that are shorter are left out
TURN = 10                       # pieces after which the genres have had their turn
SALSA_FPS = 60.0                # the files' headers say 120: wrong


def planned_rows(options):
    """{section: rows} of this run."""
    limited = lambda rows: [replace(row, count=min(row.count, options.count)) for row in rows]             # noqa: E731
    main = [replace(row, steps=options.steps, guidance=options.guidance) for row in MAIN]
    alike = []
    for pair in options.alike:
        name, equals, folder = pair.partition("=")
        if not equals or not Path(folder).is_dir():
            raise BadInput(f"--alike takes NAME=FOLDER, a folder of exported checkpoints, not {pair!r}.")
        alike.append(Row(f"prediction {name}", 20, folders=folder, steps=options.steps, guidance=options.guidance,
                         full=False))
    return {"main": limited(main), "sampling": limited(SAMPLING), "alike": limited(alike)}


def studio_figures(planned, pieces, store, judge):
    """Figures of all rows, over the pieces that are there, and the distances of sets."""
    def records(row):
        found = store.read(row)
        ids = list(takewhile(found.__contains__, (pieces.id(n) for n in range(min(row.count, len(pieces))))))
        even = len(ids) // TURN * TURN if len(ids) >= TURN else len(ids)          # as many of each genre
        return store.judged(row, [found[i] for i in ids[:even]], judge)
    kept = {row: records(row) for rows in planned.values() for row in rows}
    named = {row.name: kept[row] for row in planned["main"]}
    real = {r["id"]: r for r in named["real audio (ceiling)"]}
    vocoded, out = named["real audio through the vocoder"], {}
    spaces = [Space(vocoded, group, figure) for figure in FIELDS for group in (GROUP, HALF) if len(vocoded) >= group]
    more = [record for name, record in store.read(GENRES_APART).items() if name not in {r["id"] for r in vocoded}]
    distances = {space.name: {"pieces": space.group, "directions": space.axes.shape[1], "floor": space.halves(),
                              "genres": space.genres(vocoded + more * (space.field != "embedding"))}
                 for space in spaces}
    for section, rows in planned.items():
        out[section] = {}
        for row in rows:
            if not kept[row]:
                continue
            delivered = row.source not in ("real", "click")
            figures = row_figures(kept[row], real, spaces, delivered)
            wall = max(sum(record["wall"] for record in kept[row]), 1e-6)
            figures["seconds_of_sound_per_second"] = len(kept[row]) * store.seconds / wall
            out[section][row.name] = figures
            if row.body == "rolled":
                still = [{**r, "times": real[r["id"]]["times"]} for r in kept[row]]
                out[section]["the same, scored on unrolled beats"] = {
                    "clips": len(still), "beat_f1_70ms": row_figures(still, {})["beat_f1_70ms"]}
    return out, distances


def real_dances(data, folders, steps, guidance, report, genre="house"):
    """Pairing matrices over the real TEST dances, and over all other clips, named as seen: does each music fit its own
    body?"""
    from core.motion_files import read_motion
    from models.music_ldm.pipeline import MusicLDM
    from models.rhythm.detect import detect_body_beats
    model, out = MusicLDM.load(folders, "cpu"), {}
    for name, wanted in (("TEST", True), ("seen in training", False)):
        music, bodies, clips = [], [], []
        for path in sorted(Path(data, "motion").rglob("*.bvh.gz")):
            key = f"{path.parent.name}/{path.name.split('.')[0]}"
            if (key in TEST_DANCES) != wanted:
                continue
            motion = read_motion(path, fps=SALSA_FPS if "salsa" in key else None)
            if motion.duration < DANCE_SECONDS:
                continue
            motion = motion.slice(0, int(DANCE_SECONDS * motion.fps))
            beats = detect_body_beats(motion, folders=folders)
            sound = model.generate(motion, genre=genre, beats=beats, duration=DANCE_SECONDS, seed=len(music),
                                   steps=steps, guidance_scale=guidance)[0]
            music.append(heard(deliver(sound)))
            bodies.append(beats.times)
            clips.append(key)
        if len(music) > 2:
            out[name] = {**pairing.pairing_report(pairing.pairing_matrix(music, bodies)), "names": clips}
            report(f"real dances, {name}: {out[name]}")
    return out


def kept(store, name, parts, settings, make):
    """A JSON result kept in the cache under a hash of the weights and settings that it depends on."""
    weights = [checkpoints.find(system, part, store.folders).sha256 for system, part in parts]
    text = json.dumps([name, weights, settings], sort_keys=True)
    path = store.folder / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
    if not path.is_file():
        write_json(path, make())
    return json.loads(path.read_text(encoding="utf-8"))


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="build.py evaluate music_ldm", description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", required=True, help="folder of dance shards with a test split")
    parser.add_argument("--genre-corpus", help="more dance shards of the test split: 100 pieces of each genre, for "
                        "fd_logmel")
    parser.add_argument("--data", help="folder with real motion/ clips; left out when absent")
    parser.add_argument("--count", type=int, default=200, help="most pieces of a row (default 200)")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--steps", type=int, default=10, help="of the main rows (Draft 8, Normal 10, Fine 50)")
    parser.add_argument("--guidance", type=float, default=1.6)
    parser.add_argument("--split", choices=("test", "valid"), default="test", help="valid: to choose settings; not "
                        "with --docs")
    parser.add_argument("--checkpoints")
    parser.add_argument("--alike", nargs="*", default=[], metavar="NAME=FOLDER", help="denoisers trained alike, to be "
                        "compared")
    parser.add_argument("--only", nargs="*", choices=SECTIONS, default=SECTIONS, help="sections to make (default: all)")
    parser.add_argument("--rows", nargs="*", metavar="NAME", help="of these sections, make only rows whose names begin "
                        "so")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--cache", help="folder of the records (default: beside the corpus)")
    parser.add_argument("--out", default="music_ldm_results.json")
    parser.add_argument("--docs", help="Markdown file whose music_ldm section is replaced; pictures go beside it")
    options = parser.parse_args(arguments)
    if options.docs and options.split != "test":
        parser.error("--docs takes the figures of the test split only")
    report = lambda text: print(text, flush=True)              # noqa: E731
    torch.set_num_threads(1)
    from models.genre.judge import GenreJudge
    folders = options.checkpoints
    name = "music_ldm_scores" if options.split == "test" else f"music_ldm_scores_{options.split}"
    store = Store(options.cache or default_cache(options.corpus, name), options.seconds, folders)
    store.folder.mkdir(parents=True, exist_ok=True)
    planned, pieces = planned_rows(options), Pieces(options.corpus, options.seconds, options.count, options.split)
    rows = [row for name, section in planned.items() if name in options.only for row in section]
    rows = [row for row in rows if options.rows is None or row.name.startswith(tuple(options.rows))]
    make_rows(rows, options.corpus, options.seconds, options.count, store, options.processes, report, options.split)
    if options.genre_corpus:
        make_rows([GENRES_APART], options.genre_corpus, options.seconds, GENRES_APART.count, store,
                  options.processes, report, options.split)
    figures, distances = studio_figures(planned, pieces, store, GenreJudge("audio", folders))
    results = {"settings": {name: getattr(options, name) for name in ("count", "seconds", "steps", "guidance")},
               "pieces": len(pieces), "rows": figures, "distances": distances}
    music = [("music_ldm", part) for part in ("vae", "denoiser", "vocoder")]
    if "dances" in options.only and options.data:
        results["real_dances"] = kept(store, "dances", [*music, ("rhythm", "body")],
                                      [options.steps, options.guidance],
                                      lambda: real_dances(options.data, folders, options.steps, options.guidance,
                                                          report))
    if "vocoder" in options.only:
        from models.lab.evaluation.music_ldm.vocoder_scores import score
        results["vocoder"] = kept(store, "vocoder", [("music_ldm", "vocoder")], [12, 10.0],
                                  lambda: score(options.corpus, 12, 10.0, folders, report))
    if "sheets" in options.only and options.docs:
        from models.lab.evaluation.music_ldm.picture_sheets import draw_sheets
        results["sheets"] = draw_sheets(Path(options.docs).parent, pieces, folders, options.steps, options.guidance)
    results["targets"] = evaluation_report.targets(results)
    write_json(options.out, results)
    text = evaluation_report.markdown(results)
    print(text)
    if options.docs:
        evaluation_report.plot_guidance(results, Path(options.docs).parent / "music-guidance.png")
        replace_section(options.docs, "music_ldm", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
