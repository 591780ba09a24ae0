"""What a job is given: params over the defaults, rig and poses, a motion, a sound, beats.
Every refusal is one sentence."""
from core.contract import json_text
from core.contract import systems as registry
from core.contract.arrays import check_npy
from core.contract.files import reason
from core.errors import BadInput, reading
from core.worker.params import check

DEFAULTS = {"device": "auto", "checkpoints": None}       # what `python -m core worker` was told; a job's params win

EVERY = {"device", "checkpoints", "source"}
FROM_FILE = {"motion", "fps", "start", "duration", "bone_map", "smpl_models", "up", "root"}
SOUND = {"audio", "start", "speed", "duration"}
MOST_TIMES = 128 << 20      # bytes
RIG = {"in_place", "place", "blend_in", "blend_out", "plant_feet", "fingers"}


def params_of(context, known):
    """The job's params over the defaults; a name that means nothing here is a mistake worth a sentence."""
    return {**DEFAULTS, **check(context.kind, context.params, known | EVERY)}


def given(params, *names):
    """Those of the params that are there."""
    return {name: params[name] for name in names if name in params}


def warn(context):
    """notify(sentence) of a pipeline: a warning on its way to the panel."""
    return lambda sentence: context.log("warning", sentence)


def read_json(path):
    """A JSON file of the job folder."""
    try:
        return json_text.read(path, finite=False)
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else error
        raise BadInput(f"The job's {path.name} cannot be read ({why}); sample the rig again.") from error


def read_rig(context, folder=None):
    """(Rig, poses or None, times or None) of the job folder, or of one in it, for a motion to be put on.

    A rest that does not stand is laid out by the motion in its `own/`, where the add-on has left one.
    """
    from core.retarget.rig import read_job, rig_from_json
    from core.retarget.standing import target_rig
    folder = folder or context.folder
    if folder is None:
        raise BadInput(f"A {context.kind} job needs a folder with rig.json.")
    if not (folder / "pose.npy").is_file():
        return target_rig(rig_from_json(read_json(folder / "rig.json"))), None, None
    rig, poses, times = read_job(folder)
    own = read_job(folder / "own")[1] if (folder / "own" / "rig.json").is_file() else None
    return target_rig(rig, poses, own), poses, times


def read_performance(folder, notify=None):
    """The `Motion` of rig.json, pose.npy and times.npy of a folder, whether or not the rig stands at rest."""
    from core.retarget import to_smpl
    from core.retarget.rig import read_job
    from core.retarget.standing import source_rig
    rig, poses, times = read_job(folder)
    return to_smpl(source_rig(rig.reading(), poses), poses, times, notify=notify)


def read_motion(context):
    """The motion of the job: its folder's rig and poses, or the file it names; None when there is neither."""
    if context.params.get("motion"):
        return read_motion_file(context.params, warn(context))
    if context.folder is None or not (context.folder / "rig.json").is_file():
        return None
    if not (context.folder / "pose.npy").is_file():
        raise BadInput("The job's folder has a rig but no poses; sample the rig again.")
    check_length(context.folder)
    return read_performance(context.folder, warn(context))


def check_length(folder):
    """Raises BadInput for a performance in a folder that lasts longer than any system takes."""
    import numpy as np
    with reading("The job's times cannot be read; sample the rig again."):
        check_npy(folder / "times.npy", MOST_TIMES)
        times = np.load(folder / "times.npy")
        if times.dtype.kind != "f" or times.ndim != 1:
            raise ValueError("no seconds")
    longest = max(system.seconds[1] for system in registry.systems().values())
    if len(times) and times[-1] - times[0] > longest:
        raise BadInput(f"The motion lasts {(times[-1] - times[0]) / 60:.0f} min; Baton handles {longest / 60:.0f} min "
                       "at once, choose a shorter range.")


def read_motion_file(params, notify=None):
    """The motion file that `motion` names. notify(sentence): what was mended or assumed in reading it."""
    from core import motion_files
    if not params.get("motion"):
        raise BadInput("No motion file was named.")
    return motion_files.read_motion(params["motion"], start=params.get("start") or 0.0, notify=notify,
                                    **given(params, "fps", "duration", "bone_map", "smpl_models", "up", "root"))


def read_sound(context):
    """The passage a sound strip plays."""
    from core.audio.io import read_passage
    params = check(context.kind, {name: context.params.get(name) for name in SOUND}, SOUND)
    if not params.get("audio"):
        raise BadInput("No sound file was named; select a sound strip.")
    return read_passage(params["audio"], offset=params.get("start") or 0.0, duration=params.get("duration"),
                        speed=params.get("speed") or 1.0, minimum=0.5, notify=warn(context))


def read_beats(context):
    """`Beats` of the job, or None."""
    from core.rhythm.beats import Beats
    data = context.params.get("beats")
    if data is None:
        return None
    return Beats.from_json(data)


def retarget_options(params, mirror=False):
    """Options for a motion that is put on the rig;
    mirror: exchange left and right (a system's own has done so itself)."""
    from core.retarget import Options
    options = given(params, "place", "blend_in", "blend_out", "plant_feet", "fingers")
    if params.get("mirror") and options.get("fingers") == "baton":
        options["fingers"] = "baton_left"
    return Options(root_motion=not params.get("in_place", False), mirror=bool(mirror), legs=params.get("legs") != "off",
                   **options)
