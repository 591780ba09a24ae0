"""Redo Range and Keep a Range move nothing of what stays: 0.1 mm and 0.01 degrees, on plain rigs and control rigs."""
import numpy as np
import pytest
from mathutils import Quaternion

from baton.blender_addon.scene import actions, bone_map, keeping, strips
from tests.blender import scenes
from tests.blender.stand_ins import prepare, row, to_motion
from tests.blender.test_control_rig import animate
from tests.blender.test_rigs import rigify

FRAMES = range(15, 90)


def made(folder, rig, name, seed, fps=30.0, seconds=2.0):
    """Channels as a worker would give: every mapped bone, the hips on a way of their own, nothing as the rig has it."""
    draw = np.random.default_rng(seed)
    times = np.arange(int(seconds * fps)) / fps
    arrays, mapped = {"times": times}, bone_map.require(rig)
    for number, bone in enumerate(bone_map.with_ik(rig, mapped).values()):
        angle = 0.4 * np.sin(times * (2 + number % 3) + draw.uniform(0, 6))
        axis = draw.normal(size=3)
        axis /= np.linalg.norm(axis)
        turn = np.concatenate([np.cos(angle / 2)[:, None], np.sin(angle / 2)[:, None] * axis], axis=1)
        arrays[f"rotation/{bone}"] = turn.astype("f4")
    arrays[f"location/{mapped['pelvis']}"] = (draw.normal(size=3) * 0.1 + 0.2 * times[:, None]).astype("f4")
    for bone in set(bone_map.with_ik(rig, mapped).values()) - set(mapped.values()):
        if "parent" not in bone:
            arrays[f"location/{bone}"] = np.tile(draw.normal(size=3) * 0.02, (len(times), 1)).astype("f4")
    np.savez(folder / name, **arrays)


def apart(one, two):
    """(metres, degrees) by which two (T, bones, 4, 4) differ at most."""
    place = np.linalg.norm(one[..., :3, 3] - two[..., :3, 3], axis=-1).max()
    turns = [Quaternion(a).rotation_difference(Quaternion(b)).angle for a, b in
             zip(*(keeping.quaternions(m[..., :3, :3].reshape(-1, 3, 3)) for m in (one, two)))]
    return place, np.degrees(max(min(turn, 2 * np.pi - turn) for turn in turns))


def shown(rig):
    """The bones that matter: those that move a mesh, or all of a plain rig."""
    names = [bone.name for bone in rig.data.bones if bone.name.startswith("ORG-")]
    return names or [bone.name for bone in rig.data.bones]


def plain(blender, tmp_path):
    rig = scenes.smpl_rig()
    scenes.sway(rig, 120)
    return rig


def t_pose_first(blender, tmp_path):
    """An imported capture: its first frame is another pose at another place."""
    rig = plain(blender, tmp_path)
    for pose in rig.pose.bones:
        pose.rotation_quaternion = (1, 0, 0, 0)
        pose.keyframe_insert("rotation_quaternion", frame=21)
    rig.pose.bones["pelvis"].location, rig.pose.bones["pelvis"].rotation_quaternion = (1.5, 0, 0.8), (0.7, 0, 0.7, 0)
    rig.pose.bones["pelvis"].keyframe_insert("location", frame=21)
    rig.pose.bones["pelvis"].keyframe_insert("rotation_quaternion", frame=21)
    return rig


def euler_and_moving_object(blender, tmp_path):
    rig = plain(blender, tmp_path)
    rig.pose.bones["left_elbow"].rotation_mode, rig.pose.bones["neck"].rotation_mode = "ZXY", "AXIS_ANGLE"
    rig.rotation_euler.z = 1.0
    for frame, x in ((1, 0.0), (120, 2.0)):
        rig.location.x = x
        rig.keyframe_insert("location", frame=frame)
    return rig


def control_rig(blender, tmp_path):
    rig = rigify(blender, tmp_path)
    animate(rig)
    blender.context.view_layer.objects.active = rig
    bone_map.detect(rig)
    return rig


def job_of(blender, rig, tmp_path, name, request=None):
    scene = blender.context.scene
    strip = strips.find(scene, "Piece")
    strip = strip or strips.place(scene, scenes.write_wav(tmp_path / "p.wav", 2.0), "Piece", 21, 60)
    job = prepare(to_motion(blender.context, rig, scene, strip, request).job(), tmp_path / name)
    made(tmp_path / name, rig, "channels.npz", len(name))
    return job


RIGS = [plain, t_pose_first, euler_and_moving_object, control_rig]


