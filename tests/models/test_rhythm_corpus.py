"""Training music of the beat networks: the score reader, performances, songs and conductors' seeds (sound is not
rendered here)."""
import numpy as np
import pytest

from core.errors import BadInput
from models.lab.rhythm.coded import LEAST, MOST, through_mp3
from models.lab.rhythm.compound import DRUMS, compound_song
from models.lab.rhythm.compound import FORMS as COMPOUND_FORMS
from models.lab.rhythm.corpus import HELD_OUT, KINDS, _studio, conductors, make_piece, score_files
from models.lab.rhythm.musicxml import Bar, Note, read_score
from models.lab.rhythm.perform import Performance, beat_unit, perform_score
from models.lab.rhythm.rare import rare_files
from models.lab.rhythm.rebar import RECIPES, rebarred
from models.lab.rhythm.songs import FORMS, dance_form
from models.lab.rhythm.sound import ENSEMBLES, orchestrate
from models.training.flat import Flat

NOTE = "<note>{chord}<pitch><step>{step}</step><octave>4</octave></pitch><duration>{length}</duration>{tie}</note>"


def note(step, length, chord=False, tie=""):
    ties = "".join(f'<tie type="{kind}"/>' for kind in tie.split())
    return NOTE.format(step=step, length=length, chord="<chord/>" if chord else "", tie=ties)


@pytest.fixture
def waltz(tmp_path):
    """A pickup of one quarter, then 3/4: a chord, a note tied over the bar line; two quarters to a division."""
    head = ("<attributes><divisions>2</divisions><time><beats>3</beats><beat-type>4</beat-type></time></attributes>"
            '<direction><sound tempo="120"/></direction>')
    bars = [head + note("G", 2), note("C", 2) + note("E", 2, chord=True) + note("D", 2) + note("F", 2, tie="start"),
            note("F", 2, tie="stop") + note("A", 4)] + [note("C", 2) * 3] * 30
    text = "<score-partwise><part id='P1'>" + "".join(f"<measure>{bar}</measure>"
                                                      for bar in bars) + "</part></score-partwise>"
    path = tmp_path / "waltz.xml"
    path.write_text(text)
    return path


def test_a_score_is_read_with_its_pickup_chord_and_tie(waltz):
    score = read_score(waltz)
    assert [(bar.start, bar.length, bar.beats, bar.pickup) for bar in score.bars[:3]] == [
        (0, 1, 3, True), (1, 3, 3, False), (4, 3, 3, False)]
    head = [(n.onset, n.length, n.pitch) for n in score.parts[0][:6]]
    assert head == [(0, 1, 67), (1, 1, 60), (1, 1, 64), (2, 1, 62), (3, 2, 65), (5, 2, 69)]
    assert score.tempi == [(0.0, 120.0)]


def test_what_is_no_score_is_told(tmp_path):
    (tmp_path / "a.xml").write_text("<html/>")
    (tmp_path / "b.mxl").write_text("no zip")
    for name in ("a.xml", "b.mxl"):
        with pytest.raises(BadInput, match=name):
            read_score(tmp_path / name)


def test_the_hands_of_a_piano_are_parts_of_their_own(tmp_path):
    bar = ("<attributes><divisions>1</divisions><time><beats>2</beats><beat-type>4</beat-type></time></attributes>"
           + note("C", 2).replace("</note>", "<staff>1</staff></note>") + "<backup><duration>2</duration></backup>"
           + note("E", 2).replace("</note>", "<staff>2</staff></note>"))
    path = tmp_path / "piano.xml"
    path.write_text(f"<score-partwise><part id='P1'><measure>{bar}</measure></part></score-partwise>")
    score = read_score(path)
    assert [[n.pitch for n in part] for part in score.parts] == [[60], [64]] and len(score.dynamics) == 2


