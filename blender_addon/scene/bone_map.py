"""Which bone of an armature plays which SMPL joint: exact names here, at once; fuzzy ones by the worker."""
import json

import bpy

from ...core import contract
from ...core.contract import bone_doubts, bone_tables, json_text
from ...core.contract.files import open_plain, write_text
from ..errors import UserError, on_disk
from . import ik_limbs
from . import switches as switch
from .whole import whole

FORMAT = 1
FINGERS = ("thumb", "index", "middle", "ring", "pinky", "little")
HAND_ITSELF = ("metacarpal", "palm", "master", "string")        # what else a hand's names hold, no joint of a finger
MOST_BYTES = 1 << 20    # of a file of bone names
LIMBS = {"Torso": ("pelvis", "spine1", "spine2", "spine3"), "Head": ("neck", "head"),
         **{f"{side} {limb}": tuple(f"{side.lower()}_{joint}" for joint in joints) for limb, joints in (
             ("Arm", ("collar", "shoulder", "elbow", "wrist", "hand")), ("Leg", ("hip", "knee", "ankle", "foot")))
            for side in ("Left", "Right")}}


def ensure_rows(rig):
    """The 24 rows of `rig`, made empty where missing."""
    rows = rig.baton.bones
    if [row.name for row in rows] != list(contract.JOINTS):
        rows.clear()
        for joint in contract.JOINTS:
            rows.add().name = joint
    return rows


def set_rows(rig, found, table=""):
    """Fill the rows from {joint: (bone, confidence, how)}; others become empty. Rows that hierarchy or rest speak
    against become unsure. Whole or not at all."""
    with whole([rig]):
        for row in ensure_rows(rig):
            bone, confidence, how = found.get(row.name) or ("", 0.0, "")
            row.bone = bone or ""
            row.confidence, row.how = confidence, how if bone else ""
        rig.baton.table = table
        judge(rig)


def picked(row):
    """The user has chosen the bone of a row: that is no matter of doubt."""
    row.how, row.doubt = "user" if row.bone else "", ""


def judge(rig):
    """Ask hierarchy and rest pose about every row that the user has not chosen: `doubt` and a lower `confidence`."""
    found = bone_doubts.doubts(current(rig), {bone.name: bone.parent.name if bone.parent else None
                                              for bone in rig.data.bones},
                               {bone.name: tuple(bone.head_local) for bone in rig.data.bones})
    for row in rig.baton.bones:
        row.doubt = found.get(row.name, "") if row.how not in ("user", "file") else ""
        if row.doubt:
            row.confidence = min(row.confidence, bone_doubts.UNSURE)


def is_unsure(row):
    """Should the user look at this row of `rig.baton.bones` before a job? `row.doubt` says why."""
    return bool(row.bone) and row.how not in ("user", "file") and row.confidence <= bone_doubts.UNSURE


def unsure(rig):
    """The rows of the rig that the user should look at, in joint order."""
    return [row for row in rig.baton.bones if is_unsure(row) and row.bone in rig.data.bones]


def unsure_sentence(rig):
    """One sentence that names these rows, or ""."""
    return bone_doubts.sentence({label(row.name): row.doubt or "its name is like others" for row in unsure(rig)},
                                rig.name)


def matched(rig):
    """How many of the 24 joints are matched for sure, and which not: what Detect Bones reports."""
    doubtful = [label(row.name) for row in unsure(rig)]
    text = f"{len(current(rig)) - len(doubtful)} of {len(contract.JOINTS)} bones matched"
    text += f"; unsure: {', '.join(doubtful)}" if doubtful else ""
    without = [label(joint) for joint in bone_doubts.absent(current(rig)) if joint not in missing(rig)]
    text += f"; the rig has none for {', '.join(without)}" if without else ""
    lacking = missing(rig)
    return text + (f"; pick {', '.join(label(joint) for joint in lacking)}" if lacking else "")


def detect(rig):
    """Fill the rows by exact names; True where every required joint was found."""
    table, found, how = bone_tables.best_table([bone.name for bone in rig.data.bones], complete=True)
    set_rows(rig, {joint: (bone, bone_tables.CONFIDENCE[how], how) for joint, bone in found.items()}, table)
    return bool(found)


def current(rig):
    """{joint: bone} of the rows whose bones exist."""
    return {row.name: row.bone for row in rig.baton.bones if row.bone and row.bone in rig.data.bones}


def missing(rig):
    """Required joints without a bone, in joint order."""
    have = current(rig)
    return [joint for joint in contract.JOINTS if joint in contract.REQUIRED_JOINTS and joint not in have]


def state(rig, row):
    """How a row stands: "sure", "unsure" (a weak likeness), "lacking" (needed, or its bone is gone) or "empty"."""
    if not row.bone or row.bone not in rig.data.bones:
        return "lacking" if row.bone or row.name in contract.REQUIRED_JOINTS else "empty"
    return "unsure" if is_unsure(row) else "sure"


def give(rig, joint, bone):
    """The user's own choice of a bone ("" for none) for a joint."""
    row = ensure_rows(rig)[joint]
    row.bone, row.confidence = bone, 1.0 if bone else 0.0


def require(rig):
    """`current(rig)`, detected by exact names first where the rig has no rows yet.

    Raises UserError naming the joints that lack a bone, or a bone that plays two joints.
    """
    if not any(row.bone for row in rig.baton.bones):
        detect(rig)
    lacking = missing(rig)
    if lacking:
        raise UserError(f"{rig.name}: no bone for {', '.join(label(joint) for joint in lacking)}; "
                        "press Detect Bones or pick them in the bone map")
    mapped = current(rig)
    twice = {bone for bone in mapped.values() if list(mapped.values()).count(bone) > 1}
    if twice:
        raise UserError(f"{rig.name}: the bone {sorted(twice)[0]} plays two joints; pick another for one of them")
    return mapped


