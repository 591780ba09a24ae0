"""Lists and folders shared with `core`, read as data by path: the add-on never imports `core`."""
import json
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent  # of the installed extension, or of the repository
PROTOCOL = 1


@cache
def load(name):
    """The parsed `core/contract/<name>.json`; read-only by agreement."""
    return json.loads((ROOT / "core" / "contract" / f"{name}.json").read_text(encoding="utf-8"))


@cache
def joints():
    """The 24 SMPL joint names in order."""
    return tuple(load("skeleton")["joints"])


@cache
def required_joints():
    return frozenset(load("skeleton")["required"])


@cache
def joint_parents():
    return tuple(load("skeleton")["parents"])


@cache
def genres():
    """[(slug, label)] of the dance genres."""
    return [(genre["slug"], genre["label"]) for genre in load("genres")]


def system(entry):
    """The row of `systems.json` for a pipeline such as "music": default and limits of its settings."""
    return next(row for row in load("systems") if row["entry"] == entry)


@cache
def bone_maps():
    """{preset: data} of `core/contract/bone_maps/*.json`; empty where the folder is missing."""
    folder = ROOT / "core" / "contract" / "bone_maps"
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}
