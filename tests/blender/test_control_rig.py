"""A take on a generated Rigify rig that the user animates on IK: feet stay on IK, nothing pops, nothing is left
behind."""
import json

import numpy as np
import pytest

from baton.blender_addon.scene import actions, bone_map, character, compat
from tests.blender import scenes
from tests.blender.test_rigs import DANCE, LIMBS, dance_for, rigify

FIRST, SECONDS, BLEND = 21, 4.0, 8
SHOWN = ("ORG-spine", "ORG-thigh.L", "ORG-shin.L", "ORG-foot.L", "ORG-foot.R", "ORG-toe.R", "ORG-upper_arm.L",
         "ORG-forearm.L", "ORG-hand.L", "ORG-hand.R", "ORG-spine.004", "ORG-spine.006")


def animate(rig):
    """The user's own animation on IK: a reaching hand, a lifted foot, a turned torso, the whole rig moved by its
    root."""
    keys = {"hand_ik.L": ("location", (-0.1, -0.2, 0.1), (-0.15, -0.25, 0.2)),
            "foot_ik.R": ("location", (0, -0.2, 0.1), (0, 0.1, 0.15)),
            "torso": ("location", (0.02, 0.03, -0.08), (0.0, 0.0, -0.12)),
            "foot_ik.L": ("rotation_quaternion", (0.97, 0.0, 0.0, 0.24), (1.0, 0.0, 0.0, 0.0)),
            "neck": ("rotation_quaternion", (0.96, 0.2, 0.2, 0.0), (0.98, 0.0, 0.2, 0.0))}
    for bone, (channel, *values) in keys.items():
        pose = rig.pose.bones[bone]
        pose.rotation_mode = "QUATERNION"
        for frame, value in zip((1, 100), values):
            setattr(pose, channel, value)
            pose.keyframe_insert(channel, frame=frame)
    rig.pose.bones["root"].rotation_quaternion, rig.pose.bones["root"].location = (0.98, 0, 0, 0.2), (0.3, 0.1, 0.0)


def dance_on(rig, scene, blend=BLEND):
    """Write the demo's dance as a take; returns (frames, state)."""
    mapped = bone_map.require(rig)
    frames, rotations, locations = dance_for(rig, scene, mapped, FIRST, SECONDS)
    return frames, actions.write_take(rig, "Dance", frames, rotations, locations, blend_frames=blend,
                                      switches=bone_map.switches(rig, mapped))


def planted(points):
    """[(start, stop)] in which a foot of the truth (T, 3) stands: slow and low."""
    speed = np.linalg.norm(np.diff(points[:, :2], axis=0), axis=1) * 30
    still = np.concatenate([[False], (speed < 0.05) & (points[1:, 2] < 0.05), [False]])
    edges = np.flatnonzero(np.diff(still.astype(int)))
    return [(a, b) for a, b in zip(edges[::2], edges[1::2]) if b - a >= 6]


@pytest.fixture
def rig(blender, tmp_path):
    made = rigify(blender, tmp_path)
    animate(made)
    blender.context.view_layer.objects.active = made
    assert blender.ops.baton.detect_bones() == {"FINISHED"}
    return made


