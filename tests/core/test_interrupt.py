"""Cancel in the midst of Python code that never asks: it stops soon, where it does no harm, and the worker lives on."""
import os
import threading
import time

import pytest

from core.contract.files import replacing
from core.errors import Cancelled
from core.worker import interrupt
from core.worker.interrupt import Interrupt


@pytest.fixture(autouse=True)
def here(monkeypatch):
    """This file counts as Baton's own."""
    monkeypatch.setattr(interrupt, "OURS", (os.path.dirname(os.path.abspath(__file__)),))


def endless(seconds=20.0):
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        count += 1
    return count


def stopped(function, after=0.2):
    """(how function() ended, seconds until it did), as the worker's loop does it."""
    one, outcome = Interrupt(), None
    threading.Timer(after, one.stop).start()
    began = time.monotonic()
    while True:
        try:
            outcome = function() if outcome is None else outcome
            one.end()
            return outcome, time.monotonic() - began
        except Cancelled:
            outcome = "cancelled"


def test_a_loop_that_does_not_ask_is_stopped():
    how, seconds = stopped(endless)
    assert how == "cancelled" and seconds < 2.0


def test_one_that_is_over_is_not_stopped_any_more():
    for _ in range(20):
        how, _ = stopped(lambda: endless(0.21) and "whole", after=0.0)
        assert how in ("whole", "cancelled")
        endless(0.02)                              # nothing strikes later


def test_a_call_that_a_card_records_is_not_left():
    scope, where = {"endless": endless}, os.path.join(os.path.dirname(os.path.abspath(__file__)), "layers/recording.py")
    exec(compile("def record():\n    return endless(1.0)", where, "exec"), scope)
    how, _ = stopped(scope["record"])
    assert how != "cancelled"


def test_a_file_that_is_being_replaced_is_not_left(tmp_path):
    path = tmp_path / "x.txt"

    def write():
        for number in range(2000):
            with replacing(path) as temporary:
                temporary.write_text(str(number))
                endless(0.01)
    how, _ = stopped(write, after=0.05)
    assert how == "cancelled" and path.read_text().isdigit()
    assert [found.name for found in tmp_path.iterdir()] == ["x.txt"], "no temporary file is left"


def test_an_import_is_not_left(tmp_path, monkeypatch):
    (tmp_path / "slow_to_import.py").write_text("import time\nend = time.monotonic() + 1.0\nn = 0\n"
                                                "while time.monotonic() < end:\n    n += 1\nDONE = True\n")
    monkeypatch.setattr(interrupt, "OURS", (str(tmp_path), os.path.dirname(os.path.abspath(__file__))))
    monkeypatch.syspath_prepend(str(tmp_path))

    def job():
        import slow_to_import
        assert slow_to_import.DONE
        endless()
    how, seconds = stopped(job)
    assert how == "cancelled" and seconds >= 1.0
    import slow_to_import
    assert slow_to_import.DONE
