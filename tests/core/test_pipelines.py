"""Pipelines with tiny networks: any condition in, a result with recipe, beats and alignment out; and every refusal."""
import json

import numpy as np
import pytest
import torch
from rigs import stepping
from tiny import clicks

from core import pipelines
from core.audio import Audio, loudness, meter
from core.body.motion import rest_motion
from core.contract import load
from core.contract import systems as registry
from core.contract.systems import System
from core.errors import BadInput, Cancelled, NoCheckpoint, OutOfMemory
from core.pipelines import base, device
from core.pipelines.to_motion import kept_ranges
from core.rhythm.alignment import alignment
from core.rhythm.beats import Beats


@pytest.fixture
def conduct(tiny_checkpoints):
    return pipelines.open_pipeline("conduct", tiny_checkpoints, "cpu")


@pytest.fixture
def sound():
    return Audio(clicks(4.0), 22_050)


BEATS = base.regular_beats(120, 4.0)
FAST = dict(beats=BEATS, steps=2)


# ------------------------------------------------------------------------------------------------ registry

def test_only_systems_whose_code_is_here_are_offered(tiny_checkpoints, monkeypatch):
    assert {"music_ldm", "conductor"} <= set(pipelines.offered())
    assert all(pipelines.available(tiny_checkpoints)[name] for name in ("music_ldm", "conductor"))
    absent = System({**registry.find("conduct").raw, "name": "dance", "module": "models.nothing_of_the_kind.pipeline"},
                    load("settings"))
    monkeypatch.setattr(registry, "systems", lambda: {"conductor": registry._systems("")["conductor"], "dance": absent})
    assert set(pipelines.offered()) == {"conductor"}
    with pytest.raises(BadInput, match="is not installed here"):
        pipelines.open_pipeline("dance")
    with pytest.raises(BadInput, match="no system 'polka'"):
        pipelines.open_pipeline("polka")


def test_missing_checkpoints_are_one_sentence(tmp_path, sound, monkeypatch):
    from core import checkpoints
    monkeypatch.setattr(checkpoints, "FOLDER", tmp_path)
    assert not any(pipelines.available()[name] for name in ("music_ldm", "conductor"))
    with pytest.raises(NoCheckpoint, match="conductor"):
        pipelines.open_pipeline("conduct").generate(sound)


def test_a_pipeline_is_opened_once(tiny_checkpoints):
    first = pipelines.open_pipeline("conduct", tiny_checkpoints, "cpu")
    assert pipelines.open_pipeline("conduct", tiny_checkpoints, "cpu") is first
    assert pipelines.open_pipeline("conduct", tiny_checkpoints, "auto") is not first


# ------------------------------------------------------------------------------------------------ conduct

def test_conduct_gives_motion_recipe_and_alignment(conduct, sound):
    seen = []
    results = conduct.generate_variations(sound, **FAST, seed=7, variations=2, metre=4, source={"audio": "x.wav"},
                                          progress=lambda phase, fraction, detail="": seen.append((phase, fraction)))
    assert [len(result.motion) for result in results] == [120, 120] and results[0].motion.fps == 30
    assert np.abs(results[0].motion.rotations - results[1].motion.rotations).max() > 1e-3
    recipe = json.loads(json.dumps(results[1].recipe))
    assert recipe["settings"]["seed"] == 8 and recipe["settings"]["metre"] == 4 and recipe["beats_from"] == "user"
    assert recipe["source"] == {"audio": "x.wav"} and recipe["beats"]["times"] == BEATS.to_json()["times"]
    assert {len(part["sha256"]) for part in recipe["checkpoints"].values()} == {64}
    assert set(results[0].alignment) == {"score", "chance", "f1", "f1_chance", "body_beats", "music_beats"}
    assert results[0].alignment["music_beats"] == len(BEATS) and results[0].device.startswith("cpu")
    fractions = [fraction for _, fraction in seen if fraction is not None]
    assert np.all(np.diff(fractions) > -1e-9) and fractions[0] == 0 and fractions[-1] == pytest.approx(1.0)
    assert {phase for phase, _ in seen} <= set(load("phases"))


