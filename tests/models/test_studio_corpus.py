"""The studio's corpus on disk: determinism, resuming, fermatas, real clips, previews, the proof and the report."""
import json
import os
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.body.motion import Motion
from core.body.rotations import geodesic
from core.contract import GENRES
from core.rhythm.alignment import beat_f1_70ms
from core.rhythm.beats import Beats
from models.lab.studio import build, kinematic_beats, real
from models.lab.studio.conducted import pattern_of, stroke_plan
from models.lab.studio.kinematic_beats import motion_beats
from models.lab.studio.motion import conduct, dance
from models.lab.studio.plan import make_plan
from models.training.shards import Corpus, unpack_motion

SECONDS = 12.0


def test_corpus_is_deterministic_resumable_and_readable(tmp_path):
    arguments = dict(items=3, duration=4.0, audio=False, jobs=1)
    assert build.build("dance", "test", tmp_path / "a", **arguments) == 1
    assert build.build("dance", "test", tmp_path / "a", **arguments) == 0
    assert build.build("dance", "test", tmp_path / "b", **arguments) == 1
    name = "dance-test-900000.safetensors"
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    corpus = Corpus(tmp_path / "a", split="test")
    meta = corpus.meta(0)
    plan = build.item_plan("dance", meta["seed"], 4.0, stratified=True)
    assert meta["genre"] == plan.genre == GENRES[0] and meta["source"] == "studio" and meta["beat_confidence"] == 1.0
    np.testing.assert_allclose(corpus.array(0, "beats")[:, 0], plan.times, atol=1e-5)
    motion = unpack_motion(corpus.array(0, "motion_rot6d"), corpus.array(0, "motion_root"))
    assert geodesic(motion.rotations, dance(plan).rotations).max() < 2e-3


def test_a_whole_corpus_has_both_kinds_and_all_splits(tmp_path, capsys):
    arguments = ["--kind", "all", "--items", "2", "--seconds", "3", "--no-audio", "--jobs", "1", "--out", str(tmp_path)]
    assert build.main(arguments) == 0 and build.main(arguments) == 0
    assert "6 shards" in capsys.readouterr().out
    for kind in ("dance", "conducting"):
        for split in ("train", "valid", "test"):
            assert len(Corpus(tmp_path / kind, split=split, kind=kind)) == 2


def test_refreshing_motion_keeps_everything_else(tmp_path):
    build.build("conducting", "valid", tmp_path, items=2, duration=4.0, audio=False, jobs=1)
    path = next(tmp_path.glob("*.safetensors"))
    kept = tmp_path / "before"
    kept.write_bytes(path.read_bytes())
    assert build.refresh_shard({"path": str(path)}) == 8.0
    assert path.read_bytes() == kept.read_bytes()


def test_a_shards_bytes_follow_from_its_seeds_in_another_process_too(tmp_path):
    """Sound too, in a process that hashes strings differently: the same file, byte for byte."""
    task = dict(kind="dance", seeds=[900_003], duration=2.0, stratified=True, audio=True)
    build.make_shard({**task, "path": str(tmp_path / "1")})
    code = "import sys, json; from models.lab.studio.build import make_shard; make_shard(json.loads(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, json.dumps({**task, "path": str(tmp_path / "2")})], check=True,
                   cwd=Path(__file__).parents[2], env={**os.environ, "PYTHONHASHSEED": "7"})
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_the_style_of_a_corpus_is_remembered(tmp_path):
    words = ["--kind", "conducting", "--items", "1", "--seconds", "6", "--no-audio", "--jobs", "1", "--style",
             "rhapsodic"]
    assert build.main([*words, "--out", str(tmp_path)]) == 0
    (shard,) = tmp_path.glob("*.safetensors")
    (meta,) = build.read_header(shard)
    assert meta["style"] == "rhapsodic" and build.plan_of(meta).extra["style"] == "rhapsodic"
    assert not np.array_equal(build.plan_of({**meta, "style": None}).times, build.plan_of(meta).times)
    with pytest.raises(SystemExit):
        build.main(["--kind", "dance", "--style", "rhapsodic", "--out", str(tmp_path)])


def test_fermatas_of_a_corpus_are_held_and_remembered(tmp_path):
    meta, arrays = build.make_item("conducting", 900_100, 12.0, stratified=True, audio=False)
    drawn = build.item_plan("conducting", 900_100, 12.0, stratified=True)
    assert meta["fermatas"] and np.array_equal(build.plan_of(meta).times, drawn.times)
    del meta["fermatas"]                                                      # a shard of an older build keeps its plan
    assert not any(cue.kind == "fermata" for cue in build.plan_of(meta).cues)
    count = 0
    for seed in range(900_000, 900_050):
        plan = build.item_plan("conducting", seed, 24.0)
        if not any(cue.kind == "fermata" for cue in plan.cues):
            continue
        motion, lead = conduct(plan)
        plan = stroke_plan(plan, pattern_of(plan))
        gap, places = np.diff(plan.times), motion.positions()
        for beat in [cue.beat for cue in plan.cues if cue.kind == "fermata" and 1 < cue.beat < len(gap) - 1]:
            usual = min(gap[beat - 1], gap[beat + 1])
            first, last = plan.times[beat] - lead + 0.6 * usual, plan.times[beat + 1] - lead - 0.95 * usual
            hand = (places[:, 23] - places[:, 0])[int(first * 30):int(last * 30)]  # the body may shift its weight
            if len(hand) > 2:
                count += 1
                assert np.linalg.norm(np.diff(hand, axis=0), axis=1).max() * 30 < 0.25
    assert count >= 8


