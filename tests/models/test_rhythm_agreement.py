"""Labels of recorded music are the beats on which trackers agree, one for one."""
import json

import numpy as np

from models.lab.rhythm.agreement import agreed, contrast, label, main


def test_only_runs_that_match_one_for_one_are_agreed_on():
    lead = np.arange(0.0, 20.0, 0.5)
    assert (agreed(lead, lead + 0.03) == np.arange(40)).all()
    assert (agreed(lead, np.arange(0.0, 20.0, 0.25)) == -1).all()          # twice as many
    assert (agreed(lead, lead + 0.2) == -1).all()
    broken = np.delete(lead, 20)                                            # a beat that the other has not
    assert (agreed(lead, broken)[:20] >= 0).all() and agreed(lead, broken)[20] == -1
    assert (agreed(lead, lead[:5]) == -1).all() and (agreed(lead, lead[:0]) == -1).all()


def heard(others, positions=None, downbeat=None):
    lead = np.arange(1.0, 31.0, 0.5)
    return {"lead": {"beats": lead.tolist(), "positions": positions or [1 + i % 3 for i in range(60)],
                     "downbeat": downbeat or [0.9 if i % 3 == 0 else 0.1 for i in range(60)]}, "others": others}


def test_beats_are_the_middle_of_those_who_agree_after_their_offsets():
    lead = np.arange(1.0, 31.0, 0.5)
    found = label(heard({"a": (lead[:30] + 0.05).tolist(), "b": lead[::2].tolist()}), {"lead": 0.01, "a": -0.02})
    assert np.allclose(found["beats"], lead[:30] + 0.02) and found["spans"] == [[0.76, 15.76]]
    assert found["metre"] == 3 and np.allclose(found["downbeats"], lead[:30:3] + 0.02)
    assert label(heard({"b": lead[::2].tolist()})) is None and label(heard({})) is None


def test_bars_are_told_only_where_downbeats_stand_out():
    lead = np.arange(1.0, 31.0, 0.5)
    assert "metre" not in label(heard({"a": lead.tolist()}, downbeat=[0.5] * 60))
    assert contrast(np.array([1, 2, 1, 2]), np.array([0.8, 0.3, 0.6, 0.3])) > 0.39
    assert contrast(np.array([2, 2]), np.array([0.8, 0.3])) == 0.0


def test_the_command_writes_labels_and_says_what_it_cannot_read(tmp_path, capsys):
    (tmp_path / "heard.json").write_text(json.dumps({"a.ogg": heard({"a": np.arange(1.04, 31.0, 0.5).tolist()}),
                                                     "b.ogg": heard({})}))
    assert main([str(tmp_path / "heard.json"), str(tmp_path / "out.json"), "--offsets", "a=-40"]) == 0
    out = json.loads((tmp_path / "out.json").read_text())
    assert list(out) == ["a.ogg"] and np.allclose(out["a.ogg"]["beats"][:3], [1.0, 1.5, 2.0])
    (tmp_path / "heard.json").write_text("[1]")
    assert main([str(tmp_path / "heard.json"), str(tmp_path / "out.json")]) != 0
    assert "heard.json" in capsys.readouterr().err
