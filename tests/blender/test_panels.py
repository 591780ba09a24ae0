"""The sidebar: order of the sections, status of constant height, nothing cut at the default width of 280 pixels."""
from types import SimpleNamespace

import bpy
import pytest

from baton.blender_addon.scene import takes
from baton.blender_addon.ui import panels, translations
from baton.blender_addon.ui.panels import status, text
from baton.blender_addon.worker import manager as jobs
from baton.blender_addon.worker.job import Job
from baton.core.contract import systems
from tests.blender import interface_strings, recorder, scenes

FIRST = {"rig", "model_to_sound", "model_to_motion", "model_to_both", "genre", "metre", "duration", "guidance_scale",
         "steps"}
NAMES = [cls.__name__ for cls in panels.CLASSES if cls.__name__.startswith(("BATON_PT_view3d", "BATON_PT_sequencer"))]


def panel(name):
    return next(cls for cls in panels.CLASSES if cls.__name__ == name)


def job(**more):
    settings = {"kind": "generate", "params": {"system": "music_ldm"}, "title": "Generate Music", "phase": "Sampling",
                "detail": "12/20", "fraction": 0.4, "eta": 185.0, "state": "running", "message": "", "warnings": [],
                "first_sound": None, "trace": ""}
    return SimpleNamespace(**{**settings, **more})


@pytest.fixture
def rig(blender):
    made = scenes.smpl_rig()
    scenes.sway(made, 60)
    return made


@pytest.mark.parametrize("direction", ["to_sound", "to_motion", "to_both"])
def test_what_is_needed_first_stands_first(blender, rig, direction):
    """Rig, genre or metre, guidance scale, quality, the button; then the takes of that button and nothing else."""
    drawn = recorder.draw(panel(f"BATON_PT_view3d_{direction}")).names("prop", "operator", "list")
    button = next(number for number, name in enumerate(drawn) if name.startswith("baton.generate_"))
    assert set(drawn[:button]) <= FIRST | {"baton.hear_genre"}
    assert "rig" == drawn[0] and "guidance_scale" in drawn[:button]
    assert drawn[button + 1] == "BATON_UL_takes", "the takes stand under the button they belong to"
    assert {"seed", "variations"} & set(drawn) == set()


def test_a_scene_without_an_armature_is_offered_one(blender):
    """What goes from a body, and what needs nothing but one to move, offer a scene with a dancer."""
    for direction, offered in (("to_sound", True), ("to_both", True), ("to_motion", False)):
        drawn = recorder.draw(panel(f"BATON_PT_view3d_{direction}")).names("operator")
        assert ("baton.add_sample_scene" in drawn) == offered, direction


def test_the_rest_is_advanced(blender):
    for system in systems.systems().values():
        assert len(system.sections[""]) <= 4 and {"seed", "variations", "tempo"} <= set(system.sections["Advanced"])


def test_takes_stand_under_their_own_direction(blender, rig):
    scene = blender.context.scene
    for start, kind in (("House", "MUSIC"), ("Dance", "MOTION"), ("Both", "BOTH"), ("Waack", "MUSIC")):
        takes.new(scene, start, kind)
    shown = panels.takes.shown_flags(scene.baton.takes, "to_sound", 4)
    assert shown == [4, 0, 0, 4] and panels.takes.shown_flags(scene.baton.takes, "to_both", 4) == [0, 0, 4, 0]
    directions = {row.name: row for row in systems.DIRECTIONS}
    assert panels.takes.active(scene, directions["to_sound"]).name == "Waack 1"
    assert panels.takes.active(scene, directions["to_motion"]).name == "Dance 1", "though it is not the active one"


