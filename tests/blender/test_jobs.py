"""Jobs and their ends: done, cancelled, undo, file load, deleted rig, busy Blender, killed and misbehaving workers."""
import json
import os
import signal
import sys
import time

import pytest

from baton.blender_addon.errors import Cancelled, UserError
from baton.blender_addon.scene import stats
from baton.blender_addon.scene.refs import Ref
from baton.blender_addon.worker import client as worker_client
from baton.blender_addon.worker import manager as jobs
from baton.blender_addon.worker import owner
from baton.core import contract
from tests.blender import scenes
from tests.blender.test_worker_client import peer


@pytest.fixture
def manager(blender):
    jobs.manager.stop_worker()
    yield jobs.manager
    jobs.manager.stop_worker()


def bones_only(folder):
    """The lightest real job: bone names, no weights."""
    yield 0.5
    (folder / "rig.json").write_text(json.dumps({"bones": [{"name": "head", "parent": None}]}))


def endless(folder):
    while True:
        yield 0.1


def job(apply=lambda result, folder: "fine", kind="bonemap", prepare=bones_only, watched=(), params=None):
    return jobs.Job(kind, "Test", params or {}, prepare, apply, watched)


def run_until(manager, test, seconds=60.0):
    end = time.monotonic() + seconds
    while not test():
        assert time.monotonic() < end, f"still {manager.job and manager.job.state}"
        manager.poll(timeout=0.02)


def scripted(monkeypatch, tmp_path, body):
    """A peer in the worker's place that says what this very code hashes to, then `body`."""
    monkeypatch.setenv("BATON_WORKER_PYTHON", sys.executable)
    monkeypatch.setattr(contract, "ROOT", tmp_path)
    monkeypatch.setattr(owner, "code_hash", lambda root: "x")
    return peer(tmp_path, body)


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


def test_deleted_rig_and_scene_end_the_job(manager, blender):
    rig = scenes.smpl_rig()
    blender.context.scene.baton.rig = rig  # a pointer keeps a deleted object in the file
    watched = job(prepare=endless, watched=(Ref.of(rig),))
    manager.start(watched)
    manager.poll()
    name = rig.name
    for collection in list(rig.users_collection):
        collection.objects.unlink(rig)
    manager.poll()
    assert watched.state == "failed" and f"{name} was deleted" in watched.message
    scene = blender.data.scenes.new("Other")
    watched = job(prepare=endless, watched=(Ref.of(scene),))
    manager.start(watched)
    blender.data.scenes.remove(scene)
    manager.poll()
    assert watched.state == "failed" and "Other was deleted" in watched.message


def test_a_renamed_rig_is_found(manager, blender):
    rig = scenes.smpl_rig()
    ref = Ref.of(rig)
    rig.name = "Renamed"
    assert ref.find() == rig
    scenes.smpl_rig("Dancer")  # a new object under the old name is not it
    assert ref.find().name == "Renamed"


def test_file_load_ends_the_job(manager, blender):
    running = job(prepare=endless)
    manager.start(running)
    blender.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert running.state == "failed" and "Another file" in running.message


def test_undo_of_something_else_lets_the_job_run(manager, blender):
    """Reading begins once more, for what it held is dead; a job that is with the worker goes on."""
    rig, read = scenes.smpl_rig(), []

    def reading(folder):
        read.append(sorted(path.name for path in folder.iterdir()))
        (folder / "half.txt").write_text("half")
        yield 0.2
        yield from bones_only(folder)
    blender.ops.ed.undo_push(message="rig")
    for value in (100, 110, 120):
        blender.context.scene.frame_end = value
        blender.ops.ed.undo_push(message=f"end {value}")
    running = job(prepare=reading, watched=(Ref.of(rig), Ref.of(blender.context.scene)))
    manager.start(running)
    manager.poll()
    blender.ops.ed.undo()
    assert running.state == "preparing" and blender.context.scene.frame_end == 110
    run_until(manager, lambda: running.state == "running")
    assert len(read) == 2 and read[0] == read[1], "the folder is as at the start"
    blender.ops.ed.undo()
    assert running.state == "running" and blender.context.scene.frame_end == 100
    blender.ops.ed.redo()
    run_until(manager, lambda: running.over)
    assert running.state == "done"


def test_undo_of_what_the_job_works_on_ends_it(manager, blender):
    rig = scenes.smpl_rig()
    scenes.sway(rig, 30)
    for change in (lambda rig: setattr(rig.location, "x", 2.0),
                   lambda rig: rig.pose.bones["neck"].keyframe_insert("location", frame=3),
                   lambda rig: setattr(rig.pose.bones["neck"], "location", (0, 1, 0))):
        blender.ops.ed.undo_push(message="before")
        change(blender.data.objects["Dancer"])
        blender.ops.ed.undo_push(message="change")
        running = job(prepare=endless, watched=(Ref.of(blender.data.objects["Dancer"]),))
        manager.start(running)
        blender.ops.ed.undo()
        assert running.state == "failed" and "Undo has changed" in running.message
        blender.ops.ed.redo()


def test_a_job_waits_while_something_plays(manager, monkeypatch):
    from baton.blender_addon.scene import usable
    plays = [True]
    monkeypatch.setattr(usable, "playing", lambda: plays[0])
    running = job()
    manager.start(running)
    for _ in range(5):
        manager.poll()
    assert running.state == "preparing" and "playback" in running.detail
    plays[0] = False
    run_until(manager, lambda: running.over)
    assert running.state == "done"


def test_result_waits_while_blender_is_busy(manager):
    from baton.blender_addon.worker import handlers
    applied = []
    running = job(apply=lambda result, folder: applied.append(1))
    handlers.on_render_start()
    manager.start(running)
    run_until(manager, lambda: running.state == "applying")
    for _ in range(5):
        manager.poll()
    assert not applied and running.detail == "Waiting for Blender"
    handlers.on_render_end()
    manager.poll()
    assert applied == [1] and running.state == "done"


def test_a_result_is_one_undo_step(manager, blender):
    scene = blender.context.scene
    scene.frame_end = 111
    blender.ops.ed.undo_push(message="user edit")
    name = scene.name

    def apply(result, folder):
        blender.data.scenes[name].timeline_markers.new("made", frame=3)
        blender.data.scenes[name].frame_start = 7
    manager.run_blocking(job(apply=apply))
    assert manager.last.state == "done"
    blender.ops.ed.undo()
    assert manager.last is None                                 # the panel no longer tells of a result that is gone
    scene = blender.context.scene
    assert len(scene.timeline_markers) == 0 and scene.frame_start != 7 and scene.frame_end == 111
    blender.ops.ed.redo()
    assert len(blender.context.scene.timeline_markers) == 1


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
