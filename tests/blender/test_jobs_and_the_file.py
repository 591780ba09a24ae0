"""What happens to the file while a job runs: deleting, renaming, loading, undo, playback, rendering; one undo step."""
from baton.blender_addon.scene.refs import Ref
from tests.blender import scenes
from tests.blender.plain_jobs import bones_only, endless, job, run_until


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
