"""How long ticks of the timer work, and how often the panel is drawn for them."""
import time

from baton.blender_addon.worker import manager as jobs
from baton.blender_addon.worker import pacing
from tests.blender.plain_jobs import bones_only, endless, job


class Clock:
    """Seconds that only pass when somebody looks: a millisecond each time."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 0.001
        return self.now


def small_steps(folder):
    for step in range(1000):
        yield step / 1000
    yield from bones_only(folder)


def test_small_steps_share_a_tick_and_a_redraw(manager, monkeypatch):
    """Each step used to wait for a window drawn anew, whole."""
    clock, drawn = Clock(), []
    monkeypatch.setattr(jobs, "pace", pacing.Pace(clock))
    monkeypatch.setattr(pacing.compat, "tag_redraw_sidebars", lambda: drawn.append(clock.now))
    monkeypatch.setattr(jobs.compat, "tag_redraw_all", lambda: drawn.append("all"))
    manager.start(job(prepare=small_steps))
    ticks = 0
    while manager.job.state == "preparing":
        assert jobs.tick() is not None
        ticks += 1
        clock.now += 0.05                                       # as long as a slow window is drawn
    assert ticks < 40 and "all" not in drawn and len(drawn) <= 20
    assert all(later - sooner >= pacing.REDRAW_SECONDS - 1e-9 for sooner, later in zip(drawn, drawn[1:]))


def test_a_tick_does_not_work_longer_than_blender_does(manager, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(jobs, "pace", pacing.Pace(clock))
    manager.start(job(prepare=endless))
    for gap in (0.0, 0.03, 0.06, 5.0):
        began = clock.now
        clock.now += gap
        jobs.tick()
        assert clock.now - began - gap < min(max(gap, 0.008), 0.1) + 0.01
    manager.cancel()


def test_a_playback_that_ends_is_not_waited_for_any_more(manager, monkeypatch):
    plays = [True]
    monkeypatch.setattr(jobs.usable, "playing", lambda: plays[0])
    manager.start(job(prepare=endless))
    began = time.monotonic()
    jobs.tick()
    assert manager.job.detail == "Waiting for the playback to stop" and time.monotonic() - began < 5
    plays[0] = False
    jobs.tick()
    assert manager.job.detail == "" and manager.job.phase == "Reading"
    manager.cancel()
