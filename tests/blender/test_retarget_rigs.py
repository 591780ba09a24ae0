"""Retargeting proved inside Blender: every rig of the issue performs there, and is read there, across all pairs."""
import gzip
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")
bpy = pytest.importorskip("bpy")

from baton.blender_addon.scene import actions, bone_map, compat, switches  # noqa: E402
from core.body.rotations import geodesic  # noqa: E402
from core.motion_files import read_motion  # noqa: E402
from core.retarget import (  # noqa: E402
    Options,
    bonemap,  # noqa: E402
    from_smpl,
    to_smpl,
)
from core.retarget.rest import align_rest  # noqa: E402
from core.retarget.rig import rig_from_json  # noqa: E402
from tests.core import rigs  # noqa: E402
from tests.core.test_retarget import angle, below_floor, limb_directions, slide, world  # noqa: E402

CAPTURE = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "motion" / "cmu_salsa" / "10.bvh.gz"
TAKE = Options(place="motion")
FRAMES = 45
NAMES = ["smpl", "mixamo", "rigify", "cmu", "small"]


def armature(rig, name):
    """An armature object with the bones of a synthetic `Rig`."""
    from mathutils import Matrix
    data = bpy.data.armatures.new(name)
    made = bpy.data.objects.new(name, data)
    bpy.context.collection.objects.link(made)
    made.matrix_world = Matrix(rig.matrix_world)
    bpy.context.view_layer.objects.active = made
    bpy.ops.object.mode_set(mode="EDIT")
    for number, bone in enumerate(rig.names):
        edit = data.edit_bones.new(bone)
        edit.head, edit.tail = (0, 0, 0), (0, float(np.linalg.norm(rig.tails[number] - rig.rest[number, :3, 3])), 0)
        edit.matrix = Matrix(rig.rest[number])
        if rig.parents[number] >= 0:
            edit.parent = data.edit_bones[rig.names[rig.parents[number]]]
    bpy.ops.object.mode_set(mode="OBJECT")
    return made


def generated_rigify():
    bpy.ops.preferences.addon_enable(module="rigify")
    bpy.ops.object.armature_human_metarig_add()
    bpy.ops.pose.rigify_generate()
    return bpy.context.object


def imported_capture(folder, frames):
    text = gzip.decompress(CAPTURE.read_bytes()).decode()
    head, motion = text.split("MOTION")
    lines = motion.strip().splitlines()
    path = folder / "capture.bvh"
    path.write_text(head + "MOTION\n" + "\n".join([f"Frames: {frames}", "Frame Time: 0.01666667",
                                                   *lines[2:2 + frames]]))
    bpy.context.scene.render.fps = 60
    bpy.ops.import_anim.bvh(filepath=str(path), global_scale=0.01)
    return bpy.context.object, path


def described(thing, bone_map=None):
    """`Rig` of an armature object, with the detected bone map unless one is given."""
    bones = [{"name": bone.name, "parent": bone.parent.name if bone.parent else None, "tail": list(bone.tail_local),
              "matrix_local": [list(row) for row in bone.matrix_local]} for bone in thing.data.bones]
    if bone_map is None:
        bone_map = bonemap.require(bonemap.detect([(bone["name"], bone["parent"]) for bone in bones]), thing.name)
    bpy.context.view_layer.update()
    return rig_from_json({"bones": bones, "matrix_world": [list(row) for row in thing.matrix_world],
                          "bone_map": bone_map})


def set_switches(thing, rig):
    for bone, name, value in bone_map.switches(thing, rig.bone_map):
        pose = thing.pose.bones[bone]
        switches.write(pose, name, type(switches.read(pose, name))(value))


def perform(thing, rig, channels):
    """Set the channels frame by frame and read all pose matrices back: (T,N,4,4)."""
    poses = []
    for bone in channels.rotations:
        thing.pose.bones[bone].rotation_mode = "QUATERNION"
    for frame in range(len(channels.times)):
        for bone, values in channels.rotations.items():
            thing.pose.bones[bone].rotation_quaternion = values[frame]
        for bone, values in channels.locations.items():
            thing.pose.bones[bone].location = values[frame]
        thing.update_tag()
        bpy.context.view_layer.update()
        poses.append([[list(row) for row in thing.pose.bones[name].matrix] for name in rig.names])
    return np.array(poses)


