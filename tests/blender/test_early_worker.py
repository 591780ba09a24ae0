"""The worker begins when a button that can be pressed is drawn: once a session, never in background mode."""
import bpy
import pytest

from baton.blender_addon.ui import panels
from baton.blender_addon.worker import early
from tests.blender import recorder, scenes
from tests.blender.plain_jobs import job, run_until

PANEL = next(cls for cls in panels.CLASSES if cls.__name__ == "BATON_PT_view3d_to_sound")


@pytest.fixture
def fresh(manager, monkeypatch):
    """A session with a window, in which no worker was started yet."""
    monkeypatch.setattr(early, "_background", lambda: False)
    monkeypatch.setattr(manager, "_begun", 0.0)
    yield manager
    early.unregister()


def planned():
    return bpy.app.timers.is_registered(early._begin)


def test_the_drawn_button_starts_the_worker_that_the_first_job_gets(blender, fresh):
    recorder.draw(PANEL)
    assert not planned(), "no rig: the button is grey"
    scenes.sway(scenes.smpl_rig(), 60)
    recorder.draw(PANEL)
    assert planned() and not fresh.begun, "the window is drawn first"
    early._begin()
    run_until(fresh, lambda: fresh.worker_alive)
    client = fresh._client
    assert fresh.job is None
    done = fresh.run_blocking(job())
    assert done.state == "done" and fresh._client is client and done.starts == 0


def test_once_a_session(blender, fresh):
    scenes.sway(scenes.smpl_rig(), 60)
    early._begin()
    run_until(fresh, lambda: fresh.worker_alive)
    fresh.stop_worker()
    recorder.draw(PANEL)
    early._begin()
    assert not planned() and not fresh.worker_alive and fresh._client is None, "whoever stopped it has it stopped"
    assert fresh.run_blocking(job()).state == "done"


def test_not_in_background_and_not_without_a_python(blender, fresh, monkeypatch):
    scenes.sway(scenes.smpl_rig(), 60)
    with monkeypatch.context() as patched:
        patched.setattr(early, "_background", lambda: True)
        recorder.draw(PANEL)
        assert not planned()
    monkeypatch.delenv("BATON_WORKER_PYTHON")
    early._begin()
    assert not fresh.begun, "once there is one, it begins"


def test_a_start_that_fails_is_tried_once_and_said_by_the_job(blender, fresh, monkeypatch, capsys):
    from baton.blender_addon.worker import options
    scenes.sway(scenes.smpl_rig(), 60)
    with monkeypatch.context() as patched:
        def full():
            raise OSError("no room")
        patched.setattr(options, "log_folder", full)
        early._begin()
        assert "no room" in capsys.readouterr().err
        recorder.draw(PANEL)
        assert not planned() and fresh.job is None
    assert fresh.run_blocking(job()).state == "done"
