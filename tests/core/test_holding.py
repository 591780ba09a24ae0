"""Files that a living process holds are told from those that a dead one left."""
import subprocess
import sys
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


def test_a_link_is_never_followed(tmp_path):
    (tmp_path / "victim").write_bytes(b"mine")
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    assert holding.held(tmp_path / "link"), "what cannot be told is left alone"
    assert not holding.unlink_unless_held(tmp_path / "link") and (tmp_path / "victim").read_bytes() == b"mine"
