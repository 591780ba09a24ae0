"""The readers of sound, beats and bone maps that are given damaged input, as in `motion_readers.py`."""
import json
from types import SimpleNamespace

import numpy as np

from tests.faults import mutate
from tests.faults.motion_readers import small_motion

# ---------------------------------------------------------------------------------------------- sound


def sound(folder):
    """Bytes of sound files of several kinds, and what a strip asks of them."""
    import librosa
    import soundfile

    from core.audio import decode  # noqa: F401  and what it falls back to is imported once, not in every trial
    assert librosa.load

    time = np.arange(22050) / 22050
    wave = np.stack([0.3 * np.sin(2 * np.pi * 220 * time), 0.2 * np.sin(2 * np.pi * 330 * time)], 1)
    plain = {}
    for suffix in ("wav", "flac", "ogg", "mp3", "aiff"):
        soundfile.write(folder / f"s.{suffix}", wave, 22050)
        plain[suffix] = (folder / f"s.{suffix}").read_bytes()
    numbers = (None, 0, -1, 1e9, 1e-9, float("nan"), float("inf"), -5, 0.4, "x", [], 30000, True, 1e308, 10**400, {})

    def make(rng):
        from core.worker.inputs import read_sound

        suffix = rng.choice(list(plain))
        path, options = folder / f"damaged.{suffix}", {}
        said, data = "whole", plain[suffix]
        if rng.random() < 0.65:
            said, data = mutate.damage_bytes(rng, data[: rng.choice((len(data), 200))] if rng.random() < 0.1 else data)
        if rng.random() < 0.5:
            for name in rng.sample(("start", "speed", "duration"), rng.choice((1, 2))):
                options[name] = rng.choice(numbers)
            said += f" {options}"

        def read():
            path.write_bytes(data)
            return read_sound(SimpleNamespace(params={"audio": str(path), **options}, kind="beats"))

        return f"{suffix} {said[:120]}", read

    return make


# ---------------------------------------------------------------------------------------------- JSON


def beats(folder):
    """Beats as text and JSON, in files and in messages."""
    whole = {
        "times": [0.5, 1.0, 1.5, 2.0],
        "positions": [1, 2, 3, 4],
        "metre": 4,
        "tempo_bpm": 120.0,
        "confidence": 0.9,
    }
    text = "0.5 1\n1.0 2\n1.5 3\n2.0 4\n# end\n"

    def make(rng):
        from core.rhythm.beats import read_beats
        from core.worker import inputs

        path, kind = folder / "beats.txt", rng.choice(("text", "json", "message", "bytes", "json"))
        if kind == "message":
            said, value = mutate.damage_value(rng, whole)
            return said, lambda: _used(inputs.read_beats(SimpleNamespace(params={"beats": value}, kind="generate")))
        if kind == "json":
            said, value = mutate.damage_value(rng, whole)
            data = mutate.dumps(value).encode()
        else:
            said, data = (
                mutate.damage_text(rng, text)
                if kind == "text"
                else mutate.damage_bytes(rng, json.dumps(whole).encode())
            )
            data = data.encode() if isinstance(data, str) else data

        def read():
            path.write_bytes(data)
            return _used(read_beats(path))

        return f"{kind} {said}", read

    return make


def _used(found):
    """What everybody does with beats: curves, levels, JSON."""
    if found is not None:
        from core.rhythm.beats import rhythm_curve

        json.dumps(found.to_json(), allow_nan=False)
        json.dumps(found.within(0, 10).double_time().half_time().to_json())
        rhythm_curve(found.times, found.downbeats, 300)
    return found


def bone_map(folder):
    """Bone maps as the panel saves them and as plain JSON, used on a BVH."""
    from core.contract import JOINTS
    from core.motion_files import write_bvh

    write_bvh(folder / "for_map.bvh", small_motion())
    rows = {
        "format": 1,
        "bones": [{"joint": joint, "bone": joint, "confidence": 1.0, "how": "user"} for joint in JOINTS],
    }
    plain = {joint: joint for joint in JOINTS}

    def make(rng):
        from core.motion_files import read_motion
        from core.retarget import bonemap

        path = folder / "map.json"
        said, value = mutate.damage_value(rng, rng.choice((rows, plain)))
        data = mutate.dumps(value).encode()
        if rng.random() < 0.25:
            more, data = mutate.damage_bytes(rng, data)
            said += ", " + more
        if rng.random() < 0.05:
            said, data = "deep", b'{"bones":' * 100000

        def read():
            path.write_bytes(data)
            return read_motion(folder / "for_map.bvh", bone_map=bonemap.to_map(bonemap.load(path)))

        return said, read

    return make
