"""Name tables of known skeletons, `bone_maps/*.json`, and how bone names are matched with them.

A mapping is {SMPL joint: bone name}. A table has `name`, `label`, `bones` (a mapping) and may have `needs` (bones
without which it is another skeleton), `priority` (control layers before the bones they drive) and what
docs/contracts.md says of control rigs.
"""
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import cache

from . import FOLDER, REQUIRED_JOINTS

CONFIDENCE = {"exact": 1.0, "prefix": 0.97}
# Prefixes that exporters put before the names of a table: "mixamorig:", "mixamorig5:", "rig|", "Armature_".
PREFIX = re.compile(r"^(?:mixamorig\d*[:_]?|[\w. -]*[:|]|armature_|skeleton_)", re.IGNORECASE)
PART_ENDS = re.compile(r"[_:|. -]+|(?<=[a-z0-9]{2})(?=[A-Z])")
SEPARATORS = re.compile(r"[\s_.\-]+")
KANJI = str.maketrans({"肘": "ひじ", "膝": "ひざ"})     # the other way of writing what tables have
CONTROLS = 8                    # so many of a control rig's bones tell it from any other


@cache
def tables() -> dict[str, dict]:
    """All tables by name, in the order of their files."""
    files = sorted((FOLDER / "bone_maps").glob("*.json"))
    return {data["name"]: data for data in (json.loads(path.read_text(encoding="utf-8")) for path in files)}


def best_table(names: Iterable[str], complete: bool = False,
               without: Iterable[str] = ()) -> tuple[str, dict[str, str], str]:
    """(table, mapping, "exact" or "prefix") of the table that names the most of these bones; ("", {}, "") if none names
    any.

    Required joints count double. Of equals the table with `needs` wins, being the more particular one; a match without
    prefixes wins over one with them. complete: only tables that name every required joint; without: tables that do
    not count.
    """
    best, most = ("", {}, ""), 0.0
    # A prefix that tables know themselves, such as Rigify's "ORG-", stays where it is.
    prefixes = [own for own in common_prefixes(names)
                if not any(bone.startswith(own) for data in tables().values() for bone in data["bones"].values())]
    for how, own in (("exact", ""), ("prefix", ""), *(("prefix", own) for own in prefixes)):
        plain, loose = {}, how == "prefix"
        for name in names:
            plain.setdefault(_key(name, loose, own), name)
        for table, data in tables().items():
            if table in without:
                continue
            # "Bip01 " of the rig's "Bip001 "
            theirs = common_prefix(tuple(data["bones"].values())) if own else ""
            if any(_key(need, loose, theirs) not in plain for need in data.get("needs", ())):
                continue
            found = {joint: plain[_key(bone, loose, theirs)] for joint, bone in data["bones"].items()
                     if _key(bone, loose, theirs) in plain}
            if complete and not REQUIRED_JOINTS <= set(found):
                continue
            score = sum(2.0 if joint in REQUIRED_JOINTS else 1.0 for joint in found)
            score += 0.5 * bool(data.get("needs")) + data.get("priority", 0)
            if score > most + (2.0 if loose and best[2] == "exact" and best[0] != table else 0.0):
                best, most = (table, found, how), score
    return best


def _key(name, loose, own=""):
    """What names are compared by; loose: without prefixes, whatever stands between words, in one way of writing."""
    if loose:
        name = name[len(own):] if own and name.startswith(own) and len(name) > len(own) else name
        name = unicodedata.normalize("NFKC", PREFIX.sub("", name) or name)
        name = SEPARATORS.sub("_", name.translate(KANJI))
    return name.lower()


def common_prefixes(names: Iterable[str]) -> list[str]:
    """What most bone names (four of five) begin with, up to a separator or a capital, longest first: "Character1_",
    "Take 001_", "Robot" of "RobotHips"."""
    names = list(names)
    starts = Counter(name[:end.end()] for name in names for end in PART_ENDS.finditer(name))
    return sorted((start for start, count in starts.items() if count >= 0.8 * len(names)), key=len, reverse=True)


def common_prefix(names: Iterable[str]) -> str:
    """The longest of `common_prefixes`; "" if there is none."""
    return next(iter(common_prefixes(names)), "")


def common_suffix(names: Iterable[str]) -> str:
    """What most bone names (four of five) end with, from a separator on: "_jnt", ".001"; "" if there is none."""
    names = list(names)
    ends = Counter(match.group() for name in names if (match := re.search(r"(?<=.)[_:|. -]+[^_:|. -]+$", name)))
    suffix, count = ends.most_common(1)[0] if ends else ("", 0)
    return suffix if count >= 0.8 * len(names) and count > 1 else ""


def control_table(mapping: dict[str, str]) -> dict | None:
    """The table of a control rig (one that names `read_from`) that the mapping follows, or None."""
    for data in tables().values():
        if "read_from" in data and sum(data["bones"].get(joint) == bone for joint, bone in mapping.items()) >= CONTROLS:
            return data
    return None


def control_table_among(names: Iterable[str]) -> dict | None:
    """The table of a control rig whose controls are among these bone names, or None."""
    return next((data for data in tables().values()
                 if "read_from" in data and len(set(names) & set(data["bones"].values())) >= CONTROLS), None)


def reading_map(mapping: dict[str, str], names: Iterable[str]) -> dict[str, str]:
    """The bones to *sample*: controls of a known rig are replaced by the bones that they drive.

    Controls do not show what inverse kinematics does; the driven bones do. names: of all bones of the rig.
    """
    data, names = control_table(mapping), set(names)
    if data is None:
        return dict(mapping)
    driven = {joint: bone for joint, bone in tables()[data["read_from"]]["bones"].items() if bone in names}
    # Where the user has picked another bone than the table's, that choice stays.
    own = {joint: bone for joint, bone in mapping.items() if data["bones"].get(joint) != bone}
    return {**mapping, **driven, **own}
