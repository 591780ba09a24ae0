"""More of what happens while a job runs, beyond a user's own clicks: handlers of others, the clock, preferences,
operators that rebuild the rig, and the draft that Baton is writing."""
import importlib
import time

import bpy

from baton import blender_addon
from baton.blender_addon.worker import manager as jobs
from tests.faults import moment_events
from tests.faults.moment_events import piece, rig


def _on_frames(act):
    """Somebody's handler acts once, at the next frame that is played."""
    done = []

    def handler(scene, *_):
        if not done:
            done.append(True)
            act(scene)
    bpy.app.handlers.frame_change_post.append(handler)


def handler_raises(folder):
    def wrong(*_):
        raise ValueError("somebody else's")
    for name in ("frame_change_pre", "frame_change_post", "depsgraph_update_post", "undo_post", "save_pre",
                 "load_post"):
        getattr(bpy.app.handlers, name).append(wrong)


def handler_deletes_rig(folder):
    _on_frames(lambda scene: bpy.data.objects.remove(rig()))


def handler_renames_rig(folder):
    _on_frames(lambda scene: setattr(rig(), "name", "Other"))


def handler_moves_time(folder):
    _on_frames(lambda scene: scene.frame_set(77))


def handler_deletes_action(folder):
    _on_frames(lambda scene: bpy.data.batch_remove(list(bpy.data.actions)))


def handler_makes_objects(folder):
    def make(scene):
        for number in range(300):
            bpy.data.objects.new(f"New {number}", None)
    _on_frames(make)


def _jumped(seconds):
    for name in ("time", "monotonic", "perf_counter"):
        real = getattr(time, name)
        setattr(time, name, lambda real=real: real() + seconds)


def clock_jumps_on(folder):
    _jumped(40_000.0)


def clock_jumps_back(folder):
    _jumped(-40_000.0)


def folder_moved(folder):
    place = jobs.manager.job.folder
    place.rename(place.with_name(place.name + " moved"))
    bpy.app.driver_namespace["moved"] = place.with_name(place.name + " moved")


def scripts_reloaded(folder):
    """As F8 does: off, the module read again, on."""
    blender_addon.unregister()
    importlib.reload(blender_addon)
    blender_addon.register()


def no_undo(folder):
    bpy.context.preferences.edit.use_global_undo = False


def little_undo(folder):
    bpy.context.preferences.edit.undo_steps, bpy.context.preferences.edit.undo_memory_limit = 2, 1


def temporary_folder_set(folder):
    bpy.context.preferences.filepaths.temporary_directory = str(folder / "nowhere")


def language_changed(folder):
    view = bpy.context.preferences.view
    for language in ("de_DE", "ja_JP", "es", "fr_FR"):
        try:
            view.language = language
        except TypeError:
            continue
        view.use_translate_interface = view.use_translate_new_dataname = True


def automatic_keys(folder):
    bpy.context.scene.tool_settings.use_keyframe_insert_auto = True
    bpy.context.preferences.edit.keyframe_new_interpolation_type = "CONSTANT"


def time_remapped(folder):
    bpy.context.scene.render.frame_map_new = 200


def view_layer_removed(folder):
    scene = bpy.context.scene
    scene.view_layers.new("Second")
    scene.view_layers.remove(scene.view_layers[0])


def armature_exchanged(folder):
    rig().data = bpy.data.armatures.new("Empty")


def armature_shared(folder):
    other = bpy.data.objects.new("Twin", rig().data)
    bpy.context.scene.collection.objects.link(other)


def _active(name):
    thing = bpy.data.objects[name]
    bpy.ops.object.select_all(action="DESELECT")
    thing.select_set(True)
    bpy.context.view_layer.objects.active = thing
    return thing


def joined(folder):
    """The rig is joined into another armature: it is gone."""
    name = rig().name
    other = bpy.data.objects.new("Into", bpy.data.armatures.new("Into"))
    bpy.context.scene.collection.objects.link(other)
    _active("Into")
    bpy.data.objects[name].select_set(True)
    bpy.ops.object.join()


def rest_applied(folder):
    _active(rig().name)
    bpy.ops.object.mode_set(mode="POSE")
    bpy.ops.pose.armature_apply()
    bpy.ops.object.mode_set(mode="OBJECT")


def transform_applied(folder):
    _active(rig().name).scale = (2.0, 2.0, 2.0)
    bpy.ops.object.transform_apply(scale=True)


def mirrored(folder):
    rig().scale.x = -1.0


def duplicated(folder):
    _active(rig().name)
    bpy.ops.object.duplicate()


def bad_driver(folder):
    curve = rig().pose.bones["head"].driver_add("location", 0)
    curve.driver.expression = "1 / 0 + nowhere"


def nla_off(folder):
    rig().animation_data.use_nla = False


def slot_gone(folder):
    action = rig().animation_data.action
    for slot in list(getattr(action, "slots", ())):
        action.slots.remove(slot)


def locked_channels(folder):
    for curve in list(rig().animation_data.action.fcurves) if hasattr(rig().animation_data.action, "fcurves") else ():
        curve.lock = curve.mute = True


def _draft():
    return next(action for action in bpy.data.actions if "(being written)" in action.name)


def draft_renamed(folder):
    _draft().name = "Mine now"


def draft_kept(folder):
    _draft().use_fake_user = True


def draft_deleted(folder):
    bpy.data.actions.remove(_draft())


def draft_emptied(folder):
    from baton.blender_addon.scene import compat
    for curve in compat.all_curves(_draft()):
        curve.keyframe_points.clear()


def draft_curves_gone(folder):
    from baton.blender_addon.scene import compat
    bag, curves, _ = compat.action_curves(_draft(), rig())
    for curve in list(curves):
        curves.remove(curve)


def draft_taken(folder):
    rig().animation_data.action = _draft()


def all_packed(folder):
    bpy.ops.file.pack_all()


def paths_absolute(folder):
    bpy.ops.file.make_paths_absolute()


def reverted(folder):
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.revert_mainfile()


def strip_split(folder):
    strip = piece()
    strip.frame_final_end = strip.frame_final_start + 1


def strip_locked(folder):
    piece().lock = piece().mute = True


def all_markers_gone(folder):
    bpy.context.scene.timeline_markers.clear()


def made_local(folder):
    bpy.ops.object.make_local(type="ALL")


def asset(folder):
    rig().asset_mark()
    rig().override_library_create(False) if hasattr(rig(), "override_library_create") else None


EVENTS = {**moment_events.EVENTS, **{name.replace("_", " "): value for name, value in list(globals().items())
          if callable(value) and getattr(value, "__module__", "") == __name__ and not name.startswith("_")}}
