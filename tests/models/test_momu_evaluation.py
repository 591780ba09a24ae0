"""The evaluation of MoMu: its figures tell pairs from mixed-up ones, and a small run goes through."""
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from momu_fixtures import momu_folder, trained_momu  # noqa: F401
from music_fixtures import moving_motion

from core.audio import Audio
from core.errors import BadInput
from core.pipelines.base import regular_beats
from models.lab.evaluation.momu import contrast, evaluate, figures, recorded, records, report
from models.lab.evaluation.momu.records import Maker, peak_mib

torch = pytest.importorskip("torch")


def record(bpm, jitter, seed):
    """A record of a piece whose music and body keep `bpm`, within `jitter` seconds."""
    rng = np.random.default_rng(seed)
    times = np.arange(rng.uniform(0, 0.4), 20.0, 60 / bpm)
    return {"bpm": bpm, "seconds": 20.0, "times": times.tolist(),
            "heard": (times + rng.normal(0, jitter, len(times))).tolist(), "seen": times.tolist()}


def test_agreement_is_high_for_pairs_and_low_for_mixed_ones():
    records = [record(bpm, 0.01, seed) for seed, bpm in enumerate((90, 97, 104, 111, 118, 126))]
    found = figures.agreement(records, "heard", "seen")
    assert found["f1"] > 0.98 and found["mixed"] < 0.5 and found["shifted"] < 0.5
    apart = [{**a, "seen": b["seen"]} for a, b in zip(records, records[1:] + records[:1])]
    assert figures.agreement(apart, "heard", "seen")["f1"] < 0.5


def test_tempo_counts_octaves_apart():
    records = [record(100, 0.0, 1), {**record(100, 0.0, 2), "heard": record(200, 0.0, 2)["heard"]}, record(100, 0.0, 3)]
    records[2]["heard"] = []
    found = figures.tempo(records, "heard")
    assert found["within_3_percent"] == pytest.approx(1 / 3) and found["at_half_or_double"] == pytest.approx(2 / 3)


def test_retrieval_finds_what_is_there_and_nothing_else():
    """Latents that are the same on both sides are all found, unrelated ones at chance; music from another moment of its
    piece is not what was looked for, unless pieces differ in everything."""
    def windows(shift, level=0.0):
        made = contrast.Windows.__new__(contrast.Windows)
        draw = lambda seed: (torch.randn(1, 64, 120, generator=torch.Generator().manual_seed(seed))  # noqa: E731
                             + level * torch.randn(1, 64, 1, generator=torch.Generator().manual_seed(seed % 500)))
        made.latents = {"music": [draw(i) for i in range(16)], "motion": [draw(i + shift) for i in range(16)]}
        made.window, made.starts = 5, torch.arange(10, 90, 5).expand(2, 16, 16)
        return made.retrieval(contrast.linear(None))
    same = windows(0)
    assert same["same_piece"]["motion_to_music"] == 1.0 and same["other_pieces"]["music_to_motion"] == 1.0
    assert same["another_moment"]["motion_to_music"] < 0.2
    apart = windows(500)
    assert abs(apart["same_piece"]["motion_to_music"] - 1 / 16) < 0.06
    assert windows(0, level=5.0)["another_moment"]["motion_to_music"] > 0.9


def test_no_window_lies_where_padding_is_seen(momu_folder):                             # noqa: F811
    """Margins hold, and every row of a small table is there."""
    from models.momu.pipeline import load_music
    vae, _, maps, readers, margin = contrast.released(momu_folder)
    rng = np.random.default_rng(0)
    pieces = [{"sound": rng.normal(0, 0.1, (2, 8 * 48_000)).astype(np.float32), "motion": moving_motion(240, number)}
              for number in range(16)]
    vae.config.window_seconds = 0.2
    found = contrast.Windows(vae, load_music(momu_folder, vocoder=False), pieces, 8.0, margin)
    assert found.starts.min() >= margin and found.starts.max() + found.window <= 87 - margin
    row = found.retrieval(contrast.temporal(maps, readers))
    assert row["windows"] == contrast.DRAWS * 256 and 0 <= row["same_piece"]["motion_to_music"] < 0.5
    assert "said" in report.markdown({"contrast": {"said": row}})


def test_what_follows_a_recording_is_told_from_what_does_not():
    """Dances and music on the beat have a lift and an F1 near 1; those of the next passage have not."""
    rows = [{**record(bpm, 0.01, seed), "body": record(bpm, 0.0, seed)["times"]}
            for seed, bpm in enumerate((90, 101, 113, 128))]
    rows = [{**row, "asked": row["times"], "kinematic": row["seen"][::2], "slide_cm": 1.0, "music": seed > 0}
            for seed, row in enumerate(rows)]
    danced, played = recorded.dance_figures(rows), recorded.song_figures(rows)
    assert danced["lift, seen"] > 0.95 and danced["lift, seen, of the next"] < 0.3
    assert danced["F1 asked / body"] > 0.98 and played["F1 song"] > 0.98 and played["song, of the next"] < 0.5
    assert played["song, shifted"] < 0.5 and played["music"] == 0.75
    assert "Recorded" in report.markdown({"recorded": {"motion to music": {"found": played}}})


