"""Variants of known families that no table holds as they stand: prefixes, separators, languages, spines of any
length."""
import pytest

from core.contract import JOINTS, PARENTS, bone_tables
from core.retarget import bonemap

LIMBS = ("collar", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "foot")


def body(pelvis, spine, neck, head, limbs, left, right, prefix="", extra=()):
    """([(bone, parent)], {joint: bone}): "@" in limb names stands for the side; extra (parent, further bone)."""
    bones, right_map = [], {"pelvis": pelvis, "neck": neck, "head": head, "spine1": spine[0], "spine3": spine[-1]}
    chain = [pelvis, *spine, neck, head]
    bones += zip(chain, [None, *chain])
    for side, word in (("left", left), ("right", right)):
        names = [name.replace("@", word) for name in limbs]
        bones += [(name, above) for name, above in zip(names, [spine[-1], *names[:3], pelvis, *names[4:]])]
        bones += [(one.replace("@", word), above.replace("@", word)) for above, one in extra]
        right_map |= {f"{side}_{joint}": name for joint, name in zip(LIMBS, names)}
    if len(spine) == 1:
        del right_map["spine3"]
    return ([(prefix + name, above and prefix + above) for name, above in bones],
            {joint: prefix + name for joint, name in right_map.items()})


def check(bones, expected):
    rows = bonemap.detect(bones)
    have = {row.joint: row.bone for row in rows}
    assert {joint: have[joint] for joint in expected} == expected
    assert bonemap.missing(rows) == [] and all(row.confidence > 0.5 for row in rows if row.bone and not row.doubt)
    return rows


HUMAN_IK = "@Shoulder @Arm @ForeArm @Hand @UpLeg @Leg @Foot @ToeBase".split()
BIPED = ["@ Clavicle", "@ UpperArm", "@ Forearm", "@ Hand", "@ Thigh", "@ Calf", "@ Foot", "@ Toe0"]
REALLUSION = "@_Clavicle @_Upperarm @_Forearm @_Hand @_Thigh @_Calf @_Foot @_ToeBase".split()
ADVANCED = "Scapula_@ Shoulder_@ Elbow_@ Wrist_@ Hip_@ Knee_@ Ankle_@ Toes_@".split()
HELPERS = [("@Arm", "@ArmTwist"), ("@Arm", "@Arm_Roll"), ("@ForeArm", "@ForeArmRoll"), ("@UpLeg", "@UpLegTwist1"),
           ("@Hand", "@HandIK"), ("@Foot", "@Foot_IK_target"), ("@Leg", "@LegMuscle"), ("@Leg", "@Leg_driver")]


@pytest.mark.parametrize("prefix", ["", "Character1_", "Actor_01:", "Robot_", "Take 001_", "Skeleton 001_", "Bob|",
                                    "a:b:", "Robot", "Base Human"])
def test_human_ik_behind_any_prefix_and_never_a_helper(prefix):
    check(*body("Hips", ["Spine", "Spine1", "Spine2"], "Neck", "Head", HUMAN_IK, "Left", "Right", prefix, HELPERS))


@pytest.mark.parametrize("suffix", ["_jnt", ".001", "_bind", " (1)"])
@pytest.mark.parametrize("family", ["rigify_meta", "reallusion", "mixamo", "vrm_vroid"])
def test_a_suffix_that_all_names_have_is_stripped(family, suffix):
    names = {joint: bone for joint, bone in bone_tables.tables()[family]["bones"].items() if "hand" not in joint}
    chain = {joint: names[joint] for joint in JOINTS if joint in names}
    bones = []
    for joint, bone in chain.items():
        above = PARENTS[JOINTS.index(joint)]
        while above >= 0 and JOINTS[above] not in chain:
            above = PARENTS[above]
        bones.append((bone + suffix, chain[JOINTS[above]] + suffix if above >= 0 else None))
    have = {row.joint: row.bone for row in bonemap.detect(bones) if row.bone}
    assert have == {joint: bone + suffix for joint, bone in chain.items()}