def test_a_recipe_makes_the_same_motion_again(conduct, sound):
    first = conduct.generate_variations(sound, **FAST, seed=3, variations=2)[1]
    settings = {key: value for key, value in first.recipe["settings"].items() if key != "keep"}
    again = conduct.generate(sound, beats=Beats.from_json(first.recipe["beats"]), **settings)
    np.testing.assert_allclose(again.motion.rotations, first.motion.rotations, atol=1e-4)


def test_beats_are_found_where_none_are_given(conduct, sound):
    result = conduct.generate(sound, steps=2)
    assert result.recipe["beats_from"] == "predicted"
    unknown = Beats(BEATS.times, np.zeros(len(BEATS), int))
    result = conduct.generate(sound, steps=2, beats=unknown)              # times given, bars to be found
    np.testing.assert_array_equal(result.beats.times, BEATS.times)
    assert result.recipe["beats_from"] == "user" and result.beats.positions.all()
    with pytest.raises(BadInput, match="The tempo Markers needs beats to follow"):
        conduct.generate(sound, steps=2, tempo="markers")


def test_only_the_chosen_seconds_are_made_anew(conduct, sound):
    before = conduct.generate(sound, **FAST, seed=1).motion
    after = conduct.generate(sound, **FAST, seed=2, keep=(before, 1.5, 3.0)).motion
    gap = np.abs(after.rotations - before.rotations).max(axis=(1, 2, 3))
    assert gap[:45].max() < 1e-5 and gap[91:].max() < 1e-5 and gap[55:80].max() > 1e-3
    with pytest.raises(BadInput, match="does not lie within"):
        conduct.generate(sound, **FAST, keep=(before, 3.0, 9.0))


@pytest.mark.parametrize("frames", [50, 61, 71, 100])
def test_a_range_may_reach_the_end_however_that_is_rounded(frames):
    """The add-on rounds to 0.1 ms, and the passage's sound ends on a whole sample."""
    for duration in (frames / 30, round(frames / 30 * 44_100) / 44_100, frames / 30 - 1e-5):
        motion, ranges = kept_ranges(rest_motion(frames), 0.2, round(frames / 30, 4), duration=duration)
        assert ranges == [(0.0, 0.2)] and len(motion) == frames
        inside = kept_ranges(rest_motion(frames), 0.2, round(frames / 30, 4), "inside", duration=duration)[1]
        assert inside == [(0.2, pytest.approx(duration, abs=1e-3))] and inside[0][1] <= duration


def test_cancel_is_honoured_within_one_step(conduct, sound):
    steps = []
    with pytest.raises(Cancelled):
        conduct.generate(sound, beats=BEATS, steps=50, should_cancel=lambda: len(steps) >= 3,
                         progress=lambda phase, fraction, detail="": steps.append(detail) if "/" in detail else None)
    assert len(steps) == 3


@pytest.mark.parametrize("options, words", [
    ({"guidance_scale": -1}, "guidance scale of -1"), ({"steps": 0}, "sampling steps"),
    ({"steps": "many"}, "sampling steps"),
    ({"seed": -1}, "seed"), ({"variations": 9}, "variations of 9"), ({"metre": 8}, "metre 8"),
    ({"amplitude": 3.0}, "amplitude"),
    ({"left_hand": 2.0}, "left-hand"), ({"lead": 2.0}, "lead"), ({"bpm": 1000}, "1000 BPM"),
    ({"duration": 0.2}, "0.20 s"), ({"beats": Beats([100.0, 101.0], [1, 2])}, "within the passage")])
def test_settings_out_of_range_are_one_sentence(conduct, sound, options, words):
    with pytest.raises(BadInput) as caught:
        conduct.generate_variations(sound, **{"steps": 2, **options})
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_wrong_condition_and_endless_range(conduct):
    with pytest.raises(BadInput, match="needs sound"):
        conduct.generate(rest_motion(60))
    with pytest.raises(BadInput, match="4.0 h"):
        base.check_seconds(registry.find("music"), 4 * 3600.0)


def test_silence_is_conducted_standing_ready(conduct):
    motion = conduct.generate(Audio(np.zeros(22_050 * 3, np.float32), 22_050), steps=2).motion
    assert np.isfinite(motion.rotations).all() and np.abs(np.diff(motion.rotations, axis=0)).max() < 1e-4


