"""Bone map detection: every table, exporter prefixes, odd naming schemes, missing bones, save and load."""
import json
from pathlib import Path

import pytest

from core.contract import JOINTS, PARENTS, SKELETON, bone_tables
from core.errors import BadInput
from core.retarget import bonemap
from core.retarget.rig import rig_from_json


def hierarchy(names, skip=()):
    """[(bone, parent)] of a body whose joints have the given names; skipped joints pass their children up."""
    result = []
    for number, joint in enumerate(JOINTS):
        if joint in skip or joint not in names:
            continue
        above = PARENTS[number]
        while above >= 0 and JOINTS[above] not in names:
            above = PARENTS[above]
        result.append((names[joint], names[JOINTS[above]] if above >= 0 else None))
    return result


def found(bones):
    return {row.joint: row.bone for row in bonemap.detect(bones) if row.bone}


@pytest.mark.parametrize("table", list(bone_tables.tables()))
def test_tables_find_themselves(table):
    names = bone_tables.tables()[table]["bones"]
    assert set(names) <= set(JOINTS) and set(SKELETON["required"]) <= set(names)
    assert len(set(names.values())) == len(names)
    bones = [("unrelated", None), *hierarchy(names), ("hair.L", None)]
    rows = bonemap.detect(bones)
    assert [row.joint for row in rows] == JOINTS
    assert {row.joint: row.bone for row in rows if row.how == "exact"} == names


@pytest.mark.parametrize("prefix", ["mixamorig:", "mixamorig7:", "Character1:", "Armature|"])
def test_prefixes(prefix):
    names = {joint: prefix + bone for joint, bone in bone_tables.tables()["mixamo"]["bones"].items()}
    rows = bonemap.detect(hierarchy(names))
    assert {row.joint: row.bone for row in rows} == names
    assert all(0.9 < row.confidence < 1 for row in rows)


def test_rigify_controls_before_deform_bones():
    """A generated rig holds all layers; the controls are what an animator keys, the ORG bones what is sampled."""
    control, deform, original = (bone_tables.tables()[f"rigify_{layer}"]["bones"] for layer in ("control", "deform",
                                                                                                "org"))
    bones = hierarchy(deform) + hierarchy(original) + hierarchy(control)
    got = found(bones)
    assert got == control
    read = bone_tables.reading_map(got, [name for name, _ in bones])
    assert read == original
    assert bone_tables.reading_map({**got, "head": "mine"}, [name for name, _ in bones])["head"] == "mine"
    assert bone_tables.reading_map(deform, [name for name, _ in bones]) == deform


def test_control_rigs_bring_what_their_constraints_carry():
    """The arm hangs on ORG-shoulder.L, which copies shoulder.L by a constraint: rig_from_json knows."""
    bones = [*hierarchy(bone_tables.tables()["rigify_control"]["bones"]), ("ORG-shoulder.L", "spine_fk.003")]
    identity = [[float(row == column) for column in range(4)] for row in range(4)]
    rig = rig_from_json({"bones": [{"name": name, "parent": parent, "tail": [0, 0, 1], "matrix_local": identity}
                                   for name, parent in bones], "matrix_world": identity,
                         "bone_map": bone_tables.tables()["rigify_control"]["bones"]})
    assert rig.follows == {"ORG-shoulder.L": "shoulder.L"}
    place = rig.index["ORG-shoulder.L"]
    assert rig.names[rig.effective_parents[place]] == "shoulder.L"


SCHEMES = {
    "words": {"pelvis": "Hip Bone", "hip": "{S} Thigh", "knee": "{S} Calf", "ankle": "{S} Foot", "foot": "{S} Toes",
              "spine1": "Spine Lower", "spine3": "Chest", "neck": "Neck", "head": "Head", "collar": "{S} Clavicle",
              "shoulder": "{S} Upper Arm", "elbow": "{S} Lower Arm", "wrist": "{S} Hand"},
    "legs": {"pelvis": "hips", "hip": "leg_upper_{s}", "knee": "leg_lower_{s}", "ankle": "foot_{s}", "foot": "toe_{s}",
             "spine1": "spine1", "spine2": "spine2", "spine3": "spine3", "neck": "neck1", "head": "head",
             "collar": "shoulder_{s}", "shoulder": "arm_upper_{s}", "elbow": "arm_lower_{s}", "wrist": "wrist_{s}"},
    "short": {"pelvis": "pelvis", "hip": "UpLeg.{S}", "knee": "LowLeg.{S}", "ankle": "Ankle.{S}", "spine1": "Back",
              "head": "Head", "shoulder": "UpArm.{S}", "elbow": "LowArm.{S}", "wrist": "Hand.{S}"},
}


