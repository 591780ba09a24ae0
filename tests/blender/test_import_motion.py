"""Motion files onto a rig, through the real worker: no weights are needed."""
import json

import numpy as np
import pytest

from tests.blender import scenes

DANCE = scenes.ROOT / "core" / "assets" / "demo_dance.npz"


def test_a_file_becomes_a_take(blender):
    rig, scene = scenes.smpl_rig(), blender.context.scene
    rig.location = (2, 1, 0)
    scene.frame_set(11)
    assert blender.ops.baton.import_motion(filepath=str(DANCE)) == {"FINISHED"}
    take = scene.baton.takes[0]
    assert take.name == "demo_dance 1" and not take.has_alignment and take.action.frame_range[0] == 11
    hips = scenes.evaluated(rig, range(11, 131, 5), ["pelvis"])[:, 0, :3, 3]
    with np.load(DANCE) as held:
        way = np.ptp(held["trans"][:120], axis=0)
    assert np.abs(hips[0, :2]).max() < 0.1, "it starts where the rig stands"
    assert np.ptp(hips, axis=0)[2] == pytest.approx(way[2], abs=0.05)
    scene.frame_set(40)
    assert blender.ops.baton.redo_take() == {"FINISHED"}
    assert scene.baton.takes[1].action.frame_range[0] == 11, "at the frame of its recipe"
    scene.baton.edit_range = "SCENE"
    with pytest.raises(RuntimeError, match="was imported"):
        blender.ops.baton.redo_range()
    blender.ops.baton.remove_take(name=scene.baton.takes[1].name)
    blender.ops.baton.remove_take()
    assert rig.animation_data is None


def test_smpl_models_of_the_preferences_are_sent(blender, monkeypatch, tmp_path):
    from types import SimpleNamespace

    from baton.blender_addon.flows import import_motion
    from baton.blender_addon.worker import options as prefs
    rig, scene = scenes.smpl_rig(), blender.context.scene
    assert import_motion.request_of(scene, rig, str(DANCE))["params"]["smpl_models"] is None
    options = SimpleNamespace(**{**vars(prefs.get()), "smpl_folder": str(tmp_path)})
    monkeypatch.setattr(prefs, "get", lambda: options)
    request = import_motion.request_of(scene, rig, str(DANCE), 60.0)
    assert request["params"]["smpl_models"] == str(tmp_path) and request["params"]["fps"] == 60.0
    np.savez(tmp_path / "amass.npz", poses=np.zeros((30, 72)), trans=np.zeros((30, 3)), mocap_framerate=30.0,
             betas=np.zeros(10))
    with pytest.raises(RuntimeError, match="SMPL_NEUTRAL"):  # the worker looked for the model of the file's performer
        blender.ops.baton.import_motion(filepath=str(tmp_path / "amass.npz"))
    assert len(scene.baton.takes) == 0 and json.dumps(request)


def test_what_is_no_motion_is_said(blender, tmp_path):
    with pytest.raises(RuntimeError, match="Select an armature"):
        blender.ops.baton.import_motion(filepath=str(DANCE))
    scenes.smpl_rig()
    (tmp_path / "x.bvh").write_text("nothing")
    for name, words in (("no.bvh", "is no motion file"), ("x.fbx", "is no motion file"), ("x.bvh", "x.bvh")):
        with pytest.raises(RuntimeError, match=words):
            blender.ops.baton.import_motion(filepath=str(tmp_path / name))
