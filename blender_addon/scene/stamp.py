"""How a rig and a strip stand, as something that can be compared: whether an undo has changed what a job works on."""
import hashlib

import numpy as np

from . import compat

POSE = (("location", 3), ("rotation_quaternion", 4), ("rotation_euler", 3), ("rotation_axis_angle", 4), ("scale", 3))


def of_rig(rig):
    """A hash of where an armature stands, how it is posed and animated, and what its bones are."""
    digest = hashlib.sha256(repr((rig.name, [tuple(row) for row in rig.matrix_basis], rig.data.name,
                                  rig.data.pose_position, len(rig.data.bones))).encode())
    for name, width in POSE:
        values = np.empty(width * len(rig.pose.bones), dtype=np.float32)
        rig.pose.bones.foreach_get(name, values)
        digest.update(values.tobytes())
    data = rig.animation_data
    if data is not None:
        _curves(digest, data.action, data.action_slot if compat.SLOTTED and data.action else None)
        digest.update(repr((data.action_blend_type, data.action_influence, data.use_nla)).encode())
        for track in data.nla_tracks:
            for strip in track.strips:
                place = (track.mute, strip.mute, strip.frame_start, strip.frame_end, strip.influence)
                digest.update(repr(place).encode())
                _curves(digest, strip.action, strip.action_slot if compat.SLOTTED and strip.action else None)
    return digest.hexdigest()


def _curves(digest, action, slot):
    if action is None:
        return
    digest.update(action.name.encode())
    for curve in compat.curves_of(action, slot):
        keys = np.empty(2 * len(curve.keyframe_points), dtype=np.float32)
        curve.keyframe_points.foreach_get("co", keys)
        digest.update(f"{curve.data_path} {curve.array_index} {curve.mute}".encode() + keys.tobytes())


def of_strip(strip):
    """What of a sound strip decides what is heard of it and when; None where it is gone."""
    if strip is None:
        return None
    return (strip.name, strip.frame_final_start, strip.frame_final_end, strip.frame_offset_start, strip.frame_duration,
            strip.sound.filepath if strip.sound is not None else "")


def of_scene(scene):
    """The frame rate."""
    return scene.render.fps, scene.render.fps_base
