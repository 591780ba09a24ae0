"""`python -m models.lab.genre_examples`: a few seconds of music for each genre, made by the shipped models.

Writes core/assets/genres/<system>/<genre>.ogg for each system that makes sound from motion and has a genre: the dance
of core/assets at the tempo that is usual for the genre, default settings, the seed given. The panel plays them.
"""
import argparse
import sys
from pathlib import Path

import numpy as np

from core.audio.resample import resample
from core.contract import files
from core.contract import systems as registry
from core.errors import command
from core.pipelines import open_pipeline
from core.pipelines.base import genre_tempo

ASSETS = Path(__file__).resolve().parents[2] / "core" / "assets"
SECONDS, SEED, RATE = 6.0, 3, 32_000
QUALITY = 0.8                   # of Vorbis, 0 best to 1 smallest


def with_examples():
    """The systems that can be heard: sound from motion, by genre."""
    return [system for system in registry.systems().values() if system.direction.name == "to_sound"
            and "genre" in system.settings and system.settings["genre"].raw.get("items_from") == "genres"]


def genres(system):
    """Slugs of a system's genres, without the choice to leave it to the model."""
    return [item.id for item in system.settings["genre"].items if item.value]


def make(system, out, only=(), seed=SEED, device="auto"):
    """Write the examples of a system into the folder `out`; yields each path."""
    from core.motion_files import read_motion
    dance = read_motion(ASSETS / "demo_dance.npz")
    dance = dance.slice(0, int(SECONDS * dance.fps))
    pipeline = open_pipeline(system.name, None, device, print)
    for genre in genres(system):
        if only and genre not in only:
            continue
        result = pipeline.generate(dance, genre=genre, tempo=genre_tempo(genre), seed=seed)
        yield write(Path(out) / f"{genre}.ogg", result.audio)


def write(path, samples):
    """(2, N) samples at 48 kHz as Ogg Vorbis with a short fade; the file is there whole or not at all."""
    import soundfile
    samples = resample(samples, 48_000, RATE)
    fade = np.minimum(1.0, np.arange(samples.shape[1])[::-1] / (0.25 * RATE))
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as part:
        soundfile.write(str(part), (samples * fade).T, RATE, format="OGG", subtype="VORBIS", compression_level=QUALITY)
    return path


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.lab.genre_examples", description=__doc__.splitlines()[0])
    parser.add_argument("--out", default=str(ASSETS / "genres"))
    parser.add_argument("--system", help="one system alone (default: all)")
    parser.add_argument("--genre", action="append", default=[], help="one genre alone; may be repeated")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args(arguments)
    for system in with_examples():
        if options.system in (None, system.name):
            for path in make(system, Path(options.out) / system.name, options.genre, options.seed, options.device):
                print(f"{path} {path.stat().st_size / 1000:.0f} kB", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
