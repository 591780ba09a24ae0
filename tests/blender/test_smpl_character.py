"""Add SMPL Character on a tiny model file written here, by the real worker."""
import os
import subprocess

import numpy as np
import pytest

from baton.blender_addon.worker import options as prefs
from tests.blender import scenes


def tiny_model(path):
    """24 small triangles, one at each joint, each bound to it alone."""
    offsets = np.array(scenes.SKELETON["offsets_m"], dtype=float)
    rest = np.zeros((24, 3))
    for joint in range(1, 24):
        rest[joint] = rest[scenes.PARENTS[joint]] + offsets[joint]
    corners = np.array([[0, 0, 0], [0.01, 0, 0], [0, 0.01, 0]])
    vertices = (rest[:, None] + corners).reshape(-1, 3)
    shapes = np.zeros((72, 3, 10))
    shapes[..., 0] = vertices * 0.1
    regressor = np.zeros((24, 72))
    regressor[np.arange(24), np.arange(24) * 3] = 1.0
    path.parent.mkdir(parents=True)
    np.savez(path, v_template=vertices, shapedirs=shapes, J_regressor=regressor, weights=np.repeat(np.eye(24), 3,
                                                                                                   axis=0),
             kintree_table=np.array([[2 ** 32 - 1, *scenes.PARENTS[1:]], range(24)], dtype=np.int64),
             f=np.arange(72, dtype=np.uint32).reshape(24, 3), posedirs=np.zeros((72, 3, 207)))


def test_character(blender, tmp_path, monkeypatch):
    if subprocess.run([os.environ["BATON_WORKER_PYTHON"], "-c", "import smplx"], capture_output=True).returncode:
        pytest.skip("smplx is not in the worker's environment")
    tiny_model(tmp_path / "smpl" / "SMPL_FEMALE.npz")
    with pytest.raises(RuntimeError, match="folder of SMPL"):
        blender.ops.baton.add_smpl_character()
    options = prefs.get()
    options.smpl_folder = str(tmp_path)
    monkeypatch.setattr(prefs, "get", lambda: options)
    with pytest.raises(RuntimeError, match="SMPL_NEUTRAL"):
        blender.ops.baton.add_smpl_character(gender="neutral")
    assert blender.ops.baton.add_smpl_character(gender="female", betas=[1.0] + [0.0] * 9) == {"FINISHED"}
    rig, body = blender.data.objects["SMPL female"], blender.data.objects["SMPL female body"]
    assert len(rig.data.bones) == 24 and all(row.bone for row in rig.baton.bones)
    heights = [vertex.co.z for vertex in body.data.vertices]
    assert min(heights) == pytest.approx(0, abs=1e-6)
    thigh = rig.data.bones["left_knee"].head_local - rig.data.bones["left_hip"].head_local
    assert thigh.length == pytest.approx(1.1 * np.linalg.norm(scenes.SKELETON["offsets_m"][4]), rel=1e-4)
    rig.pose.bones["left_knee"].rotation_mode = "XYZ"
    rig.pose.bones["left_knee"].rotation_euler.x = 1.0
    blender.context.view_layer.update()
    moved = body.evaluated_get(blender.context.evaluated_depsgraph_get()).data.vertices
    ankle, hip = scenes.JOINTS.index("left_ankle") * 3, scenes.JOINTS.index("left_hip") * 3
    assert (moved[ankle].co - body.data.vertices[ankle].co).length > 0.1
    assert (moved[hip].co - body.data.vertices[hip].co).length < 1e-5