@pytest.mark.parametrize("name", list(RECIPES))
def test_bars_of_five_and_seven_keep_the_notes_and_their_order(name, waltz, monkeypatch):
    old, bars, patterns, (beats, unit) = RECIPES[name]
    score = read_score(waltz)
    quarters = np.arange(0, 24 * old)
    score.parts = [[Note(float(q), 1.0, 60 + int(q) % old) for q in quarters]]
    score.bars = [Bar(float(old * k), float(old), old, 4) for k in range(24)]
    monkeypatch.setattr("models.lab.rhythm.rebar.RECIPES", {name: RECIPES[name]})
    out = rebarred(score, np.random.default_rng(0))
    assert {(bar.beats, bar.unit) for bar in out.bars} == {(beats, unit)} and len(out.bars) == 24 // bars
    dropped = sum(part == 0 for part in patterns[0])
    assert len(out.parts[0]) == (old * bars - dropped) * (24 // bars)
    onsets = np.array([n.onset for n in out.parts[0]])
    assert (np.diff(onsets) >= 0.99).all() and out.length == pytest.approx(24 // bars * 4 * beats / unit)
    first = [n.pitch for n in out.parts[0] if abs(n.onset % (4 * beats / unit)) < 1e-6]
    assert first == [60] * (24 // bars)                         # bars still begin where bars began
    assert perform_score(out, 0, np.random.default_rng(1), seconds=12).metre == beats


def test_songs_join_the_scores_split_by_composer(tmp_path):
    quartet = "q/music/openscore_quartets/scores/Haydn,_J/Op_1"
    for place in (quartet, "l/scores/Schubert,_F/_/A", "l/scores/Wolf,_H/_/B"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "x.mxl").write_text("")
    parts = {split: [path.parts[-4] for path in score_files(str(tmp_path / "q"), split, str(tmp_path / "l"), False)]
             for split in ("train", "test")}
    assert parts == {"train": ["Wolf,_H"], "test": ["Schubert,_F"]} and "Schubert" in HELD_OUT
    assert len(score_files(str(tmp_path / "q"), "train", str(tmp_path / "l"))) == 2
    with pytest.raises(BadInput, match="--lieder"):
        score_files(str(tmp_path), "train")


def test_the_tapped_beat_depends_on_metre_and_tempo():
    assert beat_unit(4, 4, 120) == 1 and beat_unit(6, 8, 120) == 1.5 and beat_unit(6, 8, 40) == 0.5
    assert beat_unit(2, 2, 160) == 2 and beat_unit(2, 2, 90) == 1 and beat_unit(3, 4, 276) == 3 and beat_unit(3, 8,
                                                                                                              60) == 0.5
    assert beat_unit(9, 8, 50) == beat_unit(12, 8, 60) == 0.5 and beat_unit(9, 8, 90) == beat_unit(12, 8, 90) == 1.5
    assert beat_unit(6, 4, 170) == 3 and beat_unit(6, 4, 100) == 1 and beat_unit(9, 16, 80) == 0.75


@pytest.mark.parametrize("name", [*COMPOUND_FORMS, *DRUMS])
def test_songs_in_threes_are_tapped_by_their_tempo(name):
    beats, unit, _, (low, high), _ = {**COMPOUND_FORMS, **DRUMS}[name]
    for seed in range(6):
        song = compound_song(np.random.default_rng(seed), 16.0, name)
        gap, metre = np.median(np.diff(song.beats[:, 0])), song.metre
        assert song.written == f"{beats}/{unit}"
        assert metre * gap * low * 0.9 < beats * 240 / unit < metre * gap * high * 1.1     # seconds of a bar by tempo
        assert (song.beats[:, 1] == np.arange(len(song.beats)) % metre + 1).all()
        assert metre == beats or (metre == beats // 3 and 60 / gap > 42)
        notes = [on for _, layer, _ in song.layers for on, *_ in layer]
        assert len(notes) >= 12 and (len(song.layers) == 1 or name in COMPOUND_FORMS)
        # A stroke falls on most of the bars' beginnings.
        assert np.mean([np.abs(np.array(notes) - t).min() < 0.05 for t in song.beats[::metre, 0]]) > 0.7


def test_scores_in_rare_metres_are_found_by_what_they_are_written_in(tmp_path):
    import zipfile
    folder = tmp_path / "music/openscore_quartets/scores/Wolf,_H/_"
    folder.mkdir(parents=True)
    for name, metres in (("plain", ["4/4"]), ("nine", ["3/4", "9/8"]), ("a", ["6/8"]), ("b", ["6/8"]), ("c", ["6/8"]),
                         ("d", ["6/8"])):
        with zipfile.ZipFile(folder / f"{name}.mxl", "w") as archive:
            archive.writestr("META-INF/container.xml", "<x/>")
            archive.writestr("score.xml", "".join("<time><beats>{}</beats>\n<beat-type>{}</beat-type></time>".format(
                *metre.split("/")) for metre in metres))
    found = [path.stem for path in rare_files(score_files(str(tmp_path), "train"), tmp_path)]
    assert found == ["a", "nine", "b", "nine", "c", "nine", "d"]
    assert (tmp_path / "nine.metres.json").exists()
    with pytest.raises(BadInput, match="9/8"):
        rare_files((folder / "plain.mxl",))


def test_a_performance_puts_downbeats_on_bar_lines(waltz):
    played = perform_score(read_score(waltz), 0, np.random.default_rng(1), seconds=20)
    assert played.metre == 3 and played.beats[0, 1] == 3 and (np.diff(played.beats[:, 0]) > 0).all()
    positions = played.beats[1:, 1].astype(int)
    assert (positions == np.arange(len(positions)) % 3 + 1).all()
    first = [on for on, _, pitch, _ in played.parts[0] if pitch == 64]
    assert abs(first[0] - played.beats[1, 0]) < 0.12


@pytest.mark.parametrize("name", list(FORMS))
def test_every_dance_form_keeps_its_metre(name):
    song = dance_form(np.random.default_rng(2), 12.0, name)
    assert song.metre == FORMS[name][0] and set(song.beats[:, 1].astype(int)) == set(range(1, song.metre + 1))
    low, high = FORMS[name][1]
    assert 0.9 * low <= song.bpm <= 1.1 * high and song.layers and song.duration > song.beats[-1, 0]


def test_conductors_travel_as_seeds_with_their_lead(tmp_path):
    from models.lab.studio.build import plan_of
    from models.lab.studio.conductor import conduct
    conductors(tmp_path, 2)
    item = Flat(tmp_path).items[0]
    assert conduct(plan_of(item))[1] == pytest.approx(item["lead"], abs=1e-4) and len(item["beats"]) > 8


@pytest.mark.parametrize("kind", ["dance", "conducting"])
def test_no_studio_piece_of_the_tests_is_trained_on(kind, monkeypatch):
    from models.lab.studio import build
    seen = {"train": set(), "test": set()}

    def make_item(kind, seed, *_, **__):
        seen[split].add(seed)
        return {"metre": 4, "bpm": 120}, {"audio": np.zeros((100, 2), np.int16), "beats": np.zeros((4, 2))}
    monkeypatch.setattr(build, "make_item", make_item)
    for split in seen:
        for number in range(KINDS[kind]):
            _studio(kind, number, split, None, None)
    assert len(seen["train"]) == len(seen["test"]) == KINDS[kind] and not seen["train"] & seen["test"]


def test_only_training_hears_any_instruments_together():
    beats = np.stack([np.arange(8) * 0.5, np.arange(8) % 4 + 1], 1)
    played = Performance([[(t, 0.4, 60, 0.7) for t in beats[:, 0]]] * 4, beats, 4, 120.0, 4.0)
    draw = lambda wide: [orchestrate(played, np.random.default_rng(seed), wide)[0] for seed in range(60)]   # noqa: E731
    assert set(draw(False)) <= set(ENSEMBLES)
    song = Performance([played.parts[0]] * 3, beats, 4, 120.0, 4.0)
    sung = [orchestrate(song, np.random.default_rng(seed), sung=True) for seed in range(60)]
    assert 20 < sum(kind == "song" for kind, _ in sung) < 46 and all(len(layers) >= 3 for _, layers in sung)
    assert 15 < draw(True).count("mixed") < 35


@pytest.mark.parametrize("level", [MOST, 0.5, 0.8, LEAST])
@pytest.mark.parametrize("seconds", [4.0, 9.37])
def test_mp3_leaves_every_sound_where_it_was(level, seconds):
    rng, rate = np.random.default_rng(1), 22_050
    clicks = 1e-3 * rng.normal(size=int(seconds * rate)).astype(np.float32)
    for at in np.arange(0.25, seconds - 0.2, 0.47):
        clicks[int(at * rate):][:200] += rng.normal(size=200) * np.exp(-np.arange(200) / 40)
    heard = through_mp3(clicks, rate, level)
    along = np.fft.irfft(np.fft.rfft(heard) * np.conj(np.fft.rfft(clicks)), len(clicks))
    assert len(heard) == len(clicks) and heard.dtype == np.float32
    assert int(along.argmax()) in (0, 1, len(clicks) - 1) and 1e-3 < np.abs(heard - clicks).max()


def test_a_share_of_the_training_alone_is_heard_through_mp3(monkeypatch):
    tone = np.sin(np.arange(44_100) * 0.1).astype(np.float32)
    monkeypatch.setattr("models.lab.rhythm.corpus._form", lambda *_: (tone, {"beats": [[0.5, 1]]}))
    heard = {split: [make_piece(("form", number, split, "", None, None, None))[2] for number in range(24)]
             for split in ("train", "test")}
    changed = {split: sum(not np.array_equal(mono, tone) for mono in pieces) for split, pieces in heard.items()}
    assert 1 <= changed["train"] <= 14 and changed["test"] == 0
