"""Bone maps: instant exact names, the worker's fuzzy ones, editing, files."""
import pytest

from baton.blender_addon.errors import UserError
from baton.blender_addon.scene import bone_map
from baton.core.contract import bone_tables
from tests.blender import scenes


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
