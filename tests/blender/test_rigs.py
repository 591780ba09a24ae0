"""A known dance put on real rigs in Blender by the real worker: limbs point where they should, feet stand on the floor.

The rigs of the issue: SMPL-24, Mixamo names in A-pose, a generated Rigify control rig, an imported CMU capture, one at
30 % scale with a turned object.
"""
import numpy as np
import pytest
from mathutils import Matrix

from baton.blender_addon.flows import results
from baton.blender_addon.scene import actions, baton_prop, bone_map, character, rig_sampling
from baton.blender_addon.scene.refs import Ref
from baton.blender_addon.scene.timebase import Passage
from baton.blender_addon.worker import manager as jobs
from baton.core.contract import bone_tables
from tests.blender import scenes

DANCE = scenes.ROOT / "core" / "assets" / "demo_dance.npz"
CAPTURE = scenes.ROOT.parent / "shared" / "data" / "motion" / "cmu_salsa" / "05.bvh.gz"
SECONDS = 4.0
LIMBS = [("left_hip", "left_knee"), ("left_knee", "left_ankle"), ("right_hip", "right_knee"),
         ("right_knee", "right_ankle"),
         ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"), ("right_shoulder", "right_elbow"),
         ("right_elbow", "right_wrist")]


def mixamo_a_pose(blender, tmp_path):
    names = bone_tables.tables()["mixamo"]["bones"]
    rig = scenes.smpl_rig(rename={joint: f"mixamorig:{name}" for joint, name in names.items()}, roll=0.7)
    blender.ops.object.mode_set(mode="POSE")
    for side, sign in (("left", -1), ("right", 1)):
        pose = rig.pose.bones[f"mixamorig:{names[side + '_shoulder']}"]
        head = Matrix.Translation(pose.head)
        pose.matrix = head @ Matrix.Rotation(-sign * 0.7, 4, "Y") @ head.inverted() @ pose.matrix
        blender.context.view_layer.update()
    blender.ops.pose.armature_apply()
    blender.ops.object.mode_set(mode="OBJECT")
    return rig


def rigify(blender, tmp_path, fingers=False):
    blender.ops.preferences.addon_enable(module="rigify")
    try:
        add = blender.ops.object
        (add.armature_human_metarig_add if fingers else add.armature_basic_human_metarig_add)()
        from rigify import generate
        generate.generate_rig(blender.context, blender.context.object)
        return blender.data.objects["rig"]
    finally:
        blender.ops.preferences.addon_disable(module="rigify")


def capture(blender, tmp_path):
    if not CAPTURE.is_file():
        pytest.skip("the shared captures are not here")
    rig = scenes.import_bvh(CAPTURE, tmp_path, frames=20)
    rig.animation_data_clear()
    for pose in rig.pose.bones:
        pose.matrix_basis.identity()
    return rig


def small_and_turned(blender, tmp_path):
    rig = scenes.smpl_rig(roll=1.3)
    rig.scale, rig.rotation_euler, rig.location = (0.3, 0.3, 0.3), (0.0, 0.0, 2.0), (3.0, -1.0, 0.0)
    return rig


def dance_for(rig, scene, mapped, first, seconds):
    """The beginning of the demo's dance for a rig, through the real worker: (frames from `first` on, rotations,
    locations)."""
    rig_ref, scene_ref, made = Ref.of(rig), Ref.of(scene), {}

    def prepare(place):
        yield from rig_sampling.sample(rig_ref, scene_ref, mapped, Passage.from_frames(first, first, 30.0), place)

    def apply(result, place):
        made["channels"] = actions.channel_arrays(place / result["channels"])
        return "done"
    params = {"motion": str(DANCE), "duration": seconds, "place": "motion"}
    jobs.manager.run_blocking(jobs.Job("retarget", "Retarget", params, prepare, apply))
    return results.on_frames(*made["channels"], Passage.from_frames(first, first + int(seconds * 30) - 1, 30.0))


@pytest.mark.parametrize("make", [lambda blender, tmp_path: scenes.smpl_rig(), mixamo_a_pose, rigify, capture,
                                  small_and_turned],
                         ids=["smpl", "mixamo_a_pose", "rigify", "cmu_capture", "small_and_turned"])
