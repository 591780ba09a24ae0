"""The measured facts of the field's metrics, reproduced; and properties that a wrong metric would not have."""
from pathlib import Path

import numpy as np
import pytest

from core.body.kinematics import forward_kinematics
from core.body.motion import rest_motion
from core.rhythm.alignment import align_score, beat_f1_70ms
from models.lab.metrics import audio, beat_align, frechet, kinetic, manual, motion, onset_flags, pairing
from tests.core.rigs import stepping

MUSIC = Path(__file__).resolve().parents[3] / "shared" / "data" / "music"
rng = np.random.default_rng


def test_chance_formula_matches_published_levels_and_simulation():
    got = [beat_align.chance_level(r, 0.05) for r in (1, 2, 3)] + [beat_align.chance_level(r, 0.1) for r in (1, 2, 3)]
    assert np.allclose(got, [0.125, 0.25, 0.375, 0.25, 0.49, 0.68], atol=0.006)
    targets = np.arange(0, 400, 0.5)
    assert abs(align_score(rng(0).uniform(1, 399, 20_000), targets) - beat_align.chance_level(2)) < 0.01


def test_align_report_separates_true_from_rolled():
    beats = np.arange(0.3, 30, 0.5)
    report = beat_align.align_report(beats + 0.01, beats, 30.0)
    assert report["lift"] > 0.9 and abs(report["null_mean"] - report["chance"]) < 0.02
    assert beat_align.align_report(beats + 0.25, beats, 30.0)["lift"] < -0.2


def test_f1_is_one_to_one_and_strict():
    true = np.arange(0, 20, 0.5)
    assert beat_f1_70ms(true + 0.069, true) == 1.0
    assert beat_f1_70ms(true + 0.071, true) == 0.0
    doubled = np.sort(np.concatenate([true, true + 0.25]))
    assert abs(beat_f1_70ms(doubled, true) - 2 / 3) < 0.01
    assert beat_align.beat_f1_any_level(doubled[:-1], true)[1] == "double"
    assert beat_f1_70ms(np.repeat(true, 3) + 0.001, true) == 0.5
    assert beat_f1_70ms([], true) == 0.0


def test_continuity_tells_the_level_from_the_phase():
    true = np.arange(0.3, 30, 0.5)
    half_way = (true[1:] + true[:-1]) / 2
    assert beat_align.continuity(true + 0.02, true) == {"CMLt": 1.0, "AMLt": 1.0}
    for other in (np.sort(np.concatenate([true, half_way])), true[::2], half_way):
        found = beat_align.continuity(other, true)
        assert found["CMLt"] < 0.1 and found["AMLt"] > 0.9
    assert beat_align.continuity(true * 1.13, true)["AMLt"] < 0.4
    assert beat_align.continuity([], true) == {"CMLt": 0.0, "AMLt": 0.0}


def test_the_phase_is_found_along_a_known_tempo():
    true = np.cumsum(0.5 + 0.1 * np.sin(np.arange(60) / 5))
    times = np.arange(0, true[-1] + 0.4, 0.02)
    turns = np.interp(times, true, np.arange(60))
    noise = np.random.default_rng(0).normal(size=(2, len(times)))
    for late in (0.0, 0.2):
        found = beat_align.phase_along(np.exp(2j * np.pi * (turns - late)) + noise[0] + 1j * noise[1], times, true)
        assert np.abs(found - true - late * np.gradient(true)).max() < 0.03


def test_published_bc_ignores_beats_after_a_third():
    # A body that stops exactly on each beat at 1 Hz: a real beat measure gives ~1, the published one does not.
    t = np.arange(0, 60, 1 / 30)
    x = np.cumsum(np.abs(np.sin(np.pi * t)))[:, None, None] * np.array([0.01, 0.0])
    beats = np.arange(1.0, 59.0)
    fair = align_score(beats, beat_align.kinematic_beats_fact(x, 30), sigma=0.1)
    published = beat_align.bc_as_published(beats, x)
    late = beat_align.bc_as_published(beats[20:], x)
    assert fair > 0.9 and published < 0.5 and late < 0.02
    assert abs(beat_align.bc_rates_matched(beats, x) - fair) < 1e-9
    shifted = beat_align.bc_rates_matched(beats + 0.5, x)
    assert shifted < 0.1, "rates matched, the score is a beat measure"


