"""Which bone is which SMPL joint: exact name tables first, fuzzy names beyond; pure functions on (name, parent) lists.

The tables are `core/contract/bone_maps/*.json`; the add-on reads the same files for its instant exact matching.
"""
import json
import re
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from core.contract import FOLDER, JOINTS, SKELETON
from core.contract.files import write_text
from core.errors import BadInput
from core.retarget.bonemap_fuzzy import fuzzy_matches, highest_spine

FORMAT = 1
# Prefixes that exporters put before the names of a table: "mixamorig:", "mixamorig5:", "rig|", "Armature_".
PREFIX = re.compile(r"^(?:mixamorig\d*[:_]?|[\w. -]*[:|]|armature_|skeleton_)", re.IGNORECASE)


@dataclass(frozen=True)
class Row:
    """One line of the bone map: confidence 0..1; how: "exact", "prefix", "fuzzy", "file", "user" or "" (no bone)."""

    joint: str
    bone: str | None
    confidence: float
    how: str


@cache
def tables():
    """All name tables, as {table name: {"label", "bones", "needs"?}}."""
    files = sorted((FOLDER / "bone_maps").glob("*.json"))
    return {data["name"]: data for data in (json.loads(path.read_text(encoding="utf-8")) for path in files)}


def detect(bones):
    """24 `Row`s, in joint order, for a list of (name, parent name or None).

    The table that names the most bones wins (required ones count double) if it names the hips, and its gaps are filled
    by fuzzy matching; otherwise everything is fuzzy.
    """
    names = [name for name, _ in bones]
    best, best_score, best_map, how = None, 0.0, {}, ""
    for strip, kind in ((False, "exact"), (True, "prefix")):
        plain = {}
        for name in names:
            plain.setdefault(_key(name, strip), name)
        for table, data in tables().items():
            if any(_key(need, False) not in plain for need in data.get("needs", ())):
                continue
            found = {joint: plain[_key(bone, False)] for joint, bone in data["bones"].items()
                     if _key(bone, False) in plain}
            score = sum(2.0 if joint in SKELETON["required"] else 1.0 for joint in found)
            # A table with conditions is the more particular one; ties go to it.
            # Control layers (`priority`) win over the deform bones of the same rig: they are what an animator keys.
            score += 0.5 * bool(data.get("needs")) + data.get("priority", 0)
            if score > best_score + (0 if kind == "exact" else 0.25):
                best, best_score, best_map, how = table, score, found, kind
    required = [joint for joint in SKELETON["required"] if joint not in ("head",)]
    if best is None or sum(joint in best_map for joint in required) < 0.5 * len(required):
        best_map = {}
    confidence = {"exact": 1.0, "prefix": 0.97}
    rows = {joint: Row(joint, bone, confidence[how], how) for joint, bone in best_map.items()}
    top = highest_spine(bones, best_map)
    if top is not None:                       # one more spine bone than the table knows
        best_map = {**best_map, "spine3": top}
        rows["spine3"] = Row("spine3", top, 0.85, "fuzzy")
    for joint, (bone, sure) in fuzzy_matches(bones, best_map).items():
        rows[joint] = Row(joint, bone, sure, "fuzzy")
    return [rows.get(joint, Row(joint, None, 0.0, "")) for joint in JOINTS]


def _key(name, strip):
    if strip:
        shorter = PREFIX.sub("", name)
        name = shorter or name
    return name.lower()


def missing(rows):
    """Required joints that have no bone."""
    have = {row.joint for row in rows if row.bone}
    return [joint for joint in SKELETON["required"] if joint not in have]


def to_map(rows):
    """{joint: bone} of the matched rows, as rig.json carries it."""
    return {row.joint: row.bone for row in rows if row.bone}


def require(rows, name="the armature"):
    """`to_map(rows)`; raises BadInput naming the required joints that lack a bone."""
    lacking = missing(rows)
    if lacking:
        raise BadInput(f"No bone of {name} was recognised as {', '.join(lacking)}; assign it in the bone map.")
    return to_map(rows)


def check_map(bone_map, bones, name="the armature"):
    """Raises BadInput where {joint: bone} lacks a required joint or names a bone that is not among `bones`."""
    lacking = [joint for joint in SKELETON["required"] if not bone_map.get(joint)]
    if lacking:
        raise BadInput(f"The bone map lacks {', '.join(lacking)} of {name}; assign these bones, then try again.")
    strangers = sorted({bone for bone in bone_map.values() if bone not in set(bones)})
    if strangers:
        raise BadInput(f"The bone map names {', '.join(strangers[:3])}, which {name} does not have; pick another bone.")


def save(path, rows):
    """Write rows as JSON."""
    write_text(path, json.dumps({"format": FORMAT, "bones": [asdict(row) for row in rows]}, indent=1))


def control_table(bone_map):
    """The table of a control rig (one that names `read_from`) that a {joint: bone} follows, or None."""
    for data in tables().values():
        if "read_from" in data and sum(data["bones"].get(joint) == bone for joint, bone in bone_map.items()) >= 8:
            return data
    return None


def reading_map(bone_map, names):
    """The bones to *sample*: controls of a known rig are replaced by the bones that they drive.

    Controls do not show what inverse kinematics does; the driven bones do. bone_map {joint: bone}; names: of all bones.
    """
    data, names = control_table(bone_map), set(names)
    if data is None:
        return dict(bone_map)
    driven = {joint: bone for joint, bone in tables()[data["read_from"]]["bones"].items() if bone in names}
    # Where the user has picked another bone than the table's, that choice stays.
    own = {joint: bone for joint, bone in bone_map.items() if data["bones"].get(joint) != bone}
    return {**bone_map, **driven, **own}


def load(path, bones=None):
    """Rows saved by `save`, or a plain JSON of {joint: bone}; bones (names) checks that they exist. Raises BadInput."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
        if "bones" in data and isinstance(data["bones"], list):
            found = {row["joint"]: Row(row["joint"], row["bone"], float(row.get("confidence", 1.0)),
                                       row.get("how", "file")) for row in data["bones"]}
        else:
            found = {joint: Row(joint, bone, 1.0, "file") for joint, bone in data.get("bones", data).items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{path} is not a bone map ({error!r}); save one from the bone map panel.") from error
    unknown = sorted(set(found) - set(JOINTS))
    if unknown:
        raise BadInput(f"The bone map {path} names unknown joints: {', '.join(unknown)}.")
    if bones is not None:
        found = {joint: row for joint, row in found.items() if row.bone is None or row.bone in set(bones)}
    return [found.get(joint, Row(joint, None, 0.0, "")) for joint in JOINTS]
