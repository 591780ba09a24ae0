"""`python -m models.lab.demo --out DIR`: both main jobs on one command, without Blender; `build.py demo` adds the .blend.

Writes music.wav for a dance, conductor.bvh for a piece, both motions as BVH and npz, preview.png and demo.json.
"""
import argparse
import json
import shutil
import sys
import time
from pathlib import Path

from core.errors import BadInput, BatonError

ASSETS = Path(__file__).resolve().parents[2] / "core" / "assets"
DANCE, PIECE = ASSETS / "demo_dance.npz", ASSETS / "demo_piece.ogg"
MAX_SECONDS = 40.0


def _job(name, condition, device, seed, **settings):
    from core.cli import common
    from core.pipelines import open_pipeline
    began = time.perf_counter()
    bar = common.Bar()
    result = open_pipeline(name, None, device, common.say).generate_variations(
        condition, seed=seed, guidance_scale=None, steps=None, variations=1, progress=bar, **settings)[0]
    bar.close()
    return result, time.perf_counter() - began


def run_demo(out, motion=None, audio=None, genre=None, seed=7, device="auto"):
    """Make everything in `out` and return the summary that demo.json holds. Raises BatonError with one sentence."""
    from core.audio.io import read_audio, write_wav
    from core.motion_files import read_motion, write_bvh, write_npz
    from models.lab.preview import draw_preview
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"The folder {out} cannot be made: {error}.") from error
    dance = read_motion(motion or DANCE, duration=None)
    dance = dance.slice(0, int(MAX_SECONDS * dance.fps))
    music, music_wall = _job("music", dance, device, seed, genre=genre or "house", source={"motion": str(motion or DANCE.name)})
    piece = read_audio(audio or PIECE, duration=None)
    piece = piece.slice(0.0, min(piece.duration, MAX_SECONDS))
    conducted, conduct_wall = _job("conduct", piece, device, seed, source={"audio": str(audio or PIECE.name)})
    write_wav(out / "music.wav", music.audio)
    piece_copy = out / f"piece{Path(audio or PIECE).suffix}"
    shutil.copyfile(audio or PIECE, piece_copy)
    for name, made in (("dance", dance), ("conductor", conducted.motion)):
        write_bvh(out / f"{name}.bvh", made)
        write_npz(out / f"{name}.npz", made)
    draw_preview(out / "preview.png", [
        {"title": f"Music for the dance ({music.recipe['settings'].get('genre')})", "audio": music.audio, "rate": 48_000,
         "motion": dance, "body_beats": music.body_beats, "music_beats": music.music_beats,
         "alignment": music.alignment},
        {"title": "Conductor for the piece", "audio": piece.samples, "rate": piece.rate, "motion": conducted.motion,
         "body_beats": conducted.body_beats, "music_beats": conducted.music_beats,
         "alignment": conducted.alignment}])
    rows = [("music for the dance", music, music_wall, "music.wav"), ("conductor for the piece", conducted, conduct_wall,
                                                                     "conductor.bvh")]
    summary = {"rows": [{"what": what, "file": file, "seconds": round(result.seconds, 2), "wall": round(wall, 2),
                         "realtime_factor": round(result.seconds / wall, 2), "device": result.device,
                         "tempo_bpm": round(result.beats.tempo_bpm, 1) if result.beats is not None else None,
                         "alignment": result.alignment} for what, result, wall, file in rows],
               "piece": piece_copy.name}
    (out / "demo.json").write_text(json.dumps(summary, indent=1), encoding="utf-8")
    return summary


def print_table(summary):
    """The short table of what was made and how fast."""
    print(f"{'made':26} {'file':16} {'length':>8} {'took':>8} {'x real time':>12} {'tempo':>7}  alignment (chance)")
    for row in summary["rows"]:
        found = row["alignment"] or {}
        print(f"{row['what']:26} {row['file']:16} {row['seconds']:7.1f}s {row['wall']:7.1f}s {row['realtime_factor']:12.1f} "
              f"{row['tempo_bpm'] or 0:7.1f}  {found.get('score', 0):.2f} ({found.get('chance', 0):.2f})")


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
    try:
        print_table(run_demo(options.out, options.motion, options.audio, options.genre, options.seed, options.device))
    except BatonError as error:
        print(f"\n{error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
