"""Which bone is which SMPL joint: exact name tables first, fuzzy names beyond; pure functions on (name, parent) lists.

The tables and the exact matching are `core/contract/bone_tables.py`, which the add-on uses too.
"""
import json
from dataclasses import asdict, dataclass, replace

from core.contract import JOINTS, SKELETON, bone_doubts, json_text
from core.contract.bone_doubts import UNSURE
from core.contract.bone_tables import CONFIDENCE, best_table, common_prefix, common_suffix, control_table
from core.contract.files import reason, write_text
from core.errors import BadInput, reading
from core.retarget.bonemap_fuzzy import carrier, fuzzy_matches, highest_spine, middle_spine
from core.retarget.other_scripts import translated

FORMAT = 1
MOST_BYTES = 1 << 20            # of a file of bone names
TRIED = 4                       # tables that know only a part of a rig's names
CORE = frozenset(SKELETON["required"]) - {"head"}


@dataclass(frozen=True)
class Row:
    """One line of the bone map: confidence 0..1; how: "exact", "prefix", "fuzzy", "file", "user" or "" (no bone).

    doubt: what speaks against the bone ("does not carry Spine"), or "".
    """

    joint: str
    bone: str | None
    confidence: float
    how: str
    doubt: str = ""

    @property
    def unsure(self):
        """Should the user look at this row before a job?"""
        return self.bone is not None and self.confidence <= UNSURE


def detect(bones, heads=None):
    """24 `Row`s, in joint order, for a list of (name, parent name or None). heads {bone: (x, y, z)}: where bones lie at
    rest.

    The table that names the most bones wins (required ones count double) if it names the hips, and its gaps are filled
    by fuzzy matching. One that knows only a part of the names may mean something else by them: then the next tables,
    and all names by fuzzy matching, are tried too, and the rows that leave the least open win. A row that hierarchy or
    rest speak against is unsure.
    """
    names = [name for name, _ in bones]
    suffix = common_suffix(names)
    short = {name: name.removesuffix(suffix) for name in names}
    if suffix and len(set(short.values())) == len(short):
        whole = {value: name for name, value in short.items()}
        rows = detect([(short[name], short.get(above, above)) for name, above in bones],
                      heads and {short[name]: at for name, at in heads.items() if name in short})
        return [replace(row, bone=whole.get(row.bone)) for row in rows]
    table, best_map, how = best_table(names)
    rows = _rows(bones, best_map, how, heads)
    if control_table(best_map) or (CORE <= set(best_map) and not missing(rows)):
        return rows
    found, tried = [rows], set()
    while table and len(tried) < TRIED and len(CORE & set(best_map)) >= 0.5 * len(CORE):
        tried.add(table)
        table, best_map, how = best_table(names, without=tried)
        found.append(_rows(bones, best_map, how, heads))
    return min([*found, _rows(bones, {}, "", heads)], key=_left_open)


def _left_open(rows):
    """What is wrong with a bone map: joints it lacks, first the required ones, and doubts."""
    body = [row for row in rows if not row.joint.endswith("_hand")]
    return len(missing(rows)), sum(bool(row.doubt) for row in rows), sum(row.bone is None for row in body)


def _rows(bones, best_map, how, heads):
    """`detect` by one table's {joint: bone}, matched `how`; a map of less than half a body counts for nothing."""
    if len(CORE & set(best_map)) < 0.5 * len(CORE):
        best_map = {}
    if "spine1" not in best_map:              # a chain that is numbered otherwise: all of it by hierarchy
        best_map = {joint: bone for joint, bone in best_map.items() if not joint.startswith("spine")}
    between = None if control_table(best_map) else middle_spine(bones, best_map)
    if between is not None:
        best_map = {**best_map, "spine2": between}
    rows = {joint: Row(joint, bone, CONFIDENCE[how], how) for joint, bone in best_map.items()}
    if between is not None:
        rows["spine2"] = Row("spine2", between, 0.85, "fuzzy")
    top = highest_spine(bones, best_map)
    if top is not None:                       # one more spine bone than the table knows
        best_map = {**best_map, "spine3": top}
        rows["spine3"] = Row("spine3", top, 0.85, "fuzzy")
    if not control_table(best_map):           # what a control rig's table leaves out has no control
        for joint, (bone, sure) in _fuzzy_without_prefix(bones, best_map).items():
            rows[joint] = Row(joint, bone, sure, "fuzzy")
    mapping = {joint: row.bone for joint, row in rows.items()}
    bone, sure = (mapping.get("pelvis"), True) if control_table(mapping) else carrier(bones, mapping)
    if not sure:                              # hips that leave the spine or a thigh behind when they move
        why = f"{mapping['pelvis']} does not carry spine and thighs" if bone != mapping["pelvis"] else ""
        rows["pelvis"] = Row("pelvis", bone, UNSURE, "fuzzy", why)
    return judged([rows.get(joint, Row(joint, None, 0.0, "")) for joint in JOINTS], dict(bones), heads)


