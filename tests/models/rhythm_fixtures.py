"""Bodies and drums on a known grid of beats, and a corpus of them in shards."""

import numpy as np
import pytest
from once import once

from core.body.motion import Motion, rest_motion
from core.body.rotations import axis_angle_to_matrix
from models.training.shards import pack_motion, write_shard


def bouncing(times, seconds, seed=0):
    """A person who dips the knees on each beat and swings the arms over two."""
    rng = np.random.default_rng(seed)
    frames = int(seconds * 30)
    motion = rest_motion(frames)
    clock = np.interp(np.arange(frames) / 30, times, np.arange(len(times)))
    dip = 0.5 + 0.5 * np.cos(2 * np.pi * clock)
    angles = np.zeros((frames, 24, 3), dtype=np.float32)
    angles[:, [4, 5], 0] = (0.5 * dip)[:, None]
    angles[:, [1, 2], 0] = (-0.25 * dip)[:, None]
    angles[:, 16, 2] = -1.2 + 0.4 * np.cos(np.pi * clock)
    angles[:, 17, 2] = 1.2 + 0.4 * np.cos(np.pi * clock)
    angles += rng.normal(0, 0.01, angles.shape)
    root = motion.root.copy()
    root[:, 2] -= 0.08 * dip
    return Motion((motion.rotations @ axis_angle_to_matrix(angles)).astype(np.float32), root.astype(np.float32))


def drums(times, positions, seconds, seed=0, rate=48_000):
    rng = np.random.default_rng(seed)
    sound = 0.003 * rng.normal(size=int(seconds * rate))
    tail = np.arange(int(0.12 * rate)) / rate
    for time, position in zip(times, positions):
        hit = np.sin(2 * np.pi * (60 if position == 1 else 180) * tail) * np.exp(-tail * 30)
        first = int(time * rate)
        sound[first:first + len(hit)] += hit[:len(sound) - first]
    return sound


def grid(bpm, seconds, first=0.2):
    times = np.arange(first, seconds - 0.05, 60 / bpm)
    return times, np.arange(len(times)) % 4 + 1


@pytest.fixture(scope="module")
@once
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus") / "dance"
    rng, items = np.random.default_rng(0), []
    for number in range(10):
        times, positions = grid(rng.uniform(80, 140), 14)
        sound = np.clip(drums(times, positions, 14, number), -1, 1)
        arrays = {"audio": np.repeat((sound * 32767).astype(np.int16)[:, None], 2, axis=1),
                  "beats": np.stack([times, positions], 1).astype(np.float32),
                  **pack_motion(bouncing(times, 14, number))}
        items.append(({"id": str(number), "kind": "dance", "split": "train" if number < 8 else "valid" if number == 8
                       else "test",
                       "source": "studio", "beat_confidence": 1.0, "metre": 4}, arrays))
    write_shard(folder / "a.safetensors", items)
    return folder.parent
