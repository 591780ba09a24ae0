"""The demo's .blend: what each system made, one after the other, such as a dancer with the music of the dance.

`build.py demo --out DIR` runs `main` on what `python -m models.lab.demo` wrote into DIR: it adds `demo.blend` and
`scene.png`, a contact sheet of Workbench stills. It is no part of the extension.
"""
import argparse
import json
import sys
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector

from .errors import UserError
from .scene import bone_meshes, character, strips
from .scene.timebase import scene_fps

GAP_SECONDS = 1.0


def make_demo_blend(path, shown, fps=30, sheet=None, stills=10):
    """Build the scene, save it as `path`, render `sheet` (PNG, or None). Returns a dict of what was made.

    shown: a dict for each part, one after the other on the timeline: title, figure ("dancer" or "conductor"), motion
    (path of an npz), sound (path), and seconds where the part is not all of the motion.
    """
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.preferences.filepaths.save_version = 0  # no demo.blend1 beside it
    scene = bpy.context.scene
    scene.name = "Baton Demo"
    scene.render.fps, scene.render.fps_base, scene.sync_mode = fps, 1.0, "AUDIO_SYNC"
    scene.use_audio_scrub = True
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    _stage(scene)
    first, parts, silent = 1, [], False
    for number, part in enumerate(shown):
        title, sound = part["title"], part["sound"]
        rig = character.make_armature(f"{part['figure'].title()} {title}", scene)
        rig.location.x = 5.0 * (number - (len(shown) - 1) / 2)
        character.dress(rig, part["figure"])
        poses, root, rate = character.read_poses(part["motion"])
        if "seconds" in part:
            poses, root = (array[:int(np.ceil(part["seconds"] * rate))] for array in (poses, root))
        root = root - [root[0, 0], root[0, 1], 0.0]
        character.key_motion(rig, title, poses, root, rate, first, scene_fps(scene.render))
        length = int(np.ceil(len(poses) / rate * fps))
        try:
            strips.place(scene, sound, f"{title} Sound", first, length).frame_final_end = first + length
        except RuntimeError:
            silent = True  # a Blender built without sound: the picture is made all the same
        marker = scene.timeline_markers.new(title, frame=first)
        marker.camera = _camera(scene, f"Camera {title}", rig, root)
        parts.append((first, first + length - 1))
        first += length + int(GAP_SECONDS * fps)
    scene.frame_start, scene.frame_end = 1, parts[-1][1]
    scene.camera = scene.timeline_markers[0].camera
    scene.frame_set(1)
    bpy.ops.wm.save_mainfile(filepath=str(path))
    if sheet is not None:
        frames = [int(f) for low, high in parts for f in np.linspace(low, high, max(2, stills // len(parts)) + 2)[1:-1]]
        contact_sheet(scene, frames, sheet, columns=next((n for n in (5, 6, 4) if len(frames) % n == 0), 5))
        scene.frame_set(1)
        bpy.ops.wm.save_mainfile(filepath=str(path))
    return {"blend": str(path), "sheet": str(sheet) if sheet else None, "frames": scene.frame_end, "sound": not silent}


def _stage(scene):
    """Floor, sun, and Workbench settings that need no graphics card."""
    mesh = bpy.data.meshes.new("Floor")
    mesh.from_pydata([(-40, -40, 0), (40, -40, 0), (40, 40, 0), (-40, 40, 0)], [], [(0, 1, 2, 3)])
    floor = bpy.data.objects.new("Floor", mesh)
    floor.color = (0.6, 0.62, 0.66, 1.0)
    mesh.materials.append(bone_meshes.material(floor.color))
    scene.collection.objects.link(floor)
    sun = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    sun.data.energy, sun.rotation_euler = 3.0, (0.7, 0.2, 0.5)
    scene.collection.objects.link(sun)
    world = bpy.data.worlds.new("World")
    world.color = (0.16, 0.17, 0.2)
    scene.world = world
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.view_settings.view_transform = "Standard"  # colours as they are: AgX is made for the light of other engines
    shading = scene.display.shading
    shading.light, shading.color_type, shading.show_shadows = "STUDIO", "OBJECT", True
    shading.studio_light = "paint.sl"  # the brightest of Blender's own
    shading.background_type, shading.background_color = "VIEWPORT", (0.32, 0.36, 0.42)
    shading.shadow_intensity = 0.4
    scene.display.render_aa = "FXAA"  # a tenth of the time of the default on a processor


def _camera(scene, name, rig, root):
    """A camera that sees the rig over its whole way."""
    low, high = root.min(axis=0), root.max(axis=0)
    middle = Vector(((low[0] + high[0]) / 2 + rig.location.x, (low[1] + high[1]) / 2, 0.95))
    width = max(high[0] - low[0], 0.7 * (high[1] - low[1])) + 2.4
    camera = bpy.data.objects.new(name, bpy.data.cameras.new(name))
    camera.data.lens = 45
    camera.location = middle + Vector((0.35, -1.0, 0.22)) * max(width * 1.08, 3.0)
    camera.rotation_euler = (middle - camera.location).to_track_quat("-Z", "Y").to_euler()
    scene.collection.objects.link(camera)
    return camera


def contact_sheet(scene, frames, path, size=(360, 400), columns=5):
    """Render `frames` and join them into one PNG, row by row."""
    path, render = Path(path), scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = *size, 100
    render.image_settings.file_format = "PNG"
    tiles = []
    for frame in frames:
        scene.frame_set(frame)
        marker = max((m for m in scene.timeline_markers if m.camera and m.frame <= frame), key=lambda m: m.frame)
        scene.camera = marker.camera
        render.filepath = str(path.with_suffix(".still.png"))
        bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(render.filepath)
        pixels = np.empty(size[0] * size[1] * 4, dtype=np.float32)
        image.pixels.foreach_get(pixels)
        bpy.data.images.remove(image)
        tiles.append(pixels.reshape(size[1], size[0], 4))
    Path(render.filepath).unlink(missing_ok=True)
    while len(tiles) % columns:
        tiles.append(np.zeros_like(tiles[0]))
    rows = [np.concatenate(tiles[i:i + columns], axis=1) for i in range(0, len(tiles), columns)]
    sheet = np.concatenate(rows[::-1], axis=0)  # Blender's images begin at the bottom
    image = bpy.data.images.new("Sheet", sheet.shape[1], sheet.shape[0])
    image.pixels.foreach_set(np.ascontiguousarray(sheet, dtype=np.float32).ravel())
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()
    bpy.data.images.remove(image)
    render.filepath = "//"
    render.resolution_x, render.resolution_y = 1280, 720
    return path


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="demo_scene", description=__doc__.splitlines()[0])
    parser.add_argument("--folder", required=True, help="folder that `python -m models.lab.demo` wrote")
    folder = Path(parser.parse_args(arguments).folder).resolve()
    try:
        shown = [{**part, "motion": folder / part["motion"], "sound": folder / part["sound"]}
                 for part in json.loads((folder / "demo.json").read_text(encoding="utf-8"))["parts"]]
        made = make_demo_blend(folder / "demo.blend", shown, sheet=folder / "scene.png")
    except (OSError, KeyError, ValueError, UserError) as error:
        print(f"The demo's scene cannot be built: {error}; run build.py demo again.", file=sys.stderr)
        return 2
    print(f"{made['blend']}: {made['frames']} frames" + ("" if made["sound"] else ", without sound: this Blender has "
                                                         "none"))
    return 0