# ------------------------------------------------------------------------------------------------ music

@pytest.fixture
def music(tiny_checkpoints):
    return pipelines.open_pipeline("music", tiny_checkpoints, "cpu")


@pytest.fixture(scope="module")
def steps_motion():
    return stepping(4.0)[0]


def test_music_gives_delivered_sound_recipe_and_alignment(music, steps_motion):
    seen = []
    results = music.generate_variations(steps_motion, **FAST, genre="LA Hip-Hop", seed=7, variations=2,
                                        loudness="podcast",
                                        progress=lambda phase, fraction, detail="": seen.append((phase, fraction)))
    for result in results:
        assert result.audio.shape == (2, 192_000) and result.audio.dtype == np.float32
        assert abs(meter.integrated_loudness(result.audio, 48_000) + 16) < 1.0
        assert loudness.true_peak_db(result.audio, 48_000) <= -1.0
    assert np.abs(results[0].audio - results[1].audio).max() > 1e-3
    recipe = json.loads(json.dumps(results[1].recipe))
    assert recipe["settings"]["seed"] == 8 and recipe["settings"]["genre"] == "la-hip-hop"
    assert set(recipe["checkpoints"]) == {"vae", "denoiser", "vocoder",
                                          "rhythm_body"} and recipe["beats_from"] == "user"
    assert results[0].alignment["body_beats"] == len(BEATS)
    fractions = [fraction for _, fraction in seen if fraction is not None]
    assert np.all(np.diff(fractions) > -1e-9) and fractions[-1] == pytest.approx(1.0)
    again = music.generate(steps_motion, beats=BEATS, **{k: v for k, v in recipe["settings"].items() if k != "keep"})
    np.testing.assert_allclose(again.audio, results[1].audio, atol=2e-3)


def test_music_finds_beats_and_needs_no_motion(music, steps_motion, monkeypatch):
    monkeypatch.setattr("core.pipelines.to_sound.LEAST_CONFIDENCE", 0.0)            # the network here is hardly trained
    assert music.generate(steps_motion, steps=1, genre="pop").recipe["beats_from"] == "predicted"
    alone = music.generate(None, steps=1, genre="pop", duration=3.0, bpm=100)
    assert alone.recipe["beats_from"] == "tempo" and alone.beats.tempo_bpm == pytest.approx(100)
    assert alone.audio.shape == (2, 144_000)
    usual = music.generate(None, steps=1, genre="pop", duration=3.0)
    assert usual.recipe["beats_from"] == "genre" and usual.beats.tempo_bpm == pytest.approx(105)
    free = music.generate(None, steps=1, duration=3.0)
    assert free.beats is None and free.alignment is None
    for options, words in (({}, "length of the music"), ({"duration": 3.0, "bpm": 9}, "9 BPM")):
        with pytest.raises(BadInput, match=words):
            music.generate(None, steps=1, **options)
    with pytest.raises(BadInput, match="made from motion"):
        music.generate(Audio(clicks(2.0), 22_050))


def test_a_body_without_clear_beats_gets_the_genres_tempo(music, steps_motion, monkeypatch):
    told = []
    monkeypatch.setattr(music, "notify", told.append)
    monkeypatch.setattr("core.pipelines.to_sound.LEAST_CONFIDENCE", 1.1)
    result = music.generate(steps_motion, steps=1, genre="pop")
    assert (result.recipe["beats_from"] == "genre" and result.beats.tempo_bpm == pytest.approx(105)
            and "105 BPM" in told[-1])
    asked = music.generate(steps_motion, steps=1, genre="pop", bpm=90)
    assert asked.recipe["beats_from"] == "tempo" and asked.beats.tempo_bpm == pytest.approx(90)
    assert music.generate(steps_motion, steps=1).recipe["beats_from"] == "predicted"