def judged(rows, parents, heads=None):
    """Rows with doubts from hierarchy and rest; what the user has chosen stays as it is. parents {bone: parent or
    None}."""
    found = bone_doubts.doubts(to_map(rows), parents, heads)
    return [replace(row, confidence=min(row.confidence, UNSURE), doubt=found[row.joint])
            if row.joint in found and row.how not in ("user", "file") else row for row in rows]


def unsure_sentence(rows, name="the armature"):
    """One sentence that names the doubtful rows, or ""."""
    return bone_doubts.sentence({row.joint: row.doubt or "its name is like others" for row in rows if row.unsure}, name)


def absent_sentence(bone_map, name="The armature"):
    """One sentence that names what a body should have and the map {joint: bone} lacks, or ""."""
    return bone_doubts.absent_sentence(bone_doubts.absent(bone_map), name)


def _fuzzy_without_prefix(bones, known):
    """`fuzzy_matches` on names without what most of them begin with, those in other scripts in English."""
    prefix = common_prefix([name for name, _ in bones])
    short = {name: name[len(prefix):] if name.startswith(prefix) and name != prefix else name for name, _ in bones}
    short = translated(short)
    if len(set(short.values())) < len(short):
        return fuzzy_matches(bones, known)
    whole = {value: name for name, value in short.items()}
    found = fuzzy_matches([(short[name], short.get(parent, parent)) for name, parent in bones],
                          {joint: short.get(bone, bone) for joint, bone in known.items()})
    return {joint: (whole[bone], sure) for joint, (bone, sure) in found.items()}


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
    if not all(isinstance(bone, str) for bone in bone_map.values()):
        raise BadInput("A bone map gives each joint the name of a bone.")
    unknown = sorted(set(bone_map) - set(JOINTS))
    if unknown:
        raise BadInput(f"The bone map names unknown joints: {', '.join(unknown)[:200]}.")
    lacking = [joint for joint in SKELETON["required"] if not bone_map.get(joint)]
    if lacking:
        raise BadInput(f"The bone map lacks {', '.join(lacking)} of {name}; assign these bones, then try again.")
    strangers = sorted({bone for bone in bone_map.values() if bone not in set(bones)})
    if strangers:
        raise BadInput(f"The bone map names {', '.join(strangers[:3])}, which {name} does not have; pick another bone.")


def save(path, rows):
    """Write rows as JSON."""
    write_text(path, json.dumps({"format": FORMAT, "bones": [asdict(row) for row in rows]}, indent=1))


def load(path, bones=None):
    """Rows saved by `save`, or a plain JSON of {joint: bone}; bones (names) checks that they exist. Raises BadInput."""
    try:
        data = json_text.read(path, MOST_BYTES)
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else error
        raise BadInput(f"{path} is not a bone map ({why}); save one from the bone map panel.") from error
    with reading(f"{path} is not a bone map; save one from the bone map panel."):
        if "bones" in data and isinstance(data["bones"], list):
            found = {row["joint"]: Row(row["joint"], row["bone"], float(row.get("confidence", 1.0)),
                                       row.get("how", "file"), row.get("doubt", "")) for row in data["bones"]}
        else:
            found = {joint: Row(joint, bone, 1.0, "file") for joint, bone in data.get("bones", data).items()}
        if not all(isinstance(row.bone, (str, type(None))) and isinstance(joint, str) for joint, row in found.items()):
            raise ValueError("bones are names")
    unknown = sorted(set(found) - set(JOINTS))
    if unknown:
        raise BadInput(f"The bone map {path} names unknown joints: {', '.join(unknown)[:200]}.")
    if bones is not None:
        found = {joint: row for joint, row in found.items() if row.bone is None or row.bone in set(bones)}
    return [found.get(joint, Row(joint, None, 0.0, "")) for joint in JOINTS]
