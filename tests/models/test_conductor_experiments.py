"""The queue of trained experiments, continued training, and the tables: on the tiny corpus, with tiny networks."""
import dataclasses

import numpy as np
import pytest
import torch
from conductor_fixtures import conductor, corpus, one_thread  # noqa: F401

from core.body.ictus import hand_path
from core.errors import BadInput
from core.rhythm.beats import Beats
from models.conductor.config import CONFIGS, TINY, ConductorConfig
from models.conductor.encoder import M2SNet
from models.conductor.pipeline import Conductor
from models.conductor.train import task
from models.lab.evaluation.conductor import ablations, evaluate, experiments, report, tracks
from models.lab.evaluation.conductor.experiments import generate_all
from models.lab.evaluation.conductor.scoring import Judge, Studio, row, studio_pieces
from models.lab.evaluation.conductor.stage1 import stage1_rows
from models.lab.evaluation.tables import scrambled
from models.lab.metrics import conducting as scores
from models.training.loop import train
from models.training.run_folder import RunFolder

QUIET = dict(report=lambda text: None, validations=1)


@pytest.fixture(scope="module")
def studio(corpus, conductor):  # noqa: F811
    """Two of the tiny corpus's pieces, judged by an untrained stage 1."""
    torch.manual_seed(0)
    pieces = studio_pieces(corpus[0], 2, "train", seconds=8.0)
    found = Studio(pieces, Judge(M2SNet(TINY.encoder)))
    found.listen(conductor)
    return found


def test_every_row_differs_from_the_base_in_what_its_name_says():
    base = dataclasses.asdict(CONFIGS["denoiser"]["ablation-base"])
    wanted = {"mask-0": {"frame_dropout"}, "mask-0.05": {"frame_dropout"}, "mask-0.2": {"frame_dropout"},
              "mask-0.3": {"frame_dropout"}, "no-velocity": {"weight_velocity", "weight_acceleration"},
              "elbow": {"weight_elbow"}, "no-rhythm": {"rhythm"}, "base": set()}
    for name, changed in wanted.items():
        config = dataclasses.asdict(CONFIGS["denoiser"][f"ablation-{name}"])
        assert {key for key in base if config[key] != base[key]} == changed
    for one, two, changed in (("x0", "eps", {"prediction"}), ("contrastive", "scratch", {"encoder_trained"})):
        a, b = (dataclasses.asdict(CONFIGS["denoiser"][f"ablation-{name}"]) for name in (one, two))
        assert {key for key in a if a[key] != b[key]} == changed
    assert {config for config, _ in ablations.QUEUE.values()} <= set(CONFIGS["denoiser"])


def test_the_queue_trains_each_row_once(corpus, tmp_path, monkeypatch):  # noqa: F811
    folder, cache = corpus
    train(task("encoder", "tiny"), tmp_path / "one", folder, cache, part="encoder", system="conductor",
          config_name="tiny", steps=1, **QUIET)
    monkeypatch.setattr(ablations, "QUEUE", {"base": ("tiny", 0), "base, another seed": ("tiny", 1)})
    monkeypatch.setattr(ablations, "default_cache", lambda corpus, system: cache)
    said = []
    for _ in range(2):
        assert ablations.run_queue(folder, tmp_path / "out", tmp_path / "one", steps=2, report=said.append)
    assert sum("2 steps" in text for text in said) == 2       # the second pass finds nothing to do
    runs = ablations.finished(tmp_path / "out")
    assert list(runs) == ["base", "base, another seed"]
    states = [RunFolder(run).read_checkpoint()["model"] for run in runs.values()]
    assert any(not torch.equal(a, b) for a, b in zip(states[0].values(), states[1].values()))

    # Continued from a run: its averaged weights and its own statistics, whatever the corpus says now.
    start = task("denoiser", "tiny", stage1=str(tmp_path / "one"), start=str(runs["base"]))
    start.prepare(folder, cache, lambda fraction, text: None)
    start.mean = start.mean + 1.0
    model = start.build()
    kept = RunFolder(runs["base"]).average()
    assert all(torch.equal(value, kept[name]) for name, value in model.state_dict().items())
    assert np.array_equal(start.dataset(cache, "train").mean, kept["mean"].numpy())
    assert ConductorConfig.from_json(start.export(kept)[0]).start == ""


