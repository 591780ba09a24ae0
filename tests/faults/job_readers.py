"""The readers of a job's folder, of stored recipes and of options that are given damaged input, as in
`motion_readers.py`."""
import json
from types import SimpleNamespace

import numpy as np

from tests.faults import mutate
from tests.faults.motion_readers import small_motion


def _job_folder(folder):
    """rig.json's content with poses and times, of the canonical skeleton as a BVH rig."""
    from core.motion_files import write_bvh
    from core.motion_files.bvh import bvh_rig
    from core.motion_files.bvh_text import parse_bvh

    write_bvh(folder / "rig.bvh", small_motion())
    rig, poses = bvh_rig(parse_bvh((folder / "rig.bvh").read_bytes()))
    bones = [
        {
            "name": name,
            "parent": rig.names[rig.parents[n]] if rig.parents[n] >= 0 else None,
            "head": rig.rest[n, :3, 3].tolist(),
            "tail": rig.tails[n].tolist(),
            "matrix_local": rig.rest[n].tolist(),
        }
        for n, name in enumerate(rig.names)
    ]
    data = {"bones": bones, "matrix_world": rig.matrix_world.tolist(), "fps": 24.0, "bone_map": rig.bone_map}
    return data, poses.astype(np.float32), np.arange(len(poses)) / 30.0


def _write_job(folder, data, poses, times):
    folder.mkdir(exist_ok=True)
    (folder / "rig.json").write_text(data if isinstance(data, str) else mutate.dumps(data))
    np.save(folder / "pose.npy", poses)
    np.save(folder / "times.npy", times)


def rig(folder):
    """The job's folder: rig.json, pose.npy and times.npy."""
    whole = _job_folder(folder)

    def make(rng):
        from core.worker.inputs import read_motion

        data, poses, times = whole
        kind, place = rng.choice(("rig", "rig", "rig", "poses", "times", "bytes")), folder / "job"
        said = ""
        if kind == "rig":
            said, data = mutate.damage_value(rng, data)
        elif kind in ("poses", "times"):
            said, damaged = mutate.damage_array(rng, poses if kind == "poses" else times)
            poses, times = (damaged, times) if kind == "poses" else (poses, damaged)

        def read():
            _write_job(place, data, poses, times)
            if kind == "bytes":
                name = rng.choice(("rig.json", "pose.npy", "times.npy"))
                (place / name).write_bytes(mutate.damage_bytes(rng, (place / name).read_bytes())[1])
            return read_motion(SimpleNamespace(params={}, kind="beats", folder=place, log=lambda level, text: None))

        return f"{kind} {said}", read

    return make


# ---------------------------------------------------------------------------------------------- recipes, options


def recipe(folder):
    """What a take remembers of how it was made, and what Redo asks."""
    from core.contract import recipes

    request = {
        "system": "conductor",
        "rig": "Dancer",
        "params": {
            "guidance_scale": 1.5,
            "steps": "normal",
            "seed": 3,
            "variations": 1,
            "tempo": "auto",
            "bpm": None,
            "metre": "auto",
        },
        "own": {"blend_seconds": 0.5, "reduce_keys": False},
        "strip": "Piece",
        "strip_scene": "Scene",
        "others": [],
        "keep": {"frames": [1, 50], "stays": "inside"},
    }
    sound = {
        "system": "music_ldm",
        "rig": "Dancer",
        "params": {"genre": "house", "seed": 1, "variations": 2, "tempo": "markers"},
        "own": {"range": "ACTION"},
        "first": 1.0,
        "duration": 4.0,
        "fps": 30.0,
        "beats": {"times": [0.0, 0.5, 1.0], "positions": [1, 2, 3], "metre": 4},
        "keep": {"file": "x.wav", "start": 1.0, "stop": 2.0},
    }
    brought = {
        "kind": "import",
        "rig": "Dancer",
        "first": 1,
        "own": {"blend_seconds": 0.0},
        "params": {"motion": "a.bvh", "fps": None},
    }
    old = {
        "kind": "music",
        "rig": "Dancer",
        "first": 1,
        "duration": 2.0,
        "fps": 30,
        "params": {"genre": "house", "seed": 1},
    }

    def make(rng):
        said, value = mutate.damage_value(rng, rng.choice((request, sound, brought, old)))
        text = mutate.dumps(value)
        if rng.random() < 0.2:
            more, data = mutate.damage_bytes(rng, text.encode())
            said, text = f"{said}, {more}", data.decode("utf-8", "replace")
        if rng.random() < 0.04:
            said, text = "deep", "[" * 200000

        def read():
            try:
                return recipes.read_request(text)
            except recipes.Refused as error:
                from core.errors import BadInput

                raise BadInput(str(error)) from error

        return said, read

    return make


