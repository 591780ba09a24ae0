"""The motion of another armature onto the rig: standing rests, rests along one line, objects with a negative scale."""
import numpy as np
import pytest

from baton.core.contract import bone_tables
from tests.blender import scenes

DANCE = scenes.ROOT / "core" / "assets" / "demo_dance.npz"
LIMBS = [(f"{side}_{one}", f"{side}_{two}") for side in ("left", "right") for one, two in (
    ("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))]


def limbs(rig, names, frames):
    """Directions (T, 8, 3) of arms and legs in the world."""
    bones = [names.get(joint, joint) for pair in LIMBS for joint in pair]
    points = scenes.evaluated(rig, frames, bones)[..., :3, 3] @ np.array(rig.matrix_world)[:3, :3].T
    way = points[:, 1::2] - points[:, ::2]
    return way / np.linalg.norm(way, axis=-1, keepdims=True)


def worst(one, two):
    return float(np.degrees(np.arccos(np.clip((one * two).sum(-1), -1, 1))).max())


def source_and_rig(blender, **options):
    """An armature that dances, and a rig of other names and twice its size that stands elsewhere."""
    source = scenes.smpl_rig("Source")
    assert blender.ops.baton.import_motion(filepath=str(DANCE)) == {"FINISHED"}
    names = bone_tables.tables()["mixamo"]["bones"]
    rig = scenes.smpl_rig("Dancer", rename=names, **options)
    rig.location = (3, 0, 0)
    return source, rig, names


def test_the_other_selected_armature_is_the_source(blender):
    source, rig, names = source_and_rig(blender, scale=2.0)
    source.select_set(True)
    assert blender.ops.baton.motion_from_armature() == {"FINISHED"}
    take = blender.context.scene.baton.takes[-1]
    assert take.name.startswith("Source") and take.action.frame_range[0] == 1
    frames = range(12, 200, 9)
    assert worst(limbs(source, {}, frames), limbs(rig, names, frames)) < 4.0
    assert blender.ops.baton.redo_take() == {"FINISHED"}


def test_a_mirrored_object_is_danced_with_the_hand_that_is_seen(blender):
    """A negative scale: what is seen on the left moves as the left does."""
    source, rig, names = source_and_rig(blender)
    rig.scale = (-1, 1, 1)
    blender.context.view_layer.update()
    assert blender.ops.baton.motion_from_armature(source="Source") == {"FINISHED"}
    other = {joint: names[joint.replace("left", "x").replace("right", "left").replace("x", "right")] for joint in names}
    frames = range(12, 200, 9)
    assert worst(limbs(source, {}, frames), limbs(rig, other, frames)) < 4.0
    blender.context.scene.baton.rig = source                    # and read back
    assert blender.ops.baton.motion_from_armature(source="Dancer", at="FRAME") == {"FINISHED"}


def test_what_cannot_be_a_source_is_said(blender):
    rig = scenes.smpl_rig()
    with pytest.raises(RuntimeError, match="Choose another armature"):
        blender.ops.baton.motion_from_armature()
    still = scenes.smpl_rig("Still")
    blender.context.scene.baton.rig = rig
    with pytest.raises(RuntimeError, match="no animation"):
        blender.ops.baton.motion_from_armature(source=still.name)
    rig.scale = (0, 0, 0)
    scenes.sway(still, 60)
    blender.context.view_layer.update()
    with pytest.raises(RuntimeError, match="scales is 0"):
        blender.ops.baton.motion_from_armature(source=still.name)


CASES = scenes.ROOT.parent / "shared" / "data" / "cases"


def imported(folder, case):
    """A BVH brought in by Blender's own importer."""
    import gzip

    import bpy
    path = folder / f"{case}.bvh"
    path.write_bytes(gzip.decompress((CASES / case / "case.bvh.gz").read_bytes()))
    bpy.ops.import_anim.bvh(filepath=str(path), global_scale=0.01, axis_forward="-Z", axis_up="Y")
    return bpy.context.view_layer.objects.active


@pytest.mark.skipif(not CASES.is_dir(), reason="no cases beside the repository")
@pytest.mark.parametrize("case", ["lafan_like", "along_z", "along_y", "rokoko_header"])
def test_a_rest_along_one_line_is_read_from_the_motion(blender, tmp_path, case):
    """Blender's importer keeps a rest that stands nowhere; its motion is that of the same clip in a T-pose skeleton."""
    names = bone_tables.tables()["mixamo"]["bones"]
    source, plain = imported(tmp_path, case), imported(tmp_path, "plain")
    rigs = [scenes.smpl_rig(name, rename=names) for name in ("One", "Two")]
    for rig, thing in zip(rigs, (source, plain)):
        blender.context.scene.baton.rig = rig
        assert blender.ops.baton.motion_from_armature(source=thing.name) == {"FINISHED"}
    frames = range(5, 170, 11)
    poses = [scenes.evaluated(rig, frames)[..., :3, :3] for rig in rigs]
    trace = np.einsum("tjab,tjab->tj", *poses)
    assert np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1))).max() < 4.0
    blender.context.scene.baton.rig = source                    # and it dances itself: its rest is found in its motion
    assert blender.ops.baton.import_motion(filepath=str(DANCE)) == {"FINISHED"}
    blender.context.scene.baton.rig = rigs[1]
    assert blender.ops.baton.import_motion(filepath=str(DANCE)) == {"FINISHED"}
    first = blender.context.scene.frame_current
    frames = range(first + 15, first + 150, 13)
    assert worst(limbs(source, names, frames), limbs(rigs[1], names, frames)) < 8.0