def test_both_from_nothing_have_a_style_and_its_tempo():
    """Any style at the automatic tempo, as the panel starts: without beats there would be no music. The seed draws the
    style, among those that the tempo suits, and the recipe tells it."""
    pipeline = pipelines.open_pipeline("momu_both", None, "cpu")

    def made(beats=None, **params):
        ask = base.Ask(None, 8.0, base.checked(pipeline.system, params))
        found, come_from = pipeline._find_beats(ask, beats, base.silent)
        return pipeline.recipe(ask, 0, None)["settings"]["genre"], found.tempo_bpm, come_from
    drawn = [made(seed=seed) for seed in range(40)]
    assert {style for style, *_ in drawn} == {row["slug"] for row in load("genres")}
    assert all(bpm == pytest.approx(base.genre_tempo(style)) and how == "genre" for style, bpm, how in drawn)
    assert made(seed=7) == made(seed=7)
    assert {made(seed=seed, bpm=133.0)[0] for seed in range(20)} == {"house"}, "the only one that is so quick"
    assert "house" not in {made(base.regular_beats(90.0, 8.0), seed=seed)[0] for seed in range(20)}
    assert len({made(seed=seed, bpm=200.0)[0] for seed in range(20)}) > 3, "usual in none"
    assert made(seed=3, genre="pop") == ("pop", pytest.approx(105.0), "genre")


def test_standing_still_is_no_clear_beat():
    from core.pipelines.to_sound import LEAST_CONFIDENCE
    from models.rhythm.detect import detect_body_beats
    assert detect_body_beats(rest_motion(240)).confidence < LEAST_CONFIDENCE


def test_noise_has_no_beat_and_the_user_hears_so():
    from core.pipelines.beats import find_beats
    noise = np.random.default_rng(0).normal(0, 0.1, (1, 22_050 * 20)).astype(np.float32)
    told = []
    found = find_beats(Audio(noise, 22_050), notify=told.append)
    assert len(found) == 0 and found.to_json()["tempo"]["chosen"] == "none"
    assert any("No clear beat" in sentence for sentence in told)
    kept = find_beats(Audio(noise, 22_050), tempo=100)
    assert kept.tempo_bpm == pytest.approx(100, abs=3.1) and len(kept) > 25


def test_music_makes_only_the_chosen_seconds_anew(music, steps_motion):
    before = music.generate(steps_motion, **FAST, seed=1).audio
    after = music.generate(steps_motion, **FAST, seed=2, keep=(before, 1.5, 2.5))
    gap = np.abs(after.audio - before).max(axis=0)
    assert gap[:70_000].max() < 1e-6 and gap[122_000:].max() < 1e-6 and gap[80_000:110_000].max() > 1e-3
    assert after.recipe["settings"]["keep"] == {"start": 1.5, "stop": 2.5}
    assert loudness.true_peak_db(after.audio, 48_000) <= -1.0


def test_loop_joins_without_a_step(music, steps_motion):
    sound = music.generate(steps_motion, **FAST, loop=True).audio
    assert sound.shape == (2, 192_000)
    seam = np.abs(sound[:, 0] - sound[:, -1]).max()
    assert seam <= np.abs(np.diff(sound, axis=1)).max()


def test_music_is_cancelled_within_one_step(music, steps_motion):
    steps = []
    with pytest.raises(Cancelled):
        music.generate(steps_motion, beats=BEATS, steps=50, should_cancel=lambda: len(steps) >= 3,
                       progress=lambda phase, fraction, detail="": steps.append(detail) if "/" in detail else None)
    assert len(steps) <= 4


# ------------------------------------------------------------------------------------------------ parts

def test_progress_shares():
    seen = []
    part = base.share(lambda *fields: seen.append(fields), 0.2, 0.6)
    part("Sampling", 0.5, "1/2")
    part("Sampling", None)
    assert seen == [("Sampling", pytest.approx(0.4), "1/2"), ("Sampling", None, "")]


def test_alignment_tells_true_from_chance():
    beats = np.arange(0, 20, 0.5)
    on, off = alignment(beats + 0.01, beats, 20.0), alignment(beats + 0.25, beats, 20.0)
    assert on["score"] > 0.9 and on["f1"] == 1.0 and off["score"] < 0.01 and off["f1"] == 0.0
    assert 0.2 < on["chance"] < 0.3 and 0.25 < on["f1_chance"] < 0.31         # a 2 Hz train: 0.25 (systems.md 10.2)
    assert alignment([], beats, 20.0)["score"] == 0.0


def run_out(after):
    """A job that has no memory on the first `after` attempts."""
    tried = []

    def run(where, small):
        tried.append((where, small))
        if len(tried) <= after:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return "made"
    return tried, run


