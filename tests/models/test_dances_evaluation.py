"""Evaluation on any dance corpus: AIST++ as imported, a folder of one's own pairs, and what cannot be scored."""
import json

import numpy as np
import pytest
from dance_fixtures import corpus, released  # noqa: F401

from core.body.motion import Motion
from core.errors import BadInput
from core.motion_files import write_npz
from models.lab.evaluation.dances import evaluate as dances
from models.lab.evaluation.dances.material import imported, passages
from models.lab.evaluation.dances.rows import Maker
from models.lab.loaders import import_corpus
from models.lab.metrics.beat_align import align_score, bas_as_published
from tests.core.rigs import stepping
from tests.core.tiny import save_music, save_rhythm
from tests.models.test_loaders import aist, clicks  # noqa: F401

TEMPI = (96, 118, 140)


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    save_music(folder)
    save_rhythm(folder)
    return folder


@pytest.fixture
def own(tmp_path):
    """Three pairs of a user: a stepping body, a click on every beat, the beats beside them."""
    for tempo in TEMPI:
        write_npz(tmp_path / "own" / f"clip{tempo}.npz", stepping(seconds=8.0)[0])
        clicks(tmp_path / "own" / f"clip{tempo}.wav", tempo, first=0.1, seconds=8.0)
        times = np.arange(0.1, 7.9, 60 / tempo)
        (tmp_path / "own" / f"clip{tempo}.beats.txt").write_text("\n".join(
            f"{time:.4f} {number % 4 + 1}" for number, time in enumerate(times)) + "\n")
    return tmp_path / "own"


def test_a_folder_of_ones_own_is_scored(own, tmp_path, tiny_folder, capsys):
    out = tmp_path / "results.json"
    assert dances.main(["--folder", str(own), "--seconds", "7", "--steps", "2", "--cache",
                        str(tmp_path / "cache"), "--checkpoints", str(tiny_folder), "--out", str(out), "--docs",
                        str(tmp_path / "page.md")]) == 0
    results = json.loads(out.read_text())
    rows = results["rows"]
    assert results["passages"] == 3
    assert set(rows) == {"real audio", "true rhythm", "predicted rhythm", "without rhythm", "scrambled weights",
                         "click track"}
    real = rows["real audio"]
    assert real["beat_f1_70ms"] > 0.9 > 0.6 > real["beat_f1_70ms_mismatched"]           # the clicks are the beats
    assert real["loris_F1"] == real["cdcd_F1"] == 100.0                                 # against themselves
    assert all(np.isfinite(value) for row in rows.values() for value in row.values() if value is not None)
    assert rows["click track"]["loris_BHS"] == 100.0                                # saturates, as it must be seen to
    page = (tmp_path / "page.md").read_text()
    assert "LORIS" in page and "CDCD" in page and "bas_as_published" in page and page in capsys.readouterr().out + page


def test_aist_as_imported_is_scored(aist, tmp_path, tiny_folder):  # noqa: F811
    import_corpus("aistpp", aist, tmp_path / "corpus", progress=False)
    out = tmp_path / "results.json"
    assert dances.main(["--corpus", str(tmp_path / "corpus"), "--split", "all", "--seconds", "3.9", "--steps", "1",
                        "--rows", "true", "--checkpoints", str(tiny_folder), "--out", str(out)]) == 0
    rows = json.loads(out.read_text())["rows"]
    assert rows["true rhythm"]["clips"] == 3 and rows["real audio"]["clips"] == 1       # two came without their music
    assert "genre_accuracy" in rows["true rhythm"] and "beat_f1_70ms" in rows["true rhythm"]


def test_dances_to_a_folder_of_ones_own_are_scored(own, released, tmp_path):            # noqa: F811
    """The other direction. Bodies that step at three tempi: themselves at distance 0, a body that stands far away and
    without a beat."""
    for tempo in TEMPI:
        steps = stepping(seconds=11.0)[0]
        write_npz(own / f"clip{tempo}.npz", Motion(steps.rotations, steps.root, 0.3 * tempo))
    out = tmp_path / "results.json"
    assert dances.main(["--folder", str(own), "--seconds", "7", "--steps", "2", "--system", "dance_cascade", "--cache",
                        str(tmp_path / "cache"), "--checkpoints", str(released), "--out", str(out), "--rows", "true",
                        "scrambled", "standing"]) == 0
    rows = json.loads(out.read_text())["rows"]
    assert set(rows) == {"real dance", "true rhythm", "scrambled weights", "standing still"}
    real, still = rows["real dance"], rows["standing still"]
    assert abs(real["fid_k"]) < 1e-3 and abs(real["fid_k_corrected"]) < 1e-3 and abs(real["fid_g"]) < 1e-3
    assert still["fid_k"] > 1 and still["fid_k_corrected"] > 1 and still["div_k"] < 1e-6 < real["div_k"]
    assert still["bas"] == still["beat_align"] == still["loris_F1"] == 0 < real["bas"]
    assert real["loris_F1"] > 0 and {"cdcd_F1_mismatched", "bas_chance", "beat_align_mismatched"} <= set(real)
    assert all(np.isfinite(value) for row in rows.values() for value in row.values())


def test_a_body_without_music_and_beats_is_scored_by_what_is_left(tmp_path, tiny_folder):
    write_npz(tmp_path / "amass" / "walk.npz", stepping(seconds=4.0)[0])
    import_corpus("amass", tmp_path / "amass", tmp_path / "corpus", progress=False)
    found = passages(tmp_path / "corpus", "all", 3.5)
    assert found[0].sound is None and found[0].beats is None
    from models.genre.judge import GenreJudge
    rows = dances.evaluate(found, Maker("music_ldm", [tiny_folder], steps=1), GenreJudge("audio"), report=len)
    assert set(rows) == {"predicted rhythm", "without rhythm", "scrambled weights", "click track"}
    assert "bas" in rows["predicted rhythm"] and "loris_F1" not in rows["predicted rhythm"]


def test_what_cannot_be_scored_is_said(own, tmp_path, capsys):
    assert dances.main(["--folder", str(tmp_path / "none")]) == 2
    cache = ["--cache", str(tmp_path / "cache")]
    assert dances.main(["--folder", str(own), "--system", "momu_both", "--seconds", "7", *cache]) == 2
    assert dances.main(["--folder", str(own), "--seconds", "60", *cache]) == 2
    said = capsys.readouterr().err
    assert "is no folder of motion" in said and "no music to dances" in said and "the longest 8.0 s" in said
    corpus, _ = imported(own, tmp_path / "cache")
    with pytest.raises(BadInput):
        passages(corpus, "all", 60.0)


def test_the_published_score_compares_two_clocks():
    """A body exactly on the beat: 1 in seconds; as published only the beats near 0 can meet."""
    beats = np.arange(0, 20, 0.5)
    assert align_score(beats, beats) == 1.0
    published = bas_as_published(beats, beats)
    shifted = bas_as_published(beats + 0.25, beats)
    assert published < 0.45 and abs(published - shifted) < 0.15         # off the beat is hardly told from on it