class _Reached(Exception):
    """The options have been read: the model would come next."""


def options(folder):
    """Params of the jobs `generate`, `retarget` and `bonemap`, as messages carry them, up to where a network would be
    opened."""
    from core.motion_files import write_bvh
    from core.worker import jobs
    from core.worker.generate import generate

    whole = _job_folder(folder)
    _write_job(folder / "job", *whole)
    write_bvh(folder / "o.bvh", small_motion())
    import soundfile

    soundfile.write(folder / "o.wav", 0.1 * np.sin(np.arange(48000 * 3) / 30), 48000)
    asked = {
        "generate": (
            {
                "system": "music_ldm",
                "settings": {
                    "genre": "house",
                    "seed": 1,
                    "steps": "draft",
                    "variations": 1,
                    "tempo": "auto",
                    "bpm": None,
                    "loop": False,
                },
                "duration": 1.4,
                "beats": {"times": [0.1, 0.6, 1.1], "positions": [1, 2, 3], "metre": 4},
                "keep": {"file": str(folder / "o.wav"), "start": 0.2, "stop": 1.0},
                "device": "cpu",
            },
            {
                "system": "conductor",
                "settings": {"seed": 1, "metre": "3", "blend_seconds": 0.5},
                "audio": str(folder / "o.wav"),
                "start": 0.0,
                "speed": 1.0,
                "duration": 1.4,
                "keep": {"start": 0.2, "stop": 1.0, "stays": "inside"},
                "place": "rig",
            },
        ),
        "retarget": (
            {
                "motion": str(folder / "o.bvh"),
                "fps": 30,
                "place": "rig",
                "in_place": False,
                "plant_feet": True,
                "mirror": False,
                "blend_in": 0.3,
                "blend_out": 0.0,
                "fingers": "relaxed",
                "start": 0.0,
                "duration": 1.0,
                "up": "auto",
            },
        ),
        "bonemap": ({"device": "cpu"},),
    }

    def make(rng):
        kind = rng.choice(("generate", "generate", "generate", "retarget", "bonemap"))
        said, params = mutate.damage_value(rng, rng.choice(asked[kind]))

        def read():
            from core import pipelines
            from core.errors import BadInput

            pipelines.open_pipeline = _opened
            if not isinstance(params, dict):
                raise BadInput("The job's params are not a JSON object.")  # the server says so
            function = (
                generate
                if kind == "generate"
                else getattr(jobs, kind).__wrapped__
                if hasattr(getattr(jobs, kind), "__wrapped__")
                else getattr(jobs, kind)
            )
            context = SimpleNamespace(
                kind=kind,
                params=params,
                folder=folder / "job",
                progress=lambda *a, **k: None,
                log=lambda *a: None,
                should_cancel=lambda: False,
                check_cancel=lambda: None,
            )
            try:
                return json.dumps(function(context), allow_nan=False)
            except _Reached:
                return None

        return f"{kind} {said}", read

    return make


def _opened(name, folders=None, device="auto", notify=None):
    from core import pipelines
    from core.pipelines.base import check_seconds, checked, read_media

    system = pipelines.find(name)

    def generate_variations(
        condition=None,
        *,
        duration=None,
        beats=None,
        keep=None,
        performers=1,
        source=None,
        progress=None,
        should_cancel=None, on_first=None,
        **params,
    ):
        values = read_media(system, checked(system, params))
        frame = pipelines.frame_of(system) if hasattr(pipelines, "frame_of") else None
        if frame is not None:
            condition, duration = frame._condition(SimpleNamespace(system=system), condition, duration, values)
            check_seconds(system, duration)
        raise _Reached

    return SimpleNamespace(generate_variations=generate_variations)
