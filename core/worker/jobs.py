"""What the worker can do: one function per job kind, Context in, JSON-ready dict out (docs/contracts.md, section 5).

Everything heavy is imported inside, on first use. Files are written to the job's folder, at the end, whole.
"""
import functools
import importlib.util
import json
import sys

from core.contract import load
from core.contract.files import write_text
from core.errors import BadInput
from core.start import import_all

DEFAULTS = {"device": "auto", "checkpoints": None}       # what `python -m core worker` was told; a job's params win


def music(context):
    """Motion (job folder or `motion` file) -> take_<n>.wav and result.json."""
    params, beats = _params(context, MUSIC), _beats(context)
    from core.audio.io import read_like, write_wav
    from core.pipelines import open_pipeline
    from core.pipelines.base import genre_slug, share
    genre = genre_slug(params.get("genre"))
    context.progress("Reading", 0.0)
    motion = _motion(context)
    keep, like = _music_keep(params.get("keep")), read_like(params["like"]) if params.get("like") else None
    pipeline = open_pipeline("music", params["checkpoints"], params["device"], _warn(context))
    results = pipeline.generate_variations(
        motion, genre=genre, beats=beats, keep=keep, like=like, source=params.get("source"),
        loudness=_loudness(context.params), progress=share(context.progress, 0.02, 0.97),
        should_cancel=context.should_cancel,
        **_given(params, "guidance_scale", "steps", "seed", "variations", "bpm", "tempo", "level", "duration", "loop",
                 "sampler"))
    context.progress("Writing", 0.97)
    context.check_cancel()
    files = [write_wav(context.folder / f"take_{number}.wav", result.audio).name for number, result in enumerate(results, 1)]
    return _answer(context, results, files)


def conduct(context):
    """Sound (`audio`) and a rig -> channels.npz, channels_2.npz ... and result.json."""
    params, beats = _params(context, CONDUCT), _beats(context)
    from core.pipelines import open_pipeline
    from core.pipelines.base import share
    from core.retarget import from_smpl
    context.progress("Reading", 0.0)
    rig, poses, times = _rig(context)
    audio = _audio(context)
    keep = _conduct_keep(params.get("keep"), rig, poses, times)
    pipeline = open_pipeline("conduct", params["checkpoints"], params["device"], _warn(context))
    results = pipeline.generate_variations(
        audio, beats=beats, keep=keep, source=params.get("source") or _source(params),
        progress=share(context.progress, 0.02, 0.90), should_cancel=context.should_cancel,
        **_given(params, "guidance_scale", "steps", "seed", "variations", "bpm", "tempo", "level", "metre", "lead",
                 "amplitude", "left_hand", "mirror"))
    channels, options = [], _retarget_options(params)
    for number, result in enumerate(results, 1):
        context.check_cancel()
        context.progress("Retargeting", 0.90 + 0.10 * (number - 1) / len(results), f"{number}/{len(results)}")
        channels.append(from_smpl(result.motion, rig, options, poses, keep and keep[0]))
    context.check_cancel()
    files = [f"channels_{number}.npz" if number > 1 else "channels.npz" for number in range(1, len(results) + 1)]
    for name, made in zip(files, channels):
        made.save(context.folder / name)
    return {**_answer(context, results, files), "channels": files[0]}


def beats(context):
    """Sound (`audio`) or motion (job folder or `motion` file) -> its beats."""
    params = _params(context, BEATS)
    from core.pipelines.base import share
    from core.pipelines.beats import find_beats
    context.progress("Reading", 0.0)
    condition = _audio(context) if params.get("audio") else _motion(context)
    found = find_beats(condition, folders=params["checkpoints"], notify=_warn(context),
                       **_given(params, "bpm", "metre", "level"),
                       progress=share(context.progress, 0.2, 1.0), should_cancel=context.should_cancel)
    return {"beats": found.to_json(), "seconds": condition.duration}


WARM = ("torch", "core.retarget", "core.pipelines.to_sound", "models.rhythm.detect", "models.rhythm.features",
        "models.music_ldm.pipeline")


def warm_up(stop):
    """Import what a first job is going to need, until stop() says that it has come. Never fails: the job itself says what is
    missing."""
    try:
        if importlib.util.find_spec("torch") is not None:
            import_all(WARM, stop)
    except (ImportError, OSError) as error:
        print(f"warming up: {error}", file=sys.stderr, flush=True)


