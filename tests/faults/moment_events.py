"""What a user may do while a job runs: a function each, on the scene of `apply_scenes.base`."""
import bpy

from baton import blender_addon
from baton.blender_addon.scene import bone_map, compat, strips
from baton.blender_addon.worker import handlers
from baton.blender_addon.worker import manager as jobs
from tests.blender import scenes


def rig():
    return next(thing for thing in bpy.data.objects if thing.type == "ARMATURE")


def piece():
    return strips.find(bpy.context.scene, "Piece")


def _mode(name):
    bpy.context.view_layer.objects.active = rig()
    bpy.ops.object.mode_set(mode=name)


def save(folder):
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "meanwhile.blend"), copy=True)


def save_as(folder):
    (folder / "other").mkdir(exist_ok=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "other" / "another.blend"))


def load(folder):
    bpy.ops.wm.open_mainfile(filepath=str(folder / "file.blend"))
    bpy.ops.ed.undo_push(message="Original")                    # as a window does


def new_file(folder):
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.ed.undo_push(message="Original")


def edit_and_undo(folder):
    scene = bpy.context.scene
    scene.timeline_markers.new("chorus", frame=20)
    bpy.ops.ed.undo_push(message="an edit")
    bpy.ops.ed.undo()


def undo_twice(folder):
    edit_and_undo(folder)
    bpy.ops.ed.undo()


def undo_and_redo(folder):
    edit_and_undo(folder)
    bpy.ops.ed.redo()


def delete_rig(folder):
    bpy.data.objects.remove(rig())


def unlink_rig(folder):
    for collection in rig().users_collection:
        collection.objects.unlink(rig())


def delete_armature(folder):
    bpy.data.armatures.remove(rig().data)


def delete_scene(folder):
    old = bpy.context.scene
    bpy.context.window.scene = bpy.data.scenes.new("Other")
    bpy.data.scenes.remove(old)


def other_scene(folder):
    bpy.context.window.scene = bpy.data.scenes.new("Other")


def copy_scene(folder):
    bpy.ops.scene.new(type="FULL_COPY")


def rename(folder):
    rig().name, rig().data.name, bpy.context.scene.name = "Somebody é 💃", "Bones", "Act 2"


def rename_strip(folder):
    piece().name = "Another name"


def delete_strip(folder):
    compat.sequences(bpy.context.scene.sequence_editor).remove(piece())


def move_strip(folder):
    piece().frame_start += 13
    piece().channel += 3


def clear_sequencer(folder):
    bpy.context.scene.sequence_editor_clear()


def meta(folder):
    strip = piece()
    editor = bpy.context.scene.sequence_editor
    holder = compat.sequences(editor).new_meta("Meta", 20, int(strip.frame_final_start))
    strip.move_to_meta(holder)


def delete_sound(folder):
    bpy.data.sounds.remove(piece().sound)


def sound_file_gone(folder):
    (folder / "Piece.wav").unlink()


def pack_sound(folder):
    piece().sound.pack()


def frame_rate(folder):
    bpy.context.scene.render.fps = 24


def frame_rate_base(folder):
    bpy.context.scene.render.fps_base = 1.001


def other_frame(folder):
    bpy.context.scene.frame_set(33)
    bpy.context.scene.frame_start, bpy.context.scene.frame_end = 5, 40


def edit_mode(folder):
    _mode("EDIT")


def pose_mode(folder):
    _mode("POSE")


def rest_position(folder):
    rig().data.pose_position = "REST"


def remove_bone(folder):
    _mode("EDIT")
    bones = rig().data.edit_bones
    bones.remove(bones["right_elbow"])
    _mode("OBJECT")


def rename_bone(folder):
    rig().data.bones["right_elbow"].name = "Elbow"


def all_bones_gone(folder):
    _mode("EDIT")
    bones = rig().data.edit_bones
    for bone in list(bones):
        bones.remove(bone)
    _mode("OBJECT")


def delete_action(folder):
    bpy.data.actions.remove(rig().animation_data.action)


def clear_animation(folder):
    rig().animation_data_clear()


def push_down(folder):
    data = rig().animation_data
    track = data.nla_tracks.new()
    track.strips.new("mine", 1, data.action)
    data.action = None


def tweak_mode(folder):
    push_down(folder)
    data = rig().animation_data
    track = data.nla_tracks[0]
    data.nla_tracks.active, track.strips[0].select, track.select = track, True, True
    try:
        data.use_tweak_mode = True
    except (AttributeError, TypeError):
        pass                                                    # a Blender that lets only the NLA editor do so


def constrain(folder):
    rig().pose.bones["head"].constraints.new("LIMIT_ROTATION")


def parent(folder):
    empty = bpy.data.objects.new("Empty", None)
    bpy.context.scene.collection.objects.link(empty)
    rig().parent, empty.location.x = empty, 3.0


def rotation_mode(folder):
    for bone in rig().pose.bones:
        bone.rotation_mode = "XYZ"


def hide(folder):
    rig().hide_set(True)
    rig().hide_viewport = True


def exclude(folder):
    collection = bpy.data.collections.new("Put away")
    bpy.context.scene.collection.children.link(collection)
    collection.objects.link(rig())
    bpy.context.scene.collection.objects.unlink(rig())
    bpy.context.view_layer.layer_collection.children["Put away"].exclude = True


def purge(folder):
    bpy.ops.outliner.orphans_purge(do_recursive=True)


def disable(folder):
    blender_addon.unregister()
    blender_addon.register()


def clear_bone_map(folder):
    bone_map.set_rows(rig(), {})


def zero_scale(folder):
    rig().scale = (0.0, 0.0, 0.0)


def no_number(folder):
    rig().location.x = float("nan")


def remove_takes(folder):
    for take in list(bpy.context.scene.baton.takes.keys()):
        bpy.ops.baton.remove_take(name=take)


def keep_takes(folder):
    for take in list(bpy.context.scene.baton.takes.keys()):
        bpy.ops.baton.keep_take(name=take)


def clear_take_rows(folder):
    bpy.context.scene.baton.takes.clear()


def add_sample(folder):
    bpy.ops.baton.add_sample_scene()


def other_settings(folder):
    scene = bpy.context.scene
    scene.baton.music_ldm.variations, scene.baton.conductor.blend_seconds = 3, 2.0
    scene.baton.rig = None


def folder_gone(folder):
    """A cleaner takes the job's temporary folder away."""
    import shutil
    shutil.rmtree(jobs.manager.job.folder)


def answer_gone(folder):
    """A cleaner takes what is oldest in the job's temporary folder."""
    for path in jobs.manager.job.folder.glob("*.*"):
        path.unlink()


def cancel(folder):
    bpy.ops.baton.cancel()


def stop_worker(folder):
    jobs.manager.stop_worker()


def render(folder):
    handlers.on_render_start()
    handlers.on_render_end()


def full_channels(folder):
    scene = bpy.context.scene
    path = scenes.write_wav(folder / "Full.wav", 2.0)
    for _ in range(127):
        strips.place(scene, path, "Full", 1, 60)


EVENTS = {name: value for name, value in list(globals().items())
          if callable(value) and getattr(value, "__module__", "") == __name__ and not name.startswith("_")
          and name not in ("rig", "piece")}