def reading_map(rig, mapped):
    """The bones to sample: controls do not show what inverse kinematics does, the bones they drive do."""
    return bone_tables.reading_map(mapped, [bone.name for bone in rig.data.bones])


def ik_legs(rig, mapped):
    """Entries of a control rig's table whose legs a take keys on inverse kinematics (as in
    core/retarget/legs_ik.py)."""
    data = bone_tables.control_table(mapped) or {}
    return [leg for leg in data.get("ik", ()) if all(mapped.get(joint) == data["bones"].get(joint)
                                                     for joint in leg["joints"])
            and all(leg[part] in rig.data.bones for part in ("foot", "toe", "pole", "parent"))]


def with_ik(rig, mapped):
    """`mapped` with the IK controls of the limbs under names of their own: what a take on the rig needs to know of
    it."""
    controls = [leg[part] for leg in ik_legs(rig, mapped) for part in ("foot", "toe", "pole", "parent")]
    controls += [bone for leg in ik_legs(rig, mapped) for bone in leg.get("still", ()) if bone in rig.data.bones]
    if bone_tables.control_table(mapped) is not None:           # whose fingers do not hang on the hands' controls
        controls += [bone.name for bone in rig.data.bones if is_finger(bone.name)]
    controls += [bone for limb in ik_limbs.limbs(rig, mapped) for bone in (limb["goal"], limb["control"],
                                                                           limb["pole"]) if bone]
    return {**mapped, **{f"ik {bone}": bone for bone in controls}}


def is_finger(name):
    """True for the name of a finger's bone, of whatever rig, that a pose of the hand turns."""
    word = name.rpartition(":")[2].lower().replace("_", "").replace(" ", "").replace("-", "")
    return not word.startswith(("org", "def", "mch")) and not any(part in word for part in HAND_ITSELF) and any(
        part in word for part in FINGERS)


def switches(rig, mapped, legs=True):
    """[(bone, property, value)] that let the mapped controls lead: IK/FK and follow switches that the rig has; legs:
    theirs too."""
    rows = [*(bone_tables.control_table(mapped) or {}).get("switches", ()),
            *(row for leg in (ik_legs(rig, mapped) if legs else ()) for row in leg["switches"])]
    found = {(row["bone"], row["property"]): float(row["value"]) for row in rows  # a leg's own come last and win
             if row["bone"] in rig.pose.bones and switch.there(rig.pose.bones[row["bone"]], row["property"])}
    return [(bone, name, value) for (bone, name), value in found.items()] + ik_limbs.free(rig, mapped)


def label(joint):
    """`left_hip` -> `Left Hip`."""
    return joint.replace("_", " ").title()


def note_overrides():
    """Before a file is saved: a library override keeps only the changes that were noted, and Blender does not note
    those of Baton's properties by itself."""
    for thing in bpy.data.objects:
        if thing.override_library is not None and thing.type == "ARMATURE" and len(thing.baton.bones):
            len(thing.override_library.reference.baton.bones)       # it is compared with once it was looked at
            thing.override_library.operations_update()


def save(rig, path):
    """Write the rows as JSON, the format of core/retarget/bonemap.py."""
    rows = [{"joint": row.name, "bone": row.bone or None, "confidence": round(row.confidence, 3), "how": row.how}
            for row in ensure_rows(rig)]
    write_text(path, json.dumps({"format": FORMAT, "bones": rows}, indent=1))


def load(rig, path):
    """Read rows saved by `save`; returns the names of bones that this rig lacks. Raises UserError."""
    with on_disk("The bone map", path, verb="read"):
        with open_plain(path) as handle:
            content = handle.read(MOST_BYTES)
    try:
        data = json_text.loads(content.decode("utf-8-sig"))
        rows = {row["joint"]: (row["bone"], float(row.get("confidence", 1.0)), str(row.get("how") or "file"))
                for row in data["bones"] if row["bone"]}
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise UserError(f"{path} is not a bone map; save one with Save Bone Map.") from error
    if not all(isinstance(joint, str) and isinstance(row[0], str) for joint, row in rows.items()):
        raise UserError(f"{path} is not a bone map; save one with Save Bone Map.")
    unknown = sorted(set(rows) - set(contract.JOINTS))
    if unknown:
        raise UserError(f"The bone map {path} names unknown joints: {', '.join(unknown)}.")
    lacking = sorted(bone for bone, _, _ in rows.values() if bone not in rig.data.bones)
    set_rows(rig, {joint: row for joint, row in rows.items() if row[0] in rig.data.bones}, "file")
    return lacking


def find_rig(context):
    """The armature meant by the user: the one in the settings, the active one, or the active mesh's; else None."""
    scene = context.scene
    chosen = scene.baton.rig
    if chosen is not None and chosen.name in scene.objects:
        return chosen
    active = context.view_layer.objects.active if context.view_layer else None
    if active is None:
        return None
    if active.type == "ARMATURE":
        return active
    found = active.find_armature()
    parent = active.parent
    while found is None and parent is not None:
        found = parent if parent.type == "ARMATURE" else None
        parent = parent.parent
    return found


def others(context, rig, most):
    """Names of up to `most` further armatures that are selected, in the order of their names."""
    chosen = [thing.name for thing in context.view_layer.objects
              if thing.type == "ARMATURE" and thing != rig and thing.select_get()]
    return sorted(chosen)[:most]
