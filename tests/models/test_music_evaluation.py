"""The music evaluation: records, figures that cannot be fooled, rows kept on disk, targets, report."""
import json
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("librosa")

from core.body.motion import rest_motion  # noqa: E402
from core.contract import GENRES  # noqa: E402
from core.errors import BadInput  # noqa: E402
from models.lab.evaluation.music_ldm import evaluate, report, scoring  # noqa: E402
from models.lab.evaluation.music_ldm import rows as evaluation_rows  # noqa: E402
from models.lab.evaluation.tables import replace_section  # noqa: E402
from models.lab.metrics import onset_flags  # noqa: E402
from models.training.shards import pack_motion, write_shard  # noqa: E402

SECONDS = 6.0


def pulsed(times, seed=0, seconds=SECONDS):
    """Stereo noise bursts at `times` over a chord."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * 48_000)) / 48_000
    sound = 0.05 * sum(np.sin(2 * np.pi * f * t) for f in (220, 277, 330))
    for time in times:
        first = int(time * 48_000)
        burst = 0.5 * rng.normal(size=4000) * np.exp(-np.arange(4000) / 800)
        sound[first:first + 4000] += burst[:len(sound) - first]
    return np.stack([sound, sound]).astype(np.float32)


def test_a_record_knows_its_beats_from_others_and_from_chance():
    times = np.arange(0.3, SECONDS, 0.5)
    record = scoring.score_sound(pulsed(times), times)
    later = times[:-1] + 0.25
    other = scoring.score_sound(pulsed(later), later)
    records = [{**record, "id": "a", "genre": "house"}, {**other, "id": "b", "genre": "pop"}]
    figures = scoring.row_figures(records, {r["id"]: r for r in records})
    assert figures["beat_f1_70ms"] > 0.85 and figures["mismatched"] < 0.2 and figures["chance"] < 0.5
    assert figures["finite"] == 1 and figures["no_clicks"] == 1 and "within_1_lu" in figures
    assert figures["published"]["loris"]["F1"] == pytest.approx(100) and json.dumps(records)
    assert "music" not in scoring.score_sound(pulsed(times), times, full=False)


def test_clicks_nan_and_wrong_loudness_show():
    sound = pulsed(np.arange(0.3, SECONDS, 0.5))
    sound[:, 100_000] += 0.9
    figures = scoring.row_figures([{**scoring.score_sound(sound, [0.3, 0.8]), "id": "a", "genre": "pop"}] * 2, {})
    assert figures["no_clicks"] == 0 and figures["within_1_lu"] == 0


def fake_records(count, offset=0.0, seed=0):
    rng = np.random.default_rng(seed)
    apart = np.where(np.arange(192) < 20, 4.0, 0.0)
    drawn = [(rng.normal(size=192) + apart * (k % 10 == 3) + offset).tolist() for k in range(count)]
    return [{"id": f"{seed}-{k}", "genre": GENRES[k % 10], "sounding": row, "features": row}
            for k, row in enumerate(drawn)]


def test_log_mel_space_has_one_scale_for_floor_genres_and_rows():
    real = fake_records(200)
    space = scoring.Space(real)
    assert len(space.reference) == 10 and all(len({r["genre"] for r in group}) == 10 for group in space.reference)
    floor, genres = space.halves(), space.genres(real)
    alike, far = space.between(fake_records(40, seed=1)), space.between(fake_records(40, 3.0, seed=2))
    assert genres["pairs"] == 45 and alike < 1.6 * floor < far and genres["mean"] > floor
    assert scoring.Space(real[:20]).halves() is None and space.genres(real[:40]) is None
    assert space.name == "fd_logmel" and space.axes.shape[1] == 5


def test_halves_of_the_whole_test_have_a_lower_floor_than_small_sets():
    real, more = fake_records(200), fake_records(1000, seed=5)
    small, large = scoring.Space(real), scoring.Space(real, scoring.HALF)
    assert large.name == "fd_logmel_100" and large.axes.shape[1] == 16 and len(large.reference) == 2
    assert large.genres(real) is None and large.genres(real + more)["pairs"] == 45
    assert large.halves() / 16 < 0.5 * small.halves() / 5, "per direction"
    figures = scoring.row_figures([{**record, "times": [0.5], "found": [0.5], "chance": 0.2, "finite": True,
                                    "lufs": -14.0}
                                   for record in fake_records(200, seed=7)], {}, [small, large])
    assert figures["fd_logmel_100"] == pytest.approx(large.between(fake_records(200, seed=7)))
    assert "fd_logmel_100" not in scoring.row_figures([{**record, "times": [0.5], "found": [0.5], "chance": 0.2,
                                                        "finite": True,
                                                        "lufs": -14.0} for record in fake_records(40)], {},
                                                      [small, large])


def test_silence_before_the_first_beat_is_left_out():
    sound = pulsed(np.arange(0.3, SECONDS, 0.5))
    late = sound.copy()
    late[:, :12_000] = 0
    whole, inner = ([np.array(scoring.bare_score(s)[name]) for s in (sound, late)] for name in ("features", "sounding"))
    assert np.allclose(*inner) and np.abs(whole[0] - whole[1])[64:128].mean() > 0.1


def test_the_judges_embedding_has_a_distance_of_its_own():
    def heard(records, shift):
        rng = np.random.default_rng(len(records))
        return [{**record, "embedding": (rng.normal(size=32) + shift).tolist()} for record in records]
    real = heard(fake_records(200), 0.0)
    space = scoring.Space(real, scoring.HALF, "fd_judge")
    assert space.name == "fd_judge_100" and scoring.Space(real, figure="fd_judge").name == "fd_judge"
    same_spectra = fake_records(200, seed=3)
    assert space.between(heard(same_spectra, 0.0)) < 2 * space.halves() < space.between(heard(same_spectra, 1.0))


def test_others_never_include_the_piece_itself():
    for count in (1, 2, 3, 20):
        for index in range(count):
            picked = scoring.others(index, count)
            assert index not in picked and len(set(picked)) == len(picked) == min(5, count - 1)


@pytest.fixture
def corpus(tmp_path):
    items = []
    for number in range(20):
        times = np.arange(0.2 + 0.01 * number, SECONDS, 0.5)
        beats = np.stack([times, np.arange(len(times)) % 4 + 1], axis=1).astype(np.float32)
        meta = {"id": f"p{number}", "kind": "dance", "split": "test", "seed": 900_000 + number,
                "genre": GENRES[number % 2],
                "metre": 4, "bpm": 120.0, "duration": SECONDS, "source": "studio", "beat_confidence": 1.0, "lead": 0.0}
        audio = (pulsed(times, number).T.clip(-1, 1) * 32_767).astype(np.int16)
        items.append((meta, {"audio": audio, "beats": beats, **pack_motion(rest_motion(int(SECONDS * 30)))}))
    write_shard(tmp_path / "corpus" / "test.safetensors", items)
    return tmp_path / "corpus"


def test_pieces_take_turns_over_the_genres(corpus):
    pieces = evaluation_rows.Pieces(corpus, SECONDS)
    assert len(pieces) == 20 and [pieces[n]["genre"] for n in range(4)] == sorted(GENRES[:2]) * 2
    assert pieces[0]["sound"].shape == (2, int(SECONDS * 48_000)) and pieces[0]["beats"].positions[0] == 1
    with pytest.raises(BadInput, match="10 s"):
        evaluation_rows.Pieces(corpus, 10.0)


def test_an_interrupted_row_goes_on_and_is_not_made_twice(corpus, tmp_path, monkeypatch):
    store = evaluation_rows.Store(tmp_path / "scores", SECONDS)
    store.folder.mkdir()
    rows = [evaluation_rows.Row("real audio", 5, "real", full=False), evaluation_rows.Row("click", 3, "click",
                                                                                          full=False)]
    made, real = [], evaluation_rows.make_record

    def counted(maker, row, pieces, number):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append((row.name, number))
        return real(maker, row, pieces, number)
    monkeypatch.setattr(evaluation_rows, "make_record", counted)
    with pytest.raises(KeyboardInterrupt):
        evaluation_rows.make_rows(rows, corpus, SECONDS, 200, store, 1, lambda text: None)
    path = store.path(rows[0])
    path.write_text(path.read_text() + '\n{"id": "p9", "trunc')                  # killed in the middle of a line
    assert len(store.read(rows[0])) == 2
    monkeypatch.setattr(evaluation_rows, "make_record", lambda *a: made.append(1) or real(*a))
    evaluation_rows.make_rows(rows, corpus, SECONDS, 200, store, 1, lambda text: None)
    assert len(made) == 2 + 3 + 3
    evaluation_rows.make_rows(rows, corpus, SECONDS, 200, store, 1, lambda text: None)
    assert len(made) == 8 and len(store.read(rows[1])) == 3
    made_by_model = evaluation_rows.Row("true rhythm", 5)
    assert store.path(made_by_model) != store.path(replace(made_by_model, steps=21))
    assert store.path(rows[0]) == store.path(replace(rows[0], steps=21)) != store.path(replace(rows[0], full=True))


def test_rolled_motion_moves_by_half_a_beat():
    motion, later = evaluation_rows.roll(rest_motion(90), np.arange(0, 3, 0.5))
    assert later == pytest.approx(0.25, abs=0.02) and len(motion) == 90


def test_targets_and_report_say_what_is_missed(tmp_path):
    row = {"beat_f1_70ms": 0.95, "mismatched": 0.25, "chance": 0.24, "pulse": 0.5, "filled": 1.0, "harmonic": 0.3,
           "music": 0.9,
           "no_clicks": 1.0, "finite": 1.0, "within_1_lu": 1.0, "genre_accuracy": 0.8, "genre_kld_own": 0.3,
           "fd_logmel": 3.0, "fd_logmel_100": 2.0, "clips": 200, "per_genre": {"house": 1.0}}
    style = {key: 50.0 for key in ("BCS", "BHS", "CSD", "HSD", "F1")}
    row["published"] = {name: style for name in ("loris", "loris_mismatched", "cdcd", "cdcd_mismatched")}
    results = {"settings": {"seconds": 20.0, "steps": 20, "guidance": 2.0}, "pieces": 200,
               "rows": {"main": {"real audio (ceiling)": row, "true rhythm": row,
                                 "predicted rhythm": {**row, "beat_f1_70ms": 0.6}},
                        "sampling": {f"guidance {g}": {**row, "diversity": 0.3} for g in (0, 2, 8)}},
               "distances": {name: {"pieces": pieces, "directions": 5, "floor": 1.0,
                                    "genres": {"mean": 10.0, "median": 9.0, "least": 2.0}}
                             for name, pieces in (("fd_logmel", 20), ("fd_logmel_100", 100))},
               "real_dances": {"TEST": {"paired": 0.8, "mismatched": 0.4, "p": 0.002, "mean_rank": 1.0, "clips": 6}}}
    results["targets"] = report.targets(results)
    met = {target["what"]: target["met"] for target in results["targets"]}
    assert met["beat F1, true rhythm"] and not met["beat F1, predicted rhythm"] and not met["files that are music"]
    share = "fd_logmel as a share of the distance of two genres, sets of"
    assert not met["genre accuracy"] and met[f"{share} 100"] and not met[f"{share} 20"]
    text = report.markdown(results)
    assert (f"| beat F1, predicted rhythm | 0.600 | 0.75 x ceiling = {0.75 * 0.95:.3f} | **no** |" in text
            and "LORIS F1" in text)
    replace_section(tmp_path / "results.md", "music_ldm", text)
    report.plot_guidance(results, tmp_path / "sweep.png")
    assert (tmp_path / "sweep.png").read_bytes()[:4] == b"\x89PNG"


def test_alike_folders_are_checked(tmp_path):
    options = type("Options", (), {"count": 5, "steps": 20, "guidance": 2.0, "alike": ["eps"]})()
    with pytest.raises(BadInput, match="NAME=FOLDER"):
        evaluate.planned_rows(options)
    options.alike = [f"eps={tmp_path}"]
    planned = evaluate.planned_rows(options)
    assert planned["alike"][0].folders == str(tmp_path) and max(row.count for rows in planned.values()
                                                                for row in rows) == 5
    assert onset_flags.ONSET_ARGUMENTS.keys() == {"loris", "cdcd"}