def test_the_true_motion_scores_best_on_everything(studio):
    real = row("corpus", [p.motion for p in studio.pieces], studio)
    other = row("other", [p.motion for p in studio.pieces[::-1]], studio)
    assert real["ictus_f1"] > 0.9 > other["ictus_f1"] and real["mse"] == 0 < other["mse"]
    assert real["sdp_percent"] == pytest.approx(100) and real["fgd"] == pytest.approx(0, abs=1e-3)
    assert real["jerk_within"] == 1 and real["outside_range"] == 0 and real["foot_slide_m"] < 1e-3
    assert real["bc"] > other["bc"] and real["ictus_f1"] > real["ictus_f1_chance"] + 0.3


def test_tables_have_all_rows_and_numbers(studio, conductor, tmp_path):  # noqa: F811
    slim = Conductor(dataclasses.replace(conductor.config, steps=1), conductor.denoiser, conductor.music_encoder.module)
    rows = evaluate.main_table(slim, studio, 1, lambda text: None)
    names = [r["name"] for r in rows]
    assert names[0] == "corpus" and {"rule, same beats", "mean pose", "scrambled weights",
                                     "model, no rhythm"} <= set(names)
    seeds = experiments.seed_row(slim, studio, [0])
    sweep = [{"guidance_scale": 1.0, "clips": 2, **{key: rows[2][key] for key in experiments.SWEEP_KEYS},
              "seed_spread": 0.1},
             {"steps": 5, "clips": 2, **{key: rows[2][key] for key in experiments.SWEEP_KEYS}, "seed_spread": 0.1}]
    result = {"clips": 2, "few": 1, "seconds": 8.0, "split": "train", "steps": 1, "guidance": 2.0, "studio": rows,
              "seeds": seeds,
              "rule": evaluate.against_the_rule(rows, seeds), "moved": experiments.moved_rows(slim, studio, [0], None,
                                                                                              print),
              "sweep": sweep}
    text = report.markdown(result, "picture.png")
    assert all(f"| {name} |" in text for name in names) and "picture.png" in text and "guidance 1" in text
    report.draw(sweep, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 1000


def test_seams_and_scrambling(studio, conductor):  # noqa: F811
    found = experiments.seam_row(conductor, studio.pieces[0], seconds=16.0, steps=1)
    assert found["windows"] > 5 and 0.3 < found["jerk_at_seams"] < 3
    own = dict(conductor.denoiser.named_parameters())
    plain = generate_all(conductor, studio, "true", [1])[0]
    with scrambled(conductor, 1):
        moved = [name for name, value in conductor.denoiser.named_parameters() if value.dim() > 1
                 and not torch.equal(value, own[name])]
        assert len(moved) > 5
        assert all(torch.equal(value.flatten().sort()[0], own[name].flatten().sort()[0])
                   for name, value in conductor.denoiser.named_parameters())          # only the places changed
    made = evaluate.scrambled_piece(conductor, studio, 1)
    assert not np.allclose(made.rotations, plain.rotations, atol=1e-3)
    assert np.allclose(generate_all(conductor, studio, "true", [1])[0].rotations, plain.rotations)      # as it was


def test_stage1_is_judged_by_kind_of_negative(corpus):  # noqa: F811
    torch.manual_seed(0)
    found = stage1_rows(M2SNet(TINY.encoder).eval(), corpus[0], "train", batches=1)
    assert {"easy", "hard", "super-hard"} < set(found) and 0 <= found["easy"] <= 1


def test_tracks_have_rows_that_expose_them(studio, conductor, tmp_path):  # noqa: F811
    piece = studio.pieces[0]
    samples, rate = piece.audio
    beats = Beats(piece.beats.times, np.arange(len(piece.beats)) % 2 + 1, 2)
    found = tracks.track_rows(conductor, [("one", (samples, rate), beats), ("two", (samples, rate), beats)],
                              lambda samples, rate: beats, lambda text: None, steps=1)
    assert found[0]["lift_rule"] > 0.6 > found[0]["lift_one"] and "lift_another" not in found[0]
    assert {"lift_model", "lift_another", "lift_two", "hands_mirrored", "stand_m", "seed_spread"} <= set(found[1])
    silent = tracks.track_rows(conductor, [("none", (samples, rate), beats)], lambda *_: beats.within(0, 0.01),
                               lambda text: None, steps=1)[0]
    assert silent["found"] == 0 and "lift_rule" not in silent
    assert tracks.read_tracks(None) == []
    with pytest.raises(BadInput, match="orchestral_beats.json"):
        tracks.read_tracks(tmp_path, tmp_path)


def test_the_rule_has_no_seed_and_no_loudness(studio):
    from models.lab.evaluation.conductor.rule import rule_motion
    piece = studio.pieces[0]
    motion = rule_motion(piece.beats.shifted(-piece.lead), piece.frames)
    assert scores.bar_variation(hand_path(motion), piece.beats.shifted(-piece.lead), 30) < 0.03
