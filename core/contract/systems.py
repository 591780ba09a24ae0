"""The registry: every system is one row of systems.json,
every setting one entry of settings.json. Standard library only.

A row is a system in one direction, (from, to): motion to sound, sound to motion, or both from its settings alone.
Panel, presets, operators, jobs, command line, recipe, doctor and demo loop over `systems()`;
nothing else names a system.

Folders named in $BATON_SYSTEMS (os.pathsep between them) add rows: each holds a systems.json, a settings.json where it
has settings of its own, and the systems' packages, which are imported as `models.<folder>`.
"""
import json
import math
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from . import load
from .files import reason

ENVIRONMENT = "BATON_SYSTEMS"
TYPES = ("float", "int", "bool", "enum", "string", "file", "folder", "object", "motion", "actions")
TEXTS = ("string", "file", "folder")            # settings that are a text
MEDIA = ("file", "folder", "object", "motion", "actions")      # settings that name something to be read
SIDES = ("model", "frame", "rig", "scene")      # who uses a setting: see Setting.by


class Refused(ValueError):
    """A value or a name that cannot be; the text is one sentence for the user."""


@dataclass(frozen=True)
class Direction:
    """What goes in and what comes out. command: its name on the command line, which opens its first system."""

    name: str
    source: str | None
    to: str
    label: str
    command: str


DIRECTIONS = (Direction("to_sound", "motion", "sound", "Music from Motion", "music"),
              Direction("to_motion", "sound", "motion", "Motion from Music", "conduct"),
              Direction("to_both", None, "both", "Dance and Music", "both"))


@dataclass(frozen=True)
class Item:
    """One choice of an enum: `id` is what files, panel and command line carry, `value` what the model is given."""

    id: str
    label: str
    tip: str
    value: object
    aliases: tuple = ()


class Setting:
    """A setting as one system has it: the entry of settings.json under the row's overrides.

    type: of TYPES. by: who uses it: "model", "frame" (of the direction: tempo, loudness), "rig" (write-back), or
    "scene" (Blender alone; never sent to the worker). default: what the panel begins with; absent: what a missing value
    means.
    min, max: in the panel's unit, value = panel's number x scale. when: {other setting: [values]} under which it
    counts. needed: what the user is told where it counts and is empty, or None.
    """

    def __init__(self, name: str, raw: dict):
        self.name, self.raw = name, raw
        self.type, self.label, self.tip = raw["type"], raw["label"], raw["tip"]
        self.by, self.noun = raw.get("by", "model"), raw.get("noun") or raw["label"].lower()
        self.default = raw.get("default", "" if self.type in TEXTS else None)
        self.absent = raw["absent"] if "absent" in raw else (
            None if self.type in MEDIA else self.default)
        self.scale, self.when, self.flag = raw.get("scale", 1), raw.get("when") or {}, raw.get("flag")
        self.min, self.max = raw.get("min"), raw.get("max")
        self.preset, self.required = raw.get("preset", True), raw.get("required", False)
        self.reads, self.warn_above, self.needed = raw.get("reads"), raw.get("warn_above"), raw.get("needed")
        self.items = _items(raw) if self.type == "enum" else ()

    def check(self, value: object) -> object:
        """The value the model is given for one from a panel, a request or a command line. Raises Refused."""
        if value is None:
            return self.check(self.absent) if self.absent is not None else None
        if self.type == "enum":
            return self._chosen(value)
        if self.type in ("float", "int"):
            return self._number(value)
        if self.type == "bool":
            if not isinstance(value, (bool, int)):
                raise Refused(f"The setting {self.noun} is true or false, not {value!r}.")
            return bool(value)
        if self.type in TEXTS:
            if not isinstance(value, (str, os.PathLike)):
                kind = self.type if self.type in MEDIA else "text"
                raise Refused(f"The {self.noun} must be a {kind}, not {value!r}.")
            return str(value) or None
        if self.type == "actions" and (isinstance(value, (str, bool, int, float)) or not all(
                isinstance(name, str) or hasattr(name, "motion") for name in value)):
            raise Refused(f"The {self.noun} must be a list of names, not {value!r}.")
        return value

    def _chosen(self, value):
        wanted = str(value).strip().lower().replace(" ", "-").replace("_", "-")
        for item in self.items:
            if wanted in (item.id.lower().replace("_", "-"), item.label.lower().replace(" ", "-"), *item.aliases):
                return item.value
        names = ", ".join(item.id for item in self.items)
        if not self.raw.get("numbers"):
            raise Refused(f"The {self.noun} {value!r} is unknown; choose one of {names}.")
        try:
            number = int(wanted) if self.raw["numbers"] == "int" else float(wanted)
        except ValueError:
            number = math.nan
        if not self.min <= number <= self.max:
            raise Refused(f"The {self.noun} {value!r} is none of {names}, nor a number from {self.min:g} to "
                          f"{self.max:g}.")
        return number

    def _number(self, value):
        whole = self.type == "int"
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number) or whole and number != int(number):
            raise Refused(f"The {self.noun} must be a {'whole number' if whole else 'number'}, not {value!r}.")
        low = -math.inf if self.min is None else self.min * self.scale
        high = math.inf if self.max is None else self.max * self.scale
        unit = self.raw.get("unit", "")
        if not low - 1e-6 <= number <= high + 1e-6:
            raise Refused(f"The {self.noun} of {number:.10g}{unit} is out of range; choose {low:.10g} to "
                          f"{high:.10g}{unit}.")
        return int(number) if whole else number


