"""Passages of sounds with and without a beat: how they are cut, heard and counted."""
import numpy as np
import pytest
import soundfile

from core.errors import BadInput
from models.lab.evaluation.beatless_sounds import (
    evaluate,
    heard_row,
    kinds_of,
    of_file,
    of_mel,
    spread_over,
    tables,
)
from models.rhythm.config import MUSIC_FPS, MUSIC_RATE
from models.rhythm.features import log_mel


def clicks(seconds, every):
    """Strokes of noise at the times `every` gives."""
    rng, sound = np.random.default_rng(0), np.zeros(int(seconds * MUSIC_RATE), np.float32)
    for at in every:
        stroke = rng.normal(size=2000) * np.exp(-np.arange(2000) / 300)
        sound[int(at * MUSIC_RATE):][:2000] += stroke[:max(0, len(sound) - int(at * MUSIC_RATE))].astype(np.float32)
    return 0.3 * sound


def test_recordings_are_cut_into_passages(tmp_path):
    mel = np.random.default_rng(0).normal(size=(int(25 * MUSIC_FPS), 80))
    whole = of_mel(mel)
    assert [start for _, start in whole.passages(6.0)] == [0, 6, 12, 18] and not whole.passages(30.0)
    np.testing.assert_array_equal(whole.cut(6.0, 6.0), mel[300:600])
    soundfile.write(tmp_path / "a.flac", clicks(13, [3.0, 9.0]), MUSIC_RATE)
    file = of_file(tmp_path / "a.flac")
    assert len(file.passages(6.0)) == 2 and file.cut(6.0, 6.0)[150:160].mean() > file.cut(6.0, 6.0)[50:60].mean() + 1
    assert spread_over(list(range(100)), 5) == [0, 24, 49, 74, 99] and spread_over([1, 2], 5) == [1, 2]


def test_an_even_beat_is_told_and_noise_is_not():
    even = heard_row(log_mel(clicks(12, np.arange(0.2, 12, 0.5)), MUSIC_RATE))
    noise = heard_row(log_mel(0.1 * np.random.default_rng(1).normal(size=20 * MUSIC_RATE).astype(np.float32),
                              MUSIC_RATE))
    assert even["told"] and even["share"] > 1 > noise["share"] and not noise["told"]


def test_kinds_are_folders_and_the_table_counts_them(tmp_path, monkeypatch):
    monkeypatch.setattr("models.lab.evaluation.beatless_sounds.sounds_without_beat", lambda: {})
    for side, kind in (("without", "speech"), ("with", "songs")):
        (tmp_path / side / kind).mkdir(parents=True)
        soundfile.write(tmp_path / side / kind / "a.wav", clicks(13, [3.0, 9.0]), MUSIC_RATE)
    (tmp_path / "with" / "songs" / "notes.txt").write_text("no sound")
    kinds = kinds_of(tmp_path, None)
    row = {"told": True, "one": 0.55, "drifting": 0.5, "free": 0.95, "share": 2.4}
    monkeypatch.setattr("models.lab.evaluation.beatless_sounds.heard_row", lambda mel, folders: row)
    result = evaluate({key: rows for key, rows in kinds.items() if rows}, (6.0, 30.0), 40)
    assert {name: len(rows) for name, rows in result["6"].items()} == {"without, speech": 2, "with, songs": 2}
    text = tables({length: rows for length, rows in result.items() if rows})
    assert "| without, speech | 2 of 2 |" in text and "| with, one | 0 | 0 | 0 | 0 | 0 | 2 | 0 |" in text
    assert "| with | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 2 |" in text
    with pytest.raises(BadInput, match="without/KIND"):
        kinds_of(tmp_path / "none", None)
