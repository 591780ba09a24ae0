"""A scene to try Baton on, made in the user's own Blender: a dancer with a recorded dance,
a conductor, and a piece of music."""
import bpy
import numpy as np
from mathutils import Vector

from ...core import contract
from ..errors import UserError
from . import bone_map, bone_meshes, character, strips
from .timebase import scene_fps

ASSETS = contract.ROOT / "core" / "assets"
DANCE, PIECE = ASSETS / "demo_dance.npz", ASSETS / "demo_piece.ogg"
NAME, SECONDS = "Baton Sample", 20.0


def add():
    """A new scene with all of it; returns it and what to say. The scenes that are there stay as they are."""
    for path in (DANCE, PIECE):
        if not path.is_file():
            raise UserError(f"The sample {path.name} is missing from the extension; install it again")
    scene = bpy.data.scenes.new(NAME)
    scene.render.fps, scene.render.fps_base, scene.sync_mode, scene.use_audio_scrub = 30, 1.0, "AUDIO_SYNC", True
    bpy.context.window.scene = scene
    _stage(scene)
    dancer = _figure(scene, "Dancer", (-1.2, 0.0, 0.0))
    poses, root, rate = character.read_poses(DANCE)
    count = min(len(poses), int(SECONDS * rate))
    root = root[:count] - [root[0, 0], root[0, 1], 0.0]
    character.key_motion(dancer, "Sample Dance", poses[:count], root, rate, 1, scene_fps(scene.render))
    _figure(scene, "Conductor", (1.2, 0.0, 0.0))
    scene.frame_start, scene.frame_end = 1, int(count / rate * 30)
    said = _piece(scene)
    for thing in scene.objects:
        thing.select_set(thing == dancer)
    bpy.context.view_layer.objects.active = dancer
    scene.frame_set(1)
    return scene, said


def _figure(scene, name, place):
    rig = character.make_armature(name, scene)
    rig.location = place
    character.dress(rig, name.lower())
    bone_map.detect(rig)
    return rig


def _piece(scene):
    """The sample piece as the active strip."""
    if not bpy.app.build_options.audaspace:
        return f"{scene.name} added, without its piece of music: this Blender is built without sound"
    strip = strips.place(scene, PIECE, "Sample Piece", 1, scene.frame_end)
    strip.frame_final_end = min(strip.frame_final_end, scene.frame_end + 1)
    if strip.sound.packed_file is None:
        strip.sound.pack()                      # the extension's folder moves with every update
    strips.make_active(scene, strip)
    return (f"{scene.name} added: Generate Music makes music for the selected dancer; select the conductor for "
            "Generate Conducting")


def _stage(scene):
    """A floor, a sun, and a camera that sees both."""
    mesh = bpy.data.meshes.new("Floor")
    mesh.from_pydata([(-3, -3, 0), (3, -3, 0), (3, 3, 0), (-3, 3, 0)], [], [(0, 1, 2, 3)])
    floor = bpy.data.objects.new("Floor", mesh)
    floor.color = (0.6, 0.62, 0.66, 1.0)
    mesh.materials.append(bone_meshes.material(floor.color))
    sun = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    sun.data.energy, sun.rotation_euler = 3.0, (0.7, 0.2, 0.5)
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.location = Vector((0.0, -6.5, 1.5))
    camera.rotation_euler = (float(np.radians(86.0)), 0.0, 0.0)
    for thing in (floor, sun, camera):
        scene.collection.objects.link(thing)
    scene.camera = camera
