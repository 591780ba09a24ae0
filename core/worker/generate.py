"""The job `generate`: any system of the registry,
on what the add-on has read from the scene (docs/contracts.md, section 5).

A direction has a function that reads what goes in, and one that writes what comes out. Media among the settings (a
motion before the passage, a path) lie in the job's folder under the setting's name.
"""
import json
from dataclasses import dataclass

from core.contract.files import write_text
from core.contract.systems import System
from core.errors import BadInput, reading
from core.worker.inputs import (
    FROM_FILE,
    SOUND,
    given,
    params_of,
    read_beats,
    read_json,
    read_motion,
    read_performance,
    read_rig,
    read_sound,
    retarget_options,
    warn,
)

LONGEST_S = 86_400.0
COMMON = {"system", "settings", "beats", "keep"}
PLACING = {"place", "blend_in", "blend_out"}
FIRST_SOUND = "first.wav"
INPUTS = {"to_sound": FROM_FILE, "to_motion": SOUND | PLACING, "to_both": PLACING}


@dataclass
class Read:
    """What goes into a pipeline: the condition, the rig it is for with its poses, what is kept, and (rig, poses) of
    others that perform too."""

    condition: object = None
    rig: object = None
    poses: object = None
    keep: tuple | None = None
    others: tuple = ()


def generate(context):
    """`settings` for `system` -> takes in the job's folder and result.json."""
    from core.pipelines import find, open_pipeline
    from core.pipelines.base import checked, share
    name = context.params.get("system")
    if not isinstance(name, str):
        raise BadInput("A generate job must name its system.")
    system = find(name)
    direction = system.direction.name
    params, beats = params_of(context, COMMON | INPUTS[direction]), read_beats(context)
    settings = params.get("settings") or {}
    if not isinstance(settings, dict):
        raise BadInput("The settings of a generate job must be an object of {name: value}.")
    checked(system, settings)                                  # before anything is read: a wrong name costs no time
    context.progress("Reading", 0.0)
    read = READ[direction](context, params)
    settings = _media(context, system, settings, read)
    pipeline = open_pipeline(system.name, params["checkpoints"], params["device"], warn(context))
    source = params.get("source") or (given(params, *sorted(SOUND)) if direction == "to_motion" else None)
    results = pipeline.generate_variations(
        read.condition, beats=beats, keep=read.keep, source=source, progress=share(context.progress, 0.02, 0.90),
        should_cancel=context.should_cancel, performers=1 + len(read.others), on_first=_first(context, direction),
        **given(params, "duration"), **settings)
    files = _write(context, system, settings, params, results, read)
    return _answer(context, results, files)


# ---------------------------------------------------------------------------------------------- in

def _read_to_sound(context, params):
    keep = params.get("keep")
    return Read(read_motion(context), keep=keep and (_kept_sound(keep), *_range(keep)))


def _read_to_motion(context, params):
    rig, poses, times = read_rig(context)
    keep = params.get("keep")
    return Read(read_sound(context), rig, poses, keep and (
        _present_motion(rig, poses, times), *_range(keep), str(keep.get("stays") or "outside")),
                tuple(_others(context)))


def _others(context):
    """(rig, poses) of each further performer: the folders rig_2, rig_3 ... of the job."""
    number = 2
    while (context.folder / f"rig_{number}" / "rig.json").is_file():
        yield read_rig(context, context.folder / f"rig_{number}")[:2]
        number += 1


def _read_to_both(context, params):
    rig, poses, times = read_rig(context)
    keep = params.get("keep")
    return Read(None, rig, poses, keep and (
        _kept_sound(keep), _present_motion(rig, poses, times), *_range(keep), str(keep.get("side") or "both")))


READ = {"to_sound": _read_to_sound, "to_motion": _read_to_motion, "to_both": _read_to_both}


def _range(keep):
    with reading("`keep` needs start and stop, in seconds."):
        start, stop = (keep[name] for name in ("start", "stop"))
        if not all(type(value) in (int, float) and 0 <= value <= LONGEST_S for value in (start, stop)):
            raise ValueError("not seconds")
        return float(start), float(stop)


def _kept_sound(keep):
    from core.audio.io import read_take
    if not isinstance(keep.get("file"), str):
        raise BadInput("`keep` needs the file of the take.")
    return read_take(keep["file"])


def _present_motion(rig, poses, times):
    from core.retarget import to_smpl
    if poses is None or len(poses) < 2:
        raise BadInput("Keeping a part of the motion needs the rig's poses over the passage; sample the rig again.")
    return to_smpl(rig, poses, times)