def test_kinematic_beats_scale_with_the_frame_rate():
    for fps in (30, 60):
        t = np.arange(0, 20, 1 / fps)
        x = np.stack([np.cos(np.pi * (t + 0.004)), 0 * t, 0 * t], -1)[:, None]      # turns at every whole second
        for detector in (beat_align.kinematic_beats_fact, beat_align.kinematic_beats_bailando):
            found = detector(x, fps)
            assert beat_f1_70ms(found, np.arange(1, 20)) > 0.9, (fps, detector.__name__, found)


def test_onset_flag_definitions():
    reference, generated = np.array([1, 0, 0, 1], bool), np.array([1, 1, 1, 1], bool)
    assert onset_flags.bcs_bhs(reference, generated, "loris") == (0.5, 1.0)
    assert onset_flags.bcs_bhs(reference, generated, "cdcd") == (2.0, 1.0)         # coverage may exceed 1
    assert onset_flags.bcs_bhs(np.zeros(4, bool), generated, "cdcd") == (0.0, 0.0)
    table = onset_flags.summary([(1.0, 0.5), (0.5, 0.5)])
    assert table["BCS"] == 75 and table["BHS"] == 50 and table["F1"] == 60 and table["HSD"] == 0
    with pytest.raises(ValueError):
        onset_flags.bcs_bhs(reference, generated, "other")


@pytest.mark.skipif(not MUSIC.exists(), reason="the shared music is absent")
def test_one_second_bins_saturate_on_unrelated_music():
    import librosa
    flags = []
    for name in ("vibe_ace", "sugar_plum_fairy"):
        y, _ = librosa.load(MUSIC / f"{name}.ogg", sr=onset_flags.RATE, offset=10, duration=15)
        flags.append(onset_flags.second_flags(onset_flags.onset_times(y), 15))
    click = onset_flags.second_flags(onset_flags.onset_times(onset_flags.click_track(15)), 15)
    bcs, bhs = onset_flags.bcs_bhs(flags[0], click)
    assert bcs > 0.85 and bhs > 0.85, "a bare 2 Hz click track must already score high: that is the defect"
    assert onset_flags.bcs_bhs(flags[0], flags[1])[1] > 0.7


def test_bcs_is_a_hundred_for_any_two_pulses():
    """Measured in systems.md 10.1: music that fills every second scores BCS = BHS = 100 against any other such
    music."""
    slow, fast = (onset_flags.click_track(20, per_second=rate) for rate in (1.7, 2.9))
    flags = [onset_flags.second_flags(onset_flags.onset_times(y), 20) for y in (slow, fast)]
    # The detector may miss the first and last events of a clip; every whole second inside holds one.
    assert onset_flags.bcs_bhs(flags[0][1:-1], flags[1][1:-1]) == (1.0, 1.0)
    beats = [np.arange(0.3, 20, 1 / rate) for rate in (1.7, 2.9)]
    assert beat_f1_70ms(beats[0], beats[1]) < 0.5, "the honest measure tells them apart"
    sparse = onset_flags.second_flags(onset_flags.onset_times(onset_flags.click_track(20, per_second=0.25)), 20)
    assert onset_flags.bcs_bhs(sparse, flags[1], "cdcd")[0] > 3, "CDCD's coverage exceeds 300 % on a sparse reference"
    noise = onset_flags.second_flags(onset_flags.onset_times(rng(0).normal(0, 0.1, 25 * 22_050)), 25)
    music = np.ones(25, bool)
    bcs, bhs = onset_flags.bcs_bhs(music, noise)
    assert bcs == 1.0 and bhs < 0.1, "white noise: BCS 100, BHS 4"


