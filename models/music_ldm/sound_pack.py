"""Studio dance music that travels: short stereo excerpts in one small file, for training the vocoder on a rented card.

    python -m models.music_ldm.sound_pack FILE.zip [--clips 134] [--valid 10] [--seconds 6] [--first-seed 300000] [--jobs 2]

Each excerpt is one seed's, the ten genres in turn, from a random place of a 10 s piece, brought to the level the model
hears (`core.audio.mel.levelled`) and coded as Opus at about 140 kbit/s. Reading needs numpy, scipy and `soundfile`; making
also the studio.
"""
import argparse
import io
import json
import os
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np

from core.contract.files import replacing, write_text
from core.errors import BadInput
from models.music_ldm.vocoder import RATE

CODED_RATE = 48_000             # what Opus is defined at
COMPRESSION = 0.75              # libsndfile's scale: 17.5 kB/s; bands within 0.05 dB to 14 kHz, 0.3 dB to 20 kHz
PEAK = 0.7                      # of the coded samples
PIECE = 10.0                    # seconds of a composed piece
TRIM = 0.03                     # seconds left out at both ends: the codec's and the resampler's edges
INDEX = "items.json"


def excerpt(task):
    """(meta, Opus bytes) of one seed, kept in `parts` so that a making that was stopped goes on.
    task: (seed, split, seconds, parts)."""
    from core.audio import Audio
    from core.audio.mel import levelled
    from models.lab.studio.build import item_plan
    from models.lab.studio.music import compose, render
    seed, split, seconds, parts = task
    os.environ["OMP_NUM_THREADS"] = "1"
    done = Path(parts) / f"{seed:06d}.json"
    if done.exists():
        return json.loads(done.read_text(encoding="utf-8")), done.with_suffix(".ogg").read_bytes()
    plan = item_plan("dance", seed, PIECE, True)
    audio = Audio(render(compose(plan), plan, rate=CODED_RATE), CODED_RATE)
    _, gain = levelled(audio.resampled(RATE // 2).mono())
    start = float(np.random.default_rng([seed, 5]).uniform(0.5, PIECE - seconds - 0.2))
    cut = audio.slice(start, start + seconds).samples * gain
    scale = float(np.abs(cut).max()) / PEAK or 1.0
    meta, data = {"id": f"dance-{seed:06d}", "split": split, "genre": plan.genre, "scale": scale}, encode(cut / scale)
    done.with_suffix(".ogg").write_bytes(data)
    write_text(done, json.dumps(meta))
    return meta, data


def encode(samples):
    """(2, N) float at 48 kHz -> Opus in Ogg."""
    import soundfile
    buffer = io.BytesIO()
    soundfile.write(buffer, np.asarray(samples, np.float32).T, CODED_RATE, format="OGG", subtype="OPUS",
                    compression_level=COMPRESSION)
    return buffer.getvalue()


def decode(data):
    """Inverse of `encode`, at 44,100 Hz: (2, M) float32, ends trimmed. By FFT, as the device has no resampler."""
    import soundfile
    from scipy.fft import irfft, rfft
    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    count = len(samples) // 160 * 160
    spectrum = rfft(samples[:count].T, axis=1)
    wanted = count * RATE // rate
    out = irfft(spectrum[:, :wanted // 2 + 1] * np.float32(wanted / count), wanted, axis=1)
    edge = int(TRIM * RATE)
    return out[:, edge:-edge].astype(np.float32)


def write_pack(path, items):
    """Write [(meta, Opus bytes)] as one file, whole or not at all; returns its bytes."""
    items = list(items)
    if not items:
        raise BadInput("A pack of no sound is of no use; ask for some excerpts.")
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for meta, data in items:
            archive.writestr(meta["id"] + ".ogg", data)
        archive.writestr(INDEX, json.dumps([meta for meta, _ in items]))
    return Path(path).stat().st_size


def read_pack(path, split):
    """[(meta, (2, N) float32 left and right at 44,100 Hz, at the model's level)] of one split. Raises BadInput."""
    try:
        with zipfile.ZipFile(path) as archive:
            metas = [meta for meta in json.loads(archive.read(INDEX)) if meta["split"] == split]
            coded = [archive.read(meta["id"] + ".ogg") for meta in metas]
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        raise BadInput(f"{path} is no pack of sound ({error}); make one with models.music_ldm.sound_pack.") from error
    if not metas:
        raise BadInput(f"{path} holds no sound of split {split}; make it anew.")
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        sounds = list(pool.map(decode, coded))
    return [(meta, sound * np.float32(meta["scale"])) for meta, sound in zip(metas, sounds)]


def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.music_ldm.sound_pack", description=__doc__.split("\n")[0])
    parser.add_argument("file")
    parser.add_argument("--clips", type=int, default=134)
    parser.add_argument("--valid", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--first-seed", type=int, default=300_000)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args(arguments)
    parts = Path(options.file).with_suffix(".parts")
    parts.mkdir(parents=True, exist_ok=True)
    tasks = [(options.first_seed + number, "train", options.seconds, parts) for number in range(options.clips)]
    tasks += [(800_000 + number, "valid", options.seconds, parts) for number in range(options.valid)]
    from models.lab.studio.shard_jobs import run_tasks
    made = []
    if options.jobs > 1:
        import multiprocessing
        with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
            made = pool.map(excerpt, tasks, chunksize=2)
    else:
        def one(task):
            made.append(excerpt(task))
            return options.seconds
        run_tasks(one, tasks, 1, "sound", len(tasks) * options.seconds)
    size = write_pack(options.file, made)
    shutil.rmtree(parts)
    print(f"{options.file}: {len(made)} excerpts, {len(made) * options.seconds / 60:.1f} minutes, {size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
