"""Recorded dances as a corpus: right frame rate, upright, on the floor, without glitches, with beats and a split.

The folder is that of corpus.md 3 (CMU Graphics Lab and others, one folder a release, `manifest.json` beside them); a
user's own folder is read the same way, as style "own". `python -m models.lab.loaders.captures FOLDER OUT` writes a flat
corpus (models/training/flat.py): one item a passage between glitches, at 30 and 60 fps.
"""
import argparse
import gzip
import hashlib
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d, minimum_filter1d

from core.body.motion import Motion
from core.body.rotations import geodesic, matrix_to_6d
from core.contract import MOTION_FILES, MOTION_SUFFIXES
from core.errors import BadInput, command
from core.motion_files import read_motion
from core.motion_files.bvh import bvh_rig
from core.motion_files.bvh_text import parse_bvh
from core.retarget import to_smpl
from core.rhythm.beats import Beats
from models.lab.studio.kinematic_beats import SALSA, STEPS, accent_curve, motion_beats
from models.training.flat import FlatWriter
from models.training.shards import ROTATION_SCALE

RATE = 60.0                       # Hz a capture is read at; 30 Hz is every second frame
DROPPED = 0.1                     # s at the start: recordings open with a T-pose and a blend out of it
SHORTEST = 2.0                    # s of a passage between glitches
MARGIN = 0.05                     # s left out on both sides of a glitch
SURE_SECONDS = 12.0               # of motion from which on a grid's strength says what it means
STYLES = {"cmu_salsa": "salsa", "cmu_indian": "indian", "cmu_breakdance": "break", "cmu_modern05": "modern",
          "cmu_mj131": "mj", "rokoko_sample": "rokoko", "cmu_martial": "martial"}
FRAME_RATES = {"cmu_salsa": 60.0}                                   # wrong in the files' headers
NOT_DANCES = {("cmu_martial", None), ("cmu_modern05", "005_01")}    # fights, and a walk
# Recordings for tests only (both partners of a couple), and those that choose between checkpoints.
TEST_CLIPS = {("cmu_salsa", "05"), ("cmu_salsa", "20"), ("cmu_salsa", "11"), ("cmu_salsa", "26"), ("cmu_indian", "07"),
              ("cmu_martial", "05")}
VALID_CLIPS = {("cmu_salsa", "12"), ("cmu_salsa", "27"), ("cmu_indian", "13"), ("cmu_modern05", "005_04"),
               ("cmu_modern05", "005_09")}
PARTNER = 15                      # salsa: clips N and N + 15 are one dance
VIDEO = {"rokoko_sample"}         # made from a video: its floor drifts, and is found again every `FLOOR_SECONDS`
FLOOR_SECONDS = 1.5


@dataclass(frozen=True)
class Capture:
    """motion at `RATE` Hz, whole; good: list of (first, last) frames between glitches; beats in the motion's
    seconds."""

    clip: tuple                   # (folder, name)
    style: str
    split: str                    # train, valid or test
    dance: bool
    motion: Motion
    good: list
    beats: Beats
    sha256: str


def clip_of(path):
    """(folder, name without suffixes): how this module names a recording."""
    return Path(path).parent.name, Path(path).name.split(".")[0]


def split_of(clip):
    """train, valid or test of a clip; partners of a couple lie in the same split."""
    return "test" if clip in TEST_CLIPS else "valid" if clip in VALID_CLIPS else "train"


def is_dance(clip):
    """False for recordings of something else."""
    return clip not in NOT_DANCES and (clip[0], None) not in NOT_DANCES


def capture_files(folder):
    """The motion files under a folder, sorted. Raises BadInput when there are none."""
    paths = sorted(p for p in Path(folder).rglob("*") if p.name.lower().endswith(MOTION_SUFFIXES))
    if not paths:
        raise BadInput(f"No motion files ({', '.join(MOTION_FILES)}) lie under {folder}; give a folder that holds "
                       f"some.")
    return paths


