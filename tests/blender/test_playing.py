"""Takes of separate passages play side by side; those that overlap silence each other and give back what they
silenced."""
import numpy as np
import pytest

from baton.blender_addon.flows.to_motion import write_takes
from baton.blender_addon.scene import bone_map, playing, strips, takes
from baton.blender_addon.scene.timebase import Passage
from tests.blender import scenes
from tests.blender.stand_ins import music
from tests.blender.test_keeping import made

OWN = {"blend_seconds": 0.0, "reduce_degrees": 0.0, "legs": True}


def conduct(blender, rig, folder, first, seconds, seed=1):
    """A take of the frames from `first` on, as a job would write it; needs no sound."""
    folder.mkdir(exist_ok=True)
    made(folder, rig, "channels.npz", seed, seconds=seconds)
    scene, mapped = blender.context.scene, bone_map.require(rig)
    row = {"file": "channels.npz", "recipe": {}}
    request, passage = {"system": "conductor", "params": {}}, Passage(float(first), seconds, 30.0)
    write_takes(scene, rig, mapped, [row], [request], passage, folder, "Conducting", OWN)
    return scene.baton.takes[-1].name


def moving(rig, first, last):
    """Metres by which the right hand moves at most from frame to frame."""
    hand = scenes.evaluated(rig, range(first, last), ["right_wrist"])[:, 0, :3, 3]
    return np.linalg.norm(np.diff(hand, axis=0), axis=1).max()


@pytest.mark.parametrize("animated", [False, True])
def test_separate_passages_play_both(blender, tmp_path, animated):
    rig = scenes.smpl_rig()
    if animated:
        scenes.sway(rig, 600)
    before = scenes.evaluated(rig, range(1, 500, 7))
    conduct(blender, rig, tmp_path, 1, 6.6)
    alone = scenes.evaluated(rig, range(1, 199))
    held = scenes.evaluated(rig, [250])[0]
    conduct(blender, rig, tmp_path, 300, 6.6, 2)
    second = scenes.evaluated(rig, range(300, 498))
    assert np.abs(scenes.evaluated(rig, range(1, 199)) - alone).max() < 1e-5, "the first plays on"
    assert moving(rig, 50, 150) > 0.01 and moving(rig, 350, 450) > 0.01
    assert np.abs(scenes.evaluated(rig, [250])[0] - held).max() < 1e-5, "and so does what is between"
    scene = blender.context.scene
    assert [take.audible for take in scene.baton.takes] == [True, True]
    blender.ops.baton.mute_take(name="Conducting 2")
    assert np.abs(scenes.evaluated(rig, range(1, 199)) - alone).max() < 1e-5
    blender.ops.baton.solo_take(name="Conducting 2")
    blender.ops.baton.solo_take(name="Conducting 1")
    assert np.abs(scenes.evaluated(rig, range(1, 199)) - alone).max() < 1e-5
    assert np.abs(scenes.evaluated(rig, range(300, 498)) - second).max() < 1e-5
    blender.ops.baton.remove_take(name="Conducting 1")
    assert np.abs(scenes.evaluated(rig, range(300, 498)) - second).max() < 1e-5
    blender.ops.baton.remove_take(name="Conducting 2")
    assert np.abs(scenes.evaluated(rig, range(1, 500, 7)) - before).max() < 1e-6
    assert animated or rig.animation_data is None


def test_a_new_take_silences_only_what_it_overlaps(blender, tmp_path):
    rig, scene = scenes.smpl_rig(), blender.context.scene
    first, second = conduct(blender, rig, tmp_path, 1, 4.0), conduct(blender, rig, tmp_path, 200, 4.0, 2)
    one = scenes.evaluated(rig, range(1, 121))
    third = conduct(blender, rig, tmp_path, 210, 2.0, 3)
    audible = {take.name: take.audible for take in scene.baton.takes}
    assert audible == {first: True, second: False, third: True}
    assert np.abs(scenes.evaluated(rig, range(1, 121)) - one).max() < 1e-5
    blender.ops.baton.remove_take(name=third)
    assert scene.baton.takes[second].audible and scene.baton.takes[first].audible


def test_a_kept_motion_shows_where_nothing_covers_it(blender, tmp_path):
    rig, scene = scenes.smpl_rig(), blender.context.scene
    scenes.sway(rig, 200)
    first = conduct(blender, rig, tmp_path, 1, 5.0)
    blender.ops.baton.keep_take(name=first)
    alone = scenes.evaluated(rig, range(1, 151))
    second = conduct(blender, rig, tmp_path, 51, 1.0, 2)
    now = scenes.evaluated(rig, range(1, 151))
    assert np.abs(now[:50] - alone[:50]).max() < 1e-5 and np.abs(now[81:] - alone[81:]).max() < 1e-5
    assert np.abs(now[55:75] - alone[55:75]).max() > 0.01
    blender.ops.baton.remove_take(name=second)
    assert np.abs(scenes.evaluated(rig, range(1, 151)) - alone).max() < 1e-6
    assert scene.baton.takes[first].audible


def test_what_the_user_puts_above_is_left_there(blender, tmp_path):
    """An action of the user's own over a take stays active; the take's is removed from below it."""
    rig = scenes.smpl_rig()
    first = conduct(blender, rig, tmp_path, 1, 2.0)
    rig.animation_data.action = None
    own = scenes.sway(rig, 60)
    blender.ops.baton.remove_take(name=first)
    assert rig.animation_data.action == own and len(blender.context.scene.baton.takes) == 0


def test_sound_that_is_kept_gives_way_and_comes_back(blender, sound, tmp_path):
    scene = blender.context.scene
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        job, result = music(blender, tmp_path / folder)
        job.apply(result, tmp_path / folder / "job")
        if folder == "one":
            blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
            scene = blender.context.scene
            blender.ops.baton.keep_take()
    kept, new = scene.baton.takes
    new.rig = kept.rig
    playing.play(scene, new)
    assert strips.of_take(kept).mute and not strips.of_take(new).mute, "kept or not: two sounds at once are none"
    blender.ops.baton.mute_take(name=new.name)
    assert not strips.of_take(kept).mute
    blender.ops.baton.solo_take(name=new.name)
    assert strips.of_take(kept).mute
    blender.ops.baton.remove_take(name=new.name)
    assert not strips.of_take(scene.baton.takes[0]).mute and scene.baton.takes[0].audible


def test_sounds_of_separate_passages_both_play(blender, sound, tmp_path):
    scene, rig = blender.context.scene, scenes.smpl_rig()
    for number, first in enumerate((1, 62)):
        take = takes.new(scene, "Music", "MUSIC")
        strip = strips.place(scene, scenes.write_wav(tmp_path / f"{number}.wav", 2.02), take.name, first, 61)
        take.rig, take.strip, take.path = rig, strip.name, str(tmp_path / f"{number}.wav")
        playing.play(scene, take)
    assert not any(strips.of_take(take).mute for take in scene.baton.takes)
