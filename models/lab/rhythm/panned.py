"""Real scores whose players have places, for the network that hears who plays: `python -m models.lab.rhythm.panned OUT
--data DIR [--lieder DIR] --items N`.

Quartets and songs as models.lab.rhythm.corpus performs them, any ensemble, in a room, each part on a side of its own:
in half of the pieces as an orchestra sits (high parts left, low ones right), else anywhere. A flat corpus of `mel`
(T, 64), `side` (T, 16) and `players` (T, 2) uint8 (`models.conductor.device_data`); composers held out as there.
"""
import argparse
import hashlib
import multiprocessing
import sys
from pathlib import Path

import numpy as np

from core.errors import command
from models.conductor.focus import packed
from models.lab.rhythm.corpus import VALIDATION, composer_of, read_kept, score_files
from models.lab.studio.seating import YAW_OF_PAN, entries, focus_of
from models.training.flat import FlatWriter

RATE = 22_050
SEATS = (0.5, 0.18, -0.18, -0.5)        # pan of four parts, high to low, as an orchestra sits; left positive
MELODY_S = 3.0                          # s over which who has the melody is told
SPARE = 12                              # passages that are tried of a score


def draw_pans(count, rng):
    """(count,) pan of each part, left positive: as an orchestra sits, or anywhere."""
    if rng.random() < 0.5:
        places = np.interp(np.linspace(0, 1, max(count, 2)), np.linspace(0, 1, len(SEATS)), SEATS)[:count]
        return places * rng.uniform(0.6, 1.6)
    return rng.uniform(-0.9, 0.9, count)


def placed(parts, gains, pans, sounds, duration, rng, room_db=None):
    """(2, N) float32 at 22,050 Hz: parts [(onset, duration, pitch, velocity)] on their sides, in a room."""
    from models.lab.studio import effects
    from models.lab.studio.instruments import instruments
    samples = int(duration * RATE)
    stems = instruments(RATE).render([(sound, notes, 0.0) for sound, notes in zip(sounds, parts)], samples)
    dry = np.zeros((2, samples), np.float32)
    for stem, pan, gain in zip(stems, pans, gains):
        angle = np.pi / 4 * (1 - pan)               # of equal power, 0 wholly left
        dry += np.float32(gain) * np.outer([np.cos(angle), np.sin(angle)], stem.mean(0)).astype(np.float32)
    seconds = float(np.exp(rng.uniform(np.log(0.3), np.log(2.5))))
    room = effects.reverb(dry, effects.impulse_response(rng, RATE, seconds, float(rng.uniform(0.1, 0.6))))[:, :samples]
    mix = dry + np.float32(10 ** ((rng.uniform(-20, -4) if room_db is None else room_db) / 20)) * room
    return 0.7 * mix / (np.abs(mix).max() + 1e-9)


def melody_of(parts, yaws, duration):
    """[(seconds, yaw)]: in each stretch the highest part that plays through most of it."""
    starts, found = np.arange(0.0, duration, MELODY_S), []
    for start in starts:
        best = None
        for notes, yaw in zip(parts, yaws):
            inside = [(min(on + length, start + MELODY_S) - max(on, start), pitch) for on, length, pitch, _ in notes
                      if on < start + MELODY_S and on + length > start]
            span = sum(length for length, _ in inside)
            if span > 0.35 * MELODY_S:
                height = sum(length * pitch for length, pitch in inside) / span
                best = max(best or (-1.0, 0.0), (height, yaw))
        found.append((float(start), best[1] if best else found[-1][1] if found else 0.0))
    return found


def told(parts, gains, pans, duration):
    """(T, 3) of `models.conductor.focus` of a performance."""
    yaws = YAW_OF_PAN * np.asarray(pans)
    looks = [(start, 0.6, yaw) for start, yaw, _ in entries(list(zip(yaws, gains, parts)))]
    return focus_of(melody_of(parts, yaws, duration), looks, int(duration * 30))


def make_piece(task):
    """(meta, arrays) of one piece, or None where no passage could be performed. task: (number, data, lieder,
    scores)."""
    number, data, lieder, scores = task
    import torch
    torch.set_num_threads(1)
    from models.lab.rhythm.perform import perform_score
    from models.lab.rhythm.sound import orchestrate
    from models.lab.studio.conducted_flat import hear
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(f"panned-{number}".encode()).digest()[:8], "little"))
    song = bool(lieder) and number % 3 == 2
    paths = score_files(data, "train", lieder if song else None, quartets=not song)
    path = paths[(number * 7) % len(paths)]
    score = read_kept(path, scores)
    for _ in range(SPARE if score.bars else 0):
        played = perform_score(score, int(rng.integers(0, len(score.bars))), rng)
        if played is None or sum(map(len, played.parts)) < 40:
            continue
        _, layers = orchestrate(played, rng, wide=True, sung=song)
        layers = layers[:8]
        parts, sounds, gains = [notes for _, notes, _ in layers], [s for s, _, _ in layers], [g for _, _, g in layers]
        pans = draw_pans(len(parts), rng)
        target = told(parts, gains, pans, played.duration)
        arrays = hear(placed(parts, gains, pans, sounds, played.duration, rng), RATE)
        frames = min(len(target), len(arrays["mel"]))
        apart = "valid" if composer_of(path) in VALIDATION else "train"
        meta = {"id": f"panned-{number:05d}", "kind": "panned", "split": apart, "seed": number, "source": "render",
                "duration": frames / 30, "beat_confidence": 1.0}
        kept = {name: arrays[name][:frames] for name in ("mel", "side")}
        return meta, {**kept, "players": packed(target[:frames])}
    return None


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.lab.rhythm.panned", description=__doc__.split("\n")[0])
    parser.add_argument("out")
    parser.add_argument("--data", required=True, help="folder that holds music/openscore_quartets")
    parser.add_argument("--lieder", help="folder of the OpenScore Lieder Corpus")
    parser.add_argument("--items", type=int, default=400)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--scores", help="folder where parsed scores are kept")
    options = parser.parse_args(arguments)
    if options.scores:
        Path(options.scores).mkdir(parents=True, exist_ok=True)
    writer = FlatWriter(Path(options.out))
    tasks = [(number, options.data, options.lieder, options.scores)
             for number in range(options.first, options.first + options.items)]
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        for done, piece in enumerate(pool.imap(make_piece, tasks), 1):
            if piece is not None:
                writer.add(*piece)
            if done % 20 == 0:
                print(f"{done} of {len(tasks)}", flush=True)
    writer.close()
    print(f"{len(writer.items)} pieces in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
