"""Registering, presets, tooltips, handlers."""
from pathlib import Path

import pytest

from baton import blender_addon
from baton.blender_addon.ui import presets
from baton.blender_addon.worker import handlers
from baton.blender_addon.worker import manager as jobs
from baton.core.contract import systems


def test_register_twice_leaves_nothing_behind(blender):
    counts = {name: len(getattr(blender.app.handlers, name)) for name in handlers.HANDLERS}
    blender_addon.unregister()
    assert not hasattr(blender.types.Scene, "baton") and not hasattr(blender.types, "BATON_PT_view3d_to_sound")
    assert not [f for name in handlers.HANDLERS for f in getattr(blender.app.handlers, name)
                if f.__module__ == handlers.__name__]
    assert not blender.app.timers.is_registered(jobs.tick)
    blender_addon.register()
    assert {name: len(getattr(blender.app.handlers, name)) for name in handlers.HANDLERS} == counts
    assert hasattr(blender.types, "BATON_PT_view3d_to_sound")
    assert hasattr(blender.types, "BATON_PT_sequencer_to_motion_take")


def test_every_operator_explains_itself(blender):
    for name in dir(blender.ops.baton):
        kind = getattr(blender.ops.baton, name).get_rna_type()
        text = kind.description
        assert text and text[0].isupper() and not text.endswith("."), f"baton.{name}: {text!r}"


def test_every_setting_explains_itself(blender):
    for name, prop in blender.context.scene.baton.bl_rna.properties.items():
        if name in {"rna_type", "name", "takes"}:
            continue
        assert prop.description and not prop.description.endswith("."), name


def test_presets(blender):
    settings = blender.context.scene.baton.music_ldm
    for name, system in systems.systems().items():
        group = getattr(blender.context.scene.baton, name)
        assert presets.kept(system) and all(hasattr(group, kept) for kept in presets.kept(system))
    assert "seed" not in presets.kept(systems.find("music")) and "fingers" in presets.kept(systems.find("conduct"))
    settings.genre, settings.guidance_scale = "waack", 4.5
    assert blender.ops.baton.add_music_ldm_preset(name="Loud Test") == {"FINISHED"}
    settings.genre, settings.guidance_scale = "any", 1.0
    path = next(path for folder in blender.utils.preset_paths("baton/music_ldm") for path in Path(folder).iterdir()
                if path.name.lower() == "loud_test.py")
    blender.ops.script.execute_preset(filepath=str(path), menu_idname="BATON_PT_music_ldm_presets")
    assert settings.genre == "waack" and abs(settings.guidance_scale - 4.5) < 1e-6
    path.unlink()


def test_grey_buttons(blender):
    assert not blender.ops.baton.generate_music.poll()  # nothing selected
    assert not blender.ops.baton.cancel.poll()
    assert not blender.ops.baton.keep_take.poll()


def test_settings_come_from_the_registry(blender):
    """Each setting of each row with its label, tooltip, default and limits; nothing is written down twice."""
    for name, system in systems.systems().items():
        properties = getattr(blender.context.scene.baton, name).bl_rna.properties
        assert not set(system.settings) - set(system.shown) & set(properties.keys())
        for key, setting in system.shown.items():
            assert properties[key].name == setting.label and properties[key].description == setting.tip
            if setting.type == "enum":
                assert [item.identifier for item in properties[key].enum_items] == [item.id for item in setting.items]
            if setting.max is not None and setting.type in ("int", "float"):
                assert properties[key].hard_max == pytest.approx(setting.max)


def test_old_names_of_buttons_work(blender):
    for name, label in (("generate_music", "Generate Music"), ("generate_conducting", "Generate Conducting")):
        assert getattr(blender.ops.baton, name).get_rna_type().name == label
    assert not blender.ops.baton.generate_music.poll()