@pytest.mark.parametrize("make", RIGS)
@pytest.mark.parametrize("reduce", [False, True])
def test_redo_range_moves_nothing_outside(blender, sound, tmp_path, make, reduce):
    from baton.blender_addon.flows import ranges
    rig, scene = make(blender, tmp_path), blender.context.scene
    conductor = scene.baton.conductor
    conductor.reduce_keys, conductor.blend_seconds = reduce, 0.3
    job_of(blender, rig, tmp_path, "one").apply({"takes": [row("channels.npz")]}, tmp_path / "one")
    names, frames = shown(rig), np.array(FRAMES)
    for number, (first, last) in enumerate(((41, 60), (21, 35), (70, 80))):
        before = scenes.evaluated(rig, FRAMES, names)
        scene.baton.edit_range, scene.baton.edit_start, scene.baton.edit_end = "CUSTOM", first, last
        take = scene.baton.takes[-1]
        name = "x" * (10 + number)
        job_of(blender, rig, tmp_path, name, ranges.request(scene, take)).apply(
            {"takes": [row("channels.npz", 2)]}, tmp_path / name)
        after = scenes.evaluated(rig, FRAMES, names)
        outside = (frames < first) | (frames > last)
        metres, degrees = apart(before[outside], after[outside])
        assert metres < 1e-4 and degrees < 0.01, (number, metres, degrees)
        assert apart(before[~outside], after[~outside])[0] > 0.01, "within the range it is another"
        jumps = np.linalg.norm(np.diff(after[:, :, :3, 3], axis=0), axis=-1).max(axis=1)
        edge = (frames[1:] >= first) & (frames[1:] <= last + 1)
        if make is not t_pose_first:                 # which blends from a T-pose at another place
            assert jumps[edge].max() < 0.3, "the ends are joined without a jump"


@pytest.mark.parametrize("make", RIGS)
def test_keep_a_range_moves_nothing_inside(blender, sound, tmp_path, make):
    rig, scene = make(blender, tmp_path), blender.context.scene
    conductor = scene.baton.conductor
    conductor.keep_range, conductor.blend_seconds = True, 0.5
    scene.baton.edit_range, scene.baton.edit_start, scene.baton.edit_end = "CUSTOM", 41, 60
    names, frames = shown(rig), np.array(FRAMES)
    before = scenes.evaluated(rig, FRAMES, names)
    job_of(blender, rig, tmp_path, "one").apply({"takes": [row("channels.npz")]}, tmp_path / "one")
    after = scenes.evaluated(rig, FRAMES, names)
    inside, around = (frames >= 41) & (frames <= 60), (frames < 21) | (frames > 80)
    for part in (inside, around):
        metres, degrees = apart(before[part], after[part])
        assert metres < 1e-4 and degrees < 0.01, (metres, degrees)
    assert apart(before[~inside & ~around], after[~inside & ~around])[0] > 0.01


def test_quaternions_of_matrices_by_hand():
    for wanted in ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1), (0.5, -0.5, 0.5, 0.5)):
        found = keeping.quaternions(np.array([Quaternion(wanted).to_matrix()]))[0]
        assert abs(abs(float(np.dot(found, wanted))) - 1) < 1e-6


def test_a_run_comes_to_its_own_by_and_by():
    """Half a second after the edge nothing is left of the correction; the edges are exact."""
    stays = np.zeros(60, dtype=bool)
    stays[:10] = stays[50:] = True
    own, new = np.zeros((60, 3)), np.ones((60, 3))
    joined = keeping._joined(new, own, own, stays, 15, keeping._moved)
    assert not joined[stays].any() and np.allclose(joined[25:35], 1.0)
    assert 0 < joined[10, 0] < 0.1 and (np.diff(joined[9:25, 0]) >= 0).all()


def test_blends_reach_no_farther_than_what_stays(blender):
    rig = scenes.smpl_rig()
    scenes.sway(rig, 60)
    frames, stays = np.arange(1, 41), np.zeros(40, dtype=bool)
    stays[5:35] = True
    turned = np.tile([0.7071, 0.7071, 0.0, 0.0], (40, 1))
    actions.write_take(rig, "T", frames, {"neck": turned}, {}, blend_frames=15, stays=stays)
    for frame in (6, 20, 35):
        blender.context.scene.frame_set(frame)
        assert rig.pose.bones["neck"].rotation_quaternion.angle == pytest.approx(np.pi / 2, abs=1e-3)
    blender.context.scene.frame_set(1)
    assert rig.pose.bones["neck"].rotation_quaternion.angle < 0.1


@pytest.mark.parametrize("side", ["both", "motion", "sound"])
def test_redo_range_of_both_moves_nothing_outside(blender, sound, tmp_path, side):
    """With the sound alone made anew, the whole motion stays."""
    from baton.blender_addon.flows import ranges
    from baton.blender_addon.flows.to_both import ToBoth
    from baton.core.contract import systems
    rig, scene = plain(blender, tmp_path), blender.context.scene
    scene.frame_set(21)
    scene.baton.momu_both.duration, scene.baton.momu_both.blend_seconds = 2.0, 0.3

    def run(name, seed, request=None):
        job = prepare(ToBoth(blender.context, systems.find("momu_both"), rig, request).job(), tmp_path / name)
        made(tmp_path / name, rig, "channels.npz", seed)
        scenes.write_wav(tmp_path / name / "take_1.wav", 2.0)
        job.apply({"takes": [{**row("take_1.wav", seed), "channels": "channels.npz"}]}, tmp_path / name)
    run("one", 1)
    before, frames = scenes.evaluated(rig, FRAMES), np.array(FRAMES)
    scene.baton.edit_range, scene.baton.edit_start, scene.baton.edit_end = "CUSTOM", 41, 60
    scene.baton.edit_side = side
    run("two", 2, ranges.request(scene, scene.baton.takes[0]))
    after = scenes.evaluated(rig, FRAMES)
    stays = (frames < 41) | (frames > 60) | (side == "sound")
    metres, degrees = apart(before[stays], after[stays])
    assert metres < 1e-4 and degrees < 0.01, (metres, degrees)
    assert side == "sound" or apart(before[~stays], after[~stays])[0] > 0.01