def test_a_dance_on_a_rig(blender, tmp_path, make):
    scene = blender.context.scene
    rig = make(blender, tmp_path)
    blender.context.view_layer.objects.active = rig
    blender.context.view_layer.update()
    assert blender.ops.baton.detect_bones() == {"FINISHED"}
    mapped = bone_map.require(rig)
    frames, rotations, locations = dance_for(rig, scene, mapped, 1, SECONDS)
    actions.write_take(rig, "Dance", frames, rotations, locations, switches=bone_map.switches(rig, mapped))
    # A capture's rest pose hangs with the hips at the origin: it stands on the floor of its own rest.
    ground = min((rig.matrix_world @ rig.data.bones[bone].tail_local).z for bone in mapped.values())
    ground = ground if ground < -0.1 else 0.0
    poses, root, _fps = character.read_poses(DANCE)
    truth = scenes.joint_positions(poses, root)
    seen = bone_map.reading_map(rig, mapped)
    worst, floor = 0.0, []
    for index in range(0, len(frames), 6):
        scene.frame_set(int(frames[index]))
        where = {joint: np.array(rig.matrix_world @ rig.pose.bones[seen[joint]].head) for joint in seen}
        for a, b in LIMBS:
            mine = where[b] - where[a]
            wanted = truth[index, scenes.JOINTS.index(b)] - truth[index, scenes.JOINTS.index(a)]
            cosine = mine @ wanted / np.linalg.norm(mine) / np.linalg.norm(wanted)
            worst = max(worst, float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))))
        feet = [where.get(side + "_foot") for side in ("left", "right")]
        if feet[0] is None:  # no toe bone: the tip of the foot
            feet = [rig.matrix_world @ rig.pose.bones[seen[side + "_ankle"]].tail for side in ("left", "right")]
        floor.append(min(foot[2] for foot in feet))
    assert worst < 3.0, f"a limb is {worst:.1f} degrees off"
    assert min(floor) > ground - 0.01, f"a foot is {ground - min(floor):.3f} m below the floor"


def test_baton_in_the_hand(blender, tmp_path):
    rig = small_and_turned(blender, tmp_path)
    blender.context.view_layer.update()
    assert blender.ops.baton.add_baton() == {"FINISHED"}
    baton = blender.data.objects["Baton"]
    blender.context.view_layer.update()
    wrist = rig.matrix_world @ rig.pose.bones["right_wrist"].head
    points = [baton.matrix_world @ vertex.co for vertex in baton.data.vertices]
    assert min((point - wrist).length for point in points) < 0.06, "its grip is in the hand"
    length = 0.417 * 0.3
    assert max((a - points[0]).length for a in points) == pytest.approx(length, abs=0.003), "as small as the rig"
    assert blender.ops.baton.add_baton() == {"FINISHED"}
    assert [thing.name for thing in rig.children] == ["Baton"], "a second press stacks no second one"
    before = points[-1].copy()
    rig.pose.bones["right_elbow"].rotation_mode = "XYZ"
    rig.pose.bones["right_elbow"].rotation_euler.z = 1.0
    blender.context.view_layer.update()
    assert (baton.matrix_world @ baton.data.vertices[-1].co - before).length > 0.05


@pytest.mark.parametrize("make", [lambda blender, tmp_path: scenes.smpl_rig(), mixamo_a_pose, rigify, small_and_turned],
                         ids=["smpl", "mixamo_a_pose", "rigify", "small_and_turned"])
def test_the_baton_lies_alike_in_every_hand(blender, tmp_path, make):
    """From the T-pose: along the arm and 27 degrees up, whatever the rest pose and the rolls; the bulb lies in the
    palm."""
    rig = make(blender, tmp_path)
    blender.context.view_layer.objects.active = rig
    blender.context.view_layer.update()
    assert blender.ops.baton.detect_bones() == {"FINISHED"} and blender.ops.baton.add_baton() == {"FINISHED"}
    mapped, thing = bone_map.current(rig), blender.data.objects["Baton"]
    blender.context.view_layer.update()
    axes = (rig.matrix_world.to_quaternion().to_matrix() @ baton_prop.hand_frame(rig, mapped, "right")).transposed()
    points = [thing.matrix_world @ vertex.co for vertex in thing.data.vertices]
    pointing = axes @ (points[-1] - points[0]).normalized()
    assert np.degrees(pointing.angle(baton_prop.POINTING)) < 1.0
    wrist = rig.matrix_world @ rig.pose.bones[mapped["right_wrist"]].head
    elbow = rig.matrix_world @ rig.pose.bones[mapped["right_elbow"]].head
    assert (points[0] - wrist).length < 0.1
    assert np.degrees((wrist - elbow).angle(points[-1] - points[0])) < 50.0, "it goes on from the forearm"