def test_nothing_jumps_when_a_job_begins_or_ends(blender, rig):
    """The same number of rows above and below the button, whatever the status says."""
    def layout():
        drawn = recorder.draw(panel("BATON_PT_view3d_to_sound"))
        rows = [note.kind for note in drawn.notes]
        button = drawn.names().index("baton.generate_music_ldm")
        end = rows.index("list")
        return button, sum(note.kind in ("label", "progress") for note in drawn.notes[button:end])

    long = "The worker ended: try again, or press Check in the preferences (" + "a very long reason " * 8 + ")"
    heights = [layout()]
    try:
        for working, last in ((job(), None), (None, job(state="done", message="House 1 placed at frame 1")),
                              (None, job(state="failed", message=long, warnings=["Something else"]))):
            jobs.manager.job, jobs.manager.last = working, last
            heights.append(layout())
    finally:
        jobs.manager.job = jobs.manager.last = None
    assert len(set(heights)) == 1 and heights[0][1] == 2, heights


@pytest.mark.parametrize(("kind", "side"), [("MUSIC", "to_sound"), ("MOTION", "to_motion"), ("BOTH", "to_both")])
def test_a_damaged_take_moves_nothing(blender, rig, kind, side):
    """Its sentence stands in the place of a row of buttons, and Remove stays."""
    take = blender.context.scene.baton.takes.add()
    take.name, take.kind = "Mine 1", kind
    well = recorder.draw(panel(f"BATON_PT_view3d_{side}"))
    take.request = "{"
    harmed = recorder.draw(panel(f"BATON_PT_view3d_{side}"))
    assert "baton.remove_take" in harmed.names() and "BATON_PT_damage" in harmed.names()
    rows = [len({id(note.row) for note in drawn.notes if note.row is not drawn}) for drawn in (well, harmed)]
    assert rows[0] == rows[1] and not harmed.cut, (rows, harmed.cut)
    assert "Mine 1 is damaged" in " ".join(recorder.draw(panel("BATON_PT_damage")).texts())


@pytest.mark.parametrize(("language", "advice"), [
    ("", ("try", "Check")), ("de_DE", ("nochmal", "Prüfen")), ("es", ("repite", "Comprobar")),
    ("fr_FR", ("réessayez", "Vérifier")), ("ja_JP", ("再試行", "確認")), ("zh_HANS", ("重试", "检查"))])
def test_the_end_of_a_worker_gives_its_advice_before_it_is_cut(language, advice):
    """Of a message of a job the panel shows two rows of 25 characters."""
    template = "The worker ended: try again, or press Check in the preferences ({})"
    told = translations.load(language)[template] if language else template
    shown = "".join(text.wrap(told.format("exit code -9: a reason " * 5), 25)[:2])
    assert all(word in shown for word in advice), shown


def test_a_grey_button_says_why_below(blender, rig):
    drawn = recorder.draw(panel("BATON_PT_view3d_to_motion"))
    assert any("Select a sound strip" in said for said in drawn.texts())


def test_the_beginning_of_a_long_take_can_be_heard_meanwhile(blender, rig, tmp_path):
    working = Job("generate", "Generate Music", {"system": "music_ldm"}, None, None, state="running")
    try:
        jobs.manager.job = working
        drawn = recorder.draw(panel("BATON_PT_view3d_to_sound"))
        assert "baton.audition_first" not in drawn.names()
        with pytest.raises(RuntimeError, match="There is no beginning to hear"):
            bpy.ops.baton.audition_first()
        working.folder, working.heard = tmp_path, True
        assert working.first_sound is None                              # it was said, and is not there
        (tmp_path / "first.wav").write_bytes(b"RIFF")
        assert working.first_sound == tmp_path / "first.wav"
        assert "baton.audition_first" in recorder.draw(panel("BATON_PT_view3d_to_sound")).names()
        working.state = "done"
        assert working.first_sound is None
    finally:
        jobs.manager.job = None


def test_a_job_is_shown_where_its_button_is(blender, rig):
    where = panels.direction.DIRECTION_OF
    assert status.place_of(job(), where) == "to_sound"
    assert status.place_of(job(kind="beats", params={}), where) == "beats"
    assert status.place_of(job(params={"system": "momu_both"}), where) == "to_both"
    jobs.manager.last = job(state="done", message="Here it is")
    try:
        assert "Here it is" in recorder.draw(panel("BATON_PT_sequencer_to_sound")).texts()
        assert "Here it is" not in recorder.draw(panel("BATON_PT_sequencer_to_both")).texts()
    finally:
        jobs.manager.last = None


