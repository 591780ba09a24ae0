"""Several strips or rigs selected: one job each, in a queue, with one line of progress."""
import pytest

from baton.blender_addon.errors import UserError
from baton.blender_addon.flows.generate import flows_of
from baton.blender_addon.scene import strips
from baton.blender_addon.ui import panels
from baton.blender_addon.worker.queue import queue
from baton.core.contract import systems
from tests.blender import recorder, scenes
from tests.blender.plain_jobs import endless, job, run_until, scripted

MUSIC, CONDUCTOR, DANCER = (systems.find(name) for name in ("music_ldm", "conductor", "dance_cascade"))


def refused():
    """A job that does not begin: the manager asks for its stamp first."""
    def stamp():
        raise UserError("This one cannot begin")
    one = job()
    one.stamp = stamp
    return one


def broken(folder):
    raise UserError("This one cannot be read")
    yield


@pytest.fixture
def quick(manager, monkeypatch, tmp_path):
    """The manager with a worker that answers at once."""
    scripted(monkeypatch, tmp_path, """
        say(**HELLO)
        for line in sys.stdin:
            asked = json.loads(line)
            if asked["type"] == "job":
                say(type="done", job=asked["job"], result={"bone_map": {}, "missing": []})
    """)
    return manager


def select(strip, on=True):
    strip.select = on
    return strip


@pytest.fixture
def pair(blender):
    """Two rigs that move, both selected."""
    rigs = [scenes.smpl_rig("Ann"), scenes.smpl_rig("Bob")]
    for rig in rigs:
        scenes.sway(rig, 60)
        rig.select_set(True)
    blender.context.view_layer.objects.active = rigs[1]
    return rigs


def test_music_for_each_selected_rig(blender, pair):
    flows = flows_of(blender.context, MUSIC)
    assert [one.rig.name for one in flows] == ["Bob", "Ann"], "the active one first"
    blender.context.scene.baton.rig = pair[0]
    assert [one.rig.name for one in flows_of(blender.context, MUSIC)] == ["Ann"], "a rig that is named is meant alone"
    blender.context.scene.baton.rig = None
    pair[0].select_set(False)
    assert [one.rig.name for one in flows_of(blender.context, MUSIC)] == ["Bob"]


def test_each_selected_strip_on_each_selected_rig(blender, pair, tmp_path, sound):
    scene = blender.context.scene
    placed = [select(strips.place(scene, scenes.write_wav(tmp_path / f"{n}.wav", 2.0), f"Piece {n}", 1 + 100 * n, 60))
              for n in range(3)]
    scene.sequence_editor.active_strip = placed[1]
    placed[2].select = False
    assert [strip.name for strip in strips.sound_strips(blender.context)[1]] == ["Piece 1", "Piece 0"]
    flows = flows_of(blender.context, CONDUCTOR)
    assert [(one.strip, one.rig.name) for one in flows] == [
        ("Piece 1", "Bob"), ("Piece 1", "Ann"), ("Piece 0", "Bob"), ("Piece 0", "Ann")]
    flows = flows_of(blender.context, DANCER)
    assert [(one.strip, one.rig.name, one.request["others"]) for one in flows] == [
        ("Piece 1", "Bob", ["Ann"]), ("Piece 0", "Bob", ["Ann"])], "dancers perform together"


def test_settings_changed_later_do_not_count(blender, pair):
    scene = blender.context.scene
    scene.baton.music_ldm.genre = "house"
    flows = flows_of(blender.context, MUSIC)
    scene.baton.music_ldm.genre = "krump"
    assert [one.job().params["settings"]["genre"] for one in flows] == ["house", "house"]


def test_one_after_the_other_with_one_line(quick, blender):
    """The bar goes on from job to job; the message says what became of all."""
    seen, made = [], []

    def maker(number):
        def make():
            made.append(number)
            return job(apply=lambda result, folder: f"Part {number}")
        return make

    scenes.smpl_rig()
    queue.start([maker(n) for n in (1, 2, 3)])
    assert made == [1], "the others are made when their turn has come"
    panel = next(cls for cls in panels.CLASSES if cls.__name__ == "BATON_PT_view3d_bones")

    def done():
        if quick.job is not None:
            drawn = recorder.draw(panel)
            seen.append((queue.number, drawn.names().count("baton.cancel")))
            assert f"Test  {queue.number[0]} / 3" in drawn.texts()
        return quick.job is None
    run_until(quick, done)
    assert made == [1, 2, 3] and {number for (number, _), _ in seen} == {1, 2, 3}
    assert {count for _, count in seen} == {1}, "one line"
    assert quick.last.state == "done" and quick.last.message == "3 of 3 done. Part 1. Part 2. Part 3"
    assert queue.number == (0, 0)


def test_a_failure_does_not_stop_the_others(quick, blender):
    queue.start([lambda: job(), lambda: job(prepare=broken), lambda: job()])
    run_until(quick, lambda: quick.job is None)
    assert quick.last.state == "failed" and quick.last.message == "2 of 3 done. This one cannot be read"
    queue.start([job, refused, lambda: 1 / 0, lambda: job(prepare=endless)])
    run_until(quick, lambda: quick.job is not None and not queue.waiting)
    assert queue.number == (4, 4), "one that could not begin counts once"
    quick.abort("It ended")
    assert quick.last.message.startswith("1 of 4 done. This one cannot begin. Test: Baton met a fault of its own")
    with pytest.raises(UserError, match="1 of 2 done. This one cannot be read"):
        queue.run_blocking([lambda: job(prepare=broken), lambda: job()])


def test_cancel_and_abort_end_all(manager, blender):
    begun = []

    def second():
        begun.append(2)
        return job()
    queue.start([lambda: job(prepare=endless), second])
    manager.cancel()
    run_until(manager, lambda: manager.job is None)
    assert not begun and manager.last.state == "cancelled" and "0 of 2 done" in manager.last.message
    queue.start([lambda: job(prepare=endless), second])
    manager.abort("The file was closed")
    assert manager.job is None and not begun and not queue.waiting


def test_only_one_queue(manager, blender):
    queue.start([lambda: job(prepare=endless), job])
    with pytest.raises(UserError, match="working already"):
        queue.start([job])
    assert queue.number == (1, 2), "the running one is not touched"
    manager.cancel()
