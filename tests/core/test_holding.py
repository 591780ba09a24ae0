"""Files that a living process holds are told from those that a dead one left."""
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from core.contract import holding

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there an open file cannot be deleted at all")


def test_a_file_is_held_until_its_process_ends_however_it_ends(tmp_path):
    path = tmp_path / "held"
    code = ("import sys, time; from core.contract import files, holding\n"
            f"file = holding.hold(files.create({str(path)!r}))\nprint('held', flush=True)\ntime.sleep(60)")
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().strip() == "held"
        assert holding.held(path) and not holding.unlink_unless_held(path) and path.exists()
        process.kill()
    deadline = time.monotonic() + 10
    while holding.held(path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert holding.unlink_unless_held(path) and not path.exists()


def test_what_is_held_here_counts_too_and_closing_ends_it(tmp_path):
    with open(tmp_path / "held", "wb") as file:
        holding.hold(file)
        assert holding.held(tmp_path / "held")
    assert not holding.held(tmp_path / "held") and not holding.held(tmp_path / "never there")


def test_a_file_is_held_from_the_moment_it_is_seen(tmp_path, monkeypatch):
    seen, hold = [], holding.hold
    monkeypatch.setattr(holding, "hold", lambda file: (seen.append((tmp_path / "log").exists()), hold(file))[1])
    with holding.held_from_birth(tmp_path / "log", 0o600) as file:
        assert seen == [False] and holding.held(tmp_path / "log") and not holding.unlink_unless_held(tmp_path / "log")
        file.write(b"words")
    assert (tmp_path / "log").read_bytes() == b"words" and os.stat(tmp_path / "log").st_mode & 0o077 == 0
    with pytest.raises(FileExistsError):
        holding.held_from_birth(tmp_path / "log")
    assert [path.name for path in tmp_path.iterdir()] == ["log"] and (tmp_path / "log").read_bytes() == b"words"


def test_many_who_make_and_sweep_at_once_lose_no_living_file(tmp_path):
    """Makers and sweepers side by side, each sweeping what it sees: what is open stays."""
    made, ended = [], threading.Event()

    def sweep():
        while not ended.is_set():
            for path in tmp_path.glob("worker-*"):
                holding.unlink_unless_held(path)

    def make(number):
        made.extend((path, holding.held_from_birth(path)) for path in (tmp_path / f"worker-{number}-{k}.log"
                                                                       for k in range(50)))
    sweepers, makers = [threading.Thread(target=sweep) for _ in range(4)], [threading.Thread(target=make, args=(n,))
                                                                            for n in range(4)]
    for thread in sweepers + makers:
        thread.start()
    for thread in makers:
        thread.join(60)
    ended.set()
    for thread in sweepers:
        thread.join(60)
    assert len(made) == 200 and all(path.is_file() for path, _ in made)
    for _, file in made:
        file.close()


def test_a_link_is_never_followed(tmp_path):
    (tmp_path / "victim").write_bytes(b"mine")
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    assert holding.held(tmp_path / "link"), "what cannot be told is left alone"
    assert not holding.unlink_unless_held(tmp_path / "link") and (tmp_path / "victim").read_bytes() == b"mine"