@pytest.mark.parametrize("prefix", ["Bip01 ", "Bip001 ", "Bip02 ", "Bip01_", "Char_Bip01_"])
def test_bipeds_of_any_number(prefix):
    limbs = [name.replace(" ", "_") for name in BIPED] if prefix.endswith("_") else BIPED
    check(*body("Pelvis", ["Spine", "Spine1", "Spine2"], "Neck", "Head", limbs, "L", "R", prefix))


@pytest.mark.parametrize("prefix", ["CC_Base_", "Model1_CC_Base_"])
def test_reallusion_with_twists(prefix):
    bones, expected = body("Hip", ["Waist", "Spine01", "Spine02"], "NeckTwist01", "Head", REALLUSION, "L", "R", prefix,
                           [("@_Upperarm", "@_UpperarmTwist01"), ("@_Foot", "@_ToeBaseShareBone")])
    legs = {expected["left_hip"], expected["right_hip"]}
    bones = [(prefix + "Pelvis", prefix + "Hip")] + [(name, prefix + "Pelvis" if name in legs else above)
                                                     for name, above in bones]
    check(bones, expected)


@pytest.mark.parametrize("prefix", ["", "Rig:", "ch01_"])
def test_advanced_skeleton(prefix):
    check(*body("Root_M", ["Spine1_M", "Spine2_M", "Chest_M"], "Neck_M", "Head_M", ADVANCED, "L", "R", prefix,
                [("Shoulder_@", "ShoulderPart1_@"), ("Hip_@", "HipPart1_@")]))


@pytest.mark.parametrize("count", [1, 3, 4, 5, 7, 9])
@pytest.mark.parametrize("name", ["spine_{}", "Spine{}", "Torso.{:03d}", "back{}"])
def test_spines_of_any_length(count, name):
    check(*body("pelvis", [name.format(n) for n in range(1, count + 1)], "neck", "head",
                "clavicle_@ upperarm_@ lowerarm_@ hand_@ thigh_@ calf_@ foot_@ ball_@".split(), "l", "r"))


@pytest.mark.parametrize("table", ["ffxiv", "koikatsu", "vrchat", "freemocap", "soma", "optitrack", "rokoko",
                                   "blenrig_deform", "blenrig_control", "mmd_english", "mmd_tools"])
@pytest.mark.parametrize("prefix", ["Char_", "Armature|", "Take 2:"])
def test_tables_behind_prefixes(table, prefix):
    names = bone_tables.tables()[table]["bones"]
    bones = []
    for number, joint in enumerate(JOINTS):
        above = PARENTS[number]
        while above >= 0 and JOINTS[above] not in names:
            above = PARENTS[above]
        if joint in names:
            bones.append((prefix + names[joint], prefix + names[JOINTS[above]] if above >= 0 else None))
    have = {row.joint: row.bone for row in bonemap.detect(bones) if row.bone}
    assert have == {joint: prefix + name for joint, name in names.items()}