def test_feet_on_ik(blender, rig):
    scene, world = blender.context.scene, lambda: np.array(rig.matrix_world)
    around = range(1, FIRST + int(SECONDS * 30) + 15)
    before = scenes.evaluated(rig, around)
    was = {name: dict(rig.pose.bones[name].items()) for name in ("thigh_parent.L", "upper_arm_parent.R", "torso")}
    stretch = rig.pose.bones["thigh_ik.L"].ik_stretch
    frames, state = dance_on(rig, scene)
    keyed = {curve.data_path for curve in compat.read_curves(rig.animation_data)}
    assert 'pose.bones["foot_ik.L"].location' in keyed and 'pose.bones["thigh_ik_target.R"].location' in keyed
    assert 'pose.bones["thigh_parent.L"]["IK_FK"]' in keyed
    during = scenes.evaluated(rig, around)
    outside = [number for number, frame in enumerate(around) if not frames[0] <= frame <= frames[-1]]
    assert np.abs(during[outside] - before[outside]).max() < 1e-5
    names = [bone.name for bone in rig.pose.bones]
    at = [names.index(name) for name in SHOWN]

    # Nothing pops where the take begins and ends, although IK and FK change places there.
    for frame in (frames[0], frames[-1]):
        mine, own = during[frame - 1][at], before[frame - 1][at]
        off = np.linalg.norm(mine[:, :3, 3] - own[:, :3, 3], axis=1)
        # Rigify's arms on IK are stretched or shrunk by up to a fiftieth, which FK cannot show.
        assert dict(zip(SHOWN, off)) == pytest.approx(dict.fromkeys(SHOWN, 0.0), abs=0.02)
        assert np.delete(off,
                         [SHOWN.index(name) for name in ("ORG-forearm.L", "ORG-hand.L", "ORG-hand.R")]).max() < 0.005
        # no stretch
        mine, own = (m[:, :3, :3] / np.linalg.norm(m[:, :3, :3], axis=1, keepdims=True) for m in (mine, own))
        turn = np.einsum("nji,njk->nik", own, mine)
        assert np.degrees(np.arccos(np.clip((np.trace(turn, axis1=1, axis2=2) - 1) / 2, -1, 1))).max() < 1.5

    # Between the blends: limbs point as the dance has it, planted feet stand, the switches are on.
    poses, root, _fps = character.read_poses(DANCE)
    truth = scenes.joint_positions(poses[:len(frames)], root[:len(frames)])
    seen = bone_map.reading_map(rig, bone_map.current(rig))
    inner = slice(frames[0] - 1 + BLEND, frames[-1] - BLEND)
    inside = truth[BLEND:BLEND + (inner.stop - inner.start)]
    where = {joint: (world() @ during[inner, names.index(bone)])[:, :3, 3] for joint, bone in seen.items()}
    for a, b in LIMBS:
        mine, wanted = where[b] - where[a], inside[:, scenes.JOINTS.index(b)] - inside[:, scenes.JOINTS.index(a)]
        cosine = (mine * wanted).sum(1) / np.linalg.norm(mine, axis=1) / np.linalg.norm(wanted, axis=1)
        assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() <= 3.0, f"{a} to {b}"
    stands = [(joint, run) for joint in ("left_foot", "right_foot")
              for run in planted(inside[:, scenes.JOINTS.index(joint)])]
    assert len(stands) >= 4, "the dance stands on its feet"
    assert min(where[joint][:, 2].min() for joint in ("left_foot", "right_foot", "left_ankle", "right_ankle")) > -0.01
    for joint, (start, stop) in stands:
        points = where[joint][start:stop, :2]
        assert np.linalg.norm(points - np.median(points, axis=0), axis=1).max() <= 0.02, f"{joint} slides"
    scene.frame_set(int(frames[0]) + 60)
    assert rig.pose.bones["thigh_parent.L"]["IK_FK"] == 0.0 and rig.pose.bones["upper_arm_parent.L"]["IK_FK"] == 1.0
    ankle = rig.pose.bones["ORG-foot.L"].head.copy()
    switch_curve = next(curve for curve in compat.read_curves(rig.animation_data) if "thigh_parent.L" in curve.data_path
                        and "IK_FK" in curve.data_path)
    for key in switch_curve.keyframe_points:
        key.co[1] = 1.0
    switch_curve.update()
    scene.frame_set(int(frames[0]) + 60)
    assert (rig.pose.bones["ORG-foot.L"].head - ankle).length < 0.01, "FK says the same: the user may switch"

    actions.remove_take(rig, json.loads(json.dumps(state)))
    assert np.abs(scenes.evaluated(rig, around) - before).max() < 1e-5
    for name, values in was.items():
        left = dict(rig.pose.bones[name].items())
        assert all(left[key] == value and type(left[key]) is type(value) for key, value in values.items()
                   if isinstance(value, (bool, int, float)))
    assert rig.pose.bones["thigh_ik.L"].ik_stretch == stretch


def test_a_leg_mapped_by_hand_stays_on_fk(blender, rig):
    """Where the user picked another bone than the table's, the IK controls of that leg are not touched."""
    mapped = bone_map.require(rig)
    own = {**mapped, "left_knee": "shin_tweak.L"}
    assert [leg["foot"] for leg in bone_map.ik_legs(rig, mapped)] == ["foot_ik.L", "foot_ik.R"]
    assert [leg["foot"] for leg in bone_map.ik_legs(rig, own)] == ["foot_ik.R"]
    values = {(bone, name): value for bone, name, value in bone_map.switches(rig, own)}
    assert values["thigh_parent.L", "IK_FK"] == 1.0 and values["thigh_parent.R", "IK_FK"] == 0.0
