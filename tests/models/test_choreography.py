"""Real moves on studio songs as lists of moves: performed again exactly, on the beats, through a pack and back."""
import json
from types import SimpleNamespace

import numpy as np
import pytest
from test_repertoire import BEATS, clicks, library  # noqa: F401

from models.lab.evaluation.rule_dancer import RuleDancer
from models.lab.packs import choreography
from models.lab.packs.choreography import choreograph, performed, style_of
from models.lab.packs.flat import pack, unpack
from models.training.flat import Flat, FlatWriter


@pytest.fixture(scope="module")
def who(library):  # noqa: F811
    return RuleDancer(library)


def test_a_list_of_moves_is_performed_again_and_lies_on_the_beats(who):
    rows = choreograph(who, clicks(), BEATS, 24.0, 5)
    motion = performed(who, json.loads(json.dumps(rows)), 24.0)
    assert len(motion) == 1440 and style_of(who, rows) in who.library.styles
    assert np.array_equal(motion.rotations, performed(who, rows, 24.0).rotations)
    song = np.unique(np.concatenate([row["song"] for row in rows]))
    inside = BEATS.times[(BEATS.times > song[0]) & (BEATS.times < song[-1])]
    assert np.abs(inside[:, None] - song).min(1).max() < 1e-3, "every beat of the song is one of the moves'"
    rates = np.concatenate([np.diff(row["move"]) / np.diff(row["song"]) for row in rows])
    assert 0.7 < rates.min() and rates.max() < 1.4


def test_a_pack_carries_the_list_and_not_the_motion(who, tmp_path, monkeypatch):
    monkeypatch.setattr(choreography, "_dancers", [who])
    rows = choreograph(who, clicks(), BEATS, 12.0, 5)
    writer = FlatWriter(tmp_path / "flat")
    writer.add({"id": "moves-000001", "kind": "dance", "split": "train", "source": "moves", "duration": 12.0,
                "moves": rows}, {"mel": np.zeros((361, 64), np.uint8)})
    writer.close()
    size = pack(tmp_path / "flat", tmp_path / "a.pack")
    unpack(tmp_path / "a.pack", tmp_path / "again", jobs=1)
    flat = Flat(tmp_path / "again")
    item = flat.items[0]
    assert size < 20_000 and len(flat.rows(item, "rot6d60")) == 720 and len(flat.rows(item, "root")) == 360
    motion = performed(who, rows, 12.0)
    assert np.abs(np.asarray(flat.rows(item, "root60")) - motion.root).max() < 1e-3


def test_the_rule_dancer_knows_no_recording_that_is_left_out(library, monkeypatch):  # noqa: F811
    from dataclasses import replace

    from models.repertoire.library import Library
    from models.repertoire.pipeline import MyMoves
    mixed = Library([replace(library.clips[0], split="valid"), *library.clips[1:]])
    monkeypatch.setattr(MyMoves, "load", classmethod(lambda cls, folders=None, device="cpu": cls(mixed)))
    dancer = RuleDancer.load()
    assert {clip.split for clip in dancer.library.clips} == {"train"}
    assert dancer.style("pop") == "pop" and dancer.style("break") is None, "captures call it otherwise"
    made = dancer.danced([SimpleNamespace(audio=clicks())], [BEATS])
    assert len(made[0]) == 1440