LANGUAGES = {
    "Spanish": ("Cadera", ["Columna1", "Columna2", "Pecho"], "Cuello", "Cabeza",
                "Clavicula@ Brazo@ Antebrazo@ Mano@ Muslo@ Pierna@ Pie@ DedosPie@"),
    "Spanish by anatomy": ("Pelvis", ["Columna", "Torax"], "Cuello", "Cabeza",
                           "Hombro@ BrazoSuperior@ Antebrazo@ Muñeca@ Muslo@ Pantorrilla@ Tobillo@ Punta@"),
    "German": ("Becken", ["Wirbelsäule1", "Wirbelsäule2", "Brust"], "Hals", "Kopf",
               "Schulter@ Oberarm@ Unterarm@ Hand@ Oberschenkel@ Unterschenkel@ Fuß@ Zehen@"),
    "French": ("Bassin", ["Colonne1", "Colonne2", "Poitrine"], "Cou", "Tête",
               "Clavicule@ Bras@ AvantBras@ Main@ Cuisse@ Mollet@ Pied@ Orteils@"),
    "Italian": ("Bacino", ["Colonna1", "Colonna2", "Petto"], "Collo", "Testa",
                "Clavicola@ Braccio@ Avambraccio@ Mano@ Coscia@ Gamba@ Piede@ Dita@"),
    "Portuguese": ("Quadril", ["Coluna1", "Coluna2", "Peito"], "Pescoço", "Cabeça",
                   "Ombro@ Braço@ Antebraço@ Mão@ Coxa@ Perna@ Pé@ DedosPé@"),
    "Dutch": ("Bekken", ["Ruggengraat1", "Ruggengraat2", "Borst"], "Nek", "Hoofd",
              "Sleutelbeen@ Bovenarm@ Onderarm@ Pols@ Bovenbeen@ Onderbeen@ Enkel@ Tenen@"),
}
SIDES = {"Spanish": ("_Izq", "_Der"), "Spanish by anatomy": (".I", ".D"), "German": ("_Links", "_Rechts"),
         "French": ("_Gauche", "_Droit"), "Italian": ("_sx", "_dx"), "Portuguese": (".E", ".D"),
         "Dutch": ("_Links", "_Rechts")}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("own", [True, False])
def test_languages(language, own):
    *names, limbs = LANGUAGES[language]
    bones, expected = body(*names, limbs.split(), *(SIDES[language] if own else (".L", ".R")))
    have = {row.joint: row.bone for row in bonemap.detect(bones)}
    assert {joint: have[joint] for joint in expected} == expected


@pytest.mark.parametrize("left, right, form", [("左", "右", "@{}"), ("左_", "右_", "@{}"), (".L", ".R", "{}@")])
@pytest.mark.parametrize("trunk, limbs", [
    (("骨盆", ["脊椎1", "脊椎2", "胸"], "脖子", "头"), "锁骨 上臂 前臂 手 大腿 小腿 脚踝 脚趾"),
    (("髋", ["腰椎", "胸腔"], "颈", "头部"), "肩膀 大臂 小臂 手腕 大腿 小腿 脚 脚尖"),
    (("臀部", ["脊柱", "胸部"], "頸", "頭"), "鎖骨 上臂 前臂 手掌 大腿 小腿 腳 腳趾")])
def test_chinese_names(trunk, limbs, left, right, form):
    bones, expected = body(*trunk, [form.format(name) for name in limbs.split()], left, right)
    bones.append((f"{left}上臂扭曲", expected["left_shoulder"]))
    have = {row.joint: row.bone for row in bonemap.detect(bones)}
    assert {joint: have[joint] for joint in expected} == expected


@pytest.mark.parametrize("left, right, form", [("왼쪽 ", "오른쪽 ", "@{}"), (".L", ".R", "{}@")])
def test_korean_names(left, right, form):
    bones, expected = body("골반", ["척추1", "척추2", "가슴"], "목", "머리", [form.format(name) for name in (
        "쇄골 위팔 아래팔 손 허벅지 종아리 발목 발가락").split()], left, right)
    check(bones, expected)


@pytest.mark.parametrize("left, right, form", [("_л", "_п", "{}@"), ("левая ", "правая ", "@{}"), (".L", ".R", "{}@")])
def test_russian_names(left, right, form):
    bones, expected = body("Таз", ["Позвоночник1", "Позвоночник2", "Грудь"], "Шея", "Голова", [
        form.format(name) for name in "Ключица Плечо Предплечье Кисть Бедро Голень Стопа Носок".split()], left, right)
    check(bones, expected)


