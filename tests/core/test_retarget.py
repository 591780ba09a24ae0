"""Retargeting: there and back, and across every pair of rigs (limits of the issue: 1 degree, 1 cm; 3 degrees, 2 cm)."""
import json

import numpy as np
import pytest

from core.body.motion import rest_motion
from core.body.rotations import geodesic
from core.errors import BadInput
from core.retarget import Options, from_smpl, to_smpl
from core.retarget.contacts import HEIGHTS, SPEED, contact, ramp
from core.retarget.feet import intervals
from core.retarget.rest import align_rest
from core.retarget.rig import read_job, rig_from_json
from tests.core import rigs

LIMBS = [(f"{side}_{a}", f"{side}_{b}") for side in ("left", "right")
         for a, b in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))]
TAKE = Options(place="motion")


@pytest.fixture(scope="module")
def dance():
    """(motion, planted) with exactly planted feet on the canonical skeleton."""
    return rigs.stepping()


@pytest.fixture(scope="module")
def performances(dance):
    """{name: (rig, poses)}: the dance on each rig."""
    result = {}
    for name, make in rigs.ALL.items():
        rig = make()
        result[name] = rig, rigs.evaluate(rig, from_smpl(dance[0], rig, TAKE))
    return result


def world(rig, poses, joint):
    return rig.to_world(poses[:, rig.index[rig.bone_map[joint]], :3, 3])


def limb_directions(rig, poses):
    lines = np.stack([world(rig, poses, b) - world(rig, poses, a) for a, b in LIMBS], axis=1)
    return lines / np.linalg.norm(lines, axis=-1, keepdims=True)


def angle(a, b):
    return np.degrees(np.arccos(np.clip((a * b).sum(-1), -1, 1)))


def slide(rig, poses, planted):
    """Largest horizontal way (m on a canonical-size body) of an ankle from where a contact began."""
    scale, worst = align_rest(rig).scale, 0.0
    for s, side in enumerate(("left", "right")):
        ankle = world(rig, poses, f"{side}_ankle")[:, :2] * scale
        for start, stop in intervals(planted[:, s], 3):
            worst = max(worst, np.linalg.norm(ankle[start + 1:stop - 1] - ankle[start + 1], axis=1).max())
    return worst


def below_floor(rig, poses):
    """Deepest the ankle or toe goes under its rest height, canonical metres."""
    rest = align_rest(rig)
    depth = []
    for side in ("left", "right"):
        for joint in ("ankle", "foot"):
            if f"{side}_{joint}" in rig.bone_map:
                height = world(rig, poses, f"{side}_{joint}")[:, 2] - rest.floor
                depth.append((rig.rest_heads[rest.bones[f"{side}_{joint}"], 2] - rest.floor - height) * rest.scale)
    return float(np.max(depth))


@pytest.mark.parametrize("name", list(rigs.ALL))
def test_same_rig_there_and_back(name, performances):
    rig, poses = performances[name]
    back = rigs.evaluate(rig, from_smpl(to_smpl(rig, poses, np.arange(len(poses)) / 30), rig, TAKE))
    mapped = [rig.index[bone] for bone in rig.bone_map.values()]
    turn = np.swapaxes(poses[:, mapped, :3, :3], -1, -2) @ back[:, mapped, :3, :3]
    error = np.degrees(np.arccos(np.clip((np.trace(turn, axis1=-2, axis2=-1) - 1) / 2, -1, 1)))
    place = np.linalg.norm(rig.to_world(poses[:, mapped, :3, 3]) - rig.to_world(back[:, mapped, :3, 3]), axis=-1)
    assert error.max() <= 1.0
    assert place.max() * align_rest(rig).scale <= 0.01


