"""Music for captured dances that no training saw: has it a clear pulse, and does its tempo stay where the grid is?

    python -m models.lab.evaluation.capture_music [--data DIR] [--steps draft] [--docs FILE]

--data: a folder with motion/ as for `models.lab.evaluation.rhythm`. A row a capture of at least `SHORTEST` seconds: the
tempo found without and with the genre's usual range, what was chosen, its strength and spread; the pulse of the music
and whether its beats came from the body or, where that has none, from the genre. The pulse alone says little of how
well a body is followed: music at the genre's tempo has one too.
"""
import argparse
import json
import sys
from pathlib import Path

import numpy as np

from core.errors import command
from core.motion_files import read_motion
from core.pipelines import open_pipeline
from core.pipelines.base import genre_range
from models.lab.evaluation.music_ldm.evaluate import SALSA_FPS, TEST_DANCES
from models.lab.evaluation.rhythm_world import spread
from models.lab.evaluation.tables import markdown_table, replace_section, write_json
from models.lab.metrics.audio import is_music
from models.rhythm.detect import detect_body_beats

SHORTEST, LONGEST = 7.0, 20.0       # seconds
CLEAR, STEADY = 0.25, 0.02          # the least pulse; the most that intervals may spread
# Folders whose clips no network was trained on, beside TEST, and the genre asked for; others are trained on.
UNSEEN = {"cmu_breakdance": "break", "cmu_mj131": "pop", "cmu_modern05": "ballet-jazz"}
TEST_GENRE = "house"


def captures(data):
    """[(name, `Motion`, genre)] of the captures that no training saw; frames with glitches are cut off."""
    manifest = json.loads(Path(data, "motion", "manifest.json").read_text(encoding="utf-8"))
    found = []
    for path in sorted(Path(data, "motion").rglob("*.bvh*")):
        name = f"{path.parent.name}/{path.name.split('.')[0]}"
        genre = TEST_GENRE if name in TEST_DANCES else UNSEEN.get(path.parent.name)
        if genre is None:
            continue
        known = manifest.get(f"{path.parent.name}/{path.name}", {})
        fps = SALSA_FPS if "salsa" in name else known.get("fps")
        motion = read_motion(path, fps=fps)
        for first, last in known.get("bad_frames", ()):     # the longer side of a glitch
            at, after = int(first / fps * motion.fps), int(last / fps * motion.fps) + 1
            motion = motion.slice(0, at) if at >= len(motion) - after else motion.slice(after, len(motion))
        if motion.duration >= SHORTEST:
            found.append((name, motion.slice(0, min(len(motion), int(LONGEST * motion.fps))), genre))
    return found


def rows_of(data, folders=None, steps="draft", report=print):
    """{capture: row}."""
    rows, pipeline = {}, open_pipeline("music_ldm", folders)
    for number, (name, motion, genre) in enumerate(captures(data)):
        free = detect_body_beats(motion, folders=folders).extra["tempo"]
        result = pipeline.generate(motion, genre=genre, steps=steps, seed=number + 1)
        told = (result.beats.extra or {}).get("tempo", {})
        heard = is_music(result.audio.mean(0), 48_000)
        rows[name] = {"genre": genre, "bpm, any": free["bpm"], "bpm": round(result.beats.tempo_bpm, 1),
                      "usual": genre_range(genre)[0] <= round(result.beats.tempo_bpm) <= genre_range(genre)[1],
                      "beats of": "body" if told.get("chosen", "none") != "none" else "genre",
                      "chosen": told.get("chosen", "none"), "strength": told.get("strength", 0.0),
                      "spread": round(spread(result.beats.times), 3), "pulse": round(heard["pulse"], 3)}
        report(f"{name}: {rows[name]}")
    return rows


def summary(rows):
    """Shares over the captures, TEST apart."""
    out = {}
    for name, some in (("TEST", [row for key, row in rows.items() if key in TEST_DANCES]),
                       ("other unseen", [row for key, row in rows.items() if key not in TEST_DANCES])):
        if some:
            grids = [row for row in some if row["chosen"] == "steady"]
            out[name] = {"captures": len(some),
                         "clear pulse": round(np.mean([row["pulse"] >= CLEAR for row in some]), 3),
                         "beats of the body": round(np.mean([row["beats of"] == "body" for row in some]), 3),
                         "steady": len(grids),
                         "spread under 2 % where steady": round(np.mean([row["spread"] < STEADY for row in grids]), 3)
                         if grids else None,
                         "within the genre's tempi": round(np.mean([row["usual"] for row in some]), 3)}
    return out


def table(rows):
    """The rows as Markdown."""
    sums = summary(rows)
    return (markdown_table(sums, list(next(iter(sums.values()))), "captures of") + "\n\n"
            + markdown_table(rows, list(next(iter(rows.values()))), "capture"))


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.lab.evaluation.capture_music", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=str(Path(__file__).resolve().parents[3].parent / "shared" / "data"))
    parser.add_argument("--steps", default="draft")
    for name in ("--checkpoints", "--json", "--docs"):
        parser.add_argument(name)
    options = parser.parse_args(arguments)
    rows = rows_of(options.data, options.checkpoints, options.steps)
    print(table(rows))
    if options.json:
        write_json(options.json, rows)
    if options.docs:
        replace_section(options.docs, "capture-music", "## Music for captures that no training saw\n\n" + table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