PARTLY = {          # families whose names another one's table knows in part
    "hips instead of a pelvis": ("hips", ["spine", "spine1", "spine2", "spine3"], "neck", "head",
                                 "shoulder.@ arm.@ forearm.@ hand.@ upleg.@ leg.@ foot.@ toebase.@", "L", "R"),
    "a rib cage": ("Hips", ["Spine", "RibCage", "Chest"], "Neck", "Head",
                   "Shoulder.@ UpperArm.@ Forearm.@ Wrist.@ Thigh.@ Knee.@ Foot.@ Toes.@", "L", "R"),
}


@pytest.mark.parametrize("family", PARTLY)
def test_a_table_that_knows_a_part_of_the_names_does_not_decide_the_rest(family):
    *names, limbs, left, right = PARTLY[family]
    check(*body(*names, limbs.split(), left, right))


def test_shoulders_that_are_upper_arms():
    """HumanIK's LeftShoulder is a collar, unless there is no LeftArm."""
    bones, expected = body("Hips", ["Spine", "Chest"], "Neck", "Head", HUMAN_IK, "Left", "Right")
    name = {"LeftArm": "LeftShoulder", "RightArm": "RightShoulder", "LeftShoulder": "Chest", "RightShoulder": "Chest"}
    bones = [(name.get(bone, bone), name.get(above, above)) for bone, above in bones if "Shoulder" not in bone]
    expected = {joint: name.get(bone, bone) for joint, bone in expected.items() if "collar" not in joint}
    check(bones, expected)


def test_the_ball_is_where_a_foot_bends_not_the_tip():
    bones, expected = body("Hips", ["Spine_01", "Spine_02", "Spine_03"], "Neck", "Head", (
        "Clavicle_@ Shoulder_@ Elbow_@ Hand_@ UpperLeg_@ LowerLeg_@ Ankle_@ Ball_@").split(), "L", "R",
        extra=[("Ball_@", "Toes_@")])
    check(bones, expected)


@pytest.mark.parametrize("centre", ["COM", "Root"])
def test_a_bone_on_the_floor_is_no_pelvis(centre):
    """A pelvis without the spine on it stays one, unsure, unless the bone that carries both is called so."""
    bones, _ = body("Pelvis", ["SPINE1", "SPINE2", "Chest"], "Neck", "HEAD", (
        "@Arm_Collarbone @Arm_UpperArm @Arm_ForeArm1 @Arm_Hand @Leg_Thigh @Leg_Calf @Leg_Foot @Leg_Toe1").split(),
        "L", "R")
    bones = [("Root" if centre == "COM" else "Base", None), (centre, "Root" if centre == "COM" else "Base")] + [
        (name, centre if name in ("Pelvis", "SPINE1") else above) for name, above in bones]
    rows = {row.joint: row for row in bonemap.detect(bones)}
    assert rows["pelvis"].bone == {"COM": "Pelvis", "Root": "Root"}[centre] and rows["pelvis"].unsure
    assert rows["left_foot"].bone == "LLeg_Toe1"


def japanese(spine, limbs, left, right, prefix=""):
    bones, expected = body("下半身", spine, "首", "頭", limbs.split(), left, right, prefix)
    low, top, waist = (prefix + name for name in ("下半身", spine[0], "腰"))
    return [(waist, None)] + [(name, waist if name in (low, top) else above) for name, above in bones], expected


@pytest.mark.parametrize("spine", [["上半身", "上半身2"], ["上半身", "上半身2", "上半身3"], ["上半身", "上半身２"]])
@pytest.mark.parametrize("elbow, knee", [("ひじ", "ひざ"), ("肘", "膝")])
@pytest.mark.parametrize("left, right, form", [("左", "右", "@{}"), (".L", ".R", "{}@"), ("_L", "_R", "{}@")])
def test_mmd_in_its_ways_of_writing(spine, elbow, knee, left, right, form):
    limbs = " ".join(form.format(name) for name in ("肩", "腕", elbow, "手首", "足", knee, "足首", "つま先"))
    rows = check(*japanese(spine, limbs, left, right))
    assert [row.joint for row in rows if row.unsure] == ["pelvis"] and "does not carry" in rows[0].doubt


