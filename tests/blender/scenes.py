"""Small scenes the Blender tests share: rigs, motion, a sound file."""
import json
import wave
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Vector

ROOT = Path(__file__).resolve().parents[2]
SKELETON = json.loads((ROOT / "core" / "contract" / "skeleton.json").read_text())
JOINTS, PARENTS = SKELETON["joints"], SKELETON["parents"]


def write_wav(path, seconds, rate=16000, bpm=120.0):
    """A mono wave file of clicks on every beat."""
    time = np.arange(int(seconds * rate)) / rate
    since = np.mod(time, 60.0 / bpm)
    samples = np.sin(2 * np.pi * 880 * since) * np.exp(-since * 30) * 0.8
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return Path(path)


def rest_positions():
    """(24, 3) joints of the canonical T-pose, z up, facing -y."""
    offsets = np.array(SKELETON["offsets_m"], dtype=float)
    points = np.zeros((24, 3))
    for joint in range(1, 24):
        points[joint] = points[PARENTS[joint]] + offsets[joint]
    points = np.stack([points[:, 0], -points[:, 2], points[:, 1]], axis=1)
    points[:, 2] += SKELETON["hip_height_m"]
    return points


def smpl_rig(name="Dancer", rename=None, scale=1.0, roll=0.0):
    """An armature with the SMPL-24 joints as bones; `rename` maps joint -> bone name."""
    rename = rename or {}
    points = rest_positions() * scale
    data = bpy.data.armatures.new(name)
    rig = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    rig.select_set(True)
    bpy.ops.object.mode_set(mode="EDIT")
    for index, joint in enumerate(JOINTS):
        bone = data.edit_bones.new(rename.get(joint, joint))
        children = [i for i, parent in enumerate(PARENTS) if parent == index]
        head = Vector(points[index])
        if joint == "pelvis":
            tail = head + Vector((0, 0, 0.1 * scale))
        elif len(children) == 1:
            tail = Vector(points[children[0]])
        elif joint == "spine3":
            tail = Vector(points[12])
        else:
            tail = head + (head - Vector(points[PARENTS[index]])).normalized() * 0.1 * scale
        bone.head, bone.tail, bone.roll = head, tail, roll
        if PARENTS[index] >= 0:
            bone.parent = data.edit_bones[rename.get(JOINTS[PARENTS[index]], JOINTS[PARENTS[index]])]
    bpy.ops.object.mode_set(mode="OBJECT")
    return rig


def sway(rig, frames=120, fps=30.0, bpm=120.0, bones=("left_shoulder", "right_shoulder", "spine1", "left_hip")):
    """Key a plain dance: bones swing on the beat, the pelvis bounces."""
    for pose in rig.pose.bones:
        pose.rotation_mode = "QUATERNION"
    for frame in range(1, frames + 1, 3):
        phase = 2 * np.pi * (frame - 1) / fps * bpm / 60.0
        for number, name in enumerate(bones):
            if name in rig.pose.bones:
                pose = rig.pose.bones[name]
                pose.rotation_quaternion = Matrix.Rotation(0.6 * np.sin(phase / 2 + number), 4,
                                                           "XYZ"[number % 3]).to_quaternion()
                pose.keyframe_insert("rotation_quaternion", frame=frame)
        root = rig.pose.bones.get("pelvis")
        if root is not None:
            root.location = (0.05 * np.sin(phase / 4), 0.03 * np.cos(phase), 0.0)
            root.keyframe_insert("location", frame=frame)
    return rig.animation_data.action


def evaluated(rig, frames, bones=None):
    """(T, bones, 4, 4) pose matrices by playing the frames."""
    names = bones or [bone.name for bone in rig.pose.bones]
    scene, out = bpy.context.scene, []
    for frame in frames:
        scene.frame_set(int(frame))
        out.append([[list(row) for row in rig.pose.bones[name].matrix] for name in names])
    return np.array(out)


def exhaust(generator):
    """Run a generator to its end; its return value."""
    while True:
        try:
            next(generator)
        except StopIteration as stop:
            return stop.value


def import_bvh(gz, folder, frames=400):
    """A gzipped CMU capture imported by Blender's own importer, its first T-pose frames left out, 60 Hz to scene
    fps."""
    import gzip
    lines = gzip.open(gz, "rt").read().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("Frame Time"))
    keep = lines[start + 1 + 6:start + 1 + 6 + 2 * frames]
    count = next(i for i, line in enumerate(lines) if line.startswith("Frames:"))
    lines[count], lines[start] = f"Frames: {len(keep)}", f"Frame Time: {1 / 60}"
    path = Path(folder) / (Path(gz).name.removesuffix(".gz"))
    path.write_text("\n".join(lines[:start + 1] + keep) + "\n")
    bpy.ops.import_anim.bvh(filepath=str(path), global_scale=0.01, use_fps_scale=True, update_scene_fps=False,
                            axis_forward="-Z", axis_up="Y")
    return bpy.context.view_layer.objects.active


def joint_positions(poses, root):
    """Joints (T, 24, 3) of SMPL poses (T, 24, 3) axis-angle, from the contract's offsets and mathutils alone."""
    offsets = np.array(SKELETON["offsets_m"], dtype=float)
    points = np.zeros((len(poses), 24, 3))
    for frame, pose in enumerate(poses):
        turns = []
        for joint, parent in enumerate(PARENTS):
            angle = float(np.linalg.norm(pose[joint]))
            own = np.array(Matrix.Rotation(angle, 3, Vector(pose[joint]))) if angle > 1e-9 else np.eye(3)
            turns.append(own if parent < 0 else turns[parent] @ own)
            points[frame, joint] = root[frame] if parent < 0 else points[frame, parent] + turns[parent] @ offsets[joint]
    return points