@pytest.mark.parametrize("scheme", list(SCHEMES))
def test_fuzzy(scheme):
    names = {}
    for part, pattern in SCHEMES[scheme].items():
        if "{" not in pattern:
            names[part] = pattern
            continue
        for side in ("left", "right"):
            names[f"{side}_{part}"] = pattern.format(S=side[0].upper(), s=side[0])
    got = found(hierarchy(names))
    wrong = {joint: (got.get(joint), bone) for joint, bone in names.items() if got.get(joint) != bone}
    assert not wrong
    assert all(row.how == "fuzzy" and row.confidence < 0.97 for row in bonemap.detect(hierarchy(names)) if row.bone)


def lines(*chains):
    """[(bone, parent)] from chains of names, the first of each the parent; "@" stands for either side."""
    result = []
    for chain in chains:
        for side in ("@l", "@r") if any("@" in name for name in chain if name) else ("@l",):
            names = [name and name.replace("@", side) for name in chain]
            result += list(zip(names[1:], names))
    return result


def sides(bones, left, right):
    return [tuple(name and name.replace("@l", left).replace("@r", right) for name in pair) for pair in bones]


FIELD = {           # skeletons met in the field: chains, words for the sides, some joints that are easily missed
    "xsens": (lines([None, "Pelvis", "L5", "L3", "T12", "T8", "Neck", "Head"],
                    ["T8", "@Shoulder", "@UpperArm", "@ForeArm", "@Hand"],
                    ["Pelvis", "@UpperLeg", "@LowerLeg", "@Foot", "@Toe"]), "Left", "Right",
              {"spine1": "L5", "spine3": "T8", "left_collar": "LeftShoulder", "right_foot": "RightToe"}),
    "roblox": (lines([None, "HumanoidRootNode", "LowerTorso", "UpperTorso", "Head"],
                     ["UpperTorso", "@UpperArm", "@LowerArm", "@Hand"],
                     ["LowerTorso", "@UpperLeg", "@LowerLeg", "@Foot"]), "Left", "Right",
               {"pelvis": "LowerTorso", "spine1": "UpperTorso", "neck": None}),
    "makehuman": (lines([None, "root", "spine05", "spine04", "spine03", "spine02", "spine01", "neck01", "head"],
                        ["spine01", "clavicle.@", "shoulder01.@", "upperarm01.@", "upperarm02.@", "lowerarm01.@",
                         "lowerarm02.@", "wrist.@"],
                        ["root", "pelvis.@", "upperleg01.@", "upperleg02.@", "lowerleg01.@", "lowerleg02.@", "foot.@"]),
                  "L", "R", {"left_hip": "upperleg01.L", "left_knee": "lowerleg01.L", "left_shoulder": "upperarm01.L",
                             "right_collar": "clavicle.R", "spine3": "spine01", "pelvis": "root"}),
    "kinect": (lines([None, "SpineBase", "SpineMid", "SpineShoulder", "Neck", "Head"],
                     ["SpineShoulder", "Shoulder@", "Elbow@", "Wrist@", "Hand@"],
                     ["SpineBase", "Hip@", "Knee@", "Ankle@", "Foot@"]), "Left", "Right",
               {"left_wrist": "WristLeft", "left_hand": "HandLeft", "left_ankle": "AnkleLeft",
                "left_foot": "FootLeft"}),
    "asf": (lines([None, "root", "lowerback", "upperback", "thorax", "lowerneck", "upperneck", "head"],
                  ["thorax", "@clavicle", "@humerus", "@radius", "@wrist", "@hand"],
                  ["root", "@hipjoint", "@femur", "@tibia", "@foot", "@toes"]), "l", "r",
            {"left_hip": "lfemur", "right_knee": "rtibia", "left_elbow": "lradius", "left_foot": "ltoes",
             "neck": "lowerneck"}),
    "rolls": (lines([None, "Reference", "Hips", "Spine", "Spine1", "Spine2", "Spine3", "Neck", "Head"],
                    ["Spine3", "@Shoulder", "@Arm", "@ArmRoll", "@ForeArm", "@ForeArmRoll", "@Hand"],
                    ["Hips", "@UpLeg", "@UpLegRoll", "@Leg", "@LegRoll", "@Foot", "@ToeBase"]), "Left", "Right",
              {"spine3": "Spine3", "left_shoulder": "LeftArm", "left_knee": "LeftLeg", "left_elbow": "LeftForeArm"}),
}


@pytest.mark.parametrize("name", list(FIELD))
def test_skeletons_of_the_field(name):
    bones, left, right, expected = FIELD[name]
    rows = bonemap.detect(sides(bones, left, right))
    assert not bonemap.missing(rows)
    got = {row.joint: row.bone for row in rows}
    assert {joint: got[joint] for joint in expected} == expected
    used = [bone for bone in got.values() if bone]
    assert len(used) == len(set(used))


def test_extra_bones_do_not_disturb():
    names = SCHEMES["legs"]
    bones = [("root", None), ("ik_foot_l", "root"), ("pole_knee_l", "root"), ("hand_ik_l", "root"), ("eye_l", "head")]
    full = {}
    for part, pattern in names.items():
        for side in ("left", "right") if "{" in pattern else ("",):
            full[f"{side}_{part}" if side else part] = pattern.format(s=side[:1])
    got = found(bones + hierarchy(full))
    assert got["left_ankle"] == "foot_l" and got["left_wrist"] == "wrist_l" and got["left_knee"] == "leg_lower_l"


