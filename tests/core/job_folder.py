"""A job folder as the add-on writes it, and what goes into it."""
import json

import numpy as np
from rigs import evaluate, stepping

from core.retarget import Options, from_smpl

BEATS = {"times": [0.5 * n for n in range(6)], "positions": [1, 2, 3, 4, 1, 2], "metre": 4}


def write_rig(folder, rig, poses, times, bone_map=None):
    """A job folder as the add-on writes it."""
    bones = [{"name": name, "parent": rig.names[rig.parents[n]] if rig.parents[n] >= 0 else None,
              "head": rig.rest[n, :3, 3].tolist(), "tail": rig.tails[n].tolist(), "matrix_local": rig.rest[n].tolist()}
             for n, name in enumerate(rig.names)]
    (folder / "rig.json").write_text(json.dumps({"bones": bones, "matrix_world": rig.matrix_world.tolist(), "fps": 24.0,
                                                 "bone_map": rig.bone_map if bone_map is None else bone_map}))
    np.save(folder / "pose.npy", np.asarray(poses, np.float32))
    np.save(folder / "times.npy", np.asarray(times, np.float64))


def dancing(rig, seconds=3.0):
    """Poses of the rig in a stepping motion at 24 fps, and their times."""
    channels = from_smpl(stepping(seconds)[0], rig, Options(fps=24.0))
    return evaluate(rig, channels), channels.times
