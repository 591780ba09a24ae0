"""Doubtful rows of the bone map: found by hierarchy and rest pose, named before a job starts, silent once the user
chose."""
import numpy as np

from baton.blender_addon.flows import beats
from baton.blender_addon.scene import bone_map
from baton.core.contract import bone_tables
from tests.blender import scenes


def test_a_rig_that_agrees_has_none(blender):
    rig = scenes.smpl_rig()
    assert bone_map.detect(rig) and bone_map.unsure(rig) == [] and bone_map.matched(rig) == "24 of 24 bones matched"


def test_detect_bones_says_what_the_rig_lacks_and_what_to_pick(blender):
    """Joints that a body may go without are named as such; required ones are to be picked."""
    rig = scenes.smpl_rig()
    assert bone_map.detect(rig)
    rows = {row.name: row for row in rig.baton.bones}
    for joint in ("neck", "left_foot", "left_knee"):
        rows[joint].bone = ""
    text = bone_map.matched(rig)
    assert text.startswith("21 of 24 bones matched")
    assert f"the rig has none for {bone_map.label('neck')}, {bone_map.label('left_foot')};" in text
    assert text.endswith(f"; pick {bone_map.label('left_knee')}")


def test_names_alone_do_not_make_24_of_24(blender):
    """Names of a known rig on bones that lie elsewhere: left and right arms exchanged, the neck for the head."""
    names = {joint: joint for joint in scenes.JOINTS}
    for joint in ("shoulder", "elbow", "wrist", "hand"):
        names[f"left_{joint}"], names[f"right_{joint}"] = f"right_{joint}", f"left_{joint}"
    rig = scenes.smpl_rig(rename=names)
    assert bone_map.detect(rig)
    doubtful = {row.name for row in bone_map.unsure(rig)}
    assert {"left_elbow", "right_elbow", "left_shoulder"} <= doubtful and "left_knee" not in doubtful
    assert bone_map.matched(rig).startswith(f"{24 - len(doubtful)} of 24 bones matched; unsure: ")
    row = rig.baton.bones["left_elbow"]
    assert row.doubt and row.confidence <= 0.5 and bone_map.is_unsure(row)
    row.bone = "left_elbow"                                     # the user's own word is no matter of doubt
    assert not bone_map.is_unsure(row) and row.how == "user"
    bone_map.judge(rig)
    assert not row.doubt


def mmd_rig(blender):
    """(rig, {joint: bone}) of MikuMikuDance: hips that carry the legs alone, under a waist that carries the spine too.
    """
    mmd = bone_tables.tables()["mmd_japanese"]["bones"]
    rig = scenes.smpl_rig(rename=mmd)
    blender.ops.object.mode_set(mode="EDIT")
    edit = rig.data.edit_bones
    waist = edit.new("腰")
    waist.head, waist.tail = edit[mmd["pelvis"]].head, edit[mmd["pelvis"]].tail
    edit[mmd["pelvis"]].parent = edit[mmd["spine1"]].parent = waist
    blender.ops.object.mode_set(mode="OBJECT")
    return rig, mmd


def test_a_job_names_them_before_it_starts(blender):
    rig, mmd = mmd_rig(blender)
    scenes.sway(rig, 90, bones=(mmd["left_shoulder"], mmd["spine1"]))
    blender.context.scene.frame_end = 90
    job = beats.motion_job(blender.context, rig)
    assert len(job.warnings) == 1 and "Pelvis (does not carry 上半身)" in job.warnings[0]


def test_the_whole_body_follows_where_hips_carry_only_legs(blender):
    """MikuMikuDance: the take moves the bone above that carries the spine too, so that nothing is torn apart."""
    rig, mmd = mmd_rig(blender)
    dance = scenes.ROOT / "core" / "assets" / "demo_dance.npz"
    assert blender.ops.baton.import_motion(filepath=str(dance)) == {"FINISHED"}
    points = scenes.evaluated(rig, range(1, 200, 7), [mmd["pelvis"], mmd["spine1"], "腰"])[:, :, :3, 3]
    apart = np.linalg.norm(points[:, 0] - points[:, 1], axis=1)
    assert np.ptp(apart) < 0.03 and np.ptp(points[:, 2], axis=0).max() > 0.1