@pytest.fixture(scope="module")
def stage(registered, tmp_path_factory):
    """{name: (object, rig, poses)} of the dance on each rig, and the dance's (motion, planted)."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    motion, planted = rigs.stepping()
    dance = motion.slice(0, FRAMES), planted[:FRAMES]
    things = {"smpl": armature(rigs.smpl_rig(), "smpl"), "mixamo": armature(rigs.mixamo_rig(), "mixamo"),
              "small": armature(rigs.small_rig(), "small"), "rigify": generated_rigify()}
    if CAPTURE.is_file():
        things["cmu"], _ = imported_capture(tmp_path_factory.mktemp("bvh"), 3)
        things["cmu"].animation_data_clear()
    result = {}
    for name, thing in things.items():
        rig = described(thing)
        set_switches(thing, rig)
        result[name] = thing, rig, perform(thing, rig, from_smpl(dance[0], rig, TAKE))
    yield result, dance
    bpy.ops.preferences.addon_disable(module="rigify")       # left-over classes crash some Blenders at exit


@pytest.mark.parametrize("name", NAMES)
def test_there_and_back(stage, name):
    if name not in stage[0]:
        pytest.skip("no capture data beside the repository")
    thing, rig, poses = stage[0][name]
    back = perform(thing, rig, from_smpl(to_smpl(rig, poses, np.arange(len(poses)) / 30), rig, TAKE))
    read = rig.reading()
    mapped = [read.index[bone] for bone in read.bone_map.values()]
    turns = [np.linalg.inv(read.rest_rotations[mapped]) @ p[:, mapped, :3, :3] for p in (poses, back)]
    scale = np.linalg.norm(turns[0][..., 0], axis=-1)[..., None, None]
    assert np.degrees(geodesic(turns[0] / scale, turns[1] / scale)).max() <= 1.0
    places = [read.to_world(p[:, mapped, :3, 3]) for p in (poses, back)]
    assert np.linalg.norm(places[0] - places[1], axis=-1).max() * align_rest(read).scale <= 0.01


@pytest.mark.parametrize("target", NAMES)
@pytest.mark.parametrize("source", NAMES)
def test_across(stage, source, target):
    rows, (_, planted) = stage
    if source not in rows or target not in rows:
        pytest.skip("no capture data beside the repository")
    _, rig, poses = rows[source]
    thing, other, _ = rows[target]
    motion = to_smpl(rig, poses, np.arange(len(poses)) / 30)
    result = perform(thing, other, from_smpl(motion, other, TAKE))
    rig, other = rig.reading(), other.reading()
    assert angle(limb_directions(rig, poses), limb_directions(other, result)).max() <= 3.0
    assert slide(other, result, planted) <= 0.02
    assert below_floor(other, result) <= 0.01
    across = world(other, result, "left_shoulder") - world(other, result, "right_shoulder")
    source_across = world(rig, poses, "left_shoulder") - world(rig, poses, "right_shoulder")
    assert np.all((across * source_across).sum(-1) > 0)


@pytest.mark.parametrize(("name", "limit"), [("smpl", 0.02), ("rigify", 0.01)])
def test_reduced_keys_leave_the_feet_planted(stage, name, limit):
    """Key reduction at its default tolerance of one degree, as keyed curves: fewer keys, feet as planted as asked."""
    (thing, rig, _), (dance, planted) = stage[0][name], stage[1]
    channels = from_smpl(dance, rig, TAKE)
    frames = np.arange(1, len(channels.times) + 1)
    state = actions.write_take(thing, "Reduced", frames, channels.rotations, channels.locations,
                               reduce_error=np.radians(1.0), switches=bone_map.switches(thing, rig.bone_map))
    keys = [len(curve.keyframe_points) for curve in compat.read_curves(thing.animation_data)]
    assert np.mean(keys) < 0.5 * len(frames)
    poses = []
    for frame in frames:
        bpy.context.scene.frame_set(int(frame))
        poses.append([[list(row) for row in thing.pose.bones[bone].matrix] for bone in rig.names])
    actions.remove_take(thing, state)
    assert slide(rig.reading(), np.array(poses), planted) <= limit
    assert below_floor(rig.reading(), np.array(poses)) <= 0.01


@pytest.mark.skipif(not CAPTURE.is_file(), reason="no capture data beside the repository")
def test_imported_capture_reads_as_the_file(registered, tmp_path):
    """Blender's importer makes another armature of a BVH than the file has; both give the same motion."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    thing, path = imported_capture(tmp_path, 90)
    rig, poses = described(thing), []
    for frame in range(1, 91):
        bpy.context.scene.frame_set(frame)
        poses.append([[list(row) for row in thing.pose.bones[name].matrix] for name in rig.names])
    ours, file = to_smpl(rig, np.array(poses), np.arange(90) / 60), read_motion(path)
    assert len(ours) == len(file)
    assert np.degrees(geodesic(ours.rotations, file.rotations)).max() < 0.2
    assert np.abs(ours.root - file.root).max() < 0.01