def _items(raw):
    out, values, tips = [], raw.get("values") or {}, raw.get("item_tips") or {}
    listed = [{"id": row["slug"], "label": row["label"], "tip": row.get(raw.get("tips_of")) or "",
               "aliases": [row["aist"].lower()] if "aist" in row else []}
              for row in (load(raw["items_from"]) if raw.get("items_from") else ())]
    only = raw.get("only")                          # a row may offer some of a setting's items
    for item in (item for item in [*(raw.get("items") or ()), *listed] if only is None or item["id"] in only):
        value = values.get(item["id"], item.get("value", item["id"]))
        tip = tips.get(item["id"]) or item.get("tip")
        tip = tip or raw.get("item_tip", "").format(label=item["label"], value=value)
        out.append(Item(item["id"], item["label"], tip, value, tuple(item.get("aliases", ()))))
    return tuple(out)


class System:
    """A row. module and model: the class that is loaded; folder: its name in `models` and in checkpoints. needs:
    {name in the recipe: (folder, part)} of the checkpoints without which it cannot work.

    seconds: (shortest, longest) passage. usual_bpm: where the beats of its sound are to lie, or None. performers: how
    many rigs it moves at once. sections: {title: [names of settings, or of operators ("baton....")]}, "" the section
    itself.
    settings: {name: Setting} of all sections and of `unseen`; shown: those in the panel.
    """

    def __init__(self, raw: dict, known: dict):
        self.raw, self.name, self.label, self.short = raw, raw["name"], raw["label"], raw.get("short") or raw["label"]
        self.button, self.icon, self.tip = raw["button"], raw["icon"], raw["tip"]
        self.source, self.to, self.module, self.model = raw.get("from"), raw["to"], raw["module"], raw["model"]
        self.folder, self.rhythm = raw["module"].split(".")[1], raw.get("rhythm")
        self.needs = _needs(self.folder, raw["parts"], self.rhythm)
        self.seconds, self.sections = tuple(raw["limits"]["seconds"]), raw["sections"]
        self.performers = raw["limits"].get("performers", 1)
        self.usual_bpm = tuple(raw["limits"].get("usual_bpm", ())) or None
        self.direction = next((row for row in DIRECTIONS if (row.source, row.to) == (self.source, self.to)), None)
        names = [name for rows in self.sections.values() for name in rows if "." not in name] + raw.get("unseen", [])
        lacking = [name for name in (*names, *raw.get("overrides", {})) if name not in known]
        if lacking or self.direction is None:
            raise Refused(f"The system {self.name} has no " + (
                f"entry in settings.json for {', '.join(lacking)}." if lacking else
                f"direction from {self.source} to {self.to}."))
        self.settings = {name: Setting(name, {**known[name], **raw.get("overrides", {}).get(name, {})})
                         for name in names}
        self.shown = {name: setting for name, setting in self.settings.items() if name not in raw.get("unseen", ())}
        for setting in self.settings.values():
            _check_setting(self.name, setting)
        if self.to == "both" and "duration" not in self.shown:
            raise Refused(f"The system {self.name} makes sound and motion; its sections need the setting duration.")

    def title(self, params: dict, told: dict | None = None) -> str:
        """Start of a take's name, such as `House` or `Conducting`. told: values of settings as a recipe tells them, for
        what was left to the model."""
        setting = self.settings.get(self.raw.get("take_by"))
        if setting is None:
            return self.raw["take"]
        chosen, value = params.get(setting.name), (told or {}).get(setting.name)
        named = [item.label for item in setting.items if item.value and item.id == chosen]
        left = [item.label for item in setting.items if item.value and item.value == value]
        return (named + left + [self.raw["take"]])[0]

    def chosen(self, params: dict, told: dict | None) -> dict:
        """{setting: id} of what `params` leave to the model or the seed, as a recipe's settings tell it; {} where they
        leave nothing, or it is not told."""
        name = self.raw.get("take_by")
        setting = self.settings.get(name)
        if setting is None or name not in params or setting.check(params[name]) is not None:
            return {}
        ids = [item.id for item in setting.items if item.value is not None and item.value == (told or {}).get(name)]
        return {name: ids[0]} if ids else {}