def test_kinetic_slip_and_its_correction():
    t = np.arange(0, 5, 1 / 60)
    curve = np.stack([0.3 * np.sin(2 * np.pi * t), 1 + 0.1 * np.cos(2 * np.pi * t), 0 * t], -1)
    body = np.tile(curve[:, None], (1, 2, 1))
    body[:, 0] = [0.0, 0.9, 0.0]
    slip, right = (kinetic.kinetic(body, as_published=flag)[5] for flag in (True, False))
    assert 50 < slip / right, (slip, right)
    lifted = body + np.array([0, 1.0, 0])
    assert np.allclose(kinetic.kinetic(lifted), kinetic.kinetic(body)), "the frame-0 root is subtracted first"
    assert np.allclose(kinetic.kinetic(lifted, as_published=False), kinetic.kinetic(body, as_published=False))
    raised = body.copy()
    raised[:, 1, 1] += 1.0  # the slip depends on absolute position; the correction does not
    assert kinetic.kinetic(raised)[5] > 1.3 * slip
    assert abs(kinetic.kinetic(raised, as_published=False)[5] - right) < 1e-6
    truth = np.linalg.norm([0.3, 0.1]) * (2 * np.pi) ** 2 / np.sqrt(2)
    assert abs(right / truth - 1) < 0.15 and kinetic.kinetic(body).shape == (6,)


def test_manual_features_know_poses():
    def features(rotations):
        positions = forward_kinematics(rotations, np.tile([0, 0.95, 0], (len(rotations), 1)).astype(np.float32))[0]
        return manual.manual(positions)

    from core.body.rotations import axis_angle_to_matrix
    base = np.tile(np.eye(3, dtype=np.float32), (10, 24, 1, 1))                      # y up: no root turn
    tpose = features(base)
    assert tpose.shape == (32,) and tpose[8] == 1 and tpose[6] == 0 and tpose[17] == 0
    bent = base.copy()
    bent[:, 19] = axis_angle_to_matrix(np.array([0, np.pi * 0.6, 0]))                # right elbow folded
    assert features(bent)[6] == 1 and features(bent)[7] == 0
    kick = base.copy()
    kick[:, 2] = axis_angle_to_matrix(np.array([-np.pi / 2, 0, 0]))                  # right thigh forward
    assert features(kick)[16] == 1 and features(kick)[17] == 0 and features(kick)[25] == 1


def test_frechet_and_diversity():
    a = rng(0).normal(size=(4000, 5))
    assert frechet.frechet_distance(a, a) < 1e-8
    assert abs(frechet.frechet_distance(a, a + 2.0) - 20) < 1e-6
    b = rng(1).normal(size=(4000, 5)) * 3
    assert abs(frechet.frechet_distance(a, b) - 5 * 4) < 1.5
    assert abs(frechet.diversity(np.array([[0.0], [1.0], [2.0]])) - 4 / 3) < 1e-9


def test_fgd_as_coded_is_no_fgd():
    real = [rng([1, i]).normal(size=(200, 6)) * np.arange(1, 7) for i in range(4)]
    other = [rng([2, i]).normal(size=(200, 6)) * np.arange(1, 7) for i in range(4)]
    slow = [clip * 0.3 for clip in other]
    assert frechet.fgd(other, real) < 0.5 < frechet.fgd(slow, real)
    assert frechet.fgd_as_coded(other, real) > 50 * frechet.fgd(other,
                                                                real), "hundreds for two sets of one distribution"
    assert frechet.fgd_as_coded(real, real) < 1e-6


def test_published_diversity_is_a_spread_between_songs():
    songs = rng(0).normal(size=(6, 50, 4))
    assert frechet.diversity_as_published(np.repeat(songs[:1], 6, 0)) == 0
    long, short = (frechet.diversity_as_published(np.repeat(songs, n, 1)) for n in (4, 1))
    assert abs(long / short - 4) < 1e-9, "summed over time: it grows with the length of the clips"


