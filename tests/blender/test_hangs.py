"""No job waits for ever: a worker that ends, that cannot start or that has lost the job ends or restarts it, in every
state."""
import os
import signal
import sys
import threading
import time

import pytest

from baton.blender_addon.errors import Cancelled, UserError
from baton.blender_addon.worker import busy as busy_module
from baton.blender_addon.worker import client as worker_client
from baton.blender_addon.worker import handlers, owner
from baton.blender_addon.worker import job as job_module
from baton.blender_addon.worker import manager as jobs
from baton.blender_addon.worker.client import WorkerClient, WorkerError
from baton.core import contract
from tests.blender.plain_jobs import bones_only, job, run_until, scripted
from tests.blender.test_worker_client import peer

ANSWER = """say(**HELLO)
result = {"bone_map": {}, "missing": []}
for line in sys.stdin:
    m = json.loads(line)
    if m["type"] == "job": """


def ended(manager, job, seconds=20.0):
    run_until(manager, lambda: job.over, seconds)
    return job


def test_a_worker_that_ends_while_the_scene_is_read_is_started_again(manager):
    manager.run_blocking(job())
    first = manager._client

    def slow(folder):
        os.kill(first.pid, signal.SIGKILL)
        first._process.wait(10)
        for _ in range(5):                     # polls go by, the end is seen
            time.sleep(0.05)
            yield 0.1
        yield from bones_only(folder)
    again = job(prepare=slow)
    manager.start(again)
    assert ended(manager, again).state == "done" and manager._client.pid != first.pid


def test_a_worker_that_never_lives_ends_the_job(manager, monkeypatch, tmp_path):
    scripted(monkeypatch, tmp_path, "print('no luck', file=sys.stderr, flush=True); os._exit(3)")

    def slow(folder):
        for _ in range(20):
            time.sleep(0.05)
            yield 0.1
        yield from bones_only(folder)
    with pytest.raises(UserError, match="no luck|as soon as it is started"):
        manager.run_blocking(job(prepare=slow))


@pytest.mark.parametrize("what", ["link", "folder"])
def test_what_is_no_code_among_the_code_does_no_harm(manager, monkeypatch, tmp_path, what):
    monkeypatch.setenv("BATON_WORKER_PYTHON", sys.executable)
    monkeypatch.setattr(contract, "ROOT", tmp_path)
    root = peer(tmp_path, ANSWER + 'say(type="done", job=m["job"], result=result)')
    place = root / "core" / "x.py"
    place.symlink_to(root / "gone.py") if what == "link" else place.mkdir()
    code = owner.code_hash(root)
    monkeypatch.setattr(owner, "code_hash", lambda root: "x")
    assert len(code) == 64 and manager.run_blocking(job()).state == "done"


def test_a_start_that_fails_in_any_way_ends_the_job(manager, monkeypatch):
    def broken(root):
        raise PermissionError(13, "Permission denied")
    monkeypatch.setattr(owner, "code_hash", broken)
    with pytest.raises(UserError, match="cannot be read .*install the extension again"):
        manager.run_blocking(job())

    def worse(root):
        raise ZeroDivisionError
    monkeypatch.setattr(owner, "code_hash", worse)
    with pytest.raises(UserError, match="fault of its own"):
        manager.run_blocking(job())


def test_a_start_that_takes_for_ever_ends_the_job(manager, monkeypatch):
    over = threading.Event()
    monkeypatch.setattr(jobs, "START_SECONDS", 0.5)
    monkeypatch.setattr(owner, "code_hash", lambda root: over.wait(30))
    with pytest.raises(UserError, match="could not be started"):
        manager.run_blocking(job())
    over.set()


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, b"x", 10 ** 5000], ids=["nan", "set", "bytes", "long"])
def test_a_setting_that_a_message_cannot_hold(manager, value):
    with pytest.raises(UserError, match="cannot be sent"):
        manager.run_blocking(job(params={"strange": value}))
    assert manager.run_blocking(job()).state == "done"


@pytest.mark.parametrize("answer", ['say(type="done", job="job0", result=result)',
                                    'say(type="error", job=None, code="protocol", message="What?", trace=None)',
                                    'say(type="done", job=["x"], result=result)'])
def test_an_answer_for_another_job_ends_this_one(manager, monkeypatch, tmp_path, answer):
    scripted(monkeypatch, tmp_path, ANSWER + answer)
    began = time.monotonic()
    with pytest.raises(UserError, match="another job|What"):
        manager.run_blocking(job())
    assert time.monotonic() - began < 15 and not manager.worker_alive