def test_out_of_memory_retries_smaller_then_on_the_cpu_and_says_so():
    said = []
    tried, run = run_out(0)
    assert device.with_fallback(run, "cuda", said.append) == ("made", "cuda") and said == []
    tried, run = run_out(1)
    assert device.with_fallback(run, "cuda", said.append) == ("made", "cuda") and tried == [("cuda", False),
                                                                                            ("cuda", True)]
    assert len(said) == 1 and "smaller windows" in said[0]
    tried, run = run_out(2)
    assert device.with_fallback(run, "cuda", said.append) == ("made", "cpu") and tried[-1] == ("cpu", True)
    assert "on the CPU" in said[-1]
    _, run = run_out(3)
    with pytest.raises(OutOfMemory, match="not enough memory"):
        device.with_fallback(run, "cuda", said.append)
    with pytest.raises(RuntimeError, match="shape"):
        device.with_fallback(lambda where, small: (_ for _ in ()).throw(RuntimeError("shape mismatch")), "cpu",
                             said.append)


@pytest.mark.parametrize("name", ["music", "conduct"])
def test_a_full_device_is_survived_by_the_whole_job(name, tiny_checkpoints, sound, steps_motion, monkeypatch):
    """The first run of the model fails as torch does on a full graphics card: the second, one window at a time, is
    delivered."""
    pipeline = pipelines.open_pipeline(name, tiny_checkpoints, "cpu", notify=(said := []).append)
    model, batches = pipeline.model, []
    true = model.generate

    def full(self, condition, settings, **others):
        batches.append(settings.batch)
        if len(batches) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return true(self, condition, settings, **others)
    monkeypatch.setattr(model, "generate", full)
    result = pipeline.generate(sound if name == "conduct" else steps_motion, **FAST)
    assert result.seconds == pytest.approx(4.0, abs=0.05) and batches == [None, 1]
    assert len(said) == 1 and "ran out of memory" in said[0] and "smaller windows" in said[0]
    monkeypatch.setattr(model, "generate", lambda self, *arguments, **settings: (_ for _ in ()).throw(MemoryError()))
    with pytest.raises(OutOfMemory, match="shorter range"):
        pipeline.generate(sound if name == "conduct" else steps_motion, **FAST)


def test_smaller_windows_give_the_same_motion(tiny_checkpoints, sound):
    """The retry after a full memory computes fewer windows at once; nothing else may change."""
    from models.conductor.pipeline import Conductor
    conductor = Conductor.load(tiny_checkpoints)
    whole, small = (conductor.generate(sound, beats=BEATS, steps=2, seed=1, batch=batch)[0] for batch in (None, 1))
    np.testing.assert_allclose(small.rotations, whole.rotations, atol=1e-4)


@pytest.mark.parametrize("name", list(registry.systems()))
def test_a_model_has_every_setting_of_its_row(name):
    """A row's setting that its model does not know fails here, not in a user's job."""
    from importlib import import_module
    system = registry.find(name)
    settings = import_module(f"models.{system.folder}.settings").Settings
    mine = {key for key, setting in system.settings.items() if setting.by == "model"}
    assert mine <= set(settings.__dataclass_fields__)
    model = pipelines.model_class(system)
    assert callable(model.load) and callable(model.generate)


@pytest.mark.parametrize(("card", "built", "runs"), [
    ((8, 6), ["sm_80", "sm_90"], True), ((12, 0), ["sm_80", "sm_86", "sm_90"], False), ((12, 0), ["compute_90"], True),
    ((7, 5), ["sm_80"], False), ((12, 0), ["sm_120"], True), ((9, 0), ["sm_90a"], True), ((9, 4), ["gfx942"], True)])
def test_a_card_for_which_torch_was_not_built_is_not_used(card, built, runs):
    assert device.has_code_for(card, built) is runs


def test_devices():
    assert device.resolve("auto") in ("cuda", "cuda", "cpu") and device.resolve("cpu") == "cpu"
    with pytest.raises(BadInput, match="unknown"):
        device.resolve("abacus")
    if not torch.cuda.is_available():
        with pytest.raises(BadInput, match="no CUDA device"):
            device.resolve("cuda")