@pytest.mark.parametrize("locale", ["", *translations.locales()])
def test_nothing_is_cut_at_the_default_width(blender, rig, monkeypatch, locale):
    """Every label, button and choice of every section in 280 pixels, with takes and all settings shown, in every
    language; and every word drawn is in the catalogue."""
    rows = translations.load(locale) if locale else {}
    monkeypatch.setattr(recorder, "LANGUAGE", rows)
    monkeypatch.setattr(recorder, "SAID", set())
    monkeypatch.setattr(translations, "shown", recorder.say)
    monkeypatch.setattr(translations, "english", lambda: not locale)
    for module in (panels.direction, panels.status, panels.takes):
        monkeypatch.setattr(module, "shown", recorder.say)
    scene = blender.context.scene
    for start, kind in (("House", "MUSIC"), ("Dance", "MOTION"), ("Both", "BOTH")):
        take = takes.new(scene, start, kind)
        take.bpm, take.pattern = 128.0, "2 + 2 + 3" if kind == "MUSIC" else "In Four"
    for system in systems.systems().values():
        group = getattr(scene.baton, system.name)
        for setting in system.shown.values():
            for other, values in setting.when.items():
                setattr(group, other, values[0])
    scene.baton.edit_range = "CUSTOM"
    blender.ops.baton.detect_bones()
    cut = []
    for name in NAMES:
        for system in systems.systems().values():
            choice = f"model_{system.direction.name}"
            if hasattr(scene.baton, choice):
                setattr(scene.baton, choice, system.name)
            drawn = recorder.draw(panel(name), nested=name.count("_") > 4)
            cut += drawn.cut if drawn is not None else []
    assert not cut, sorted(set(cut))
    known = {*rows, *rows.values()}
    lacking = [text for text in recorder.SAID if interface_strings.worth(text) and text not in known]
    assert not locale or not lacking, lacking


def test_sentences_fit_a_sidebar():
    lines = text.wrap("The worker's Python /a/very/long/path/that/has/no/spaces/at/all/in/it/python cannot be started")
    assert all(len(line) <= 31 for line in lines) and "".join(lines).replace(" ", "").endswith("started")
    japanese = "選択したサウンドストリップが見つかりません。" * 2
    assert all(text.cells(line) <= 31 for line in text.wrap(japanese))
    assert text.clock(12.4) == "12 s" and text.clock(185) == "3:05"


@pytest.mark.parametrize(("kept", "note"), [(False, ""), (True, ""), (True, "too loud")])
def test_a_row_of_takes_has_room_for_its_name_and_score(blender, kept, note):
    """In the list as wide as the sidebar of 280 pixels leaves it, kept and noted rows too."""
    listed, short, unit = recorder.CONTENT - 20, "Conducting 10", 20                # the list's frame; pixels of a unit
    for kind in ("MUSIC", "MOTION", "BOTH"):
        take = takes.new(blender.context.scene, "Take", kind)
        take.has_alignment, take.score, take.chance, take.kept, take.note = True, 0.88, 0.26, kept, note
        tails = []

        class Row(recorder.Layout):
            def row(self, tails=tails, **options):
                inner = Row(self.width, self.notes, self.cut, horizontal=True)
                tails.append(inner)
                return inner

        layout = Row(listed)
        panels.takes.BATON_UL_takes.draw_item(None, blender.context, layout, None, take, 0, None, "", 0)
        row, tail = tails
        said = next(note for note in layout.notes if note.row is tail)
        assert said.text.startswith("0.88") and said.need <= tail.ui_units_x * unit, "the score is cut"
        icons = sum(note.row is row and note.kind in ("label", "operator") for note in layout.notes) + 1
        left = listed - tail.ui_units_x * unit - icons * recorder.ICON
        assert left >= recorder.pixels(short) + recorder.PADDING, (kind, left)