def test_a_control_rig_has_no_more_controls_than_its_table_names():
    """BlenRig's `hand_close` closes the fingers: it is no joint. What moves with what is said for its constraints."""
    table = bone_tables.tables()["blenrig_control"]
    bones = [(bone, None) for bone in {*table["bones"].values(), *table["follows"].values()}]
    bones += [(f"hand_close_{side}", f"hand_fk_{side}") for side in "LR"]
    rows = {row.joint: row.bone for row in bonemap.detect(bones)}
    assert rows["left_wrist"] == "hand_fk_L" and rows["left_hand"] is None and rows["right_hand"] is None
    assert set(table["follows"]) <= set(table["bones"].values())
    switched = {(row["bone"], row["property"].lstrip("."), row["value"]) for row in table["switches"]}
    assert {("properties_arm_L", "ik_arm_L", 1.0), ("properties_leg_R", "ik_leg_R", 1.0),
            ("properties_arm_R", "space_hand_R", 1.0), ("shoulder_L", "SHLDR_AUTO_UP_L", 0.0)} <= switched


STRANGE = {
    "Japanese in Latin letters": ("J_Kosi", "J_Kubi", "J_Kao", "J_Sako_@ J_Ude_A_@ J_Ude_B_@ J_Te_@ J_Asi_A_@ "
                                  "J_Asi_B_@ J_Asi_D_@ J_Asi_E_@", "L", "R"),
    "and spelt out": ("Koshi", "Kubi", "Atama", "@_Sakotsu @_Ude @_Hiji @_Tekubi @_Momo @_Hiza @_Ashikubi "
                      "@_Tsumasaki", "L", "R"),
    "the side glued before the number": ("Pelvis", "Neck", "Head", "Clavicle@1 Arm@1 Arm@2 Hand@1 Leg@1 Leg@2 Foot@1 "
                                         "Toe@1", "L", "R"),
    "LT and RT": ("Hips", "Neck", "Head", "Clavicle@_01 Shoulder@_01 Elbow@_01 Hand@_01 Hip@_01 Knee@_01 Foot@_01 "
                  "Toe@_01", "LT", "RT"),
    "numbered limbs": ("Hips", "Neck", "Head", "@_Clavicle @_Arm_01 @_Arm_02 @_Hand @_Leg_01 @_Leg_02 @_Foot @_Toe",
                       "L", "R"),
    "nodes": ("HipN", "NeckN", "HeadN", "@ShoulderN @ArmN @ElbowN @HandN @LegN @KneeN @FootN @ToeN", "L", "R"),
    "misspelt": ("Hips", "Neck", "Head", "@_Clavic @_Uparm @_Foarm @_Wirst @_Thigh @_Loleg @_Foot @_Toe", "L", "R"),
}


@pytest.mark.parametrize("family", STRANGE)
def test_names_as_hobbyists_and_games_have_them(family):
    pelvis, neck, head, limbs, left, right = STRANGE[family]
    bones, expected = body(pelvis, ["Spine1", "Spine2", "Spine3"], neck, head, limbs.split(), left, right)
    have = {row.joint: row.bone for row in bonemap.detect(bones)}
    assert {joint: have[joint] for joint in expected} == expected


@pytest.mark.parametrize("spine", [["Spine1", "Spine2", "Spine3"], ["abdomen", "abdomen2", "chest"],
                                   ["L5", "T12", "T8"], ["stomach", "chest", "upper_chest"]])
def test_three_bones_of_a_trunk_are_three_whatever_their_table_says(spine):
    bones, expected = body("Hips", spine, "Neck", "Head", HUMAN_IK, "Left", "Right")
    rows = check(bones, {**expected, "spine2": spine[1]})
    assert not [row for row in rows if row.unsure]
