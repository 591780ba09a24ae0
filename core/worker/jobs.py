"""What the worker can do: one function per job kind, Context in, JSON-ready dict out (docs/contracts.md, section 5).

Everything heavy is imported inside, on first use. Files are written to the job's folder, at the end, whole.
"""
import functools
import importlib.util
import sys

from core.contract import systems as registry
from core.errors import reading
from core.start import import_all
from core.worker.generate import generate
from core.worker.inputs import (
    FROM_FILE,
    RIG,
    SOUND,
    given,
    params_of,
    read_json,
    read_motion,
    read_motion_file,
    read_performance,
    read_rig,
    read_sound,
    retarget_options,
    warn,
)

BEATS = SOUND | FROM_FILE | {"metre", "bpm", "tempo", "level", "system", "genre"}
BODY = {"models", "gender", "kind", "betas"}
RETARGET = FROM_FILE | RIG | {"mirror"}
SOURCE = "source"               # folder of the job with the rig whose motion another is given


def beats(context):
    """Sound (`audio`) or motion (job folder or `motion` file) -> its beats."""
    params = params_of(context, BEATS)
    from core.pipelines.base import genre_range, share
    from core.pipelines.beats import find_beats
    context.progress("Reading", 0.0)
    usual = None
    if params.get("system"):
        from core.pipelines import find
        usual = find(params["system"]).usual_bpm
    condition = read_sound(context) if params.get("audio") else read_motion(context)
    found = find_beats(condition, folders=params["checkpoints"], notify=warn(context),
                       usual=usual or genre_range(params.get("genre")),
                       **given(params, "bpm", "tempo", "metre", "level"),
                       progress=share(context.progress, 0.2, 1.0), should_cancel=context.should_cancel)
    return {"beats": found.to_json(), "seconds": condition.duration}


def bonemap(context):
    """The bones of rig.json -> which bone is which SMPL joint."""
    params_of(context, set())
    from core.retarget import bonemap as maps
    with reading("rig.json lists no bones with name and parent; sample the rig again."):
        bones = read_json(context.folder / "rig.json")["bones"]
        heads = {bone["name"]: [float(value) for value in bone["head"]] for bone in bones if "head" in bone}
        rows = maps.detect([(bone["name"], bone["parent"]) for bone in bones], heads or None)
    return {"bone_map": {row.joint: {"bone": row.bone, "confidence": round(row.confidence, 3), "how": row.how,
                                     "doubt": row.doubt}
                         for row in rows if row.bone}, "missing": maps.missing(rows)}


def retarget(context):
    """A motion file (`motion`), or what another rig does (the job's `source/`), onto the rig -> channels.npz."""
    params = params_of(context, RETARGET)
    from core.retarget import from_smpl
    context.progress("Reading", 0.0)
    rig, poses, _ = read_rig(context)
    other = context.folder / SOURCE
    if not params.get("motion") and (other / "rig.json").is_file():
        motion = read_performance(other, warn(context))
    else:
        motion = read_motion_file(params, warn(context))
    context.check_cancel()
    context.progress("Retargeting", 0.3)
    from_smpl(motion, rig, retarget_options(params, params.get("mirror")), poses).save(context.folder / "channels.npz")
    context.progress("Writing", 1.0)
    return {"channels": "channels.npz", "seconds": motion.duration}


def doctor(context):
    """The report of `core.worker.doctor`."""
    params = params_of(context, set())
    from core.worker.doctor import examine, format_report
    context.progress("Loading", 0.1)
    found = examine(params["checkpoints"], params["device"])
    return {**found, "text": format_report(found)}


def body(context):
    """An SMPL body of the user's own model folder (`models`) -> body.npz: mesh, skin and skeleton of a character."""
    params = params_of(context, BODY)
    from core.body.smpl_body import load_body
    context.progress("Loading", 0.1)
    made = load_body(params.get("models"), params.get("betas") or (), **given(params, "gender", "kind"))
    context.check_cancel()
    made.save(context.folder / "body.npz")
    context.progress("Writing", 1.0)
    return {"body": "body.npz"}


def _torch_first(job):
    """The job with torch loaded before anything else.

    Seen on Linux: when SciPy's BLAS comes first, in another job of the same process, torch's MKL cannot load its own
    library later and ends the process with code 2. Where torch is missing the jobs that need it say so themselves.
    """
    @functools.wraps(job)
    def run(context):
        if importlib.util.find_spec("torch") is not None:
            import_all(["torch"])
        return job(context)
    return run


KINDS = {job.__name__: _torch_first(job) for job in (generate, beats, bonemap, retarget, body, doctor)}

WARM = ("torch", "core.retarget", "core.pipelines.to_sound", "models.rhythm.detect", "models.rhythm.features")


def warm_up(stop):
    """Import what a first job is going to need, until stop() says that it has come.
    Never fails: the job itself says what is missing."""
    try:
        if importlib.util.find_spec("torch") is not None:
            import_all([*WARM, registry.find("music").module], stop)
    except (ImportError, OSError) as error:
        print(f"warming up: {error}", file=sys.stderr, flush=True)
