"""Music made to recorded motion: real clips become pairs. `python -m models.lab.studio.build --motion DIR`.

A clip's beats are estimated from the body (kinematic_beats.py), a passage is mirrored, time-warped by up to 12 % and
given music of a drawn genre at those beats. `beat_confidence` says how far the beats can be trusted.
"""
import dataclasses
from functools import lru_cache
from pathlib import Path

import numpy as np

from core.body.motion import Motion
from core.contract import GENRES, MOTION_FILES
from core.errors import BadInput
from models.lab.loaders.captures import (
    FRAME_RATES,
    TEST_CLIPS,
    capture_files,
    facts_of,
    file_hash,
    on_the_floor,
    upright,
)
from models.lab.loaders.captures import clip_of as clip_name
from models.lab.studio.kinematic_beats import SALSA, motion_beats, pattern_beats
from models.lab.studio.plan import Section, make_plan
from models.lab.studio.shard_jobs import PER_SHARD, is_complete, plan_arrays, run_tasks
from models.training.shards import AUDIO_RATE, pack_audio, pack_motion, write_shard

# What is known of the public releases: tempo range, partners, steps.
RELEASES = {"cmu_salsa": {"bpm": (145.0, 200.0), "partner": 15, "pattern": SALSA}}
# Recordings that are not dances: their beats are hardly worth the name.
NOT_DANCES = {"cmu_martial": 0.3}
SHORTEST = 6.0              # s
WARP = 0.12


def train_clips(folder):
    """The motion files under a folder that may be trained on, sorted. Raises BadInput when there are none."""
    paths = [path for path in capture_files(folder) if clip_name(path) not in TEST_CLIPS]
    if not paths:
        raise BadInput(f"No motion clips ({', '.join(MOTION_FILES)}) but test recordings lie under {folder}; give "
                       f"others.")
    return paths


@lru_cache(maxsize=64)
def read_clip(path):
    """`Motion` of a file at 30 fps, standing on the floor; cached, for several passages come from one clip."""
    fps = facts_of(path).get("fps") or FRAME_RATES.get(clip_name(path)[0])
    return on_the_floor(upright(path, fps)).resampled(30.0)


@lru_cache(maxsize=64)
def clip_beats(path):
    """Estimated `Beats` of a clip; the partner of a couple, when there, is heard too."""
    folder, name = clip_name(path)
    known = RELEASES.get(folder, {})
    partner = None
    if name.isdigit() and "partner" in known:
        for other in (int(name) + known["partner"], int(name) - known["partner"]):
            candidate = Path(path).with_name(Path(path).name.replace(name, f"{other:02d}", 1))
            if candidate.exists() and clip_name(candidate) not in TEST_CLIPS:
                partner = read_clip(str(candidate))
    if "pattern" in known:
        beats = pattern_beats(read_clip(path), partner, known["pattern"], known["bpm"])
    else:
        beats = motion_beats(read_clip(path), partner)
    return dataclasses.replace(beats, confidence=beats.confidence * NOT_DANCES.get(folder, 1.0))


def passage(path, seed, seconds):
    """(motion, beats, notes): a passage of a clip, drawn from the seed: place, mirror, time-warp."""
    rng = np.random.default_rng([seed, *b"real"])
    motion, beats = read_clip(path), clip_beats(path)
    warp = float(rng.uniform(1 - WARP, 1 + WARP))
    mirror = bool(rng.random() < 0.5)
    motion = Motion(motion.rotations, motion.root, motion.fps * warp).resampled(30.0)
    beats = dataclasses.replace(beats, times=beats.times / warp)
    if mirror:
        motion = motion.mirrored()
    frames = min(len(motion), int(round(seconds * 30)))
    first = int(rng.integers(len(motion) - frames + 1))
    notes = {"clip": "/".join(clip_name(path)), "start": round(first / 30 * warp, 3), "warp": round(warp, 4),
             "mirror": mirror, "sha256": file_hash(path)}
    return motion.slice(first, first + frames).canonical(), beats.within(first / 30, (first + frames) / 30), notes


