"""Workers that are slow, silent, killed, babbling or of other code: the job ends with a sentence, the next one runs."""
import os
import signal
import time

import pytest

from baton.blender_addon.errors import UserError
from baton.blender_addon.worker import client as worker_client
from baton.blender_addon.worker import manager as jobs
from baton.blender_addon.worker import owner
from tests.blender.plain_jobs import job, run_until, scripted


def test_a_worker_still_starting_does_not_outlive_the_addon(manager, monkeypatch):
    made = []

    class Slow(worker_client.WorkerClient):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            made.append(self)
            time.sleep(0.3)

    monkeypatch.setattr(owner, "WorkerClient", Slow)
    manager.start(job())
    starting = manager._starting
    while not made:
        time.sleep(0.01)
    jobs.shutdown()
    starting.join(20)
    assert not starting.is_alive() and manager._client is None and not made[0].alive
    assert manager.last.state == "failed" and "disabled" in manager.last.message


def test_a_worker_that_does_not_let_go_is_ended(manager, monkeypatch, tmp_path):
    monkeypatch.setattr(jobs, "CANCEL_SECONDS", 0.5)
    scripted(monkeypatch, tmp_path, "say(**HELLO); time.sleep(60)")
    running = job()
    manager.start(running)
    run_until(manager, lambda: running.state == "running")
    client = manager._client
    manager.cancel()
    run_until(manager, lambda: running.over, 10)
    assert running.state == "cancelled" and not client.alive


def test_a_worker_without_a_heartbeat_is_ended(manager, monkeypatch, tmp_path):
    monkeypatch.setattr(worker_client, "SILENT_SECONDS", 0.6)
    scripted(monkeypatch, tmp_path, "say(**HELLO); time.sleep(60)")
    running = job()
    manager.start(running)
    run_until(manager, lambda: running.over, 20)
    assert running.state == "failed" and "no sign of life" in running.message and not manager.worker_alive


def test_a_computer_that_slept_is_no_silent_worker(manager, monkeypatch):
    manager.run_blocking(job())
    client = manager._client
    client._last_sign = client._asked = time.monotonic() - 1000.0
    assert manager.run_blocking(job()).state == "done" and manager._client is client


def test_killed_worker_then_another_job(manager):
    manager.run_blocking(job())
    slow = job(kind="beats", params={"motion": "/no/such"})
    manager.start(slow)
    os.kill(manager._client.pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    run_until(manager, lambda: slow.over)
    assert slow.state == "failed"
    assert manager.run_blocking(job()).state == "done"


def test_a_worker_outlives_blenders_session_folder(manager, blender):
    """Loading the factory settings renews that folder: the worker must neither stand nor log in it."""
    manager.run_blocking(job())
    client = manager._client
    blender.ops.wm.read_factory_settings(use_empty=True)
    assert client.alive and client.folder.is_dir() and client.log_path.is_file()
    assert manager.run_blocking(job()).state == "done" and manager._client is client


@pytest.mark.parametrize(("body", "sentence"), [
    ('say(**HELLO); sys.stdin.readline(); print("Fatal: out of luck", file=sys.stderr, flush=True); os._exit(3)',
     "out of luck"),
    ('say(**HELLO); sys.stdin.readline(); print("numpy warns you", flush=True); time.sleep(60)', "no message"),
    ('say(**{**HELLO, "protocol": 9}); time.sleep(60)', "protocol 9"),
    ('say(**{**HELLO, "code": "other"}); time.sleep(60)', "other code"),
])
def test_misbehaving_workers_end_the_job_with_a_sentence(manager, monkeypatch, tmp_path, body, sentence):
    scripted(monkeypatch, tmp_path, body)
    with pytest.raises(UserError, match=sentence):
        manager.run_blocking(job())


def test_changed_code_restarts_a_warm_worker(manager, monkeypatch):
    manager.run_blocking(job())
    first = manager._client.pid
    true_hash, calls = owner.code_hash, []

    def changed_once(root):
        calls.append(root)
        return "something else" if len(calls) == 1 else true_hash(root)
    monkeypatch.setattr(owner, "code_hash", changed_once)
    assert manager.run_blocking(job()).state == "done"
    assert manager._client.pid != first
