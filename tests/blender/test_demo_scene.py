"""The demo's scene: the character moves as the motion says, and the file opens ready to play."""
import numpy as np
import pytest

from baton.blender_addon import demo_scene
from baton.blender_addon.scene import character, compat
from tests.blender import scenes

DANCE = scenes.ROOT / "core" / "assets" / "demo_dance.npz"


def motion(path, frames=40, fps=30.0):
    rng = np.random.default_rng(3)
    poses = rng.normal(scale=0.3, size=(1, 24, 3)) + rng.normal(scale=0.02, size=(frames, 24, 3)).cumsum(axis=0)
    poses[:, 0] += (np.pi / 2, 0, 0)
    root = np.array([0.0, 0.0, 0.95]) + rng.normal(scale=0.01, size=(frames, 3)).cumsum(axis=0)
    np.savez(path, poses=poses.reshape(frames, 72), trans=root, mocap_framerate=fps)
    return poses, root


def test_keys_follow_the_motion(blender, tmp_path):
    poses, root = motion(tmp_path / "m.npz")
    truth = scenes.joint_positions(poses, root)
    rig = character.make_armature("Figure", blender.context.scene)
    character.key_motion(rig, "Walk", poses, root, 30.0, 11, 30.0)
    for index in (0, 17, 39):
        blender.context.scene.frame_set(11 + index)
        got = np.array([rig.pose.bones[joint].head for joint in scenes.JOINTS])
        assert np.abs(got - truth[index]).max() < 1e-4


def parts(folder, sound):
    return [{"title": title, "figure": figure, "motion": folder / "a.npz", "sound": sound}
            for title, figure in (("Dance", "dancer"), ("Conducting", "conductor"))]


def test_demo_blend(blender, tmp_path):
    motion(tmp_path / "a.npz")
    sound = scenes.write_wav(tmp_path / "a.wav", 40 / 30)
    made = demo_scene.make_demo_blend(tmp_path / "demo.blend", parts(tmp_path, sound))
    assert [path.name for path in tmp_path.glob("demo.*")] == ["demo.blend"], "no backup file beside it"
    blender.ops.wm.open_mainfile(filepath=made["blend"])
    scene = blender.context.scene
    assert scene.sync_mode == "AUDIO_SYNC" and scene.frame_end == made["frames"] == 40 + 30 + 40
    assert [marker.camera.name for marker in scene.timeline_markers] == ["Camera Dance", "Camera Conducting"]
    assert {thing.name for thing in scene.objects if thing.type == "ARMATURE"} == {"Dancer Dance",
                                                                                   "Conductor Conducting"}
    if made["sound"]:
        assert [strip.frame_final_start for strip in compat.sequences(scene.sequence_editor)] == [1, 71]


@pytest.mark.slow
def test_contact_sheet(blender, tmp_path):
    motion(tmp_path / "a.npz")
    sound = scenes.write_wav(tmp_path / "a.wav", 40 / 30)
    demo_scene.make_demo_blend(tmp_path / "demo.blend", parts(tmp_path, sound))
    scene = blender.context.scene
    demo_scene.contact_sheet(scene, [20, 90], tmp_path / "s.png", size=(96, 96), columns=2)
    image = blender.data.images.load(str(tmp_path / "s.png"))
    pixels = np.array(image.pixels[:]).reshape(96, 192, 4)[..., :3]
    assert image.size[:] == (192, 96) and pixels.std() > 0.03
    assert np.abs(pixels[:, :96] - pixels[:, 96:]).max() > 0.1, "two different pictures"
