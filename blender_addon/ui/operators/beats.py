"""Half, double, tap, add, clear, jump: operators on the beat markers."""
import bpy

from ...scene import beat_markers as beats
from ...scene.timebase import scene_fps
from ..translations import said
from .base import ActOperator, NeedsMarkers


def _shown(scene):
    """(beats as the markers tell, frame of second 0, fps)."""
    fps = scene_fps(scene.render)
    record = beats.remembered(scene)
    first = min(marker.frame for marker in scene.timeline_markers if beats.is_beat(marker))
    origin = record.get("frame_start", first)
    return beats.read(scene, origin, fps), origin, fps


class BATON_OT_scale_beats(NeedsMarkers, ActOperator, bpy.types.Operator):
    """Half or double the tempo of the beat markers"""

    bl_idname = "baton.scale_beats"
    bl_label = "Half / Double Time"
    bl_options = {"REGISTER", "UNDO"}

    factor: bpy.props.EnumProperty(items=[("HALF", "Half Time", "Every second beat"),
                                          ("DOUBLE", "Double Time", "A beat between each two")])

    def act(self, context):
        shown, origin, fps = _shown(context.scene)
        changed = beats.half(shown) if self.factor == "HALF" else beats.double(shown)
        beats.show(context.scene, changed, origin, fps, beats.edited(context.scene))


class BATON_OT_tap_beat(ActOperator, bpy.types.Operator):
    """Tap along: each press sets a beat at the playhead, also during playback; the very first is a downbeat"""

    bl_idname = "baton.tap_beat"
    bl_label = "Tap"
    bl_options = {"REGISTER", "UNDO"}

    downbeat: bpy.props.BoolProperty(name="Downbeat", default=False, description="First beat of a bar")

    def act(self, context):
        scene, frame = context.scene, context.scene.frame_current
        down = self.downbeat or not any(beats.is_beat(marker) for marker in scene.timeline_markers)
        for marker in [m for m in scene.timeline_markers if beats.is_beat(m) and m.frame == frame]:
            scene.timeline_markers.remove(marker)
        scene.timeline_markers.new("B" if down else "b", frame=frame)
        _rename(scene)


def _rename(scene):
    """Names by bar and beat for all of Baton's markers, kept times kept."""
    shown, origin, fps = _shown(scene)
    beats.show(scene, shown, origin, fps, beats.edited(scene))


class BATON_OT_clear_beats(NeedsMarkers, ActOperator, bpy.types.Operator):
    """Remove Baton's beat markers; your own markers stay"""

    bl_idname = "baton.clear_beats"
    bl_label = "Clear Beats"
    bl_options = {"REGISTER", "UNDO"}

    def act(self, context):
        beats.clear(context.scene)
        context.scene.baton.beats = ""


class BATON_OT_jump_beat(NeedsMarkers, bpy.types.Operator):
    """Move the playhead to the next or previous beat"""

    bl_idname = "baton.jump_beat"
    bl_label = "Jump to Beat"
    bl_options = {"REGISTER"}

    forward: bpy.props.BoolProperty(name="Forward", default=True, description="Next beat, else the previous one")

    def execute(self, context):
        shown, origin, fps = _shown(context.scene)
        scene = context.scene
        here = (scene.frame_current + scene.frame_subframe - origin) / fps
        found = beats.neighbour(shown, here, self.forward)
        # Half a frame on: a beat that rounds to the frame we stand on is no jump.
        while found is not None and round(origin + found * fps) == scene.frame_current:
            found = beats.neighbour(shown, found, self.forward)
        if found is None:
            self.report({"INFO"}, said("No further beat"))
            return {"CANCELLED"}
        scene.frame_set(round(origin + found * fps))
        return {"FINISHED"}


CLASSES = (BATON_OT_scale_beats, BATON_OT_tap_beat, BATON_OT_clear_beats, BATON_OT_jump_beat)

register, unregister = bpy.utils.register_classes_factory(CLASSES)
