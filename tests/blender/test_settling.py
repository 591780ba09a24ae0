"""Sounds made in a file that was never saved are there when it is opened again; files of removed takes go on
request."""
import os
from pathlib import Path

import pytest

from baton.blender_addon.scene import settling, strips
from baton.blender_addon.worker import manager as jobs
from tests.blender.stand_ins import music


def made(blender, tmp_path, variations=1):
    job, result = music(blender, tmp_path, variations)
    job.apply(result, tmp_path / "job")
    return blender.context.scene.baton.takes


def sound_of(take):
    return strips.sound_of(take)


def test_the_first_save_moves_sounds_beside_the_file(blender, sound, tmp_path):
    made(blender, tmp_path, 2)
    (tmp_path / "project").mkdir()
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "project" / "a.blend"))
    assert "2 sounds were moved beside the file" in jobs.manager.last.message
    assert [take.path for take in blender.context.scene.baton.takes] == ["//baton/Music 1.wav", "//baton/Music 2.wav"]
    (tmp_path / "project").rename(tmp_path / "moved")
    blender.ops.wm.open_mainfile(filepath=str(tmp_path / "moved" / "a.blend"))
    for take in blender.context.scene.baton.takes:
        path = Path(blender.path.abspath(sound_of(take).filepath))
        assert path.is_file() and path.parent == tmp_path / "moved" / "baton" and path.with_suffix(".json").is_file()
        assert settling.path_of(take).is_file()
    assert blender.ops.baton.keep_take() == {"FINISHED"}


def test_a_copy_of_an_unsaved_file_has_its_sounds_too(blender, sound, tmp_path):
    made(blender, tmp_path)
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "copy.blend"), copy=True)
    assert blender.data.filepath == "" and settling.path_of(blender.context.scene.baton.takes[0]).is_file()
    blender.ops.wm.open_mainfile(filepath=str(tmp_path / "copy.blend"))
    assert Path(blender.path.abspath(sound_of(blender.context.scene.baton.takes[0]).filepath)).is_file()


def test_saving_again_after_undo_copies_nothing_twice(blender, sound, tmp_path):
    made(blender, tmp_path)
    blender.ops.ed.undo_push(message="made")
    blender.ops.ed.undo_push(message="more")
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    blender.ops.ed.undo()
    blender.ops.wm.save_mainfile()
    assert sorted(path.name for path in (tmp_path / "baton").iterdir()) == ["Music 1.json", "Music 1.wav"]
    path = blender.path.abspath(sound_of(blender.context.scene.baton.takes[0]).filepath)
    assert Path(path).parent == tmp_path / "baton"


def test_where_no_folder_can_be_made_the_sound_is_packed(blender, sound, tmp_path):
    made(blender, tmp_path)
    (tmp_path / "baton").write_text("a file is in the way")
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    assert "packed into the file" in jobs.manager.last.message
    blender.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    assert sound_of(blender.context.scene.baton.takes[0]).packed_file is not None
    assert blender.ops.baton.keep_take() == {"FINISHED"}


def test_keep_names_a_missing_file(blender, sound, tmp_path):
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    takes = made(blender, tmp_path)
    settling.path_of(takes[0]).unlink()
    with pytest.raises(RuntimeError, match="Music 1 is missing: .*Find Missing Files"):
        blender.ops.baton.keep_take()
    assert not takes[0].kept


def test_files_of_removed_takes_are_deleted_on_request_alone(blender, sound, tmp_path):
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    made(blender, tmp_path, 3)
    folder = tmp_path / "baton"
    (folder / "mine.wav").write_bytes(b"the user's own")
    with pytest.raises(RuntimeError, match="No sound file of a removed take"):
        blender.ops.baton.delete_unused()
    for name in ("Music 1", "Music 2"):
        blender.ops.baton.remove_take(name=name)
    assert (folder / "Music 1.wav").is_file(), "removing deletes no file"
    scene = blender.context.scene
    strips.place(scene, folder / "Music 2.wav", "Again", 300, 60)      # the user plays one of them after all
    assert [path.name for path in settling.unused(scene)] == ["Music 1.wav"]
    assert blender.ops.baton.delete_unused() == {"FINISHED"}
    assert sorted(os.listdir(folder)) == ["Music 2.json", "Music 2.wav", "Music 3.json", "Music 3.wav", "mine.wav"]


def test_a_folder_in_the_place_of_a_recipe_stays(blender, sound, tmp_path):
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    made(blender, tmp_path)
    recipe = tmp_path / "baton" / "Music 1.json"
    recipe.unlink()
    recipe.mkdir()
    blender.ops.baton.remove_take(name="Music 1")
    assert blender.ops.baton.delete_unused() == {"FINISHED"} and not blender.context.scene.baton.removed_files
    assert os.listdir(tmp_path / "baton") == ["Music 1.json"]


def test_no_other_file_can_be_named_for_deletion(blender, tmp_path):
    (tmp_path / "baton").mkdir()
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    outside = tmp_path.parent / f"{tmp_path.name} outside.wav"
    outside.write_bytes(b"x")
    blender.context.scene.baton.removed_files = f'["{outside}", "//a.blend", "//baton/../a.blend", 3]'
    assert settling.unused(blender.context.scene) == []
    blender.context.scene.baton.removed_files = "nonsense"
    assert settling.unused(blender.context.scene) == []