@pytest.mark.parametrize("target", list(rigs.ALL))
@pytest.mark.parametrize("source", list(rigs.ALL))
def test_across_rigs(source, target, performances, dance):
    rig, poses = performances[source]
    motion = to_smpl(rig, poses, np.arange(len(poses)) / 30)
    other = rigs.ALL[target]()
    result = rigs.evaluate(other, from_smpl(motion, other, TAKE))
    error = angle(limb_directions(rig, poses), limb_directions(other, result))
    assert error.max() <= 3.0
    assert slide(other, result, dance[1]) <= 0.02
    assert below_floor(other, result) <= 0.01
    # Limb directions would already be wrong if sides were exchanged; this says so by name.
    wrong = limb_directions(other, result)[:, [4, 5, 6, 7, 0, 1, 2, 3]]
    assert angle(limb_directions(rig, poses), wrong).max() > 10


def test_rest_pose_that_does_not_stand(dance):
    """Its bones' own rotations are those of the dance, twist and all, whatever the rest pose."""
    rig = rigs.heap_rig()
    poses = rigs.evaluate(rig, from_smpl(dance[0], rig, TAKE))
    assert slide(rig, poses, dance[1]) <= 0.02
    heights = np.stack([world(rig, poses, f"{side}_foot")[:, 2] for side in ("left", "right")], axis=1)
    assert abs(heights.min() - 0.02) < 0.01
    motion = to_smpl(rig, poses, np.arange(len(poses)) / 30)
    assert np.abs(motion.positions() - dance[0].positions()).max() < 0.02
    assert np.degrees(geodesic(motion.rotations, dance[0].rotations)).max() < 2.0


def test_starts_at_the_rigs_place_and_facing(dance):
    rig = rigs.small_rig()
    moved = rig.rest.copy()[None]
    turn = np.eye(4)
    turn[:3, :3] = rigs.axis_angle_to_matrix(np.radians([0, 0, -35.0]))
    turn[:3, 3] = [0.4, 0.3, 0]
    moved = turn @ moved
    result = rigs.evaluate(rig, from_smpl(dance[0], rig, Options(), moved))
    hips = (world(rig, result, "left_hip") + world(rig, result, "right_hip")) / 2
    before = (world(rig, moved, "left_hip") + world(rig, moved, "right_hip")) / 2
    assert np.linalg.norm(hips[0, :2] - before[0, :2]) < 0.01 * 0.3
    across = (world(rig, result, "left_hip") - world(rig, result, "right_hip"))[0, :2]
    wanted = (world(rig, moved, "left_hip") - world(rig, moved, "right_hip"))[0, :2]
    assert np.degrees(np.arccos(across @ wanted / np.linalg.norm(across) / np.linalg.norm(wanted))) < 3


def test_in_place_mirror_and_blend(dance):
    rig = rigs.rigify_rig()
    held = rigs.evaluate(rig, from_smpl(dance[0], rig, Options(root_motion=False)))
    hips = (world(rig, held, "left_hip") + world(rig, held, "right_hip")) / 2
    assert np.ptp(hips[:, :2], axis=0).max() < 1e-3
    plain = limb_directions(rig, rigs.evaluate(rig, from_smpl(dance[0], rig, TAKE)))
    mirrored = limb_directions(rig, rigs.evaluate(rig, from_smpl(dance[0], rig, Options(place="motion", mirror=True))))
    assert angle(plain, mirrored[:, [4, 5, 6, 7, 0, 1, 2, 3]] * [-1, 1, 1]).max() < 1.5
    blended = from_smpl(dance[0], rig, Options(blend_in=0.5, blend_out=0.5))
    for bone, values in blended.rotations.items():
        assert np.abs(np.abs(values[[0, -1], 0]) - 1).max() < 1e-5, bone          # the rest pose at both ends
    assert np.abs(blended.rotations["DEF-forearm.L"][90, 1:]).max() > 0.05


def fingertips(rig, poses, side):
    """{finger: tip (3,)} in the world, of the first frame."""
    tips = {}
    for finger in ("Thumb", "Index", "Middle", "Ring", "Pinky"):
        bone = rig.index[f"{side}Hand{finger}3"]
        local = np.linalg.inv(rig.rest[bone]) @ np.append(rig.tails[bone], 1.0)
        tips[finger] = rig.to_world((poses[0, bone] @ local)[:3])
    return tips


