"""Buttons that are broken off, on scenes in which takes stand already; and all scenarios by their names."""
import shutil
from pathlib import Path

import bpy

from baton.blender_addon.errors import UserError
from baton.blender_addon.scene import bone_map, strips
from baton.blender_addon.worker import manager as jobs
from tests.blender.stand_ins import row
from tests.faults.apply_scenes import (
    BUTTON,
    _conducting,
    base,
    beats,
    bones,
    both,
    button,
    character,
    conducting,
    conducting_bare,
    conducting_beside,
    conducting_on_tracks,
    ensemble,
    imported,
    music,
    music_again,
    queue_of_two,
    range_of_conducting,
    range_of_music,
    redo,
    through_the_manager,
)


def keep_sound(folder):
    """Made before the file was saved: the sound moves beside it."""
    _temporary_sounds(folder)
    return BUTTON, button(bpy.ops.baton.keep_take, name=bpy.context.scene.baton.takes[-1].name)


def _temporary_sounds(folder):
    """Music whose last sound lies in a temporary folder; gives that."""
    _, act = music(folder)
    elsewhere = Path(bpy.app.tempdir) / "baton"
    shutil.rmtree(elsewhere, ignore_errors=True)
    elsewhere.mkdir()
    act()
    take = bpy.context.scene.baton.takes[-1]
    for path in (folder / "baton").iterdir():
        shutil.move(path, elsewhere / path.name)
    (folder / "baton").rmdir()
    strips.find(bpy.context.scene, take.strip).sound.filepath = str(elsewhere / Path(take.path).name)
    take.path = str(elsewhere / Path(take.path).name)
    return elsewhere


def keep_motion(folder):
    _, act = conducting(folder)
    act()
    return BUTTON, button(bpy.ops.baton.keep_take)


def _after(make, operator, which=-1, **more):
    def scenario(folder):
        _, act = make(folder)
        act()
        return BUTTON, button(operator, name=bpy.context.scene.baton.takes[which].name, **more)
    return scenario


def _last_removed(make):
    """The only take of the rig: everything comes back."""
    def scenario(folder):
        _, act = make(folder)
        act()
        bpy.ops.baton.remove_take()
        return BUTTON, button(bpy.ops.baton.remove_take)
    return scenario


def bake_the_last(folder):
    _last_removed(conducting)(folder)
    return BUTTON, button(bpy.ops.baton.bake_take)


def remove_below(folder):
    """A kept take on which a newer one stands."""
    _, act = conducting(folder)
    act()
    bpy.ops.baton.keep_take()
    through_the_manager(*_conducting(folder), folder)()
    return BUTTON, button(bpy.ops.baton.remove_take, name=next(t.name for t in bpy.context.scene.baton.takes if t.kept))


def marked(operator, **arguments):
    def scenario(folder):
        base(folder)
        return BUTTON, button(operator, **arguments)
    return scenario


def first_save(folder):
    """Sounds of a file that was not saved move beside it."""
    elsewhere = _temporary_sounds(folder)
    from baton.blender_addon.scene import settling

    def act():
        settling._moved.clear()
        try:
            return "done", settling.settle(str(folder / "file.blend")) or "nothing to move"
        except Exception:  # noqa: BLE001 - as the handler of saving does
            return "failed", jobs.fault("Moving sounds beside the file", "")
    assert any(elsewhere.iterdir())
    return ("_settle",), act


def save_take_as(folder):
    """The disk was full when the sound was to be placed: it waits to be saved elsewhere."""
    _, act = music(folder)
    (folder / "baton").write_bytes(b"in the way")
    told, _ = act()
    assert told == "failed" and jobs.manager.unplaced is not None
    return BUTTON, button(bpy.ops.baton.save_take_as, filepath=str(folder / "elsewhere" / "mine.wav"))


def load_bones(folder):
    base(folder)
    bpy.ops.baton.detect_bones()
    bpy.ops.baton.save_bones(filepath=str(folder / "map.json"))
    bpy.ops.baton.clear_bones()
    return BUTTON, button(bpy.ops.baton.load_bones, filepath=str(folder / "map.json"))


