"""The interface in the languages of blender_addon/locale, through Blender's own translation API.

A catalogue is a JSON object {English: translation} under the name of Blender's locale. A text with {} is a template:
what stands in its places is found in a finished sentence and put into the translation (`said`).

Blender asks its own catalogues first, where "Normal" is a vector and "Performance" a speed. So Baton's texts have a
context of their own: classes and properties are given it before they are registered, labels name it.
"""
import json
import re
from functools import cache
from pathlib import Path

import bpy

FOLDER = Path(__file__).resolve().parents[1] / "locale"
DOMAIN = __name__.rpartition(".blender_addon.")[0] or "baton"
CONTEXT = "Baton"
CONTEXTS = (CONTEXT, "*", "Operator")
LABELLED = (bpy.types.Panel, bpy.types.Operator, bpy.types.Menu)
HOLDERS = (bpy.types.PropertyGroup, bpy.types.AddonPreferences)
Definition = bpy.props._PropertyDeferred
# Further names of a locale in other versions of Blender.
ALSO = {"de_DE": ("de",), "fr_FR": ("fr",), "es": ("es_ES",), "ja_JP": ("ja",), "zh_HANS": ("zh_CN",)}


def locales() -> list[str]:
    """Names of the catalogues."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def load(locale: str) -> dict[str, str]:
    """{English: translation} of a catalogue."""
    return json.loads((FOLDER / f"{locale}.json").read_text(encoding="utf-8"))


def said(text: str) -> str:
    """A sentence in the user's language, as a whole or by its template; as it is where no catalogue has it."""
    if not text or english():
        return text
    whole = shown(text)
    if whole != text:
        return whole
    for template, pattern in templates():
        match = pattern.fullmatch(text)
        if match is not None and shown(template) != template:
            return fill(shown(template), [shown(value) for value in match.groups()])
    return text


def english() -> bool:
    """Whether nothing is to be translated."""
    return bpy.app.translations.locale in ("", "en_US")


def shown(text: str) -> str:
    """A text as Blender shows it in the user's language."""
    own = bpy.app.translations.pgettext_rpt(text, CONTEXT)
    return own if own != text else bpy.app.translations.pgettext_rpt(text)


def fill(template: str, values) -> str:
    """The values in the places of a template, in order or by number ({0}, {1})."""
    left = iter(values)
    return re.sub(r"\{(\d*)\}", lambda place: values[int(place[1])] if place[1] else next(left, ""), template)


@cache
def templates() -> list[tuple[str, re.Pattern]]:
    """[(template, pattern)], the ones with the most words of their own first."""
    names = {text for locale in locales() for text in load(locale) if "{}" in text}
    ordered = sorted(names, key=lambda text: -len(text.replace("{}", "")))
    return [(text, re.compile("(.+?)".join(map(re.escape, text.split("{}"))), re.DOTALL)) for text in ordered]


def in_context():
    """Give the classes of the add-on and their properties Baton's context; before they are registered."""
    package, left = f"{DOMAIN}.blender_addon.", [*LABELLED, *HOLDERS]
    while left:
        kind = left.pop()
        left.extend(kind.__subclasses__())
        if not kind.__module__.startswith(package):
            continue
        if issubclass(kind, LABELLED):
            kind.bl_translation_context = CONTEXT
        for part in kind.__mro__:
            for prop in getattr(part, "__annotations__", {}).values() if part.__module__.startswith(package) else ():
                if isinstance(prop, Definition):
                    prop.keywords.setdefault("translation_context", CONTEXT)


def register():
    in_context()
    found = {}
    for locale in locales():
        rows = {(context, text): shown for text, shown in load(locale).items() for context in CONTEXTS}
        for name in (locale, *ALSO.get(locale, ())):
            found[name] = rows
    bpy.app.translations.register(DOMAIN, found)


def unregister():
    bpy.app.translations.unregister(DOMAIN)
