"""Add Sample Scene works in the user's own Blender, whichever it is: what it makes is of that version."""
import numpy as np
import pytest

from baton.blender_addon.scene import baton_prop, bone_map, sample_scene, strips
from tests.blender import scenes


def test_a_sample_scene_beside_the_users(blender, has_sound, tmp_path):
    own = blender.context.scene
    own.frame_end = 77
    assert blender.ops.baton.add_sample_scene() == {"FINISHED"}
    scene = blender.data.scenes["Baton Sample"]
    assert own.frame_end == 77 and len(own.objects) == 0 and blender.context.window.scene == scene
    dancer, conductor = scene.objects["Dancer"], scene.objects["Conductor"]
    assert not bone_map.missing(dancer) and not bone_map.missing(conductor)
    assert baton_prop.of(conductor) is not None and baton_prop.of(dancer) is None
    hands = []
    for frame in range(1, scene.frame_end, 10):
        scene.frame_set(frame)
        hands.append(list(dancer.matrix_world @ dancer.pose.bones["right_wrist"].head))
    assert np.ptp(hands, axis=0).max() > 0.3 and scene.frame_end == 600, "it dances, for 20 s"
    place, strip = strips.sound_strip(blender.context)
    if has_sound:
        assert place == scene and strip.name == "Sample Piece" and strip.sound.packed_file is not None
        assert strip.frame_final_end <= scene.frame_end + 1
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "sample.blend"))
    blender.ops.wm.open_mainfile(filepath=str(tmp_path / "sample.blend"))
    assert blender.data.scenes["Baton Sample"].objects["Dancer"].animation_data.action is not None


def test_a_sample_that_is_missing_is_named(blender, monkeypatch, tmp_path):
    monkeypatch.setattr(sample_scene, "DANCE", tmp_path / "demo_dance.npz")
    with pytest.raises(RuntimeError, match="demo_dance.npz is missing"):
        blender.ops.baton.add_sample_scene()
    assert len(blender.data.scenes) == 1


@pytest.mark.parametrize("scale", [1.0, 4.5])
def test_the_baton_fits_the_body_and_changes_hands(blender, scale):
    rig = scenes.smpl_rig(scale=scale)
    mapped = bone_map.require(rig)
    thing = baton_prop.add(rig, mapped, "right")
    again = baton_prop.add(rig, mapped, "left")
    assert thing == again and thing.parent_bone == "left_wrist"
    blender.context.view_layer.update()
    points = [thing.matrix_world @ vertex.co for vertex in thing.data.vertices]
    length = max((a - b).length for a in points for b in points[:3])
    assert length == pytest.approx(0.417 * scale, rel=0.03), "0.42 m for a body of 1.7 m, 1.9 m for one of 8 m"
    wrist = rig.matrix_world @ rig.pose.bones["left_wrist"].head
    assert min((point - wrist).length for point in points) < 0.08 * scale
