"""Registering, presets, tooltips, handlers."""
from pathlib import Path

from baton import blender_addon
from baton.blender_addon.ui import panels, properties
from baton.blender_addon.worker import handlers
from baton.blender_addon.worker import manager as jobs


def test_register_twice_leaves_nothing_behind(blender):
    counts = {name: len(getattr(blender.app.handlers, name)) for name in handlers.HANDLERS}
    blender_addon.unregister()
    assert not hasattr(blender.types.Scene, "baton") and not hasattr(blender.types, "BATON_PT_view3d_music")
    assert not [f for name in handlers.HANDLERS for f in getattr(blender.app.handlers, name) if f.__module__ == handlers.__name__]
    assert not blender.app.timers.is_registered(jobs.tick)
    blender_addon.register()
    assert {name: len(getattr(blender.app.handlers, name)) for name in handlers.HANDLERS} == counts
    assert hasattr(blender.types, "BATON_PT_view3d_music") and hasattr(blender.types, "BATON_PT_sequencer_takes")


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
    from baton.blender_addon.ui import presets
    settings = blender.context.scene.baton
    for kind, names in presets.SETTINGS.items():
        assert all(hasattr(settings, name) for name in names), kind
    settings.genre, settings.guidance_music = "waack", 4.5
    assert blender.ops.baton.add_music_preset(name="Loud Test") == {"FINISHED"}
    settings.genre, settings.guidance_music = "any", 1.0
    path = next(path for folder in blender.utils.preset_paths("baton/music") for path in Path(folder).iterdir()
                if path.name.lower() == "loud_test.py")
    blender.ops.script.execute_preset(filepath=str(path), menu_idname="BATON_PT_music_presets")
    assert settings.genre == "waack" and abs(settings.guidance_music - 4.5) < 1e-6
    path.unlink()


def test_grey_buttons(blender):
    assert not blender.ops.baton.generate_music.poll()  # nothing selected
    assert not blender.ops.baton.cancel.poll()
    assert not blender.ops.baton.keep_take.poll()


def test_labels_fit_a_sidebar():
    lines = panels.wrap("The worker's Python /a/very/long/path/that/has/no/spaces/at/all/in/it/python cannot be started")
    assert all(len(line) <= 31 for line in lines) and "".join(lines).replace(" ", "").endswith("started")
    assert panels.clock(12.4) == "12 s" and panels.clock(185) == "3:05"


def test_loudness_and_genres_come_from_the_contract(blender):
    settings = blender.context.scene.baton
    assert properties.loudness_lufs(settings) == -14.0
    settings.loudness = "peak"
    assert properties.loudness_lufs(settings) is None
    assert len(properties.GENRES) == 11
