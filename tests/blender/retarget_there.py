"""Puts a motion on the rig of a job's folder with the worker's Python: `python -m tests.blender.retarget_there`."""
import json
import sys
from pathlib import Path

DANCE = Path(__file__).resolve().parents[2] / "core" / "assets" / "demo_dance.npz"


def seconds(motion):
    """How long a motion named "stand SECONDS" or "dance SECONDS" is."""
    return float(motion.partition(" ")[2])


def motion_of(motion):
    """The `Motion` of such a name: standing feet with a moving arm, or the beginning of the demo's dance."""
    from core import motion_files
    from tests.core.test_step_in import stand
    kind, _, length = motion.partition(" ")
    return stand(float(length)) if kind == "stand" else motion_files.read_motion(DANCE, duration=float(length))


def retarget(folder, motion, options):
    """Write channels.npz into the folder; options: `core.retarget.Options` as JSON."""
    from core.retarget import Options, from_smpl
    from core.retarget.rig import read_job
    rig, poses, _times = read_job(folder)
    from_smpl(motion_of(motion), rig, Options(**json.loads(options)), poses).save(Path(folder) / "channels.npz")


if __name__ == "__main__":
    retarget(*sys.argv[1:])
