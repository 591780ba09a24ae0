"""Presets that a user saved with Baton 0.1, in today's form: one folder for each direction then,
one for each system now."""
import ast
import json
import sys
from pathlib import Path

import bpy

from ...core.contract import systems as registry
from ...core.contract.files import write_text
from ..scene import versioning

FOLDERS = {"music": "to_sound", "motion": "to_motion"}      # of version 0
CARRIED = "carried.json"                                    # in a folder of version 0: files that are in today's form
HEAD = "import bpy\nsettings = bpy.context.scene.baton.{system}\n\n"


def convert(text: str, direction: str) -> str:
    """A preset file of version 0 as one of the direction's first system. Raises ValueError where it is no preset."""
    values = {}
    try:
        for line in ast.parse(text).body:
            target = line.targets[0] if isinstance(line, ast.Assign) else None
            if isinstance(target, ast.Attribute) and ast.unparse(target.value) == "settings":
                values[target.attr] = ast.literal_eval(line.value)
        moved = versioning.moved(values, direction)
    except (SyntaxError, IndexError, TypeError) as error:
        raise ValueError(str(error)) from error
    system = registry.systems()[versioning.FIRST[direction]]
    kept = {name: value for name, value in moved.items() if name in system.settings}
    if not kept:
        raise ValueError("it names no setting")
    return HEAD.format(system=system.name) + "".join(f"settings.{name} = {value!r}\n" for name, value in kept.items())


def carry_over(presets: Path):
    """Write what the folders of version 0 hold beside today's presets, each file once; the old files stay.

    presets: the user's folder of presets. A preset of today that has the name already stays too: the old one is then
    called `<name>_0_1`. What cannot be read or written is told on the console and tried again at the next start.
    """
    for old, direction in FOLDERS.items():
        folder = presets / "baton" / old
        target = presets / "baton" / versioning.FIRST[direction]
        if not folder.is_dir():
            continue
        try:
            done = json.loads((folder / CARRIED).read_text(encoding="utf-8")) if (folder / CARRIED).is_file() else []
            for path in sorted(folder.glob("*.py")):
                if path.name in done:
                    continue
                text = convert(path.read_text(encoding="utf-8"), direction)
                new = target / path.name
                write_text(new.with_stem(f"{path.stem}_0_1") if new.exists() else new, text)
                done.append(path.name)
                write_text(folder / CARRIED, json.dumps(done))
        except (OSError, ValueError) as error:
            print(f"Baton: presets of {folder} are not carried over ({error}); save them again in the panel.",
                  file=sys.stderr)


def register():
    """At the start of Blender; a user without presets of version 0 has nothing to wait for."""
    folder = bpy.utils.user_resource("SCRIPTS", path="presets")
    if folder:
        carry_over(Path(folder))


def unregister():
    """Files stay."""
