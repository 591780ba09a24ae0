"""Meshes that hang on bones."""
import bmesh
import bpy
from mathutils import Matrix


def attach(rig, bone, mesh, colour):
    """An object of `mesh` parented to a bone, its origin at the bone's head; returns it."""
    thing = bpy.data.objects.new(mesh.name, mesh)
    hang(thing, rig, bone)
    thing.color = colour
    mesh.materials.append(material(colour))
    rig.users_scene[0].collection.objects.link(thing)
    return thing


def hang(thing, rig, bone):
    """Parent an object to a bone, its origin at the bone's head."""
    thing.parent, thing.parent_type, thing.parent_bone = rig, "BONE", bone
    thing.matrix_parent_inverse = Matrix.Translation((0.0, -rig.data.bones[bone].length, 0.0))


def material(colour):
    """The material of a colour (4,), made once a file."""
    name = "Baton " + "".join(f"{int(c * 255):02x}" for c in colour[:3])
    made = bpy.data.materials.get(name) or bpy.data.materials.new(name)
    made.diffuse_color, made.roughness = colour, 0.6
    return made


def finish(shape, name):
    """A smooth mesh of a bmesh, which is freed."""
    bmesh.ops.recalc_face_normals(shape, faces=shape.faces)
    for face in shape.faces:
        face.smooth = True
    mesh = bpy.data.meshes.new(name)
    shape.to_mesh(mesh)
    shape.free()
    return mesh
