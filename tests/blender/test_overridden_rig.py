"""A linked rig with a library override, as productions have it: takes, parts, Bake and Remove work as on a rig of the
file; a baton of an 8 m rig is as long as its body asks and goes to the hand that leads."""
import bpy
import numpy as np
import pytest

from baton.blender_addon.scene import baton_prop, bone_map
from tests.blender import on_rigs, scenes

FRAMES = range(15, 90, 4)


@pytest.fixture
def rig(blender, tmp_path):
    made = scenes.smpl_rig("Hero")
    scenes.sway(made, 100)
    bpy.data.libraries.write(str(tmp_path / "hero.blend"), {made}, fake_user=True)
    bpy.data.objects.remove(made)
    for action in list(bpy.data.actions):
        bpy.data.actions.remove(action)
    with bpy.data.libraries.load(str(tmp_path / "hero.blend"), link=True) as (_there, here):
        here.objects = ["Hero"]
    linked = bpy.data.objects["Hero"]
    bpy.context.scene.collection.objects.link(linked)
    over = linked.override_create(remap_local_usages=True)
    assert over.override_library is not None and over.library is None
    bpy.context.view_layer.objects.active = over
    return over


def test_takes_on_an_override(blender, tmp_path, rig):
    bone_map.detect(rig)
    before = scenes.evaluated(rig, FRAMES)
    take = on_rigs.put(rig, "dance 2.0", tmp_path / "job", blend=0.2)
    danced = scenes.evaluated(rig, FRAMES)
    assert np.abs(danced - before).max() > 0.1
    take.part = "arms"
    hips = [list(rig.pose.bones.keys()).index(bone) for bone in ("pelvis", "left_knee", "spine3")]
    assert np.array_equal(scenes.evaluated(rig, FRAMES)[:, hips], before[:, hips])
    assert blender.ops.baton.remove_take(name=take.name) == {"FINISHED"}
    assert np.array_equal(scenes.evaluated(rig, FRAMES), before)


def test_its_bone_map_is_saved(blender, tmp_path, rig):
    """In the file that overrides it: a choice of the user's, and the rows that were found."""
    bone_map.detect(rig)
    bone_map.give(rig, "head", "")
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    blender.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    again = next(thing for thing in bpy.data.objects if thing.override_library is not None)
    assert len(again.baton.bones) == 24 and "head" not in bone_map.current(again)
    assert len(bone_map.current(again)) == 23


def test_bake_on_an_override_says_why_not(blender, tmp_path, rig):
    """Its own action lies in the other file: nothing can be written there."""
    bone_map.detect(rig)
    take = on_rigs.put(rig, "dance 2.0", tmp_path / "job")
    with pytest.raises(RuntimeError, match="is linked from another file"):
        blender.ops.baton.bake_take(name=take.name)


def test_the_baton_of_a_giant(blender):
    giant = scenes.smpl_rig("Giant", scale=5.0)
    bpy.context.view_layer.objects.active = giant
    assert blender.ops.baton.add_baton() == {"FINISHED"}
    thing = baton_prop.of(giant)
    points = [thing.matrix_world @ vertex.co for vertex in thing.data.vertices]
    assert max((point - points[0]).length for point in points) == pytest.approx(5 * 0.417, rel=0.03)
    blender.context.scene.baton.conductor.mirror = True
    assert blender.ops.baton.add_baton() == {"FINISHED"}
    assert [baton_prop.of(giant)] == list(giant.children) and baton_prop.of(giant).parent_bone == "left_wrist"