def facts_of(path):
    """What `manifest.json` beside the release says of a file: fps, bad_frames, label; {} when it says nothing."""
    manifest = Path(path).parent.parent / "manifest.json"
    if not manifest.exists():
        return {}
    return json.loads(manifest.read_text(encoding="utf-8")).get("/".join((Path(path).parent.name, Path(path).name)), {})


def read_capture(path, beats=True):
    """`Capture` of a file. beats False leaves them out (faster). Raises BadInput on a file that cannot be read."""
    clip, facts = clip_of(path), facts_of(path)
    fps = facts.get("fps") or FRAME_RATES.get(clip[0])
    motion = on_the_floor(upright(path, fps), drifting=clip[0] in VIDEO)
    skipped = int(round(DROPPED * RATE))
    bad = [np.array(pair) / (fps or RATE) for pair in facts.get("bad_frames", ())]
    motion = motion.slice(skipped, len(motion))
    good = between(motion, [pair - DROPPED for pair in bad])
    found = capture_beats(path, motion) if beats else Beats([], [])
    return Capture(clip, STYLES.get(clip[0], "own"), split_of(clip), is_dance(clip), motion, good, found,
                   file_hash(path))


def upright(path, fps=None):
    """`Motion` at `RATE` of a file."""
    path = Path(path)
    if ".bvh" not in path.name.lower():
        return read_motion(path, fps=fps).resampled(RATE)
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    bvh = parse_bvh(data, path.name)
    if fps:
        bvh = replace(bvh, frame_time=1.0 / fps)
    rig, poses = bvh_rig(bvh, None, path.name)
    return to_smpl(rig, poses, np.arange(len(poses)) * bvh.frame_time, fps=RATE)


def on_the_floor(motion, drifting=False):
    """The motion with its lowest toes on the floor (2 cm up, as at rest): recordings float or sink by a few
    centimetres.
    drifting: the floor is found anew every `FLOOR_SECONDS`, at the price of flattened long jumps."""
    root, low = motion.root.copy(), motion.positions()[:, [10, 11], 2].min(1)
    floor = np.percentile(low, 5)
    if drifting:
        width = int(FLOOR_SECONDS * motion.fps)
        floor = gaussian_filter1d(minimum_filter1d(low, width, mode="nearest"), width / 3, mode="nearest")
    root[:, 2] -= floor - 0.02
    return Motion(motion.rotations, root.astype(np.float32), motion.fps)


def between(motion, bad):
    """[(first, last)] frames of the passages of `SHORTEST` seconds and more without glitches.

    bad: list of (start, stop) seconds known to be wrong; jumps that no body makes are found here: a joint turning
    faster than 40 rad/s and back, or the body's centre faster than 8 m/s.
    """
    fps, count = motion.fps, len(motion)
    wrong = np.zeros(count, bool)
    for start, stop in bad:
        wrong[max(0, int((start - MARGIN) * fps)):max(0, int(np.ceil((stop + MARGIN) * fps)))] = True
    turning = geodesic(motion.rotations[1:], motion.rotations[:-1]).max(1) * fps
    moving = np.linalg.norm(np.diff(motion.root, axis=0), axis=-1) * fps
    width = int(MARGIN * fps)
    for frame in np.flatnonzero((turning > 40.0) | (moving > 8.0)):
        wrong[max(0, frame - width):frame + 2 + width] = True
    edges = np.flatnonzero(np.diff(np.concatenate([[True], wrong, [True]]).astype(int)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2]) if b - a >= SHORTEST * fps]


