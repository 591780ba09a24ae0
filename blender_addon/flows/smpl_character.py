"""A character from the user's own SMPL body model, which the worker reads: mesh, skin weights and armature."""
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector

from ..errors import UserError
from ..scene import bone_map
from ..scene.character import G
from ..scene.refs import Ref
from ..worker import options as prefs
from ..worker.manager import Job


def job(context: bpy.types.Context, kind: str, gender: str, betas: list[float]) -> Job:
    """The `Job` that adds the character to the active scene."""
    scene_ref = Ref.of(context.scene)

    def prepare(folder):
        yield 1.0

    def apply(result, folder):
        rig = build(scene_ref.get(), Path(folder) / result["body"], f"{kind.upper()} {gender}")
        return f"{rig.name} added"

    folder = bpy.path.abspath(prefs.get().smpl_folder)
    return Job("body", "Add SMPL Character", {"models": folder, "kind": kind, "gender": gender, "betas": betas},
               prepare, apply, (scene_ref,))


def build(scene: bpy.types.Scene, path: Path, name: str) -> bpy.types.Object:
    """Armature and skinned mesh of a `body.npz`; y up becomes z up, the feet stand on the floor.
    Returns the armature."""
    with np.load(path, allow_pickle=False) as data:
        vertices, faces, weights = data["vertices"] @ G.T, data["faces"], data["weights"]
        joints, parents, names = data["joints"] @ G.T, data["parents"], [str(text) for text in data["names"]]
    if len(vertices) == 0:
        raise UserError("The body model has no vertices.")
    lift = -vertices[:, 2].min()
    vertices[:, 2] += lift
    joints[:, 2] += lift
    rig = _armature(scene, name, joints, parents, names)
    mesh = bpy.data.meshes.new(f"{name} body")
    mesh.from_pydata(vertices.tolist(), [], faces.tolist())
    mesh.polygons.foreach_set("use_smooth", np.ones(len(mesh.polygons), dtype=bool))
    mesh.update()
    body = bpy.data.objects.new(mesh.name, mesh)
    scene.collection.objects.link(body)
    for index, bone in enumerate(names):
        group = body.vertex_groups.new(name=bone)
        for vertex in np.flatnonzero(weights[:, index] > 1e-4):
            group.add([int(vertex)], float(weights[vertex, index]), "REPLACE")
    body.parent = rig
    body.modifiers.new("Armature", "ARMATURE").object = rig
    bone_map.detect(rig)
    return rig


def _armature(scene, name, joints, parents, names):
    rig = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    scene.collection.objects.link(rig)
    view = bpy.context.view_layer
    if bpy.context.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    for thing in view.objects.selected:
        thing.select_set(False)
    view.objects.active = rig
    rig.select_set(True)
    bpy.ops.object.mode_set(mode="EDIT")
    for index, bone_name in enumerate(names):
        bone = rig.data.edit_bones.new(bone_name)
        head = Vector(joints[index])
        children = [i for i in range(len(names)) if parents[i] == index]
        tail = Vector(np.mean(joints[children], axis=0)) if children else None
        if tail is None or (tail - head).length < 0.01:
            above = Vector(joints[parents[index]]) if parents[index] >= 0 else head - Vector((0, 0, 0.1))
            tail = head + (head - above).normalized() * 0.06
        bone.head, bone.tail = head, tail
        if parents[index] >= 0:
            bone.parent = rig.data.edit_bones[names[parents[index]]]
    bpy.ops.object.mode_set(mode="OBJECT")
    return rig
