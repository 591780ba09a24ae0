"""Bone maps: instant exact names, the worker's fuzzy ones, editing, files."""
from types import SimpleNamespace

import pytest

from baton.blender_addon.errors import UserError
from baton.blender_addon.scene import bone_map
from baton.blender_addon.ui import body_figure, panels
from baton.core.contract import bone_tables
from tests.blender import recorder, scenes


@pytest.mark.parametrize("table", sorted(bone_tables.tables()))
def test_every_table_recognises_its_own_names(table):
    data = bone_tables.tables()[table]
    names = list(data["bones"].values()) + list(data.get("needs", ()))
    _found, bones, how = bone_tables.best_table(names, complete=True)
    assert bones == data["bones"] and how == "exact"


def test_control_rigs(blender):
    """Rigify: controls are keyed, the bones they drive are read, switches are those that the rig has."""
    tables = bone_tables.tables()
    control, driven = tables["rigify_control"]["bones"], tables["rigify_org"]["bones"]
    table, mapped, _ = bone_tables.best_table([*tables["rigify_deform"]["bones"].values(), *driven.values(),
                                               *control.values()],
                                              complete=True)
    assert table == "rigify_control" and mapped == control
    rig = scenes.smpl_rig(rename=control)
    with_driven = bone_map.reading_map(rig, control)
    assert with_driven == control, "without the driven bones the controls are read"
    rig.pose.bones["torso"]["neck_follow"] = 0.5
    assert bone_map.switches(rig, control) == [("torso", "neck_follow", 1.0)]
    assert bone_map.switches(rig, {joint: joint for joint in scenes.JOINTS}) == []


def test_prefixed_names(blender):
    names = bone_tables.tables()["mixamo"]["bones"]
    rig = scenes.smpl_rig(rename={joint: f"rig2|{name}" for joint, name in names.items()})
    assert blender.ops.baton.detect_bones() == {"FINISHED"}
    rows = rig.baton.bones
    assert len(rows) == 24 and rows["left_hip"].bone == f"rig2|{names['left_hip']}"
    assert rows["left_hip"].how == "prefix" and bone_map.missing(rig) == []


def test_fuzzy_names_by_the_worker(blender):
    odd = {"left_hip": "Oberschenkel_leg_upper_L", "right_hip": "Oberschenkel_leg_upper_R"}
    rename = {joint: f"xx_{joint}_jnt" for joint in scenes.JOINTS}
    rig = scenes.smpl_rig(rename={**rename, **odd})
    assert blender.ops.baton.detect_bones() == {"FINISHED"}
    rows = rig.baton.bones
    assert rows["head"].bone == "xx_head_jnt" and rows["left_elbow"].bone == "xx_left_elbow_jnt"
    assert 0 < rows["head"].confidence <= 1


def test_missing_and_doubled_bones_are_named(blender):
    rig = scenes.smpl_rig()
    assert len(bone_map.require(rig)) == 24
    rig.baton.bones["left_knee"].bone = ""
    with pytest.raises(UserError, match="Left Knee"):
        bone_map.require(rig)
    rig.baton.bones["left_knee"].bone = "right_knee"
    with pytest.raises(UserError, match="plays two joints"):
        bone_map.require(rig)
    blender.context.scene.baton.music_ldm.range = "SCENE"
    with pytest.raises(RuntimeError, match="plays two joints"):
        blender.ops.baton.generate_music()


def test_pick_active_bone(blender):
    rig = scenes.smpl_rig()
    bone_map.require(rig)
    blender.ops.object.mode_set(mode="POSE")
    rig.data.bones.active = rig.data.bones["neck"]
    assert blender.ops.baton.pick_bone(joint="head") == {"FINISHED"}
    row = rig.baton.bones["head"]
    assert (row.bone, row.how, row.confidence) == ("neck", "user", 1.0)
    blender.ops.object.mode_set(mode="OBJECT")


