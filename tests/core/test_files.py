"""Atomic writing: a failed write leaves the old file and no rubbish."""
import pytest

from core.contract.files import copy, replacing, write_text


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