def _needs(folder, parts, rhythm):
    """Parts are of the system's own folder, or "folder/part" where it uses another's."""
    pairs = {part.replace("/", "_"): tuple(part.split("/")) if "/" in part else (folder, part) for part in parts}
    return pairs | ({f"rhythm_{rhythm}": ("rhythm", rhythm)} if rhythm else {})


def _check_setting(system, setting):
    for what, value, choices in (("type", setting.type, TYPES), ("by", setting.by, SIDES)):
        if value not in choices:
            raise Refused(f"The setting {setting.name} of {system} has the {what} {value!r}; there is "
                          f"{', '.join(choices)}.")
    if setting.type == "motion" and not setting.raw.get("seconds", 0) > 0:
        raise Refused(f"The setting {setting.name} of {system} must say how many seconds of motion it takes.")
    if setting.type == "enum" and setting.default not in [item.id for item in setting.items]:
        raise Refused(f"The setting {setting.name} of {system} begins with {setting.default!r}, which is none of "
                      "its items.")


# ---------------------------------------------------------------------------------------------- rows

def folders() -> list[Path]:
    """The further folders named in $BATON_SYSTEMS."""
    return [Path(name) for name in os.environ.get(ENVIRONMENT, "").split(os.pathsep) if name]


def systems() -> dict[str, System]:
    """{name: System} in the order of the rows. Raises Refused for a row or setting that cannot be."""
    return _systems(os.environ.get(ENVIRONMENT, ""))


@cache
def _systems(_environment):
    rows, known = list(load("systems")), dict(load("settings"))
    for folder in folders():
        try:
            rows += json.loads((folder / "systems.json").read_text(encoding="utf-8"))
            more = folder / "settings.json"
            known |= json.loads(more.read_text(encoding="utf-8")) if more.is_file() else {}
        except (OSError, ValueError) as error:
            why = reason(error) if isinstance(error, OSError) else error
            raise Refused(f"The systems of {folder} cannot be read ({why}); put its name right in "
                          f"{ENVIRONMENT}.") from error
    try:
        made = [System(row, known) for row in rows]
    except KeyError as error:
        raise Refused(f"A row or a setting of the registry lacks {error}.") from error
    names = [system.name for system in made]
    double = sorted({name for name in names if names.count(name) > 1})
    if double:
        raise Refused(f"Two rows of the registry have the name {double[0]}.")
    return {system.name: system for system in made}


def by_direction() -> dict[Direction, list[System]]:
    """The systems of each direction; an empty list where there is none yet."""
    return {row: [system for system in systems().values() if system.direction == row] for row in DIRECTIONS}


def find(name: str) -> System:
    """The system of a name, or the first one of a direction's command ("music", "conduct"). Raises Refused."""
    if name in systems():
        return systems()[name]
    for direction, rows in by_direction().items():
        if rows and name in (direction.command, direction.name):
            return rows[0]
    raise Refused(f"Baton has no system {name!r} here; it has {', '.join(systems())}.")


# ---------------------------------------------------------------------------------------------- values

def setting(name: str) -> Setting:
    """A setting as settings.json has it, for what belongs to no system: the tempo of beats that are only looked for."""
    return Setting(name, load("settings")[name])


def check(system: System, params: dict) -> dict:
    """Every setting of the system but the scene's own, defaults filled in, enums as values.
    Raises Refused, one sentence."""
    unknown = sorted(set(params) - set(system.settings))
    if unknown:
        raise Refused(f"{system.label} has no setting {', '.join(unknown)}.")
    return {name: setting.check(params.get(name)) for name, setting in system.settings.items() if setting.by != "scene"}


def effective(system: System, values: dict) -> dict:
    """What the recipe keeps of checked values: the settings that decide what is made, JSON-ready."""
    return {name: _plain(value) for name, value in values.items()
            if name not in system.settings or system.settings[name].by in ("model", "frame")}


def _plain(value):
    return value if isinstance(value, (str, int, float, bool, list, dict, type(None))) else str(type(value).__name__)