def test_save_and_load(blender, tmp_path):
    rig = scenes.smpl_rig()
    bone_map.require(rig)
    rig.baton.bones["neck"].bone = ""
    path = tmp_path / "map.json"
    assert blender.ops.baton.save_bones(filepath=str(path)) == {"FINISHED"}
    bone_map.set_rows(rig, {})
    assert blender.ops.baton.load_bones(filepath=str(path)) == {"FINISHED"}
    assert rig.baton.bones["left_hip"].bone == "left_hip" and rig.baton.bones["neck"].bone == ""
    path.write_text("{}")
    with pytest.raises(UserError, match="not a bone map"):
        bone_map.load(rig, path)


def test_the_character_of_a_mesh_is_found(blender):
    rig = scenes.smpl_rig()
    mesh = blender.data.objects.new("Body", blender.data.meshes.new("Body"))
    blender.context.scene.collection.objects.link(mesh)
    mesh.modifiers.new("Armature", "ARMATURE").object = rig
    blender.context.view_layer.objects.active = mesh
    assert bone_map.find_rig(blender.context) == rig
    blender.context.view_layer.objects.active = None
    assert bone_map.find_rig(blender.context) is None
    blender.context.scene.baton.rig = rig
    assert bone_map.find_rig(blender.context) == rig


def test_rows_are_grouped_by_limb_under_full_names(blender):
    """All 24 joints once, one picker a row, unsure ones marked; the eyedropper beside each row is gone."""
    rig = scenes.smpl_rig()
    bone_map.require(rig)
    assert sorted(joint for joints in bone_map.LIMBS.values() for joint in joints) == sorted(scenes.JOINTS)
    panel = next(cls for cls in panels.CLASSES if cls.__name__ == "BATON_PT_view3d_bones")
    drawn = recorder.draw(panel)
    names = [note.text for note in drawn.notes if note.name == "bone"]
    assert len(names) == 24 and names[:4] == ["Pelvis", "Spine1", "Spine2", "Spine3"] and "Right Shoulder" in names
    assert set(bone_map.LIMBS) <= set(drawn.texts()) and not drawn.cut
    assert "baton.pick_bone" not in drawn.names() and "baton.confirm_bone" not in drawn.names()
    row = rig.baton.bones["left_hand"]
    row.bone, row.how, row.confidence = "left_hand", "fuzzy", 0.4
    assert bone_map.state(rig, row) == "unsure" and recorder.draw(panel).names().count("baton.confirm_bone") == 1
    assert blender.ops.baton.confirm_bone(joint="left_hand") == {"FINISHED"}
    assert bone_map.state(rig, row) == "sure" and row.bone == "left_hand"
    rig.baton.bones["left_knee"].bone = ""
    assert bone_map.state(rig, rig.baton.bones["left_knee"]) == "lacking"


def test_joints_are_clicked_on_a_body(blender):
    """Every joint of the picture can be hit, left is at the right as one faces it; no bone is taken twice."""
    for width, height, scale in ((900, 700, 1.0), (320, 240, 1.0), (1800, 1400, 2.0)):
        place = body_figure.Place.of(SimpleNamespace(width=width, height=height), scale, 40)
        left, bottom, right, top = place.box()
        assert left >= 0 and bottom >= 0 and right <= width and top <= height, (width, height)
        if height > 240:
            assert [place.joint_at(*place.point(joint)) for joint in scenes.JOINTS] == scenes.JOINTS
            assert place.joint_at(left + 5, bottom + 5) is None
        assert place.point("left_wrist")[0] > place.point("right_wrist")[0]
    rig = scenes.smpl_rig()
    bone_map.require(rig)
    pose = rig.pose.bones
    assert body_figure.free_bone(rig, pose["neck"], "head") is None, "the neck has it"
    assert body_figure.free_bone(rig, pose["neck"], "neck") == "neck"
    assert body_figure.free_bone(rig, None, "neck") is None
    assert body_figure.caption("head", "unsure", "neck") == "Head: neck, not sure"
    assert blender.ops.baton.choose_bone(joint="head", bone="neck") == {"FINISHED"}
    assert (rig.baton.bones["head"].bone, rig.baton.bones["head"].how) == ("neck", "user")