def test_test_split_is_stratified():
    dances = [build.item_plan("dance", 900_000 + k, 4.0, True).genre for k in range(40)]
    metres = [build.item_plan("conducting", 900_000 + k, 4.0, True).metre for k in range(40)]
    assert all(dances.count(genre) == 4 for genre in GENRES) and all(metres.count(m) == 10 for m in (2, 3, 4, 6))


def test_music_at_a_clips_beats_and_test_clips_never_enter(tmp_path):
    plan = make_plan("dance", 5, genre="house", duration=14.0)
    motion = dance(plan)
    beats = motion_beats(motion)
    made = real.real_plan(motion, Beats(beats.times, beats.positions), seed=9)
    np.testing.assert_array_equal(made.times, beats.times)
    assert made.genre in GENRES and len(made.dynamics) == len(beats) and made.sections[-1].last == len(beats)
    folder = tmp_path / "cmu_salsa"
    folder.mkdir()
    for name in ("01.bvh.gz", "05.bvh.gz", "20.bvh", "11.bvh", "26.bvh", "02.bvh"):
        (folder / name).write_bytes(b"")
    assert [real.clip_name(p)[1] for p in real.train_clips(tmp_path)] == ["01", "02"]


def test_a_beat_on_the_last_frame_is_as_loud_as_the_body_is_fast():
    """Speeds are one fewer than frames: such a beat once had none, a warning of numpy and the quietest music there
    is."""
    motion = dance(make_plan("dance", 5, genre="house", duration=4.0))
    end = motion.duration
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        level = real.energies(motion, np.array([0.0, end - 1.0, end - 0.3, end - 0.02]))
    speed = np.linalg.norm(np.diff(motion.positions() - motion.positions()[:, :1], axis=0),
                           axis=-1).mean(1) * motion.fps
    assert level[-1] == pytest.approx(np.clip(0.2 + 0.75 * speed[-1] / 0.9, 0.1, 0.95))


def test_couples_hear_the_same_tempo():
    """Two dancers of one plan, heard together, give the written beats."""
    plan = make_plan("dance", 12, genre="lock", duration=14.0)
    one, two = dance(plan), dance(replace(plan, seed=13))
    beats = motion_beats(one, Motion(two.rotations, two.root, two.fps))
    assert beat_f1_70ms(beats.times, plan.times) > 0.85 and 0.1 <= beats.confidence <= 0.75


def test_preview_writes_what_it_says(tmp_path):
    from models.lab.studio.preview import preview
    paths = preview(tmp_path, 3, "conducting", duration=5.0, audio=False)
    assert {p.suffix for p in paths} == {".bvh", ".txt", ".json", ".png"} and all(p.stat().st_size > 30 for p in paths)
    assert json.loads((tmp_path / "conducting-000003.json").read_text())["kind"] == "conducting"


def test_proof_of_the_conducting_corpus(tmp_path):
    """The metrics' own detector finds the written ictus; a conductor half a beat late is found out."""
    from models.lab.studio import evaluate
    build.build("conducting", "test", tmp_path, items=4, duration=SECONDS, audio=False, jobs=1)
    corpus = evaluate.open_split(tmp_path, "conducting", "test")
    rows = evaluate.conducting_rows(corpus, 4)
    assert set(rows) == {"metre 2", "metre 3", "metre 4", "metre 6", "all"} and rows["all"]["ictus_f1"] >= 0.95
    assert rows["all"]["foot_slide_max_m"] < 0.02
    for _, _, meta in corpus.items:
        meta["lead"] += 30 / meta["bpm"]
    assert evaluate.conducting_rows(corpus, 4)["all"]["ictus_f1"] < 0.6
    assert len(set(evaluate.spread(range(200), 50))) == 50 and evaluate.spread(range(3), 50) == [0, 1, 2]
    assert len({index % 10 for index in evaluate.spread(range(200), 50)}) == 10


def test_report_of_diversity(tmp_path, capsys):
    from models.lab.studio import report
    for kind in ("dance", "conducting"):
        build.build(kind, "test", tmp_path / "corpus" / kind, items=3, duration=4.0, audio=False, jobs=1)
    arguments = ["--corpus", str(tmp_path / "corpus"), "--out", str(tmp_path / "a.png"), "--docs",
                 str(tmp_path / "a.md")]
    assert report.main(arguments) == 0
    text = (tmp_path / "a.md").read_text(encoding="utf-8")
    assert ("| all dance | 3 |" in text and "| all conducting | 3 |" in text and "| break | 1 |" in text
            and "a.png" in text)
    assert (tmp_path / "a.png").stat().st_size > 5000
    assert report.main(["--corpus", str(tmp_path / "nothing"), "--out", str(tmp_path / "b.png")]) == 2


def test_step_pattern_of_salsa_is_found():
    """Accents on 1 2 3, 5 6 7 at 165 BPM in noise: tempo and the count of 1, which a plain beat comb cannot know."""
    rng = np.random.default_rng(0)
    period, first, rate = 60 / 165, 0.31, kinematic_beats.RATE
    curve = rng.exponential(0.3, int(25 * rate))
    for count in range(int(24 / period)):
        if kinematic_beats.SALSA[count % 8] > 0:
            curve[int(round((first + count * period) * rate))] += 3.0
    score, found, start = kinematic_beats.step_comb(curve, kinematic_beats.SALSA, (145, 200))
    assert 60 / found == pytest.approx(165, abs=0.6) and score > 6
    assert min(abs(start - first - k * 4 * period) for k in (-1, 0, 1)) < 0.04
    noise = kinematic_beats.step_comb(rng.exponential(0.3, int(25 * rate)), kinematic_beats.SALSA, (145, 200))
    assert noise[0] < 5
