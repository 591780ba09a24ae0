"""Jobs and their ends: done, failed, cancelled; what is said, measured and left behind."""
import time

import pytest

from baton.blender_addon.errors import Cancelled, UserError
from baton.blender_addon.scene import stats
from baton.blender_addon.worker import manager as jobs
from tests.blender.plain_jobs import job, run_until, scripted


def test_a_job_runs_and_leaves_no_folder(manager):
    done = manager.run_blocking(job())
    assert done.state == "done" and done.message == "fine" and "missing" in done.result
    assert not done.folder.exists() and manager.job is None and manager.last is done
    pid = manager._client.pid
    manager.run_blocking(job())
    assert manager._client.pid == pid, "the worker stays warm"


def test_errors_of_the_worker_reach_the_user(manager):
    with pytest.raises(UserError, match="no setting nonsense"):
        manager.run_blocking(job(kind="beats", params={"nonsense": 1}))
    assert manager.last.state == "failed"


def test_only_one_job(manager):
    manager.start(job())
    with pytest.raises(UserError, match="working already"):
        manager.start(job())
    manager.cancel()
    assert manager.job is None and manager.last.state == "cancelled"


def test_cancel_while_reading_and_while_running(manager, monkeypatch, tmp_path):
    closed = []

    def slow(folder):
        try:
            for i in range(1000):
                yield i / 1000
        finally:
            closed.append(True)
    running = job(prepare=slow)
    manager.start(running)
    manager.poll()
    manager.cancel()
    assert running.state == "cancelled" and closed == [True]
    scripted(monkeypatch, tmp_path, """
        say(**HELLO)
        for line in sys.stdin:
            m = json.loads(line)
            if m["type"] == "cancel": say(type="error", job=m["job"], code="cancelled", message="Cancelled.", \
trace=None)
        """)
    running = job()
    manager.start(running)
    run_until(manager, lambda: running.state == "running")
    manager.cancel()
    run_until(manager, lambda: running.over, 10)
    assert running.state == "cancelled" and not running.folder.exists()


def test_defects_end_the_job_with_a_sentence_and_a_report(manager):
    def broken(result, folder):
        raise KeyError("oops")
    with pytest.raises(UserError, match="fault of its own.*Copy Report"):
        manager.run_blocking(job(apply=broken))
    assert manager.job is None and manager.last.state == "failed" and "KeyError" not in manager.last.message
    assert "KeyError: 'oops'" in jobs.faults[-1] and "KeyError" in manager.last.trace


def test_no_runtime(manager, monkeypatch, blender):
    monkeypatch.delenv("BATON_WORKER_PYTHON")
    with pytest.raises(UserError, match="Set Up Runtime"):
        manager.run_blocking(job())
    with pytest.raises(RuntimeError, match="Set Up Runtime"):
        blender.ops.baton.check()


def test_callbacks_are_measured(manager):
    stats.callbacks.clear()
    running = job()
    manager.start(running)
    while not running.over:
        jobs.tick()
        time.sleep(0.005)
    assert running.state == "done" and len(stats.callbacks) > 3


def test_cancelled_is_told_to_scripts(manager):
    def prepare(folder):
        yield 0.5
        raise Cancelled("Esc")
    with pytest.raises(Cancelled):
        manager.run_blocking(job(prepare=prepare))