def test_recorded_rows_are_made(momu_folder, tmp_path):                                 # noqa: F811
    """A dance to a short track and music to a short clip, with beats and without, and with scrambled weights."""
    data = tmp_path / "data"
    (data / "music").mkdir(parents=True)
    with pytest.raises(BadInput, match="motion"):
        recorded.clips(data)
    maker = Maker(momu_folder)
    rows = recorded.Recorded(data, maker, None, print)
    rng = np.random.default_rng(1)
    track = {"name": "noise", "sound": Audio(rng.normal(0, 0.1, (2, 22_050 * 3)).astype(np.float32), 22_050),
             "times": np.arange(0.5, 2.5, 0.5)}
    clip = {"name": "walk", "motion": moving_motion(90, 1), "times": np.arange(0.5, 2.5, 0.5)}
    made = recorded.SECONDS, recorded.CLIP_SECONDS
    try:
        recorded.SECONDS = recorded.CLIP_SECONDS = 3.0
        assert rows.dance(track, 0, scrambled=True)["seconds"] == 3.0
        assert rows.dance(track, 0, beats=False)["asked"] == []
        assert rows.song(clip, 0, beats="told")["times"] == clip["times"].tolist()
    finally:
        recorded.SECONDS, recorded.CLIP_SECONDS = made


def test_other_dancers_dance_to_the_same_piece(momu_folder, monkeypatch):                # noqa: F811
    """Real moves and dance_cascade are judged as MoMu is, on its pieces; nobody else is known."""
    rng = np.random.default_rng(2)
    piece = {"genre": "house", "beats": regular_beats(120.0, 3.0), "motion": moving_motion(90, 1),
             "sound": rng.normal(0, 0.1, (2, 3 * 48_000)).astype(np.float32)}
    monkeypatch.setattr(records, "studio_piece", lambda *asked, **how: piece)
    maker = Maker(momu_folder)
    rows = [maker.to_motion(0, 3.0, by=by, **more) for by, more in (("momu", {"steps": 2}), ("repertoire", {}),
                                                                    ("dance_cascade", {"steps": 2}))]
    assert all(row["times"] == rows[0]["times"] and {"seen", "slide_cm", "motion_genre"} <= set(row) for row in rows)
    assert len({str(row["k"]) for row in rows}) == 3
    with pytest.raises(KeyError):
        maker.other_system("nobody")


def test_the_peak_of_a_piece_is_not_that_of_who_asked_for_it():
    """A process of its own does not begin at the peak of the one that started it."""
    ballast = np.ones(40_000_000)
    words = "from models.lab.evaluation.momu.records import Maker, peak_mib; print(peak_mib())"
    alone = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True,
                           cwd=Path(report.__file__).parents[4])
    assert 1 < float(alone.stdout) < peak_mib() - 0.8 * ballast.nbytes / 2 ** 20


def test_rows_without_beats(momu_folder, trained_momu, tmp_path):                       # noqa: F811
    """Every row is made on the corpus' validation pieces, and the reader makes a difference."""
    words = ["--seconds", "2", "--checkpoints", str(momu_folder), "--cache", str(tmp_path / "cache"), "--few", "2",
             "--out", str(tmp_path / "out.json"), "--only", "unheard", "--corpus", str(trained_momu[0])]
    assert evaluate.main(words) == 0
    rows = json.loads((tmp_path / "out.json").read_text())["unheard"]
    assert len(rows) == 6 and all(row["pieces"] == 2 and 0 <= row["F1"] <= 1 for row in rows.values())
    assert "Without beats" in report.markdown({"unheard": rows})


def test_a_small_run_goes_through_and_goes_on(momu_folder, tmp_path, capsys):           # noqa: F811
    words = ["--count", "2", "--seconds", "3", "--checkpoints", str(momu_folder), "--cache", str(tmp_path / "cache"),
             "--out", str(tmp_path / "out.json"), "--only", "vae", "music_vae", "joint"]
    assert evaluate.main(words) == 0
    results = json.loads((tmp_path / "out.json").read_text())
    assert results["vae"]["studio"]["joint_cm"] > 0 and results["vae"]["studio, mean pose"]["joint_cm"] > 1
    assert results["music_vae"]["studio"]["log_mel"] > 0
    assert results["music_vae"]["the piece's mean spectrum"]["sharpness"] == 0
    assert 0 <= results["joint"]["joint"]["music_body_network"]["f1"] <= 1
    made = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    assert evaluate.main(words) == 0
    assert made == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    text = report.markdown(results)
    assert "| joint |" in text and "Motion VAE" in text and "Music VAE" in text and text in capsys.readouterr().out