def test_dance_report_knows_its_own_set():
    from core.body.motion import Motion
    from core.body.rotations import axis_angle_to_matrix
    from models.lab.metrics.dance import dance_features, dance_report

    def dancer(seed, size):
        draw, frames = rng(seed), 60
        angles = np.zeros((frames, 24, 3))
        for joint in (1, 2, 16, 17, 18, 19):
            phase = np.arange(frames)[:, None] / draw.uniform(3, 9) + draw.uniform(0, 6, 3)
            angles[:, joint] = size * np.sin(phase) * draw.normal(size=3)
        base = rest_motion(frames)
        return Motion((base.rotations @ axis_angle_to_matrix(angles)).astype(np.float32), base.root)
    real, calm = ([dancer(seed, size) for seed in range(first, first + 8)] for first, size in ((0, 0.5), (20, 0.1)))
    same, other = dance_report(real, real), dance_report(calm, real)
    assert same["fid_k"] < 1e-6 and same["fid_g"] < 1e-6 and same["div_k"] == same["div_k_real"] and same["clips"] == 8
    assert other["fid_k"] > 10 and other["div_k"] < 0.5 * same["div_k"]
    moved = Motion(real[0].rotations, real[0].root + np.array([2, -1, 0], np.float32))
    assert all(np.allclose(dance_features(moved)[k], dance_features(real[0])[k], atol=1e-3, rtol=1e-3)
               for k in ("k", "g"))
    with pytest.raises(ValueError):
        dance_report(real[:1], real)


def test_motion_measures():
    still = rest_motion(60).positions()
    assert motion.pfc([still]) == 0 and motion.jerk(still, 30) == 0 and motion.bone_length_deviation(still) < 1e-5
    slide = still + (np.arange(60) * 0.005)[:, None, None] * np.array([1.0, 0, 0])
    assert motion.foot_slide(still, 30)[0] == 0 and abs(motion.foot_slide(slide, 30)[0] - 0.295) < 0.01
    assert motion.below_floor(still - np.array([0, 0, 0.05])) > 0.02
    assert abs(motion.temporal_spread([slide * 2], [slide]) - 200) < 1e-3


def test_pairing_matrix_and_its_permutation_test():
    bodies = [np.sort(rng(i).uniform(0, 20, 40)) for i in range(8)]
    music = [b + 0.05 for b in bodies]
    report = pairing.pairing_report(pairing.pairing_matrix(music, bodies), 2000)
    assert report["p"] < 0.01 and report["mean_rank"] == 1.0 and report["paired"] > report["mismatched"] + 0.2
    wrong = pairing.pairing_report(pairing.pairing_matrix(music[1:] + music[:1], bodies), 2000)
    assert wrong["p"] > 0.2 and wrong["mean_rank"] < 0.8


def test_audio_measures():
    rate = 22_050
    t = np.arange(8 * rate) / rate
    beat = np.exp(-((t % 0.5) / 0.08))
    tone = (0.3 * np.sin(2 * np.pi * 220 * t) * (0.4 + beat) + 0.1 * rng(0).normal(size=len(t))
            * beat).astype(np.float32)
    click = onset_flags.click_track(8)
    assert audio.is_music(tone, rate)["music"] and not audio.is_music(click, rate)["music"]
    assert not audio.is_music(rng(0).normal(0, 0.1, 8 * rate).astype(np.float32), rate)["music"]
    assert len(audio.clicks(tone, rate)) == 0 and len(audio.clicks(click, rate)) == 0
    broken = tone.copy()
    broken[3 * rate:] += 0.25
    assert np.allclose(audio.clicks(broken, rate), [3.0], atol=0.001)
    assert abs(audio.true_peak_dbtp(0.5 * np.sin(2 * np.pi * 997 * t)) + 6.02) < 0.05
    sine = np.stack([np.sin(2 * np.pi * 997 * np.arange(5 * 48000) / 48000)] * 2) * 10 ** (-23 / 20)
    assert abs(audio.loudness_lufs(sine, 48_000) + 23.0) < 0.15, "EBU Tech 3341 case: -23 dBFS stereo sine is -23 LUFS"
    assert audio.loudness_lufs(np.zeros(100), 48_000) == float("-inf")


