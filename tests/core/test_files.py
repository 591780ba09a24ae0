"""Atomic writing: a failed write leaves the old file and no rubbish."""
import errno
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from core import motion_files
from core.contract import bvh_roots, files, json_text, sound_files
from core.contract.files import copy, replacing, write_text
from core.errors import BatonError


def test_a_new_folder_and_file(tmp_path):
    write_text(tmp_path / "deep" / "name.txt", "ü")
    assert (tmp_path / "deep" / "name.txt").read_text(encoding="utf-8") == "ü"
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["name.txt"]


def test_a_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "name.bin"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="half way"), replacing(path) as temporary:
        temporary.write_bytes(b"ne")
        raise RuntimeError("half way")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["name.bin"]


def test_nothing_written_is_an_error_not_an_empty_file(tmp_path):
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "name"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_copy_is_whole_or_not_there(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"sound")
    copy(tmp_path / "a.wav", tmp_path / "deep" / "b.wav")
    assert (tmp_path / "deep" / "b.wav").read_bytes() == b"sound"
    with pytest.raises(FileNotFoundError):
        copy(tmp_path / "absent.wav", tmp_path / "deep" / "c.wav")
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["b.wav"]


def test_a_link_in_the_way_is_never_written_through(tmp_path, monkeypatch):
    """Neither where a temporary file would lie, nor where the file itself would: what it points to stays."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    folder = tmp_path / "baton"
    folder.mkdir()
    monkeypatch.setattr(files.secrets, "token_hex", lambda count: "guessed")
    (folder / ".a.wav.guessed.part").symlink_to(victim)
    (folder / "a.wav.part").symlink_to(victim)
    with pytest.raises(FileExistsError):
        write_text(folder / "a.wav", "sound")
    assert victim.read_bytes() == b"mine" and not (folder / "a.wav").exists()
    (folder / "b.wav").symlink_to(victim)
    write_text(folder / "b.wav", "sound")
    assert victim.read_bytes() == b"mine" and not (folder / "b.wav").is_symlink()
    with pytest.raises(FileExistsError):
        files.create(folder / "a.wav.part")


@pytest.mark.parametrize("name", ["x" * 251 + ".wav", "\U0001f3bb" * 62 + ".wav", "\u97f3" * 83 + ".wav",
                                  "\u0065\u0301" * 80 + ".wav", "a\nb; $(c) %s.wav", "\u202etxt.wav"])
def test_a_name_as_long_as_a_disk_allows(tmp_path, name):
    write_text(tmp_path / name, "whole")
    copy(tmp_path / name, tmp_path / "out" / name)
    assert (tmp_path / "out" / name).read_text() == "whole" and [each.name for each in tmp_path.iterdir() if
                                                                 each.is_file()] == [name]


@pytest.mark.parametrize("where", ["write", "close", "replace"])
def test_a_disk_that_fills_between_temporary_name_and_own(tmp_path, monkeypatch, where):
    path = tmp_path / "name.txt"
    path.write_text("old")

    def full(*_args, **_more):
        raise OSError(errno.ENOSPC, "No space left on device")
    if where == "replace":
        monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"), replacing(path) as temporary:
        with open(temporary, "w") as file:
            file.write("new")
            if where == "write":
                full()
        if where == "close":
            full()
    assert path.read_text() == "old" and [each.name for each in tmp_path.iterdir()] == ["name.txt"]


def test_a_disk_that_does_not_tell_capitals_apart(tmp_path, monkeypatch):
    """There `MUSIC 1.WAV` of the user's own is where `Music 1.wav` would be."""
    (tmp_path / "a.wav").write_bytes(b"sound")
    out = tmp_path / "out"
    out.mkdir()
    (out / "MUSIC 1.WAV").write_text("the user's")
    (out / "Music 1 (2).JSON").write_text("the user's too")
    opened, exists = os.open, os.path.lexists

    def meant(path):
        here = {each.lower(): each for each in os.listdir(out)}
        name = os.path.basename(path)
        return os.path.join(out, here.get(name.lower(), name)) if os.path.dirname(path) == str(out) else path
    monkeypatch.setattr(os.path, "lexists", lambda path: exists(meant(os.fspath(path))))
    monkeypatch.setattr(os, "open", lambda path, *more, **named: opened(meant(os.fspath(path)), *more, **named))
    made = files.place(tmp_path / "a.wav", out, "Music 1", (".wav", ".json"))
    assert made.name == "Music 1 (3).wav" and (out / "MUSIC 1.WAV").read_text() == "the user's"


def test_a_private_file(tmp_path):
    write_text(tmp_path / "rig.json", "{}", 0o600)
    assert (tmp_path / "rig.json").stat().st_mode & 0o777 == 0o600


def test_files_never_take_the_place_of_others(tmp_path):
    """Free with every suffix, dangling links counted; a copy that fails leaves the name free."""
    (tmp_path / "a.wav").write_bytes(b"sound")
    out = tmp_path / "out"
    out.mkdir()
    (out / "Music 1.json").write_text("the user's")
    (out / "Music 1 (2).wav").symlink_to(tmp_path / "nowhere")
    suffixes = (".wav", ".json")
    made = [files.place(tmp_path / "a.wav", out, "Music 1", suffixes).name for _ in range(2)]
    assert made == ["Music 1 (3).wav", "Music 1 (4).wav"] and (out / made[0]).read_bytes() == b"sound"
    before = sorted(path.name for path in out.iterdir())
    with pytest.raises(FileNotFoundError):
        files.place(tmp_path / "gone.wav", out, "Music 2", suffixes)
    assert sorted(path.name for path in out.iterdir()) == before


def test_many_at_once_all_get_a_name_of_their_own(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"sound")
    out = tmp_path / "out"
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: files.place(tmp_path / "a.wav", out, "Music 1", (".wav", ".json")), range(32)))
    assert len(set(made)) == 32 == len(list(out.iterdir()))


@pytest.mark.parametrize("number, words", [(errno.ENOSPC, "disk is full"), (errno.EACCES, "no right"),
                                           (errno.EXDEV, "cross-device")])
def test_reasons_are_words(number, words):
    assert words in files.reason(OSError(number, os.strerror(number)))


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes among the files")
def test_pipes_and_devices_are_not_waited_for(tmp_path):
    """A bone map that is a pipe stopped Blender for ever."""
    os.mkfifo(tmp_path / "map.json")
    (tmp_path / "zeros.bvh").symlink_to("/dev/zero")
    for path, why in ((tmp_path / "map.json", errno.ENXIO), (tmp_path / "zeros.bvh", errno.ENXIO), (tmp_path,
                                                                                                   errno.EISDIR)):
        with pytest.raises(OSError) as caught:
            files.open_plain(path)
        assert caught.value.errno == why
    for read, name in ((json_text.read, "map.json"), (motion_files.read_motion, "zeros.bvh")):
        with pytest.raises((OSError, BatonError), match="pipe or a device|No such device|Kein"):
            read(tmp_path / name)
    assert bvh_roots.roots(tmp_path / "zeros.bvh") == [] and sound_files.kind(tmp_path / "map.json") == ""
    (tmp_path / "plain").write_bytes(b"words")
    with files.open_plain(tmp_path / "plain") as file:
        assert file.read() == b"words"
