"""Every string that Baton shows in Blender: of registered classes, and of the sentences in the code."""
import ast

import bpy

from baton.core import contract
from tests.blender import scenes

SHOWN = {"UserError", "report", "poll_message_set", "label", "operator", "prop", "sentence", "pgettext_iface",
         "popover", "pgettext_tip", "Job", "abort", "said", "shown", "WorkerError", "_end"}
TEXT_WORDS = {"text"}
OWN = ("baton.", "BATON_", "import ")


def of_classes():
    """Labels and tips of operators, properties, choices, panels, presets, joints and phases."""
    found = []

    def properties(kind):
        for prop in kind.bl_rna.properties if hasattr(kind, "bl_rna") else kind.properties:
            if prop.identifier == "rna_type" or unnamed(prop):
                continue
            found.extend((prop.name, prop.description))
            if prop.type == "ENUM":
                for item in prop.enum_items_static or ():
                    found.extend((item.name, item.description))

    for name in sorted(dir(bpy.ops.baton)):
        kind = getattr(bpy.ops.baton, name).get_rna_type()
        found.extend((kind.name, kind.description))
        for prop in kind.properties:
            if prop.identifier == "rna_type" or unnamed(prop) or prop.identifier in STANDARD:
                continue
            found.extend((prop.name, prop.description))
            for item in (prop.enum_items_static or ()) if prop.type == "ENUM" else ():
                found.extend((item.name, item.description))
    baton = type(bpy.context.scene.baton)
    groups = [baton, *(prop.fixed_type for prop in baton.bl_rna.properties if prop.type in ("POINTER", "COLLECTION")
                       and prop.fixed_type and prop.fixed_type.identifier.startswith("Baton"))]
    for group in groups:
        properties(group)
    from baton.blender_addon.scene import bone_map
    from baton.blender_addon.ui import body_figure, panels, presets
    from baton.core.contract import systems as registry
    found += [cls.bl_label for cls in panels.CLASSES if hasattr(cls, "bl_label")]
    for system in registry.systems().values():
        found += [system.button, system.label, system.short]
        for row in presets.shipped(system):
            found += [row["label"], row["tip"]]
    found += [*filter(None, body_figure.WORDS.values()), *bone_map.LIMBS, *contract.load("phases"),
              *(bone_map.label(joint) for joint in contract.JOINTS)]
    return list(dict.fromkeys(text for text in found if worth(text)))


def unnamed(prop):
    """A property without a name of its own, or hidden, is in no panel."""
    return prop.is_hidden or prop.name == prop.identifier or prop.identifier == "name" or (
        prop.type == "POINTER" and prop.description.startswith("Settings of"))


STANDARD = {"filepath", "check_existing", "filter_blender", "filter_backup", "filter_image", "filter_movie",
            "filter_python", "filter_font", "filter_sound", "filter_text", "filter_archive", "filter_btx",
            "filter_collada", "filter_alembic", "filter_usd", "filter_obj", "filter_volume", "filter_folder",
            "filter_blenlib", "filemode", "display_type", "sort_method", "remove_name", "remove_active", "filter_glob"}


def worth(text):
    """Worth a translation: it has letters, and is no number or unit alone."""
    return bool(text) and any(character.isalpha() for character in text) and len(text) > 1


def template(node):
    """A string of the code with {} for what is filled in, or None."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = template(node.left), template(node.right)
        return left + right if left is not None and right is not None else None
    return None


def _texts(node):
    if isinstance(node, ast.IfExp):
        return _texts(node.body) + _texts(node.orelse)
    if isinstance(node, ast.BoolOp):
        return [text for part in node.values for text in _texts(part)]
    if isinstance(node, ast.Tuple):
        return [text for part in node.elts for text in _texts(part)]
    text = template(node)
    return [text] if text is not None else []


def of_code():
    """Sentences in the add-on's code, what is filled in as {}."""
    found = []
    for path in sorted((scenes.ROOT / "blender_addon").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if name not in SHOWN:
                    continue
                given = [word.value for word in node.keywords if word.arg in TEXT_WORDS]
                given += node.args if name not in ("operator", "prop", "popover") else []
                found += [text for value in given for text in _texts(value)]
            elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "").isupper():
                found += [text for text in _texts(node.value) if len(text.split()) > 4]
            elif isinstance(node, ast.Return) and node.value is not None:
                found += [text for text in _texts(node.value) if len(text.replace("{}", "").split()) > 2]
    found = [text for text in found if worth(text.replace("{}", "")) and not text.startswith(OWN)
             and not text.isupper()]
    return list(dict.fromkeys(text for text in found if text[0].isupper() or text[0] == "{" or " " in text))