def _torch_first(job):
    """The job with torch loaded before anything else.

    Seen on Linux: when SciPy's BLAS comes first, in another job of the same process, torch's MKL cannot load its own library
    later and ends the process with code 2. Where torch is missing the jobs that need it say so themselves.
    """
    @functools.wraps(job)
    def run(context):
        if importlib.util.find_spec("torch") is not None:
            import_all(["torch"])
        return job(context)
    return run


def bonemap(context):
    """The bones of rig.json -> which bone is which SMPL joint."""
    _params(context, set())
    from core.retarget import bonemap as maps
    bones = _read_json(context.folder / "rig.json").get("bones")
    try:
        rows = maps.detect([(bone["name"], bone["parent"]) for bone in bones])
    except (TypeError, KeyError) as error:
        raise BadInput("rig.json lists no bones with name and parent; sample the rig again.") from error
    return {"bone_map": {row.joint: {"bone": row.bone, "confidence": round(row.confidence, 3), "how": row.how}
                         for row in rows if row.bone}, "missing": maps.missing(rows)}


def retarget(context):
    """A motion file (`motion`) onto the rig -> channels.npz."""
    params = _params(context, RETARGET)
    from core.retarget import from_smpl
    context.progress("Reading", 0.0)
    rig, poses, _ = _rig(context)
    motion = _motion_file(params)
    context.check_cancel()
    context.progress("Retargeting", 0.3)
    from_smpl(motion, rig, _retarget_options(params, params.get("mirror")), poses).save(context.folder / "channels.npz")
    context.progress("Writing", 1.0)
    return {"channels": "channels.npz", "seconds": motion.duration}


def doctor(context):
    """The report of `core.worker.doctor`."""
    params = _params(context, set())
    from core.worker.doctor import examine, format_report
    context.progress("Loading", 0.1)
    found = examine(params["checkpoints"], params["device"])
    return {**found, "text": format_report(found)}


def body(context):
    """An SMPL body of the user's own model folder (`models`) -> body.npz: mesh, skin and skeleton of a character."""
    params = _params(context, BODY)
    from core.body.smpl_body import load_body
    context.progress("Loading", 0.1)
    made = load_body(params.get("models"), params.get("betas") or (), **_given(params, "gender", "kind"))
    context.check_cancel()
    made.save(context.folder / "body.npz")
    context.progress("Writing", 1.0)
    return {"body": "body.npz"}


KINDS = {job.__name__: _torch_first(job) for job in (music, conduct, beats, bonemap, retarget, body, doctor)}

# ---------------------------------------------------------------------------------------------- params

EVERY = {"device", "checkpoints", "source"}
SAMPLING = {"guidance_scale", "steps", "seed", "variations", "beats", "bpm", "tempo", "level", "keep"}
FROM_FILE = {"motion", "fps", "start", "duration", "bone_map", "smpl_models"}
SOUND = {"audio", "start", "speed", "duration"}
RIG = {"in_place", "place", "blend_in", "blend_out", "plant_feet", "fingers"}
MUSIC = SAMPLING | FROM_FILE | {"genre", "loudness_lufs", "loop", "sampler", "like"}
CONDUCT = SAMPLING | SOUND | RIG | {"metre", "lead", "amplitude", "left_hand", "mirror"}
BEATS = SOUND | FROM_FILE | {"metre", "bpm", "tempo", "level"}
BODY = {"models", "gender", "kind", "betas"}
RETARGET = FROM_FILE | RIG | {"mirror"}


def _params(context, known):
    """The job's params over the defaults; a name that means nothing here is a mistake worth a sentence."""
    unknown = sorted(set(context.params) - known - EVERY)
    if unknown:
        raise BadInput(f"A {context.kind} job has no setting {', '.join(unknown)}.")
    return {**DEFAULTS, **{name: value for name, value in context.params.items() if value is not None}}


def _given(params, *names):
    return {name: params[name] for name in names if name in params}


def _beats(context):
    from core.rhythm.beats import Beats
    data = context.params.get("beats")
    if data is None:
        return None
    try:
        return Beats.from_json(data)
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"The beats of the job cannot be read ({error!r}); detect them again.") from error


def _warn(context):
    return lambda sentence: context.log("warning", sentence)


def _read_json(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"The job's {path.name} cannot be read ({error}); sample the rig again.") from error