def test_a_worker_that_has_lost_the_job_is_ended(manager, monkeypatch, tmp_path):
    monkeypatch.setattr(job_module, "LOST_SECONDS", 0.3)
    scripted(monkeypatch, tmp_path, """
        say(**HELLO)
        while True: say(type="heartbeat", job=None, busy=None); time.sleep(0.2)
        """)
    with pytest.raises(UserError, match="lost the job"):
        manager.run_blocking(job())


def test_stopping_the_worker_ends_its_job(manager, monkeypatch, tmp_path):
    scripted(monkeypatch, tmp_path, "say(**HELLO); time.sleep(60)")
    running = job()
    manager.start(running)
    run_until(manager, lambda: running.state == "running")
    manager.stop_worker()
    assert running.state == "failed" and "was stopped" in running.message and manager.job is None


def test_a_set_up_that_ends_does_not_disturb_a_job(manager):
    from baton.blender_addon.ui.operators import preferences
    manager.run_blocking(job())
    first, running = manager._client.pid, job()
    manager.start(running)
    run_until(manager, lambda: running.state == "running")
    preferences._watch()
    assert ended(manager, running).state == "done"
    assert manager.run_blocking(job()).state == "done" and manager._client.pid != first


def test_a_cancelled_job_ends_within_two_seconds(manager, monkeypatch, tmp_path):
    scripted(monkeypatch, tmp_path, "say(**HELLO); time.sleep(60)")
    running = job()
    manager.start(running)
    run_until(manager, lambda: running.state == "running")
    began = time.monotonic()
    manager.cancel()
    with pytest.raises(Cancelled):
        ended(manager, running)
        raise Cancelled(running.message)
    assert time.monotonic() - began < 2.3 and running.state == "cancelled"


def test_a_render_whose_end_is_never_told(manager, monkeypatch):
    monkeypatch.setattr(busy_module, "STALE_SECONDS", 0.4)
    handlers.on_render_start()
    assert manager.run_blocking(job()).state == "done"


def test_a_flood_of_messages_is_taken_in_turns(tmp_path):
    root = peer(tmp_path, 'say(**HELLO)\nwhile True: say(type="log", job=None, level="info", text="x" * 200)')
    client = WorkerClient(sys.executable, root, tmp_path / "run")
    time.sleep(1.5)
    began = time.monotonic()
    assert len(client.messages()) == worker_client.MOST_MESSAGES and time.monotonic() - began < 0.1
    assert client._inbox.qsize() <= worker_client.MOST_WAITING
    client.kill()


def test_a_line_without_an_end_is_garbage(tmp_path, monkeypatch):
    monkeypatch.setattr(worker_client, "MOST_LINE", 100_000)
    root = peer(tmp_path, 'say(**HELLO); sys.stdout.write("[" * 10_000_000); sys.stdout.flush(); time.sleep(20)')
    client = WorkerClient(sys.executable, root, tmp_path / "run")
    end = time.monotonic() + 15
    found = []
    while time.monotonic() < end and "garbage" not in found:
        found += [message["type"] for message in client.messages(timeout=0.1)]
    assert "garbage" in found
    client.kill()


# --------------------------------------------------------------------------------- two of us, and what is left

def open_files():
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors as Linux shows them")
def test_a_worker_that_ends_leaves_no_descriptor_and_no_thread(tmp_path):
    root = peer(tmp_path, "say(**HELLO); time.sleep(60)")

    def one():
        client = WorkerClient(sys.executable, root, tmp_path / "run")
        while client.hello is None:
            client.messages(timeout=0.1)
        os.kill(client.pid, signal.SIGKILL)
        while not any(message["type"] == "exit" for message in client.messages(timeout=0.1)):
            pass
        time.sleep(0.05)
    one()
    files, threads = open_files(), threading.active_count()
    for _ in range(5):
        one()
    assert open_files() <= files and threading.active_count() <= threads


def test_many_starts_on_one_folder_of_logs(tmp_path):
    root, failures, clients = peer(tmp_path, "say(**HELLO); time.sleep(60)"), [], []

    def start():
        try:
            clients.append(WorkerClient(sys.executable, root, tmp_path / "run"))
        except (OSError, WorkerError) as error:
            failures.append(error)
    threads = [threading.Thread(target=start) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures and len({client.log_path for client in clients}) == 12
    assert all(client.log_path.is_file() for client in clients), "a log that is written is never removed"
    for client in clients:
        client.kill()
    other = WorkerClient(sys.executable, root, tmp_path / "run")
    assert len(list((tmp_path / "run").glob("*.log"))) <= worker_client.KEPT_LOGS + 1
    other.kill()


def test_a_jobs_folder_is_private(manager):
    seen = []

    def prepare(folder):
        seen.append(os.stat(folder).st_mode & 0o077)
        yield from bones_only(folder)
    manager.run_blocking(job(prepare=prepare))
    assert seen == [0]
