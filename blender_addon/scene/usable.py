"""Whether a rig can be read or written as it stands: the reason for a grey button, and a job's refusal."""
import bpy

from ..errors import UserError


def check(rig, scene, writes=False):
    """Raises UserError where the rig cannot be read in this scene, or, with `writes`, cannot be given a take."""
    if rig.name not in scene.objects:
        found = next((other.name for other in rig.users_scene), None)
        where = f"in the scene {found}, not in {scene.name}" if found else "in no scene"
        raise UserError(f"{rig.name} is {where}; " + (
            "go there: a sound strip of another scene can be used, too" if found else "link it to the scene"))
    if rig.data.pose_position == "REST":
        raise UserError(f"{rig.name} stands in Rest Position; switch it to Pose Position in the armature's properties")
    if rig.mode == "EDIT":
        raise UserError(f"{rig.name} is in Edit Mode; leave it with Tab first")
    if not writes:
        return
    if rig.library is not None:
        raise UserError(f"{rig.name} is linked from another file; make a library override first (Object > Library "
                        "Override)")
    if rig.animation_data is not None and rig.animation_data.use_tweak_mode:
        raise UserError(f"{rig.name} is in NLA tweak mode; leave it with Tab in the NLA editor first")


def playing():
    """True while a window plays the animation."""
    return any(window.screen.is_animation_playing for window in bpy.context.window_manager.windows)