def begin(operator, after=None):
    """A job from the click to where the worker would be asked. after: what makes a take before that."""
    def scenario(folder):
        if after is None:
            scene, rig = base(folder)
        else:
            after(folder)[1]()
            scene = bpy.context.scene
        scene.baton.edit_range, scene.baton.edit_start, scene.baton.edit_end = "CUSTOM", 10, 30
        bone_map.require(bpy.data.objects["Dancer"])
        strips.make_active(scene, strips.find(scene, "Piece"))
        press = button(getattr(bpy.ops.baton, operator))

        def act():
            kept = jobs.Manager._submit, jobs.Manager._start_worker
            jobs.Manager._submit, jobs.Manager._start_worker = _as_far_as_the_worker, lambda manager: None
            try:
                told, sentence = press()
            finally:
                jobs.Manager._submit, jobs.Manager._start_worker = kept
            assert jobs.manager.job is None, "the job stays for ever"
            return ("done", "read") if "As far as the worker" in sentence else (told, sentence)
        return BUTTON, act
    return scenario


def _as_far_as_the_worker(manager, job):
    raise UserError("As far as the worker")


def pick_bone(folder):
    _, rig = base(folder)
    bpy.ops.baton.detect_bones()
    bpy.ops.object.mode_set(mode="POSE")
    rig.data.bones.active = rig.data.bones["head"]
    return BUTTON, button(bpy.ops.baton.pick_bone, joint="left_hip")


def delete_unused(folder):
    _, act = music(folder)
    act()
    bpy.ops.baton.remove_take()
    bpy.ops.baton.remove_take()
    return BUTTON, button(bpy.ops.baton.delete_unused)


def clear_bones(folder):
    _, rig = base(folder)
    bpy.ops.baton.detect_bones()
    return BUTTON, button(bpy.ops.baton.clear_bones)


def end_solo(folder):
    music(folder)[1]()
    name = bpy.context.scene.baton.takes[0].name
    bpy.ops.baton.solo_take(name=name)
    return BUTTON, button(bpy.ops.baton.solo_take, name=name)


SCENARIOS = {
    "music": music, "music again": music_again, "end solo of music": end_solo, "conducting": conducting,
    "conducting beside": conducting_beside, "conducting bare":
    conducting_bare, "conducting on tracks": conducting_on_tracks, "both": both, "import": imported, "beats": beats,
    "bones": bones, "character": character, "range of music": range_of_music, "range of conducting":
    range_of_conducting, "keep sound": keep_sound, "keep motion": keep_motion,
    "remove music": _after(music, bpy.ops.baton.remove_take), "remove both": _after(both, bpy.ops.baton.remove_take),
    "remove beside": _after(conducting, bpy.ops.baton.remove_take), "remove the last": _last_removed(conducting),
    "remove bare": _last_removed(conducting_bare), "remove below": remove_below,
    "solo music": _after(music, bpy.ops.baton.solo_take, 0), "solo motion": _after(conducting, bpy.ops.baton.solo_take,
    0), "mute": _after(conducting, bpy.ops.baton.mute_take), "beats to markers": _after(music,
    bpy.ops.baton.take_beats), "half time": marked(bpy.ops.baton.scale_beats, factor="HALF"), "tap":
    marked(bpy.ops.baton.tap_beat), "clear beats": marked(bpy.ops.baton.clear_beats), "clear bones": clear_bones,
    "bake": _after(conducting, bpy.ops.baton.bake_take), "bake bare": _after(conducting_bare, bpy.ops.baton.bake_take),
    "bake the last": bake_the_last,
    "first save": first_save, "pick bone": pick_bone, "delete unused": delete_unused,
    "baton": marked(bpy.ops.baton.add_baton),
    "ensemble": ensemble, "redo music": redo(music, [row("take_1.wav", 5)]), "redo conducting":
    redo(conducting, [row("one.npz", 5)]), "queue": queue_of_two, "save take as": save_take_as,
    "sample scene": marked(bpy.ops.baton.add_sample_scene), "load bones": load_bones,
    "detect bones": marked(bpy.ops.baton.detect_bones), "begin music": begin("generate_music_ldm"),
    "begin conducting": begin("generate_conductor"), "begin redo": begin("redo_take", music),
    "begin range": begin("redo_range", conducting)}