def test_left_is_never_right():
    for table, data in bone_tables.tables().items():
        for joint, bone in data["bones"].items():
            if joint.startswith("left"):
                assert bone != data["bones"][joint.replace("left", "right")], table


def test_missing_are_named():
    names = dict(bone_tables.tables()["unreal4"]["bones"])
    del names["left_knee"], names["left_ankle"], names["left_foot"]
    rows = bonemap.detect(hierarchy(names))
    assert bonemap.missing(rows) == ["left_knee", "left_ankle"]
    with pytest.raises(BadInput, match="left_knee, left_ankle"):
        bonemap.require(rows, "Cube")
    assert bonemap.missing(bonemap.detect([("Bone", None)])) == SKELETON["required"]


def test_save_and_load(tmp_path):
    rows = bonemap.detect(hierarchy(bone_tables.tables()["daz"]["bones"]))
    bonemap.save(tmp_path / "map.json", rows)
    assert bonemap.load(tmp_path / "map.json") == rows
    (tmp_path / "plain.json").write_text(json.dumps({"pelvis": "Hips", "head": "Head"}))
    assert bonemap.to_map(bonemap.load(tmp_path / "plain.json", ["Hips"])) == {"pelvis": "Hips"}
    (tmp_path / "bad.json").write_text('{"tail": "Tail"}')
    with pytest.raises(BadInput, match="unknown joints: tail"):
        bonemap.load(tmp_path / "bad.json")
    (tmp_path / "worse.json").write_text("[")
    with pytest.raises(BadInput, match="not a bone map"):
        bonemap.load(tmp_path / "worse.json")


CASES = Path(__file__).resolve().parents[3] / "shared" / "data" / "cases"


@pytest.mark.skipif(not CASES.is_dir(), reason="no cases beside the repository")
@pytest.mark.parametrize("case", sorted(path.parent.name for path in CASES.glob("rig_*/expected.json")))
def test_families_of_rigs(case):
    bones = json.loads((CASES / case / "bones.json").read_text(encoding="utf-8"))
    right = json.loads((CASES / case / "expected.json").read_text(encoding="utf-8"))
    have = found([tuple(pair) for pair in bones])
    assert not {joint: have.get(joint) for joint, names in right.items() if have.get(joint) not in names}


LIMB_WORDS = {"es": "muslo pierna pie clavicula brazo antebrazo mano",
              "de": "Oberschenkel Unterschenkel Fuß Schlüsselbein Oberarm Unterarm Hand",
              "fr": "cuisse jambe pied clavicule bras avantbras main"}
TRUNK_WORDS = {"es": "cadera columna pecho cuello cabeza", "de": "Hüfte Wirbelsäule Brust Hals Kopf",
               "fr": "bassin colonne poitrine cou tête"}
SIDES = {"es": ("_izq", "_der"), "de": ("_links", "_rechts"), "fr": ("_gauche", "_droite")}


@pytest.mark.parametrize("language", ["es", "de", "fr"])
@pytest.mark.parametrize("prefix", ["", "Character1_", "Take 001_"])
def test_languages_and_prefixes(language, prefix):
    pelvis, spine, chest, neck, head = TRUNK_WORDS[language].split()
    bones = [(pelvis, None), (spine, pelvis), (chest, spine), (neck, chest), (head, neck)]
    joints = ("hip", "knee", "ankle", "collar", "shoulder", "elbow", "wrist")
    right = {"pelvis": pelvis, "spine1": spine, "spine3": chest, "neck": neck, "head": head}
    for side, ending in zip(("left", "right"), SIDES[language]):
        limb = [word + ending for word in LIMB_WORDS[language].split()]
        bones += [(name, pelvis if n == 0 else chest if n == 3 else limb[n - 1]) for n, name in enumerate(limb)]
        bones.append((limb[4] + "_twist", limb[4]))                        # never taken for a joint
        right |= {f"{side}_{joint}": name for joint, name in zip(joints, limb)}
    bones = [(prefix + name, parent and prefix + parent) for name, parent in bones]
    have = found(bones)
    assert {joint: have.get(joint) for joint in right} == {joint: prefix + name for joint, name in right.items()}


def test_hips_that_carry_no_spine_are_passed_over_and_unsure():
    """Where the mapped pelvis carries the thighs alone, the bone above that carries the spine too is taken, as
    unsure."""
    names = bone_tables.tables()["koikatsu"]["bones"]
    under_hips = {names["pelvis"], names["spine1"]}
    bones = [("cf_j_hips", None)]
    bones += [(name, "cf_j_hips" if name in under_hips else above) for name, above in hierarchy(names)]
    row = bonemap.detect(bones)[0]
    assert row.bone == "cf_j_hips" and row.confidence <= 0.5
