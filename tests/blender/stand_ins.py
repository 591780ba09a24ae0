"""What a worker would answer, written by hand: jobs prepared on small scenes, with the files that they wait for."""
import numpy as np

from baton.blender_addon.flows.to_motion import ToMotion
from baton.blender_addon.flows.to_sound import ToSound
from baton.blender_addon.scene import strips
from baton.core.contract import systems
from tests.blender import scenes

BEATS = {"times": [0.5, 1.0, 1.5, 2.0], "positions": [1, 2, 3, 4], "metre": 4, "confidence": 1.0}


MUSIC, CONDUCTOR = systems.find("music_ldm"), systems.find("conductor")


def to_sound(context, rig, request=None):
    """A flow of the music system."""
    return ToSound(context, MUSIC, rig, request)


def to_motion(context, rig, scene, strip, request=None):
    """A flow of the conductor on a strip."""
    return ToMotion(context, CONDUCTOR, rig, request, (scene, strip))


def row(file, seed=1):
    return {"file": file, "recipe": {"system": "music_ldm", "settings": {"seed": seed}}, "beats": BEATS,
            "alignment": {"score": 0.8, "chance": 0.3}}


def prepare(job, folder):
    folder.mkdir(exist_ok=True)
    more = scenes.exhaust(job.prepare(folder))
    job.params.update(more or {})
    return job


def channels(folder, name="channels.npz", fps=30.0, seconds=2.0):
    times = np.arange(int(seconds * fps)) / fps
    angle = np.sin(times * 6)
    np.savez(folder / name, times=times, **{
        "rotation/right_elbow": np.stack([np.cos(angle / 2), np.sin(angle / 2), 0 * angle, 0 * angle], 1).astype("f4"),
        "location/pelvis": np.stack([0.1 * times, 0 * times, 0 * times], 1).astype("f4")})


def music(blender, tmp_path, variations=1):
    """A music job on a swaying rig, prepared; its folder holds the worker's would-be files."""
    rig = scenes.smpl_rig()
    scenes.sway(rig, 60)
    blender.context.scene.baton.music_ldm.variations = variations
    job = prepare(to_sound(blender.context, rig).job(), tmp_path / "job")
    for number in range(variations):
        scenes.write_wav(tmp_path / "job" / f"take_{number + 1}.wav", 2.0)
    return job, {"takes": [row(f"take_{n + 1}.wav", n + 1) for n in range(variations)]}


def conducting(blender, tmp_path, name="job", **settings):
    scene = blender.context.scene
    rig = blender.data.objects.get("Dancer") or scenes.smpl_rig()
    strip = strips.find(scene, "Piece") or strips.place(scene, scenes.write_wav(tmp_path / "p.wav", 2.0), "Piece",
                                                        21, 60)
    for key, value in settings.items():
        setattr(scene.baton.conductor, key, value)
    job = prepare(to_motion(blender.context, rig, scene, strip).job(), tmp_path / name)
    channels(tmp_path / name)
    return rig, job