def _media(context, system: System, settings: dict, read: Read) -> dict:
    """Settings with the media that lie in the job's folder: a motion as `Motion`,
    a path as points of the motion's own space."""
    from core.pipelines.media import kind_of, read_points
    out = dict(settings)
    for name, setting in system.settings.items():
        kind, there = kind_of(setting), context.folder and context.folder / name
        if kind == "motion" and there and (there / "rig.json").is_file():
            out[name] = read_performance(there, warn(context))
        elif setting.type == "actions" and there and there.is_dir():
            out[name] = list(_moves(there, warn(context)))
        elif kind == "points" and there and there.with_suffix(".npy").is_file():
            from core.retarget.paths import from_world
            out[name] = from_world(read_points(there.with_suffix(".npy")), read.rig, read.poses)
    return out


def _moves(folder, notify):
    """Each `Move` of the folders 1, 2 ... in `folder`: a motion as ever, move.json with its name and marked beats."""
    from core.motion_files.moves import Move
    from core.rhythm.beats import Beats
    number = 1
    while (folder / str(number) / "rig.json").is_file():
        there = folder / str(number)
        told = read_json(there / "move.json")
        beats = Beats.from_json(told["beats"]) if told.get("beats") else None
        yield Move(str(told.get("name") or number), read_performance(there, notify), beats)
        number += 1


# ---------------------------------------------------------------------------------------------- out

def _first(context, direction):
    """on_first of a job that makes sound: first.wav in its folder, and a message that it is there."""
    if direction != "to_sound" or context.folder is None:
        return None

    def heard(samples):
        from core.audio.io import write_wav
        write_wav(context.folder / FIRST_SOUND, samples)
        context.first()
    return heard


def _write(context, system, settings, params, results, read):
    """The results in the job's folder, all made before the first is written: [{"file": ..., "channels": ...}]."""
    from core.audio.io import write_wav
    rows, channels, others = [{} for _ in results], [None] * len(results), []
    if results[0].motion is not None:
        from core.pipelines.base import checked
        from core.retarget import from_smpl
        options = retarget_options({**params, **checked(system, settings)})
        for number, result in enumerate(results):
            context.check_cancel()
            context.progress("Retargeting", 0.90 + 0.08 * number / len(results), f"{number + 1}/{len(results)}")
            channels[number] = from_smpl(result.motion, read.rig, options, read.poses, _stays(system, read))
            others += [from_smpl(motion, rig, options, poses)
                       for motion, (rig, poses) in zip(result.others, read.others)]
    context.progress("Writing", 0.98)
    context.check_cancel()
    for number, (row, result, made) in enumerate(zip(rows, results, channels), 1):
        if made is not None:
            row["channels"] = row["file"] = f"channels_{number}.npz" if number > 1 else "channels.npz"
            made.save(context.folder / row["channels"])
        if result.audio is not None:
            row["file"] = write_wav(context.folder / f"take_{number}.wav", result.audio).name
    for number, made in enumerate(others, 2):
        rows[0].setdefault("others", []).append(f"channels_rig_{number}.npz")
        made.save(context.folder / f"channels_rig_{number}.npz")
    return rows


def _stays(system, read):
    """What the rig does now and the seconds of it that the take keeps, by which it is placed;
    None for a take of its own."""
    if read.keep is None:
        return None
    from core.retarget.placing import Stays
    if system.to == "motion":
        motion, start, stop, stays = read.keep
        ranges = ((start, stop),) if stays == "inside" else ((0.0, start), (stop, motion.duration))
    else:
        _, motion, start, stop, side = read.keep
        ranges = ((0.0, motion.duration),) if side == "sound" else ((0.0, start), (stop, motion.duration))
    return Stays(motion, tuple((low, high) for low, high in ranges if high > low))


def _answer(context, results, files):
    """Write result.json and give what `done` carries."""
    first = results[0]
    made = sum(result.seconds for result in results)
    takes = [{**row, "recipe": result.recipe, "alignment": result.alignment,
              "beats": result.beats.to_json() if result.beats is not None else None}
             for row, result in zip(files, results)]
    answer = {**takes[0], "takes": takes, "seconds": first.seconds, "wall": round(first.wall, 3),
              "realtime_factor": round(made / first.wall, 3) if first.wall else None, "device": first.device}
    write_text(context.folder / "result.json", json.dumps(answer, indent=1))
    context.progress("Writing", 1.0)
    return answer