def capture_beats(path, motion):
    """`Beats` of a capture in the seconds of `motion` (which begins `DROPPED` seconds into the file).

    A grid in `NAME.beats.txt` beside the file is taken as it is, bars counted by the dance's step pattern; else the
    shipped network's steady grid of the body, with its strength as confidence, or the kinematic estimate where it finds
    none.
    """
    folder, name = clip_of(path)
    given = Path(path).with_name(f"{name}.beats.txt")
    if given.exists():
        times = np.loadtxt(given, ndmin=1) - DROPPED
        times = extended(times, motion.duration)
        return Beats(times, bar_positions(motion, times, SALSA), 4, 0.9)
    from models.rhythm.detect import detect_body_beats
    salsa = folder == "cmu_salsa"
    found = detect_body_beats(motion.resampled(30.0), mode="steady", usual=(145.0, 200.0) if salsa else None)
    if len(found) < 8:
        found = motion_beats(motion, bpm=(145.0, 200.0) if salsa else (70.0, 200.0))
        found = replace(found, confidence=min(found.confidence, 0.2))
    # A few seconds fit some grid or other; and what is no dance has no beat to find.
    trust = min(1.0, motion.duration / SURE_SECONDS) * (1.0 if is_dance(clip_of(path)) else 0.3)
    return replace(found, confidence=found.confidence * trust)


def extended(times, duration):
    """A steady grid (B,) continued at its median period over 0..duration."""
    period = float(np.median(np.diff(times)))
    before = times[0] - period * np.arange(int(times[0] / period), 0, -1)
    after = times[-1] + period * np.arange(1, int((duration - times[-1]) / period) + 1)
    times = np.concatenate([before, times, after])
    return times[(times >= 0) & (times < duration)]


def bar_positions(motion, times, pattern):
    """(B,) 1..4: counts of the 8-count step pattern (1 a step, < 0 a pause) at the phase that the feet fit best."""
    curve = accent_curve(motion.positions(), motion.fps, STEPS)
    level = np.array([curve[max(0, k - 3):k + 4].max(initial=0.0) for k in np.round(times * 60).astype(int)])
    index = np.arange(len(times))
    fit = [(level * pattern[(index - phase) % len(pattern)]).mean() for phase in range(len(pattern))]
    return (index - int(np.argmax(fit))) % 4 + 1


def file_hash(path):
    """sha256 of a file, for the card of a checkpoint trained with it."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def passages(capture):
    """[(meta, arrays)] of a capture: every passage between glitches, placed at the origin, as a flat corpus holds
    it."""
    folder, name = capture.clip
    out = []
    for number, (first, last) in enumerate(capture.good):
        motion = capture.motion.slice(first, last).canonical()
        beats = capture.beats.within(first / RATE, last / RATE)
        arrays = {}
        for fps, ending in ((30.0, ""), (RATE, "60")):
            one = motion.resampled(fps)
            turns = matrix_to_6d(one.rotations).reshape(-1, 144)
            arrays["rot6d" + ending] = np.round(turns * ROTATION_SCALE).astype(np.int16)
            arrays["root" + ending] = one.root.astype(np.float32)
        out.append(({"id": f"{folder}-{name}-{number}", "kind": "dance" if capture.dance else "motion",
                     "split": capture.split, "genre": None, "style": capture.style, "metre": 4,
                     "bpm": round(beats.tempo_bpm, 3), "duration": round(motion.duration, 4),
                     "source": "cmu" if folder.startswith("cmu_") else "rokoko" if capture.style == "rokoko" else "own",
                     "clip": f"{folder}/{name}", "start": round(first / RATE + DROPPED, 4), "sha256": capture.sha256,
                     "beats": [[round(float(t), 4), int(p)] for t, p in zip(beats.times, beats.positions)],
                     "beat_confidence": round(beats.confidence, 3), "lead": 0.0, "dance": capture.dance}, arrays))
    return out


def write_flat(folder, out):
    """Every capture under `folder` as a flat corpus in `out`, test recordings included under their split; returns the
    metas."""
    writer = FlatWriter(out)
    for path in capture_files(folder):
        for meta, arrays in passages(read_capture(path)):
            writer.add(meta, arrays)
    writer.close()
    return writer.items


@command
def main(arguments=None):
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="motion files, one folder a release")
    parser.add_argument("out", help="flat corpus to write")
    options = parser.parse_args(arguments)
    items = write_flat(options.folder, options.out)
    for split in ("train", "valid", "test"):
        mine = [item for item in items if item["split"] == split]
        print(f"{split}: {len(mine)} passages, {sum(item['duration'] for item in mine) / 60:.1f} minutes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