def energies(motion, times):
    """(B,) 0..1 loudness that follows the body: mean joint speed over each beat, ranked within wide fixed bounds."""
    positions = motion.positions()
    speed = np.linalg.norm(np.diff(positions - positions[:, :1], axis=0), axis=-1).mean(1) * motion.fps
    # Speeds lie between frames, one fewer than these: a beat on the last frame takes the last speed.
    bounds = (np.append(times, motion.duration) * motion.fps).astype(int)
    first = np.clip(bounds[:-1], 0, len(speed) - 1)
    level = [speed[a:max(b, a + 1)].mean() for a, b in zip(first, bounds[1:])]
    return np.clip(0.2 + 0.75 * np.array(level) / 0.9, 0.1, 0.95)


def real_plan(motion, beats, seed):
    """A dance plan at the clip's beats, in a drawn genre, whose energy follows the body eight beats at a time."""
    rng = np.random.default_rng([seed, *b"genre"])
    plan = make_plan("dance", seed, genre=GENRES[int(rng.integers(len(GENRES)))], duration=motion.duration, beats=beats)
    level = energies(motion, plan.times)
    sections, dynamics = [], np.empty(len(level))
    start = int(np.flatnonzero(plan.positions == 1)[0]) if np.any(plan.positions == 1) else 0
    edges = sorted({0, *range(start, len(level), 8), len(level)})
    for first, last in zip(edges[:-1], edges[1:]):
        energy = float(level[first:last].mean())
        dynamics[first:last] = energy
        sections.append(Section(first, last, "break" if energy < 0.3 else "groove", energy))
    return dataclasses.replace(plan, sections=tuple(sections), dynamics=dynamics)


def make_real_item(path, seed, seconds=24.0, audio=True):
    """(meta, arrays) of one passage of a real clip with music made to it."""
    motion, beats, notes = passage(path, seed, seconds)
    plan = real_plan(motion, beats, seed)
    arrays = {**pack_motion(motion), **plan_arrays(plan)}
    if audio:
        from models.lab.studio.music import compose, render
        arrays["audio"] = pack_audio(render(compose(plan), plan, rate=AUDIO_RATE))
    folder, name = clip_name(path)
    meta = {"id": f"{folder}-{name}-{seed:06d}", "kind": "dance", "split": "train", "seed": seed, "genre": plan.genre,
            "metre": plan.metre, "bpm": round(plan.bpm, 3), "duration": motion.duration,
            "source": "cmu" if folder.startswith("cmu_") else "own", "beat_confidence": round(beats.confidence, 3),
            "lead": 0.0, **notes}
    return meta, arrays


def make_real_shard(task):
    """Write one shard of real passages; returns the seconds in it."""
    items = [make_real_item(path, seed, task["duration"], task["audio"])
             for path, seed in zip(task["paths"], task["seeds"])]
    write_shard(task["path"], items)
    return sum(meta["duration"] for meta, _ in items)


def build_real(folder, out, *, hours=1.0, first_seed=0, seconds=24.0, audio=True, jobs=2):
    """Make the missing shards of music to the clips under `folder`, all clips in turn; returns the number written."""
    paths = [str(p) for p in train_clips(folder) if read_clip(str(p)).duration >= SHORTEST]
    count = max(1, int(np.ceil(hours * 3600 / seconds)))
    # Items of one clip lie together, so that a process reads few clips.
    order = sorted(range(count), key=lambda number: number % len(paths))
    tasks = []
    for start in range(0, count, PER_SHARD):
        picked = order[start:start + PER_SHARD]
        tasks.append({"paths": [paths[n % len(paths)] for n in picked], "seeds": [first_seed + n for n in picked],
                      "audio": audio, "duration": seconds,
                      "path": str(Path(out) / f"real-train-{first_seed + start:06d}.safetensors")})
    todo = [task for task in tasks if not is_complete(task)]
    run_tasks(make_real_shard, todo, jobs, "real train", sum(len(t["seeds"]) for t in todo) * seconds)
    return len(todo)