def test_loudness_and_peak_agree_with_the_delivery():
    """`core.audio.loudness` delivers, `models.lab.metrics.audio` examines: written apart, they must read the same."""
    from core.audio import loudness, meter
    rate = 48_000
    t = np.arange(6 * rate) / rate
    sweep = np.sin(2 * np.pi * (200 * t + 900 * t ** 2)) * (0.3 + 0.2 * np.sin(3 * t))
    noise = np.cumsum(rng(1).normal(size=(2, 6 * rate)), axis=1)
    noise = 0.2 * (noise - noise.mean(1, keepdims=True)) / np.abs(noise).max()
    for sound in (np.stack([sweep, 0.5 * sweep]), noise, np.stack([sweep, sweep]) * 3 + noise):
        assert abs(meter.integrated_loudness(sound, rate) - audio.loudness_lufs(sound, rate)) < 0.05
        assert abs(loudness.true_peak_db(sound, rate) - audio.true_peak_dbtp(sound)) < 0.05
    delivered = loudness.deliver(sweep[None].repeat(2, 0), rate)
    target = loudness.presets()[loudness.default_preset()]
    assert audio.true_peak_dbtp(delivered) <= loudness.CEILING_DBTP
    assert target is None or abs(audio.loudness_lufs(delivered, rate) - target) < 0.5
    # Between samples: a sine at a quarter of the rate, 45 degrees off its samples, peaks 3 dB above them.
    between = np.sin(np.pi / 2 * np.arange(rate) + np.pi / 4)
    for read in (loudness.true_peak_db(between[None], rate), audio.true_peak_dbtp(between)):
        assert abs(read) < 0.3 and 20 * np.log10(np.abs(between).max()) < -3


def test_longest_gap():
    sound = rng(0).normal(0, 0.1, 4 * 22_050).astype(np.float32)
    assert audio.longest_gap(sound, 22_050) == 0
    sound[22_050:int(1.7 * 22_050)] = 0
    assert abs(audio.longest_gap(sound, 22_050) - 0.7) < 0.05


def test_fd_logmel_orders_distances():
    def sets(seed, cutoff):
        out = []
        for i in range(12):
            noise = rng([seed, i]).normal(size=30_000)
            out.append(audio.clip_features(np.convolve(noise, np.ones(cutoff) / cutoff, "same").astype(np.float32),
                                           22_050))
        return out
    same, other = audio.fd_logmel(sets(0, 4), sets(1, 4)), audio.fd_logmel(sets(0, 4), sets(1, 30))
    assert same < 0.25 * other


def test_command_line_prints_json(tmp_path, capsys):
    import json

    from models.lab.metrics.__main__ import main
    for name, shift in (("a", 0.0), ("b", 0.02)):
        (tmp_path / name).write_text("\n".join(f"{t + shift:.3f}" for t in np.arange(0, 10, 0.5)))
    assert main(["beats", str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["beat_f1_70ms"] == 1.0 and found["found_to_true"]["lift"] > 0.5
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    (tmp_path / "c").write_text("\n".join(f"{t:.3f}" for t in np.arange(0.1, 10, 0.37)))
    assert main(["pairs", a, b, str(tmp_path / "c"), str(tmp_path / "c")]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["paired"] == 1.0 and report["mean_rank"] == 1.0 and report["mismatched"] < 0.7
    assert main(["beats", str(tmp_path / "a")]) == 2 and "two files" in capsys.readouterr().err


def test_pfc_of_a_file_does_not_depend_on_its_rate(tmp_path, capsys):
    import json

    from core.motion_files import write_npz
    from models.lab.metrics.__main__ import main
    steps, _ = stepping(seconds=4.0)
    for fps in (30.0, 60.0):
        write_npz(tmp_path / f"{fps:g}.npz", steps.resampled(fps))
    assert main(["motion", *(str(tmp_path / f"{fps}.npz") for fps in (30, 60))]) == 0
    slow, fast = (row["pfc"] for row in json.loads(capsys.readouterr().out).values())
    assert slow > 0 and abs(fast / slow - 1) < 0.05                 # taken at 60 fps it is some four times less
