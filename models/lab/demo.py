"""`python -m models.lab.demo --out DIR`: every system of the registry, without Blender; `build.py demo` adds the
.blend.

Writes <system>.wav and <system>.bvh, npz for each, the dance and the piece they were made from, preview.png and
demo.json.
"""
import argparse
import json
import shutil
import sys
import time
from pathlib import Path

from core.contract import systems as registry
from core.contract.files import reason
from core.errors import BadInput, command

ASSETS = Path(__file__).resolve().parents[2] / "core" / "assets"
DANCE, PIECE = ASSETS / "demo_dance.npz", ASSETS / "demo_piece.ogg"
MAX_SECONDS, SHORT_SECONDS = 40.0, 12.0       # of the first system of a direction, and of the others


def _job(name, condition, device, seed, **settings):
    from core.cli import common
    from core.pipelines import open_pipeline
    began = time.perf_counter()
    bar = common.Bar()
    result = open_pipeline(name, None, device, common.say).generate_variations(
        condition, seed=seed, variations=1, progress=bar, **settings)[0]
    bar.close()
    return result, time.perf_counter() - began


def chosen():
    """[(system, the longest seconds it shows)]: all whose weights are here, the first of a direction at length; what is
    left out is said."""
    from core.cli import common
    from core.pipelines import available
    here, out = available(), []
    for systems in registry.by_direction().values():
        ready = [system for system in systems if here.get(system.name)]
        for system in systems:
            if system not in ready:
                common.say(f"{system.label} is left out: its checkpoints are not installed.")
        out += [(system, MAX_SECONDS if number == 0 and system.source else SHORT_SECONDS)
                for number, system in enumerate(ready)]
    return out


def run_demo(out, motion=None, audio=None, genre=None, seed=7, device="auto"):
    """Make everything in `out` and return the summary that demo.json holds. Raises BatonError with one sentence."""
    from core.audio.io import read_audio
    from core.motion_files import read_motion, write_bvh, write_npz
    from models.lab.preview import draw_preview
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"The folder {out} cannot be made ({reason(error)}); choose another.") from error
    dance, piece = read_motion(motion or DANCE), read_audio(audio or PIECE)
    for suffix, write in (("bvh", write_bvh), ("npz", write_npz)):
        write(out / f"dance.{suffix}", dance.slice(0, int(MAX_SECONDS * dance.fps)))
    piece_copy = out / f"piece{Path(audio or PIECE).suffix}"
    shutil.copyfile(audio or PIECE, piece_copy)
    summary, pictures = {"rows": [], "parts": []}, []
    for system, seconds in chosen():
        row, part, picture = _show(system, seconds, out, dance, piece, piece_copy, {"genre": genre or "house"}, seed,
                                   device)
        summary["rows"].append(row)
        summary["parts"].append(part)
        pictures.append(picture)
    draw_preview(out / "preview.png", pictures)
    (out / "demo.json").write_text(json.dumps(summary, indent=1), encoding="utf-8")
    return summary


def understood(system, wanted):
    """Those of the wanted settings that a system has and that are among its choices: a genre of music is no style of
    every dancer."""
    def has(name, value):
        setting = system.settings.get(name)
        return setting is not None and (not setting.items or value in [item.id for item in setting.items])
    return {name: value for name, value in wanted.items() if has(name, value)}


def _show(system, seconds, out, dance, piece, piece_file, wanted, seed, device):
    """(row of the table, part of the scene, part of the picture) of one system; its files go to `out`."""
    from core.audio.io import write_wav
    from core.motion_files import write_bvh, write_npz
    settings = understood(system, wanted)
    condition, source = None, {}
    if system.source == "motion":
        condition, source = dance.slice(0, int(seconds * dance.fps)), {"motion": "dance"}
    elif system.source == "sound":
        condition, source = piece.slice(0.0, min(piece.duration, seconds)), {"audio": piece_file.name}
    else:
        settings["duration"] = seconds
    result, wall = _job(system.name, condition, device, seed, source=source, **settings)
    files = {"sound": piece_file.name, "motion": "dance.npz"}
    if result.audio is not None:
        files["sound"] = write_wav(out / f"{system.name}.wav", result.audio).name
    if result.motion is not None:
        files["motion"] = f"{system.name}.npz"
        write_npz(out / files["motion"], result.motion)
        write_bvh(out / f"{system.name}.bvh", result.motion)
    row = {"what": system.label, "file": files["sound"] if system.to == "sound" else f"{system.name}.bvh",
           "seconds": round(result.seconds, 2), "wall": round(wall, 2),
           "realtime_factor": round(result.seconds / wall, 2), "device": result.device,
           "tempo_bpm": round(result.beats.tempo_bpm, 1) if result.beats is not None else None,
           "alignment": result.alignment}
    samples, rate = (result.audio, 48_000) if result.audio is not None else (condition.samples, condition.rate)
    picture = {"title": system.label, "audio": samples, "rate": rate, "motion": result.motion or condition,
               "body_beats": result.body_beats, "music_beats": result.music_beats, "alignment": result.alignment}
    part = {"title": system.short, "seconds": result.seconds, "figure": system.raw.get("figure", "dancer"), **files}
    return row, part, picture


def print_table(summary):
    """The short table of what was made and how fast."""
    print(f"{'made':26} {'file':16} {'length':>8} {'took':>8} {'x real time':>12} {'tempo':>7}  alignment (chance)")
    for row in summary["rows"]:
        found = row["alignment"] or {}
        print(f"{row['what']:26} {row['file']:16} {row['seconds']:7.1f}s {row['wall']:7.1f}s "
              f"{row['realtime_factor']:12.1f} {row['tempo_bpm'] or 0:7.1f}  {found.get('score', 0):.2f} "
              f"({found.get('chance', 0):.2f})")


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.lab.demo", description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="demo-out")
    parser.add_argument("--motion", help="your own motion: BVH, AMASS npz or AIST++ pkl")
    parser.add_argument("--audio", help="your own piece of music")
    parser.add_argument("--genre", help="genre of the music (default house)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args(arguments)
    print_table(run_demo(options.out, options.motion, options.audio, options.genre, options.seed, options.device))
    return 0


if __name__ == "__main__":
    sys.exit(main())