def _rig(context):
    """(Rig, poses or None, times or None) of the job folder."""
    from core.retarget.rig import read_job, rig_from_json
    if context.folder is None:
        raise BadInput(f"A {context.kind} job needs a folder with rig.json.")
    if (context.folder / "pose.npy").is_file():
        return read_job(context.folder)
    return rig_from_json(_read_json(context.folder / "rig.json")), None, None


def _motion(context):
    """The motion of the job: its folder's rig and poses, or the file it names; None when there is neither."""
    if context.params.get("motion"):
        return _motion_file(context.params)
    if context.folder is None or not (context.folder / "rig.json").is_file():
        return None
    from core.retarget import to_smpl
    rig, poses, times = _rig(context)
    if poses is None:
        raise BadInput("The job's folder has a rig but no poses; sample the rig again.")
    longest = max(record["seconds"]["max"] for record in load("systems"))
    if len(times) and times[-1] - times[0] > longest:
        raise BadInput(f"The motion lasts {(times[-1] - times[0]) / 60:.0f} min; Baton handles {longest / 60:.0f} min at once, "
                       "choose a shorter range.")
    return to_smpl(rig, poses, times)


def _motion_file(params):
    from core.motion_files import read_motion
    if not params.get("motion"):
        raise BadInput("No motion file was named.")
    if not isinstance(params.get("bone_map") or {}, dict):
        raise BadInput("`bone_map` must be an object of {SMPL joint: bone}.")
    return read_motion(params["motion"], start=params.get("start") or 0.0,
                       **_given(params, "fps", "duration", "bone_map", "smpl_models"))


def _audio(context):
    """The passage a sound strip plays."""
    from core.audio.io import read_passage
    params = context.params
    if not params.get("audio"):
        raise BadInput("No sound file was named; select a sound strip.")
    return read_passage(params["audio"], offset=params.get("start") or 0.0, duration=params.get("duration"),
                        speed=params.get("speed") or 1.0, minimum=0.5)


def _source(params):
    return {name: params[name] for name in sorted(SOUND) if name in params}


def _retarget_options(params, mirror=False):
    """Options for a motion that is put on the rig; mirror: exchange left and right (the conductor has done so itself)."""
    from core.retarget import Options
    options = _given(params, "place", "blend_in", "blend_out", "plant_feet", "fingers")
    if params.get("mirror") and options.get("fingers") == "baton":
        options["fingers"] = "baton_left"
    return Options(root_motion=not params.get("in_place", False), mirror=bool(mirror), **options)


def _loudness(params):
    """The preset of a target in LUFS; None given means peak, nothing given the default preset."""
    from core.audio.loudness import default_preset, presets
    if "loudness_lufs" not in params:
        return default_preset()
    for slug, target in presets().items():
        if target == params["loudness_lufs"]:
            return slug
    raise BadInput(f"There is no loudness preset of {params['loudness_lufs']} LUFS; core/contract/loudness.json has them.")


def _music_keep(keep):
    """(samples (2,N) at 48 kHz, start, stop): seconds start..stop of that take are made anew."""
    if not keep:
        return None
    from core.audio.io import read_take
    try:
        return read_take(keep["file"]), float(keep["start"]), float(keep["stop"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput("`keep` needs file, start and stop.") from error


def _conduct_keep(keep, rig, poses, times):
    """(Motion, start, stop, stays): what of the rig's present motion stays outside or inside the seconds start..stop."""
    if not keep:
        return None
    from core.retarget import to_smpl
    if poses is None or len(poses) < 2:
        raise BadInput("Keeping a part of the motion needs the rig's poses over the passage; sample the rig again.")
    try:
        stays = str(keep.get("stays") or "outside")
        return to_smpl(rig, poses, times), float(keep["start"]), float(keep["stop"]), stays
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput("`keep` needs start and stop.") from error


def _answer(context, results, files):
    """Write result.json and give what `done` carries."""
    first = results[0]
    made = sum(result.seconds for result in results)
    takes = [{"file": name, "recipe": result.recipe, "alignment": result.alignment,
              "beats": result.beats.to_json() if result.beats is not None else None}
             for name, result in zip(files, results)]
    answer = {**takes[0], "takes": takes, "seconds": first.seconds, "wall": round(first.wall, 3),
              "realtime_factor": round(made / first.wall, 3) if first.wall else None, "device": first.device}
    write_text(context.folder / "result.json", json.dumps(answer, indent=1))
    context.progress("Writing", 1.0)
    return answer
