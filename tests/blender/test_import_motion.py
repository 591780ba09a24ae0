"""Motion files onto a rig, through the real worker: no weights are needed."""
import json
from types import SimpleNamespace

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


def test_begin_in_place_and_range_of_the_scene(blender):
    """From the scene's first frame, where the rig stands, and the scene's range becomes the take's."""
    rig, scene = scenes.smpl_rig(), blender.context.scene
    scene.frame_start, scene.frame_end = 51, 60
    scene.frame_set(7)
    assert blender.ops.baton.import_motion(filepath=str(DANCE), begin="SCENE", in_place=True,
                                           fit_range=True) == {"FINISHED"}
    first, last = scene.baton.takes[0].action.frame_range
    assert first == 51 and (scene.frame_start, scene.frame_end) == (51, round(last)) and last > 200
    hips = scenes.evaluated(rig, range(51, 171, 10), ["pelvis"])[:, 0, :3, 3]
    assert np.ptp(hips[:, :2], axis=0).max() < 0.03, "no root translation over the floor"


def test_what_the_dialog_says_is_asked_for(blender, monkeypatch):
    from baton.blender_addon.flows import import_motion
    from baton.blender_addon.ui.operators import import_motion as dialog
    scenes.smpl_rig()
    blender.context.scene.baton.conductor.in_place = True
    monkeypatch.setattr(import_motion, "job", lambda context, rig, request: request)
    asked = dict(person="AUTO", begin="CURRENT", frame=1, filepath=str(DANCE), fps=0.0, up="auto", fit_range=False,
                 start=1.5, length=0.0)
    for given, wanted in ((None, True), (False, False), (True, True)):
        told = SimpleNamespace(is_property_set=lambda name, given=given: given is not None)
        operator = SimpleNamespace(**asked, in_place=bool(given), properties=told)
        request = dialog.BATON_OT_import_motion.make_job(operator, blender.context)
        assert request["params"]["in_place"] is wanted, "the dialog's word, else the section's"
        assert (request["params"]["start"], request["params"]["duration"]) == (1.5, None)


def test_people_and_axis_of_a_file_are_asked_for(blender, tmp_path):
    """Two roots in a BVH are a choice of the dialog; what is chosen reaches the reader."""
    from baton.blender_addon.flows import import_motion
    from baton.blender_addon.ui.operators import import_motion as dialog
    body = "{ OFFSET 0 0 0 CHANNELS 3 Xrotation Yrotation Zrotation End Site { OFFSET 0 1 0 } }"
    two, one = tmp_path / "two.bvh", tmp_path / "one.bvh"
    two.write_text(f"HIERARCHY\nROOT Ann\n{body}\nROOT Bob\n{body}\nMOTION\nFrames: 0\n")
    one.write_text(f"HIERARCHY\nROOT Ann\n{body}\nMOTION\nFrames: 0\n")
    assert dialog.people(str(two)) == ["Ann", "Bob"] and dialog.people(str(one)) == dialog.people("none.bvh") == []
    shown = dialog._people_items(type("Asked", (), {"filepath": str(two)}), blender.context)
    assert [row[0] for row in shown] == ["AUTO", "Ann", "Bob"]
    request = import_motion.request_of(blender.context.scene, scenes.smpl_rig(), str(two), up="-z", root="Bob", frame=5,
                                       in_place=True, fit_range=True)
    assert (request["params"]["up"], request["params"]["root"], request["first"]) == ("-z", "Bob", 5)
    assert request["params"]["in_place"] and request["own"]["fit_range"] and json.dumps(request)
    up = [item.identifier for item in blender.ops.baton.import_motion.get_rna_type().properties["up"].enum_items]
    assert up == ["auto", "x", "-x", "y", "-y", "z", "-z"]
