"""Presets that ship, genres that describe themselves and can be heard, the audition of a take."""
import wave
from types import SimpleNamespace

import pytest

from baton.blender_addon.errors import UserError
from baton.blender_addon.scene import compat, player, takes
from baton.blender_addon.ui import panels, presets
from baton.core import contract
from baton.core.contract import systems
from tests.blender import recorder, scenes

PANELS = {cls.__name__: cls for cls in panels.CLASSES}


class FakeAudaspace:
    """Audaspace without a loudspeaker: what was asked of it."""

    class error(Exception):
        pass

    class Handle:
        status = True

        def stop(self):
            self.status = False

    def __init__(self):
        self.played, self.rate = [], 48000.0

    def Sound(self, path):
        return path

    def Device(self):
        return self

    def play(self, sound):
        self.played.append(sound)
        return self.Handle()


@pytest.fixture
def aud(monkeypatch):
    fake = FakeAudaspace()
    monkeypatch.setattr(player, "_audaspace", lambda: fake)
    yield fake
    player.unregister()


@pytest.mark.parametrize("name", sorted(systems.systems()))
def test_three_or_four_presets_ship_for_each_system(blender, name):
    """Each names settings that a preset keeps, with values that the model takes, and is another than the defaults."""
    system, rows = systems.systems()[name], presets.shipped(systems.systems()[name])
    assert 3 <= len(rows) <= 4 and len({row["label"] for row in rows}) == len(rows)
    for row in rows:
        assert set(row["settings"]) <= set(presets.kept(system)) and row["tip"] and not row["tip"].endswith(".")
        for key, value in row["settings"].items():
            setting = system.settings[key]
            if setting.by != "scene":
                setting.check(value if setting.scale == 1 else value * setting.scale)
        assert any(system.settings[key].default != value for key, value in row["settings"].items()), row["label"]


def test_a_shipped_preset_is_taken_whole(blender):
    """What it names is set, the rest goes back to the defaults, the seed stays."""
    group = blender.context.scene.baton.conductor
    group.seed, group.metre, group.amplitude = 77, "3", 0.2
    assert blender.ops.baton.apply_preset(system="conductor", label="Choir") == {"FINISHED"}
    assert group.fingers == "relaxed" and group.amplitude == pytest.approx(0.85)
    assert group.metre == "auto" and group.seed == 77
    drawn = recorder.Layout()
    presets.draw_shipped(drawn, systems.find("conductor"))
    assert drawn.texts() == ["Symphony Orchestra", "Choir", "Marching Band", "Studio Session"]


def test_who_has_kept_none_is_not_told_of_missing_paths(blender, monkeypatch):
    """Blender's own list says so where the folder of presets does not exist yet."""
    monkeypatch.setattr(blender.utils, "preset_paths", lambda folder: [])
    operator, panel = presets.PAIRS["conductor"]
    layout = recorder.Layout()
    panel.draw(SimpleNamespace(layout=layout, system=panel.system, preset_subdir=panel.preset_subdir,
                               preset_add_operator=panel.preset_add_operator), blender.context)
    assert not any("Missing" in text for text in layout.texts())
    assert layout.names()[-2:] == ["preset_name", operator.bl_idname]


def test_genres_describe_themselves(blender):
    """No two tooltips are alike, none is the label said again."""
    for name in ("music_ldm", "momu_music", "momu_motion", "momu_both", "dance_cascade"):
        items = getattr(blender.context.scene.baton, name).bl_rna.properties["genre"].enum_items
        tips = [item.description for item in items if item.identifier != "any"]
        assert len(set(tips)) == len(tips), name
        assert all(len(tip.split()) >= 5 and not tip.endswith(".") for tip in tips), name
    music = blender.context.scene.baton.music_ldm.bl_rna.properties["genre"].enum_items["house"].description
    dance = blender.context.scene.baton.momu_motion.bl_rna.properties["genre"].enum_items["house"].description
    assert "kick" in music and "footwork" in dance


@pytest.mark.parametrize("name", ["music_ldm", "momu_music"])
def test_every_genre_has_an_example_of_its_own_model(name):
    system, total = systems.systems()[name], 0
    for genre in contract.GENRES:
        path = player.GENRE_SOUNDS / name / f"{genre}.ogg"
        assert path.is_file() and path.read_bytes()[:4] == b"OggS", f"models.lab.genre_examples --genre {genre}"
        assert player.example(system, genre) == path
        total += path.stat().st_size
    assert total < 1_000_000, "they travel in the extension"


def test_a_genre_is_heard_and_silenced(blender, aud):
    scene = blender.context.scene
    scene.baton.music_ldm.genre = "house"
    scenes.smpl_rig()
    assert "baton.hear_genre" in recorder.draw(PANELS["BATON_PT_view3d_to_sound"]).names()
    assert blender.ops.baton.hear_genre(system="music_ldm") == {"FINISHED"}
    assert aud.played[-1].endswith("music_ldm/house.ogg") and player.playing() == aud.played[-1]
    assert blender.ops.baton.hear_genre(system="music_ldm") == {"FINISHED"} and player.playing() is None
    scene.baton.music_ldm.genre = "any"
    with pytest.raises(RuntimeError, match="Choose a genre first"):
        blender.ops.baton.hear_genre(system="music_ldm")
    assert not player.has_examples(systems.find("dance_cascade")) and player.has_examples(systems.find("momu_both"))


def test_a_take_is_auditioned_without_a_strip(blender, aud, tmp_path):
    scene = blender.context.scene
    take = takes.new(scene, "House", "MUSIC")
    take.path = str(scenes.write_wav(tmp_path / "House 1.wav", 1.0))
    assert blender.ops.baton.audition_take(name=take.name) == {"FINISHED"}
    assert player.playing() == take.path
    assert not scene.sequence_editor or not len(compat.sequences(scene.sequence_editor)), "nothing was placed"
    take.path = str(tmp_path / "gone.wav")
    with pytest.raises(RuntimeError, match="missing"):
        blender.ops.baton.audition_take(name=take.name)
    silent = takes.new(scene, "Dance", "MOTION")
    with pytest.raises(RuntimeError, match="no sound"):
        blender.ops.baton.audition_take(name=silent.name)


def test_without_a_loudspeaker_it_says_so(blender, aud, tmp_path):
    aud.rate = 0.0
    path = scenes.write_wav(tmp_path / "a.wav", 0.5)
    with pytest.raises(UserError, match="no sound device"):
        player.play(path)
    assert wave.open(str(path)).getnframes() and player.playing() is None
