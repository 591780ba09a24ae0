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
from baton.core.contract import bone_tables
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


def autorig():
    """Auto-Rig Pro's names: FK and IK controls of the legs, bones that deform and copy either by `ik_fk_switch`."""
    deform, control = (bone_tables.tables()[f"autorig_{kind}"]["bones"] for kind in ("deform", "control"))
    rig = scenes.smpl_rig("Rig", rename={joint: deform.get(joint, joint) for joint in scenes.JOINTS})

    def controls(bones):
        traj = bones.new("c_traj")
        traj.head, traj.tail = (0, 0, 0), (0, 0.3, 0)
        for number, joint in enumerate(scenes.JOINTS):
            if joint in control:
                above = scenes.JOINTS[scenes.PARENTS[number]] if number else None
                copy_bone(bones, control[joint], deform[joint], control[above] if above else "c_traj")
        for side in "lr":
            copy_bone(bones, f"c_foot_ik.{side}", f"foot.{side}", "c_traj")
            copy_bone(bones, f"thigh_ik.{side}", f"thigh_stretch.{side}", control["pelvis"])
            copy_bone(bones, f"leg_ik.{side}", f"leg_stretch.{side}", f"thigh_ik.{side}")
            copy_bone(bones, f"c_hand_ik.{side}", f"hand.{side}", "c_traj")
        traj.use_deform = False
    edit(rig, controls)
    pose = rig.pose.bones
    for side, name in (("l", "left"), ("r", "right")):
        for bone in (f"c_foot_ik.{side}", f"c_hand_ik.{side}"):
            pose[bone]["ik_fk_switch"] = 0.0
        row = pose[f"leg_ik.{side}"].constraints.new("IK")
        row.target, row.subtarget, row.chain_count = rig, f"c_foot_ik.{side}", 2
        for joint, bone in ((f"{name}_hip", f"thigh_ik.{side}"), (f"{name}_knee", f"leg_ik.{side}"),
                            (f"{name}_ankle", f"c_foot_ik.{side}")):
            _copies(rig, deform[joint], bone)
    for joint, bone in control.items():
        row = _copies(rig, deform[joint], bone)
        side = joint.partition("_")[0]
        if joint in (f"{side}_hip", f"{side}_knee", f"{side}_ankle"):
            switch = row.driver_add("influence").driver
            switch.type = "AVERAGE"
            variable = switch.variables.new()
            variable.targets[0].id = rig
            variable.targets[0].data_path = f'pose.bones["c_foot_ik.{side[0]}"]["ik_fk_switch"]'
    bpy.context.view_layer.update()
    return rig


def _copies(rig, bone, other):
    row = rig.pose.bones[bone].constraints.new("COPY_TRANSFORMS")
    row.target, row.subtarget = rig, other
    return row


def export(path, form):
    """The selected rig and its action by Blender's own exporter, the bones that deform alone."""
    if form == "fbx":
        bpy.ops.export_scene.fbx(filepath=str(path), use_selection=True, object_types={"ARMATURE"},
                                 use_armature_deform_only=True, add_leaf_bones=False, bake_anim_use_all_actions=False,
                                 bake_anim_use_nla_strips=False, bake_anim_simplify_factor=0.0)
    else:
        bpy.ops.export_scene.gltf(filepath=str(path), use_selection=True, export_def_bones=True,
                                  export_animation_mode="ACTIVE_ACTIONS", export_optimize_animation_size=False,
                                  export_force_sampling=True)


def read_back(path, form, names):
    """The armature of a file, alone in the scene."""
    for thing in list(bpy.data.objects):
        bpy.data.objects.remove(thing)
    if form == "fbx":
        bpy.ops.import_scene.fbx(filepath=str(path), anim_offset=0.0)
    else:
        bpy.ops.import_scene.gltf(filepath=str(path))
    rig = next(thing for thing in bpy.data.objects if thing.type == "ARMATURE")
    assert set(names) <= {bone.name for bone in rig.data.bones}
    return rig
