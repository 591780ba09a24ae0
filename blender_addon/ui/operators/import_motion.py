"""File > Import > Motion onto Rig: the file dialog with what the reader and the scene are to do."""
from functools import lru_cache
from pathlib import Path

import bpy
from bpy_extras.io_utils import ImportHelper

from ....core import contract
from ....core.contract import bvh_roots
from ...flows import import_motion
from ...scene import bone_map
from .base import JobOperator, has_rig, idle

UP = [("auto", "Auto", "As the file shows by itself"),
      *((f"{sign}{axis}", f"{sign}{axis.upper()}", f"The file's {sign}{axis.upper()} axis points up")
        for axis in "xyz" for sign in ("", "-"))]
FIRST = ("AUTO", "First", "The first person of the file, or its only one")


@lru_cache(maxsize=8)
def _roots(path, _changed):
    return bvh_roots.roots(path)


def people(path):
    """Names of the people of a motion file, [] where it holds one or none can be named."""
    named = str(path).lower().endswith((".bvh", ".bvh.gz"))
    try:
        found = _roots(str(path), Path(path).stat().st_mtime_ns) if named else []
    except OSError:
        return []
    return found if len(found) > 1 else []


def _people_items(self, context):
    """Items of the choice: Blender needs the texts to live on."""
    _people_items.texts = [FIRST, *((name, name, "") for name in people(bpy.path.abspath(self.filepath)))]
    return _people_items.texts


class BATON_OT_import_motion(JobOperator, bpy.types.Operator, ImportHelper):
    """Put a motion file on the rig as a take: BVH of any humanoid, AMASS npz, AIST++ pkl"""

    bl_idname = "baton.import_motion"
    bl_label = "Import Motion"
    bl_options = {"REGISTER"}
    dialog = True

    filter_glob: bpy.props.StringProperty(
        default=";".join(f"*{suffix}" for suffix in (*contract.MOTION_FILES, ".gz")), options={"HIDDEN"})
    begin: bpy.props.EnumProperty(
        name="Begin", default="CURRENT", description="Frame on which the motion begins",
        items=[("CURRENT", "Current Frame", "From the current frame on"),
               ("SCENE", "Scene Start", "From the first frame of the scene on"),
               ("FRAME", "Frame", "From the frame given below")])
    frame: bpy.props.IntProperty(name="Start Frame", default=1, description="Frame on which the motion begins")
    in_place: bpy.props.BoolProperty(name="In Place", description="Keep the rig where it stands",
                                     options={"SKIP_SAVE"})
    fit_range: bpy.props.BoolProperty(
        name="Fit Scene Range", description="Make the frame range of the scene that of the motion")
    up: bpy.props.EnumProperty(name="Up", default="auto", items=UP, description="Axis of the file that points up")
    person: bpy.props.EnumProperty(name="Person", items=_people_items,
                                   description="Whose motion is taken where the file holds several people")
    start: bpy.props.FloatProperty(name="Start in File", default=0.0, min=0.0, subtype="TIME_ABSOLUTE",
                                   description="Second of the file with which the motion begins", options={"SKIP_SAVE"})
    length: bpy.props.FloatProperty(name="Length", default=0.0, min=0.0, subtype="TIME_ABSOLUTE",
                                    description="Seconds of the file that are taken; 0 takes all of it",
                                    options={"SKIP_SAVE"})
    fps: bpy.props.FloatProperty(name="Frame Rate", default=0.0, min=0.0, max=1000.0,
                                 description="Frames a second of the file where its own figure is wrong; 0 takes the "
                                             "file's")

    @classmethod
    def poll(cls, context):
        return idle(cls) and has_rig(cls, context)

    def invoke(self, context, event):
        if not self.properties.is_property_set("in_place"):
            self.in_place = import_motion.setting(context.scene, "in_place")
        return ImportHelper.invoke(self, context, event)  # the dialog; what it confirms is `execute`

    def draw(self, context):
        layout = self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        column = layout.column()
        column.prop(self, "begin")
        if self.begin == "FRAME":
            column.prop(self, "frame")
        column.prop(self, "in_place")
        column.prop(self, "fit_range")
        column = layout.column()
        if people(bpy.path.abspath(self.filepath)):
            column.prop(self, "person")
        column.prop(self, "start")
        column.prop(self, "length")
        column.prop(self, "up")
        column.prop(self, "fps")

    def make_job(self, context):
        scene, rig = context.scene, bone_map.find_rig(context)
        frame = {"SCENE": scene.frame_start, "FRAME": self.frame}.get(self.begin, scene.frame_current)
        in_place = self.in_place if self.properties.is_property_set("in_place") else None
        asked = self.person if self.person and self.person != FIRST[0] else None
        return import_motion.job(context, rig, import_motion.request_of(
            scene, rig, self.filepath, self.fps or None, up=None if self.up == "auto" else self.up, root=asked,
            start=self.start or None, duration=self.length or None, frame=frame, in_place=in_place,
            fit_range=self.fit_range))


def draw_import_menu(self, context):
    self.layout.operator("baton.import_motion", text="Motion onto Rig (.bvh, .npz, .pkl, .pt)")


def register():
    bpy.utils.register_class(BATON_OT_import_motion)
    bpy.types.TOPBAR_MT_file_import.append(draw_import_menu)


def unregister():
    bpy.types.TOPBAR_MT_file_import.remove(draw_import_menu)
    bpy.utils.unregister_class(BATON_OT_import_motion)
