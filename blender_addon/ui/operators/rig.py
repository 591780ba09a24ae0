"""Operators of the bone map."""
import bpy
from bpy_extras.io_utils import ExportHelper, ImportHelper

from ...errors import UserError, on_disk
from ...flows import beats, smpl_character
from ...scene import baton_prop, bone_map, sample_scene
from ...scene import settings as scene_settings
from ...scene.whole import whole
from ...worker import options as prefs
from ..translations import said
from .base import ActOperator, JobOperator, NeedsRig, idle, not_working


class BATON_OT_detect_bones(JobOperator, bpy.types.Operator):
    """Find the bones of the rig by their names: known rig types at once, others by similar names"""

    bl_idname = "baton.detect_bones"
    bl_label = "Detect Bones"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context):
        return not_working(cls) and NeedsRig.poll.__func__(cls, context)

    def at_once(self, context):
        """What the operator returns where no job is needed, or None."""
        rig = bone_map.find_rig(context)
        with whole([rig]):
            complete, unsure = bone_map.detect(rig), bone_map.unsure(rig)
            sentence = f"{rig.baton.table}: {bone_map.matched(rig)}"
        if not complete:
            return None
        self.report({"WARNING" if unsure else "INFO"}, sentence)
        return {"FINISHED"}

    def make_job(self, context):
        return beats.bone_job(context, bone_map.find_rig(context))


class BATON_OT_pick_bone(ActOperator, bpy.types.Operator):
    """Take the active pose bone for this joint"""

    bl_idname = "baton.pick_bone"
    bl_label = "Pick Active Bone"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    joint: bpy.props.StringProperty(options={"HIDDEN"})

    @classmethod
    def poll(cls, context):
        if not NeedsRig.poll.__func__(cls, context):
            return False
        if context.active_pose_bone is None:
            cls.poll_message_set(said("Make a bone active in Pose Mode"))
            return False
        return True

    def act(self, context):
        rig = bone_map.find_rig(context)
        bone = context.active_pose_bone
        if bone.id_data != rig:
            raise UserError(f"The active bone belongs to {bone.id_data.name}, not to {rig.name}")
        bone_map.give(rig, self.joint, bone.name)


class BATON_OT_confirm_bone(NeedsRig, ActOperator, bpy.types.Operator):
    """Baton is not sure of this bone: press to say that it is right, or pick another"""

    bl_idname = "baton.confirm_bone"
    bl_label = "Confirm Bone"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    joint: bpy.props.StringProperty(options={"HIDDEN"})

    @classmethod
    def description(cls, context, properties):
        """With what speaks against the bone, where that is known."""
        rig, tip = bone_map.find_rig(context), bpy.app.translations.pgettext_tip(cls.__doc__)
        row = rig.baton.bones.get(properties.joint) if rig is not None else None
        return f"{tip} ({row.doubt})" if row is not None and row.doubt else tip

    def act(self, context):
        rig = bone_map.find_rig(context)
        bone_map.give(rig, self.joint, bone_map.ensure_rows(rig)[self.joint].bone)


class BATON_OT_clear_bones(NeedsRig, ActOperator, bpy.types.Operator):
    """Empty all rows of the bone map"""

    bl_idname = "baton.clear_bones"
    bl_label = "Clear Bone Map"
    bl_options = {"REGISTER", "UNDO"}

    def act(self, context):
        bone_map.set_rows(bone_map.find_rig(context), {})


class BoneFile(NeedsRig, ActOperator):
    """Base of the file dialogs of the bone map."""

    filename_ext = ".json"
    filter_glob: bpy.props.StringProperty(default="*.json", options={"HIDDEN"})


class BATON_OT_save_bones(BoneFile, bpy.types.Operator, ExportHelper):
    """Write the bone map to a JSON file"""

    bl_idname = "baton.save_bones"
    bl_label = "Save Bone Map"

    def act(self, context):
        with on_disk("The bone map", self.filepath, "choose another place"):
            bone_map.save(bone_map.find_rig(context), self.filepath)


class BATON_OT_load_bones(BoneFile, bpy.types.Operator, ImportHelper):
    """Read a bone map from a JSON file"""

    bl_idname = "baton.load_bones"
    bl_label = "Load Bone Map"
    bl_options = {"REGISTER", "UNDO"}

    def act(self, context):
        lacking = bone_map.load(bone_map.find_rig(context), self.filepath)
        if lacking:
            self.report({"WARNING"}, said(f"This rig has no {', '.join(lacking)}"))


class BATON_OT_add_smpl_character(JobOperator, bpy.types.Operator):
    """Add a character from your own SMPL body model: mesh, skin and armature"""

    bl_idname = "baton.add_smpl_character"
    bl_label = "Add SMPL Character"
    bl_options = {"REGISTER"}

    gender: bpy.props.EnumProperty(name="Gender", items=[(g, g.title(), f"The {g} body model")
                                                         for g in ("neutral", "female", "male")])
    kind: bpy.props.EnumProperty(name="Model", items=[("smpl", "SMPL", "24 joints"), ("smplh", "SMPL-H", "With hands"),
                                                      ("smplx", "SMPL-X", "With hands and face")])
    betas: bpy.props.FloatVectorProperty(name="Shape", size=10, soft_min=-3.0, soft_max=3.0,
                                         description="Shape parameters of the body model")

    @classmethod
    def poll(cls, context):
        if not idle(cls):
            return False
        if not prefs.get().smpl_folder:
            cls.poll_message_set(said("Name your folder of SMPL body models in the preferences of Baton"))
            return False
        return True

    def make_job(self, context):
        return smpl_character.job(context, self.kind, self.gender, list(self.betas))


def draw_add_menu(self, context):
    self.layout.operator("baton.add_smpl_character", icon="OUTLINER_OB_ARMATURE")
    self.layout.operator("baton.add_sample_scene", icon="SCENE_DATA")


class BATON_OT_add_baton(NeedsRig, ActOperator, bpy.types.Operator):
    """Put a baton into the leading hand of the rig; one that it holds in the other hand changes hands"""

    bl_idname = "baton.add_baton"
    bl_label = "Add Baton"
    bl_options = {"REGISTER", "UNDO"}

    def act(self, context):
        rig = bone_map.find_rig(context)
        mapped = bone_map.require(rig)
        side = "left" if scene_settings.value(context.scene, "to_motion", "mirror", False) else "right"
        baton_prop.add(rig, mapped, side)


class BATON_OT_add_sample_scene(ActOperator, bpy.types.Operator):
    """Add a scene to try Baton on: a dancer, a conductor and a piece of music; your own scenes stay as they are"""

    bl_idname = "baton.add_sample_scene"
    bl_label = "Add Sample Scene"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context):
        return not_working(cls)

    def act(self, context):
        return sample_scene.add()[1]


CLASSES = (BATON_OT_add_sample_scene, BATON_OT_add_smpl_character, BATON_OT_add_baton, BATON_OT_detect_bones,
           BATON_OT_pick_bone, BATON_OT_confirm_bone, BATON_OT_clear_bones, BATON_OT_save_bones, BATON_OT_load_bones)


def register():
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.VIEW3D_MT_armature_add.append(draw_add_menu)


def unregister():
    bpy.types.VIEW3D_MT_armature_add.remove(draw_add_menu)
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
