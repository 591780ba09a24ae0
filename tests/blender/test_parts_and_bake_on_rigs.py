"""Body parts and Bake on the rigs that animators have: a generated Rigify human, Mixamo's names, Auto-Rig Pro's
controls, a plain armature with IK constraints. What is not the take's stays to the bit; what is baked is the take."""
import bpy
import numpy as np
import pytest

from baton.blender_addon.scene import body_parts, bone_map, compat
from baton.core.contract import bone_tables
from tests.blender import on_rigs, scenes
from tests.blender.test_control_rig import animate
from tests.blender.test_rigs import mixamo_a_pose, rigify

FIRST, LAST = on_rigs.FIRST, on_rigs.FIRST + 59
INSIDE, AROUND = range(FIRST, LAST + 1, 6), [*range(1, FIRST, 5), FIRST - 1, LAST + 1, *range(LAST + 3, 110, 7)]


def rigify_human(blender, tmp_path):
    """With fingers, one leg on FK, arms on IK, tweaks, root and a rolled heel, all animated by its user."""
    rig = rigify(blender, tmp_path, fingers=True)
    animate(rig)
    keys = {"foot_heel_ik.L": ("rotation_euler", (0.3, 0.0, 0.0)), "shin_tweak.L": ("location", (0.02, 0.0, 0.01)),
            "upper_arm_tweak.R.001": ("location", (0.0, 0.01, 0.02)), "thigh_fk.R": ("rotation_euler", (0.4, 0.1, 0.0)),
            "f_index.01.L": ("rotation_euler", (0.5, 0.0, 0.0)), "thumb.02.R": ("rotation_euler", (0.3, 0.0, 0.0)),
            "toe_ik.L": ("rotation_euler", (0.2, 0.0, 0.0))}
    for bone, (channel, value) in keys.items():
        pose = rig.pose.bones[bone]
        pose.rotation_mode = "XYZ" if channel == "rotation_euler" else pose.rotation_mode
        setattr(pose, channel, value)
        pose.keyframe_insert(channel, frame=5)
        setattr(pose, channel, [-0.5 * part for part in value])
        pose.keyframe_insert(channel, frame=95)
    rig.pose.bones["thigh_parent.R"]["IK_FK"] = 1.0
    rig.pose.bones["thigh_parent.R"].keyframe_insert('["IK_FK"]', frame=1)
    return rig


def mixamo(blender, tmp_path):
    rig = mixamo_a_pose(blender, tmp_path)
    scenes.sway(rig, 100, bones=("mixamorig:LeftUpLeg", "mixamorig:RightLeg", "mixamorig:Spine", "mixamorig:LeftArm"))
    return rig


def plain_ik(blender, tmp_path):
    rig = on_rigs.plain_ik()
    for name, place in (("foot_ctrl_left", (0.0, 0.1, 0.15)), ("ik_left_hand", (0.1, 0.1, -0.2)),
                        ("pelvis", (0.0, -0.08, 0.02)), ("heel_right", (0.0, 0.0, 0.02))):
        for frame, share in ((1, 1.0), (100, -0.5)):
            rig.pose.bones[name].location = [share * part for part in place]
            rig.pose.bones[name].keyframe_insert("location", frame=frame)
    return rig


def autorig(blender, tmp_path):
    rig = on_rigs.autorig()
    for name, place in (("c_foot_ik.l", (0.0, 0.1, 0.15)), ("c_root_master.x", (0.0, -0.06, 0.02))):
        for frame, share in ((1, 1.0), (100, -0.5)):
            rig.pose.bones[name].location = [share * part for part in place]
            rig.pose.bones[name].keyframe_insert("location", frame=frame)
    return rig


RIGS = [rigify_human, mixamo, plain_ik, autorig]


@pytest.fixture(params=RIGS, ids=lambda make: make.__name__)
def rig(request, blender, tmp_path):
    made = request.param(blender, tmp_path)
    blender.context.view_layer.objects.active = made
    assert bone_map.detect(made)
    blender.context.scene.frame_set(1)
    return made


def deforming(rig):
    """{limb: [bones that move a mesh]}"""
    found, out = body_parts.limbs(rig), {"arm": [], "torso": [], "legs": []}
    mapped = set(bone_map.reading_map(rig, bone_map.current(rig)).values())
    for bone in rig.data.bones:
        if bone.use_deform and (bone.name.startswith("DEF-") or bone.name in mapped or not bone_tables.control_table(
                bone_map.current(rig))):
            out[found[bone.name]].append(bone.name)
    return out


def legs(rig):
    """Bones of the legs that nothing above the hips moves."""
    seen = bone_map.reading_map(rig, bone_map.current(rig))
    names = {seen[f"{side}_{joint}"] for side in ("left", "right") for joint in ("hip", "knee", "ankle", "foot")}
    names |= {bone.name for bone in rig.data.bones for part in ("thigh", "shin", "foot", "toe")
              if bone.name.startswith(f"DEF-{part}")}
    return sorted(names)