def test_a_left_handed_conductor_grips_with_the_left():
    rig = rigs.with_fingers(rigs.smpl_rig())
    right, left = (from_smpl(rest_motion(2), rig, Options(fingers=fingers)).rotations
                   for fingers in ("baton", "baton_left"))
    for side, grip, open_hand in (("Right", right, left), ("Left", left, right)):
        assert abs(grip[f"{side}HandRing1"][0, 0]) < abs(open_hand[f"{side}HandRing1"][0, 0]) - 0.1, side


@pytest.mark.parametrize("make", [rigs.smpl_rig, rigs.small_rig])
def test_fingers_close_towards_the_palm(make):
    rig = rigs.with_fingers(make())
    size = 1 / align_rest(rig).scale
    still = rest_motion(4)
    open_hand = rigs.evaluate(rig, from_smpl(still, rig, TAKE))
    channels = from_smpl(still, rig, Options(place="motion", fingers="baton"))
    closed = rigs.evaluate(rig, channels)
    assert "LeftHandThumb1" in channels.rotations and len(channels.rotations) == len(rig.bone_map) + 30
    reach = {}
    for side in ("Left", "Right"):
        before, after = fingertips(rig, open_hand, side), fingertips(rig, closed, side)
        for finger in ("Index", "Middle", "Ring", "Pinky"):
            move = after[finger] - before[finger]
            # the palm looks down in this pose
            assert move[2] < -0.01 * size and abs(move[1]) < 0.01 * size, (side, finger)
        reach[side] = np.linalg.norm(after["Ring"] - before["Ring"])
    assert reach["Right"] > 1.5 * reach["Left"]                            # the grip closes farther
    plain = from_smpl(still, rig, Options(place="motion"))
    assert not any("Thumb" in bone for bone in plain.rotations)
    with pytest.raises(BadInput, match="baton"):
        from_smpl(still, rig, Options(fingers="fist"))


def test_sole_never_sinks(dance):
    """A motion 5 cm too low is lifted onto the floor, and no more than that."""
    motion = dance[0]
    low = type(motion)(motion.rotations, motion.root - np.array([0, 0, 0.05], dtype=np.float32))
    rig = rigs.mixamo_rig()
    result = rigs.evaluate(rig, from_smpl(low, rig, TAKE))
    assert below_floor(rig, result) <= 0.01
    right = rigs.evaluate(rig, from_smpl(motion, rig, TAKE))
    assert np.abs(world(rig, result, "pelvis") - world(rig, right, "pelvis"))[:, 2].max() < 0.02


def test_fps_follows_the_scene(dance):
    rig = rigs.build(rigs.body(), {name: name for name in rigs.JOINTS}, fps=24)
    channels = from_smpl(dance[0], rig, TAKE)
    assert np.allclose(np.diff(channels.times), 1 / 24) and abs(channels.times[-1] - 179 / 30) < 1 / 24


def test_present_pose_of_unmapped_parents_is_respected(dance):
    """A turned root bone above the hips must not turn the performance twice."""
    rig = rigs.rigify_rig()
    basis = np.tile(np.eye(4), (len(rig.names), 1, 1))
    basis[rig.index["root"], :3, :3] = rigs.axis_angle_to_matrix(np.radians([10.0, 0, 50.0]))
    pose = np.empty_like(basis)
    for bone, parent in enumerate(rig.parents):
        above = np.eye(4) if parent < 0 else pose[parent] @ np.linalg.inv(rig.rest[parent])
        pose[bone] = above @ rig.rest[bone] @ basis[bone]
    channels = from_smpl(dance[0], rig, TAKE, pose[None])
    local = rigs.local_basis(rig, channels)
    local[:, rig.index["root"]] = basis[rig.index["root"]]
    result = np.empty_like(local)
    for bone, parent in enumerate(rig.parents):
        above = np.eye(4) if parent < 0 else result[:, parent] @ np.linalg.inv(rig.rest[parent])
        result[:, bone] = above @ rig.rest[bone] @ local[:, bone]
    plain = rigs.evaluate(rig, from_smpl(dance[0], rig, TAKE))
    assert angle(limb_directions(rig, plain), limb_directions(rig, result)).max() < 0.2
    assert np.abs(world(rig, plain, "left_ankle") - world(rig, result, "left_ankle")).max() < 1e-3


