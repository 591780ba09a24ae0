"""Rigs of several makes with an animation of their own, and takes put on them without a worker and without sound."""
import importlib.util
import json
import os
import subprocess

import bpy
import numpy as np

from baton.blender_addon.flows.to_motion import write_takes
from baton.blender_addon.scene import bone_map, rig_sampling
from baton.blender_addon.scene.refs import Ref
from baton.blender_addon.scene.timebase import Passage
from tests.blender import retarget_there, scenes, stand_ins

FIRST, FPS = 21, 30.0


def put(rig, motion, folder, *, first=FIRST, blend=0.0, **options):
    """A motion (as `retarget_there.motion_of` names them) as a take on the rig from frame `first` on, as a flow would
    write it; the take."""
    folder.mkdir(parents=True, exist_ok=True)
    scene, rig_ref = bpy.context.scene, Ref.of(rig)
    mapped, passage = bone_map.require(rig), Passage(float(first), retarget_there.seconds(motion), FPS)
    here = Passage(float(first), 0.5 / FPS, FPS)
    scenes.exhaust(rig_sampling.sample(rig_ref, Ref.of(scene), mapped, here, folder,
                                       also=bone_map.reading_map(rig, mapped).values()))
    asked = [str(folder), motion, json.dumps({"blend_in": blend, **options})]
    if importlib.util.find_spec("scipy"):
        retarget_there.retarget(*asked)
    else:                                               # Blender's own Python has no scipy; the worker's has
        subprocess.run([os.environ["BATON_WORKER_PYTHON"], "-m", "tests.blender.retarget_there", *asked], check=True,
                       cwd=scenes.ROOT)
    write_takes(scene, rig, mapped, [stand_ins.row("channels.npz")], [{"own": {}}], passage, folder, "Take",
                {"blend_seconds": blend, "stepped": blend > 0})
    return scene.baton.takes[-1]


def worlds(rig, frames, names):
    """(T, bones, 4, 4) in the world of bones, by playing the frames."""
    poses, out = scenes.evaluated(rig, frames, names), []
    for frame, pose in zip(frames, poses):
        bpy.context.scene.frame_set(int(frame))
        out.append(np.array(rig.matrix_world) @ pose)
    return np.array(out)


def apart(one, two):
    """(metres, degrees) by which two (T, bones, 4, 4) differ at most."""
    place = np.linalg.norm(one[..., :3, 3] - two[..., :3, 3], axis=-1).max()
    axes = [m[..., :3, :3] / np.linalg.norm(m[..., :3, :3], axis=-2, keepdims=True) for m in (one, two)]
    # The chord says small angles exactly, where the cosine of a float cannot.
    chord = np.linalg.norm(axes[0] - axes[1], axis=(-2, -1)).max() / np.sqrt(2)
    return place, np.degrees(2 * np.arcsin(min(1.0, chord / 2)))


def edit(rig, change):
    """Run change(edit bones) in edit mode."""
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    change(rig.data.edit_bones)
    bpy.ops.object.mode_set(mode="OBJECT")


def copy_bone(bones, name, like, parent=None):
    """A new edit bone that lies where another does."""
    bone, old = bones.new(name), bones[like]
    bone.head, bone.tail, bone.roll = old.head, old.tail, old.roll
    bone.parent, bone.use_deform = bones.get(parent) if parent else None, False
    return bone


def plain_ik(roll_control=True):
    """SMPL names whose legs hang on IK with poles and whose left hand does; the goals hang on foot controls that can
    roll, the foot takes its goal's turn."""
    rig = scenes.smpl_rig()

    def controls(bones):
        root = bones.new("root")
        root.head, root.tail, root.use_deform = (0, 0, 0), (0, 0.3, 0), False
        for side in ("left", "right"):
            above = copy_bone(bones, f"foot_ctrl_{side}", f"{side}_ankle", "root")
            if roll_control:
                above = bones.new(f"heel_{side}")
                above.head, above.parent = bones[f"{side}_ankle"].head.copy(), bones[f"foot_ctrl_{side}"]
                above.head.z, above.use_deform = 0.0, False
                above.tail = above.head + bones[f"{side}_ankle"].vector
            copy_bone(bones, f"ik_{side}", f"{side}_ankle", above.name)
            pole = bones.new(f"pole_{side}")
            pole.head = bones[f"{side}_knee"].head
            pole.head.y -= 0.5
            pole.tail, pole.parent, pole.use_deform = pole.head, root, False
            pole.tail.z += 0.1
        copy_bone(bones, "ik_left_hand", "left_wrist", "root")
    edit(rig, controls)
    for side in ("left", "right"):
        bent(rig, side)
        row = rig.pose.bones[f"{side}_knee"].constraints.new("IK")
        row.target, row.subtarget, row.chain_count = rig, f"ik_{side}", 2
        row.pole_target, row.pole_subtarget = rig, f"pole_{side}"
        stand_as_built(rig, side, row)
        row = rig.pose.bones[f"{side}_ankle"].constraints.new("COPY_ROTATION")
        row.target, row.subtarget = rig, f"ik_{side}"
    row = rig.pose.bones["left_elbow"].constraints.new("IK")
    row.target, row.subtarget, row.chain_count = rig, "ik_left_hand", 2
    bpy.context.view_layer.update()
    return rig


def bent(rig, side):
    """Knees that are bent a little at rest, as IK wants them."""
    def bend(bones):
        for bone in (bones[f"{side}_hip"], bones[f"{side}_knee"]):
            bone.use_connect = False
        bones[f"{side}_hip"].tail.y -= 0.02
        bones[f"{side}_knee"].head.y -= 0.02
    edit(rig, bend)


def stand_as_built(rig, side, row):
    """The pole angle with which the leg stands at rest as it was built, by trial."""
    knee = rig.pose.bones[f"{side}_knee"]

    def off(angle):
        row.pole_angle = angle
        bpy.context.view_layer.update()
        return (knee.head - knee.bone.head_local).length
    best, step = 0.0, np.pi / 4
    while step > 1e-5:
        best = min((best + k * step for k in range(-4, 5)), key=off)
        step /= 3
    assert off(best) < 1e-3