def test_parts_leave_the_rest_to_the_bit(blender, tmp_path, rig):
    """Arms alone: torso, head and legs of the animator, bit for bit; upper body: the legs; whole and Remove: all of the
    take, all of the animator's."""
    names, down = [bone.name for bone in rig.data.bones], legs(rig)
    seen = bone_map.reading_map(rig, bone_map.current(rig))
    body = [*down, *(seen[joint] for joint in ("pelvis", "spine1", "spine3", "head", "neck"))]
    around, before = scenes.evaluated(rig, AROUND), scenes.evaluated(rig, INSIDE)
    take = on_rigs.put(rig, "dance 2.0", tmp_path / "job", blend=0.2, fingers="baton")
    whole = scenes.evaluated(rig, INSIDE)

    def off(shown, bones):
        at = [names.index(bone) for bone in bones]
        return np.abs(shown[:, at] - before[:, at]).max(axis=(0, 2, 3))
    assert off(whole, [seen["left_knee"], seen["right_elbow"], seen["spine3"]]).min() > 0.05
    for part, stays, goes in (("arms", body, ("right_elbow", "left_shoulder")),
                              ("upper", [*down, seen["pelvis"]], ("right_elbow", "spine3", "head"))):
        take.part = part
        shown = scenes.evaluated(rig, INSIDE)
        assert off(shown, stays).max() == 0.0, part
        assert off(shown, [seen[joint] for joint in goes]).min() > 0.05, part
        assert np.array_equal(scenes.evaluated(rig, AROUND), around), part
    take.part = "whole"
    assert np.array_equal(scenes.evaluated(rig, INSIDE), whole)
    assert np.array_equal(scenes.evaluated(rig, AROUND), around)
    take.part = "arms"
    blender.ops.baton.remove_take(name=take.name)
    assert np.array_equal(scenes.evaluated(rig, INSIDE), before)
    assert np.array_equal(scenes.evaluated(rig, AROUND), around)


@pytest.mark.parametrize("part", ["whole", "arms"])
def test_what_is_baked_is_the_take(blender, tmp_path, rig, part):
    """Every frame, inside and outside: within 0.1 mm and 0.01 degrees; the keys are in the animator's own action, and
    those of what the take leaves alone are untouched."""
    own = rig.animation_data.action
    take = on_rigs.put(rig, "dance 2.0", tmp_path / "job", blend=0.2, fingers="baton")
    take.part = part
    kept = {(curve.data_path, curve.array_index) for curve in compat.all_curves(take.action) if curve.mute}
    keys = {(curve.data_path, curve.array_index): [tuple(point.co) for point in curve.keyframe_points]
            for curve in compat.all_curves(own)}
    frames = range(1, 110)
    before = scenes.evaluated(rig, frames)
    assert blender.ops.baton.bake_take(name=take.name) == {"FINISHED"}
    assert rig.animation_data.action == own and not rig.animation_data.nla_tracks
    metres, degrees = on_rigs.apart(scenes.evaluated(rig, frames), before)
    assert metres < 1e-4 and degrees < 0.01, (metres, degrees)
    after = {(curve.data_path, curve.array_index): [tuple(point.co) for point in curve.keyframe_points]
             for curve in compat.all_curves(own)}
    assert all(after[name] == keys[name] for name in set(keys) & kept)
    assert not (set(after) - set(keys)) & kept, "nothing is keyed of what stays the animator's"


def baked(rig, folder):
    take = on_rigs.put(rig, "dance 2.0", folder, blend=0.2)
    bpy.ops.baton.bake_take(name=take.name)
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, 100
    for thing in scene.objects:
        thing.select_set(thing == rig)
    bpy.context.view_layer.objects.active = rig


@pytest.mark.parametrize("form", ["fbx", "gltf"])
def test_baked_motion_can_be_exported(blender, tmp_path, rig, form):
    """What Blender's exporter writes of the bones that deform, read back, is the baked motion."""
    if form == "gltf" and blender.app.version < (4, 3):
        pytest.skip("the glTF exporter of Blender 4.2 at times ends the process while it walks the scene's objects")
    for curve in [curve for curve in compat.read_curves(rig.animation_data) if "tweak" in curve.data_path]:
        rig.path_resolve(curve.data_path)[curve.array_index] = 0.0      # a pull shears, which no format can say
        compat.action_curves(rig.animation_data.action, rig)[1].remove(curve)
    baked(rig, tmp_path / "job")
    path = tmp_path / ("rig.fbx" if form == "fbx" else "rig.glb")
    names = [name for bones in deforming(rig).values() for name in bones]
    frames = range(FIRST + 6, LAST - 5, 6)              # Rigify stretches limbs on IK outside the take
    wanted = on_rigs.worlds(rig, frames, names)[..., :3, 3]
    on_rigs.export(path, form)
    mine = on_rigs.read_back(path, form, names)
    there = on_rigs.worlds(mine, frames, names)[..., :3, 3]
    assert np.linalg.norm(there - wanted, axis=-1).max() < 1e-3, form
