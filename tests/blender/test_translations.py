"""The interface in German, French, Spanish, Japanese and Chinese: every string is in every catalogue."""
import ast
import re
from pathlib import Path

import bpy
import pytest

from baton.blender_addon.errors import UserError
from baton.blender_addon.ui import translations
from baton.blender_addon.ui.operators import base
from tests.blender import interface_strings, recorder
from tests.faults import is_sentence

LOCALES = ["de_DE", "es", "fr_FR", "ja_JP", "zh_HANS"]
PLACE = re.compile(r"\{\d*\}")


@pytest.fixture(scope="module")
def wanted(registered):
    return list(dict.fromkeys([*interface_strings.of_classes(), *interface_strings.of_code()]))


def test_five_languages():
    assert translations.locales() == LOCALES


@pytest.mark.parametrize("locale", LOCALES)
def test_every_string_is_in_the_catalogue(wanted, locale):
    """Of operators, properties, choices, panels, presets, and of the sentences in the add-on's code."""
    lacking = [text for text in wanted if text not in translations.load(locale)]
    assert len(wanted) > 600 and not lacking, lacking


def test_what_is_reported_is_said_in_the_users_language():
    """No text of the code is handed to Blender as it stands: it goes through `said` or `shown`."""
    bare = []
    for path in sorted(Path(base.__file__).parents[2].rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("report", "poll_message_set"):
                if node.args and isinstance(node.args[-1], (ast.Constant, ast.JoinedStr)):
                    bare.append(f"{path.name}:{node.lineno}")
    assert not bare, bare


@pytest.mark.parametrize("locale", LOCALES)
def test_translations_are_translations(locale):
    """None is empty, places for values agree, most differ from the English, marks of the end agree."""
    rows = translations.load(locale)
    assert all(shown.strip() for shown in rows.values())
    assert [text for text, shown in rows.items() if len(PLACE.findall(shown)) != text.count("{}")] == []
    alike = [text for text, shown in rows.items() if shown == text]
    assert len(alike) < 0.09 * len(rows), alike
    if locale in ("ja_JP", "zh_HANS"):
        own = [text for text, shown in rows.items() if not any(ord(character) > 0x2E80 for character in shown)]
        assert len(own) < 0.05 * len(rows), own


def test_finished_sentences_are_found_by_their_template(monkeypatch):
    german = translations.load("de_DE")
    monkeypatch.setattr(translations, "english", lambda: False)
    monkeypatch.setattr(translations, "shown", lambda text: german.get(text, text))
    assert translations.said("Nothing is running") == "Es läuft nichts"
    assert translations.said("The rig Ann {B} is gone.") == "Das Rig Ann {B} ist fort."
    assert translations.said("Dance 1 on Ann, frames 1 to 60") == "Dance 1 auf Ann, Bilder 1 bis 60"
    assert translations.said("Something that nobody translated 7") == "Something that nobody translated 7"
    assert translations.fill("{1} vor {0}", ["a", "b"]) == "b vor a"


def test_blender_knows_them(registered, monkeypatch):
    """What is handed to Blender: every locale with its text for labels, tips and operators."""
    handed = {}
    fake = type("Translations", (), {"register": staticmethod(lambda domain, rows: handed.update(rows))})
    monkeypatch.setattr(translations, "bpy", type("Bpy", (), {"app": type("App", (), {"translations": fake})}))
    translations.register()
    assert set(LOCALES) <= set(handed)
    french = handed["fr_FR"]
    assert french["Operator", "Generate Music"] == french["*", "Generate Music"] == "Générer la musique"


@pytest.mark.parametrize("locale", LOCALES)
def test_labels_of_joints_fit_the_column(registered, locale):
    rows = translations.load(locale)
    from baton.blender_addon.scene import bone_map
    from baton.core import contract
    wide = {joint: recorder.pixels(rows[bone_map.label(joint)]) for joint in contract.JOINTS}
    assert not {joint: width for joint, width in wide.items() if width > recorder.CONTENT * 0.45}


def test_no_tooltip_breaks_its_lines_as_the_code_does(wanted):
    """Blender shows the docstring of an operator with the indentation of its second line."""
    assert not [text for text in wanted if "\n" in text]


@pytest.mark.parametrize("button", [base.ActOperator, base.JobOperator])
@pytest.mark.parametrize("error", [UserError("Select a rig first"), RuntimeError("boom")])
def test_a_fault_while_translating_costs_no_sentence(registered, monkeypatch, button, error):
    """The act has failed already; its reason is told in English, and never a Python message."""
    def broken(*_):
        raise KeyError("catalogue")

    def fails(*_):
        raise error
    monkeypatch.setattr(base, "said", broken)
    told = []
    operator = type("Pressed", (button,), {"bl_label": "Press", "act": fails, "make_job": fails,
                                           "report": lambda self, kind, text: told.append(text)})()
    assert operator.execute(bpy.context) == {"CANCELLED"}
    assert len(told) == 1 and is_sentence(told[0]) and "catalogue" not in told[0]
    assert isinstance(error, RuntimeError) or told == ["Select a rig first"]