def test_follows_overrides_the_parent_chain(dance):
    """A control that its constraints detach from its parent gets channels that do not undo the parent's turn."""
    rig = rigs.smpl_rig()
    free = type(rig)(rig.names, rig.parents, rig.rest, rig.tails, rig.matrix_world, rig.bone_map, None,
                     {"left_shoulder": None, "head": None})
    channels = from_smpl(dance[0], free, TAKE)
    turns = rigs.local_basis(rig, channels)[:, rig.index["left_shoulder"], :3, :3]
    wanted = rigs.evaluate(rig, from_smpl(dance[0], rig, TAKE))[:, rig.index["left_shoulder"], :3, :3]
    rest = rig.rest[rig.index["left_shoulder"], :3, :3]
    assert np.abs(rest @ turns - wanted).max() < 1e-3


@pytest.mark.parametrize("frames, fps", [(2, 240.0), (5, 240.0), (20, 1000.0), (9, 240.0), (40, 30.0)])
def test_contacts_of_a_clip_however_short(frames, fps):
    """Speed over 1/15 s around each frame, over what there is of it at the ends: the same of a foot that slides evenly
    at 0.2 m/s, wherever it is in the clip."""
    points = np.zeros((frames, 4, 3)) + HEIGHTS[1:, None] * [0.0, 0.0, 1.0]
    points[:, 0, 0] = 0.2 * np.arange(frames) / fps
    found = contact(points, 1 / fps)
    assert np.allclose(found[:, 1:], 1.0) and np.allclose(found[:, 0], ramp(0.2, *SPEED))


def test_bad_input_is_one_sentence(dance):
    rig = rigs.smpl_rig()
    poses = rigs.evaluate(rig, from_smpl(dance[0].slice(0, 5), rig, TAKE))
    with pytest.raises(BadInput, match="at least 2"):
        to_smpl(rig, poses[:1], np.zeros(1))
    broken = poses.copy()
    broken[2, 3, 0, 0] = np.nan
    with pytest.raises(BadInput, match="not numbers.*sample 2"):
        to_smpl(rig, broken, np.arange(5) / 30)
    with pytest.raises(BadInput, match="left_knee"):
        type(rig)(rig.names, rig.parents, rig.rest, rig.tails, rig.matrix_world,
                  {j: b for j, b in rig.bone_map.items() if j != "left_knee"})


def test_job_folder(tmp_path, dance):
    """rig.json with bones in another order gives the same rig."""
    rig = rigs.small_rig()
    channels = from_smpl(dance[0].slice(0, 10), rig, TAKE)
    poses = rigs.evaluate(rig, channels)
    order = list(range(len(rig.names)))[::-1]
    bones = [{"name": rig.names[n], "parent": rig.names[rig.parents[n]] if rig.parents[n] >= 0 else None,
              "head": rig.rest[n, :3, 3].tolist(), "tail": rig.tails[n].tolist(), "matrix_local": rig.rest[n].tolist()}
             for n in order]
    data = {"bones": bones, "matrix_world": rig.matrix_world.tolist(), "fps": 30.0, "bone_map": rig.bone_map}
    (tmp_path / "rig.json").write_text(json.dumps(data))
    np.save(tmp_path / "pose.npy", poses[:, order].astype(np.float32))
    np.save(tmp_path / "times.npy", np.arange(10) / 30)
    read, sampled, times = read_job(tmp_path)
    a, b = to_smpl(read, sampled, times), to_smpl(rig, poses, times)
    assert np.abs(a.rotations - b.rotations).max() < 1e-4 and np.abs(a.root - b.root).max() < 1e-4
    channels.save(tmp_path / "channels.npz")
    saved = np.load(tmp_path / "channels.npz")
    assert saved["rotation/left_knee"].shape == (10, 4) and saved["location/pelvis"].shape == (10, 3)
    with pytest.raises(BadInput, match="bones"):
        rig_from_json({})
