"""Mutopia's scores: which are taken, where their bars begin, and MIDI files read as scores (LilyPond is not run)."""
import json
import struct

import numpy as np
import pytest

from core.errors import BadInput
from models.lab.rhythm.corpus import HELD_OUT, VALIDATION, composer_of, make_piece, mutopia_files
from models.lab.rhythm.midi_scores import drawn_tempo, known_composer, read_midi_score
from models.lab.rhythm.musicxml import Bar
from models.lab.rhythm.mutopia import bars_of, is_regular, licence_of, sources, without
from models.lab.rhythm.perform import perform_score

TICKS = 96


def track(*events):
    """A track chunk of (ticks since the event before, bytes)."""
    body = b""
    for passed, message in (*events, (0, b"\xff\x2f\x00")):
        body += (bytes([passed >> 7 | 128]) if passed > 127 else b"") + bytes([passed & 127]) + message
    return b"MTrk" + struct.pack(">I", len(body)) + body


def write_waltz(path, bars=40, tempo=True):
    """A melody with a pickup of one quarter over a bass, in 3/4 at 150 quarters a minute, and its bars."""
    path.parent.mkdir(parents=True, exist_ok=True)
    quarters = 3 * bars
    melody = [event for k in range(quarters) for event in ((0, bytes([0x90, 60 + k % 3, 100])),
                                                           (TICKS, bytes([0x90, 60 + k % 3, 0])))]
    bass = [(TICKS, bytes([0x91, 40, 60])), (3 * TICKS, bytes([0x81, 40, 0]))] * (bars // 2)
    drum = [(0, bytes([0x99, 38, 90])), (TICKS, bytes([0x89, 38, 0]))]
    clock = [(0, b"\xff\x51\x03" + int(60e6 / 150).to_bytes(3, "big"))]
    chunks = [track(*clock), track((0, b"\xc0\x00"), *melody), track(*bass), track(*drum)]
    path.write_bytes(b"MThd" + struct.pack(">IHHH", 6, 1, len(chunks), TICKS) + b"".join(chunks))
    rows = [[0, 1, 3, 4]] + [[1 + 3 * k, 3, 3, 4] for k in range(bars - 1)] + [[3 * bars - 2, 2, 3, 4]]
    path.with_suffix(".json").write_text(json.dumps({"tempo": tempo, "bars": rows}))
    return path


def test_only_free_licences_are_taken():
    free = ("Public Domain", "Creative Commons Attribution 4.0", "CC0")
    kept = ("Creative Commons Attribution-ShareAlike 4.0", "", "Copyright 1881", "Creative Commons BY-SA 2.5")
    assert all(licence_of({"license": text}) for text in free) and not any(licence_of({"license": t}) for t in kept)
    assert licence_of({"copyright": "Public Domain"}) and licence_of({}) is None


def test_sources_take_the_metres_in_turn_and_free_pieces_alone(tmp_path):
    def piece(place, metre, licence="Public Domain", size=3000):
        folder = tmp_path / place
        folder.mkdir(parents=True)
        (folder / "x.ly").write_text(f'mutopiacomposer = "A" license = "{licence}" \\time {metre} \\midi {{ }}'
                                     + "%" * size)
    for number in range(3):
        piece(f"BachJS/{number}", "4/4", size=3000 + number)
    piece("ElgarE/jig", "6/8", size=9000)
    piece("ElgarE/bought", "6/8", "Creative Commons Attribution-ShareAlike 3.0")
    piece("ElgarE/tiny", "3/8", size=10)
    found = [path.parent.name for path, _, licence in sources(tmp_path, 2)]
    assert found == ["0", "jig", "1"]


def test_blocks_are_cut_out_whole():
    assert without(r"a \layout { x { y } z } b \layout {} c", r"\\layout") == "a  b  c"


def listener(*rows, end):
    return [" ".join(map(str, (*row, 0))) for row in rows] + [end]


def test_bars_begin_where_the_pickup_ends_and_none_is_missed():
    steps = [("0", "-1/4", 3, 4), ("1/4", "0", 3, 4), ("1/2", "1/4", 3, 4), ("1", "0", 3, 4), ("5/2", "0", 3, 4),
             ("5/2", "0", 3, 4), ("13/4", "0", 2, 4)]
    bars, tempo = bars_of(listener(*steps, end="15/4"))
    assert bars == [[0, 1, 3, 4], *([start, 3, 3, 4] for start in (1, 4, 7, 10)), [13, 2, 2, 4]] and not tempo
    divided = [("0", "0", 4, 4), ("1", "0", 4, 4), ("7/4", "-1/4", 4, 4), ("2", "0", 4, 4)]
    assert bars_of(listener(*divided, end="3"))[0] == [[0, 4, 4, 4], [4, 4, 4, 4], [8, 4, 4, 4]]


def test_irregular_scores_are_left_out():
    whole = [[4.0 * k, 4.0, 4, 4] for k in range(8)]
    assert is_regular(whole) and not is_regular(whole[:3]) and not is_regular([[0, 3.5, 4, 4]] * 8)


def test_a_midi_file_is_read_with_its_pickup_parts_tempo_and_levels(tmp_path):
    score = read_midi_score(write_waltz(tmp_path / "x.mid", bars=60))
    assert [(n.onset, n.length, n.pitch) for n in score.parts[0][:3]] == [(0, 1, 60), (1, 1, 61), (2, 1, 62)]
    assert [(n.onset, n.length, n.pitch) for n in score.parts[1][:2]] == [(1, 3, 40), (5, 3, 40)]
    assert len(score.parts) == 2                        # drums are none
    assert score.tempi == [(0.0, pytest.approx(150))] and score.bars[0].pickup and not score.bars[1].pickup
    assert score.dynamics[0] == [(0.0, pytest.approx(100 / 127))]
    drawn = [read_midi_score(write_waltz(tmp_path / f"{k}.mid", bars=60, tempo=False)).tempi[0][1] for k in range(9)]
    assert len(set(drawn)) > 3 and 150 not in drawn


def test_a_tempo_that_is_not_written_is_drawn_for_the_beat_of_the_metre():
    tempo = lambda beats, unit: drawn_tempo([Bar(0, 1, beats, unit)], "x")[0][1]       # noqa: E731
    assert tempo(3, 2) == 2 * tempo(3, 4) and tempo(6, 8) == tempo(12, 8) == 1.5 * tempo(3, 4)
    assert tempo(9, 16) == 0.75 * tempo(3, 4) == tempo(3, 8) and drawn_tempo([], "x") == []


def test_a_short_piece_is_played_again_in_whole_bars(tmp_path):
    score = read_midi_score(write_waltz(tmp_path / "x.mid", bars=30))
    assert score.length == 180 and sum(bar.pickup for bar in score.bars) == 2        # the first and the last
    assert score.bars[30].length == 3 and score.bars[30].start == 88 and score.parts[0][90].onset == 90
    played = perform_score(score, 0, np.random.default_rng(1), seconds=60)
    assert played.metre == 3 and (np.diff(played.beats[:, 1]) % 3 == 1).all()


def test_damaged_files_are_told(tmp_path):
    path = write_waltz(tmp_path / "x.mid")
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(BadInput, match="x.mid"):
        read_midi_score(path)
    (tmp_path / "y.mid").write_bytes(b"RIFF")
    (tmp_path / "y.json").write_text('{"bars": []}')
    with pytest.raises(BadInput, match="no header"):
        read_midi_score(tmp_path / "y.mid")


def test_composers_held_out_stay_so_under_mutopias_names(tmp_path):
    names = HELD_OUT + VALIDATION
    asked = {"DvorakA": "Dvořák", "SchubertF": "Schubert", "Mendelssohn-BartholdyF": "Mendelssohn", "FaureG": "Fauré",
             "WolfH": "Wolf", "WolfensteinJ": "WolfensteinJ", "SchumannR": "SchumannR"}
    assert {folder: known_composer(folder, names) for folder in asked} == asked
    for folder in ("SchubertF", "BachJS", "GriegE"):
        write_waltz(tmp_path / folder / "x.mid")
    assert [composer_of(path) for path in mutopia_files(str(tmp_path), "test")] == ["Schubert"]
    assert [composer_of(path) for path in mutopia_files(str(tmp_path), "train")] == ["BachJS", "Grieg"]
    with pytest.raises(BadInput, match="--mutopia"):
        mutopia_files(None, "train")


def test_a_score_of_mutopia_becomes_a_training_piece(tmp_path, monkeypatch):
    monkeypatch.setattr("models.lab.rhythm.sound.render", lambda layers, duration, rng: np.zeros(int(duration * 22_050),
                                                                                                np.float32))
    monkeypatch.setattr("models.lab.rhythm.corpus.VALIDATION", ("Grieg",))
    write_waltz(tmp_path / "GriegE" / "x.mid")
    meta, arrays, _ = make_piece(("mutopia", 0, "train", None, None, None, str(tmp_path)))
    assert meta["metre"] == 3 and meta["composer"] == "Grieg" and meta["split"] == "valid" and meta["written"] == "3/4"
    assert len(arrays["logmel"]) and len(meta["beats"]) > 20
