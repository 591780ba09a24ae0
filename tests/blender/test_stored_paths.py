"""Paths and names that a file stores are input: nothing outside the project is copied or written for their sake."""
from pathlib import Path

import pytest

from baton.blender_addon.errors import UserError
from baton.blender_addon.flows import ranges
from baton.blender_addon.scene import compat, sound_files, strips, takes
from baton.blender_addon.scene.refs import Ref
from baton.blender_addon.worker import manager as jobs
from tests.blender import scenes
from tests.blender.stand_ins import music


@pytest.fixture
def placed(blender, sound, tmp_path):
    """A file in a folder of its own with a take of music; (scene, take, its strip)."""
    (tmp_path / "project").mkdir()
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "project" / "a.blend"))
    job, result = music(blender, tmp_path)
    job.apply(result, tmp_path / "job")
    scene = blender.context.scene
    return scene, scene.baton.takes[0], takes.strip_of(scene.baton.takes[0])


def files_below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_keep_copies_nothing_from_outside(placed, blender, tmp_path):
    scene, take, strip = placed
    secret = scenes.write_wav(tmp_path / "secret.wav", 1.0)
    before, take.path = files_below(tmp_path / "project"), str(secret)
    with pytest.raises(RuntimeError, match="said to lie outside the project"):
        blender.ops.baton.keep_take()
    assert not take.kept and files_below(tmp_path / "project") == before
    strip.sound.filepath = str(secret)                          # its own strip plays it: a take may lie elsewhere
    assert blender.ops.baton.keep_take() == {"FINISHED"}
    assert take.kept and files_below(tmp_path / "project") == before and take.path == str(secret)


def test_a_link_out_of_the_project_is_outside(placed, blender, tmp_path):
    scene, take, strip = placed
    (tmp_path / "secret.wav").write_bytes(b"secret")
    link = tmp_path / "project" / "baton" / "link.wav"
    link.symlink_to(tmp_path / "secret.wav")
    assert sound_files.in_project(take.path) and not sound_files.in_project(link)
    take.path = str(link)
    with pytest.raises(RuntimeError, match="outside the project"):
        blender.ops.baton.keep_take()


def test_a_range_reads_nothing_from_outside(placed, tmp_path):
    scene, take, strip = placed
    compat.sequences(scene.sequence_editor).remove(strip)
    scene.baton.edit_range, scene.baton.edit_start, scene.baton.edit_end = "CUSTOM", 10, 30
    ranges.request(scene, take)
    take.path = str(scenes.write_wav(tmp_path / "secret.wav", 2.0))
    with pytest.raises(UserError, match="outside the project"):
        ranges.request(scene, take)


@pytest.mark.parametrize("path, name", [("//../../../../tmp/evil.wav", "evil"), ("/etc/evil", "/etc/evil"),
                                        ("C:\\windows\\evil.wav", "..\\..\\evil"), ("", "/tmp/evil"), ("//..", "..")])
def test_a_packed_sound_goes_nowhere_but_into_the_jobs_folder(blender, sound, tmp_path, path, name):
    scene = blender.context.scene
    strip = strips.place(scene, scenes.write_wav(tmp_path / "a.wav", 1.0), "A", 1, 30)
    content = (tmp_path / "a.wav").read_bytes()
    strip.sound.pack()
    strip.sound.name, strip.sound.filepath = name, path
    clip = scenes.exhaust(strips.describe(Ref.of(scene), "A", tmp_path / "job"))
    made = Path(clip.path)
    assert made.parent == tmp_path / "job" and made.read_bytes() == content and made.stat().st_mode & 0o777 == 0o600
    assert files_below(tmp_path) == ["a.wav", "job", f"job/{made.name}"]


def test_a_packed_sound_is_not_written_through_a_link(blender, sound, tmp_path):
    scene = blender.context.scene
    strip = strips.place(scene, scenes.write_wav(tmp_path / "a.wav", 1.0), "A", 1, 30)
    strip.sound.pack()
    (tmp_path / "job").mkdir()
    (tmp_path / "victim").write_bytes(b"mine")
    (tmp_path / "job" / "packed.wav").symlink_to(tmp_path / "victim")
    with pytest.raises(FileExistsError):
        scenes.exhaust(strips.describe(Ref.of(scene), "A", tmp_path / "job"))
    assert (tmp_path / "victim").read_bytes() == b"mine"


def test_a_take_that_cannot_be_placed_is_saved_elsewhere(blender, sound, tmp_path):
    """The sound is made: it must not be lost because a file lies where its folder should be."""
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    (tmp_path / "baton").write_bytes(b"mine")
    job, result = music(blender, tmp_path)
    manager, job.folder = jobs.manager, tmp_path / "job"
    assert not blender.ops.baton.save_take_as.poll()
    manager.job, job.result, job.state = job, result, "applying"
    manager.poll()
    scene = blender.context.scene
    assert manager.last.state == "failed" and "press Save Take As" in manager.last.message
    assert len(scene.baton.takes) == 0 and (tmp_path / "job").is_dir()
    with pytest.raises(RuntimeError, match="folder for sounds"):
        blender.ops.baton.save_take_as(filepath=str(tmp_path / "baton" / "x.wav"))
    assert blender.ops.baton.save_take_as(filepath=str(tmp_path / "other" / "mine.wav")) == {"FINISHED"}
    take = scene.baton.takes[0]
    assert Path(take.path) == tmp_path / "other" / "mine.wav" and takes.strip_of(take) is not None
    assert not (tmp_path / "job").exists() and manager.unplaced is None and manager.last is None
    assert not blender.ops.baton.save_take_as.poll()


def test_a_take_that_waits_goes_with_its_file(blender, sound, tmp_path):
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    (tmp_path / "baton").write_bytes(b"mine")
    job, result = music(blender, tmp_path)
    jobs.manager.job, job.result, job.state, job.folder = job, result, "applying", tmp_path / "job"
    jobs.manager.poll()
    blender.ops.wm.read_factory_settings(use_empty=True)
    assert jobs.manager.unplaced is None and not (tmp_path / "job").exists()
