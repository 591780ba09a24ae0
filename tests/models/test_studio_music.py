"""The studio's music: deterministic, in time with its plan, loud where it is written loud, and music rather than
clicks."""

import struct
from dataclasses import replace

import numpy as np
import pytest
from studio_sound import RATE, level_db, soundfont  # noqa: F401

from core.contract import load
from core.errors import BadInput
from core.rhythm.beats import Beats
from models.lab.studio import drum_samples, drums, effects, groove_templates, tone
from models.lab.studio.harmony import chord_tones, voice
from models.lab.studio.music import compose, render
from models.lab.studio.plan import Section, make_plan
from models.lab.studio.score import Grid, Note, Part, Score, bars_of, plain_mix

GENRES = [genre["slug"] for genre in load("genres")]


def attack_errors(sound, pitch, tone=None):
    """Seconds between written and heard attacks (-9 dB of the peak, 2 ms RMS) of a row of separate notes."""
    times = 0.5 + 0.613 * np.arange(6)
    part = Part("row", sound, [Note(t, 0.12, pitch, 0.8) for t in times], tone=tone or {})
    score = Score([part], times[-1] + 1, plain_mix())
    mono = render(score, replace(make_plan("dance", 1), duration=score.duration), RATE).mean(axis=0)
    level = np.sqrt(np.convolve(mono**2, np.ones(96) / 96, mode="same"))
    errors = []
    for t in times:
        near = level[int((t - 0.06) * RATE) : int((t + 0.2) * RATE)]
        errors.append(np.argmax(near >= 0.35 * near.max()) / RATE - 0.06)
    return np.array(errors)


@pytest.mark.parametrize(
    "sound,pitch",
    [
        ("kit:0", 36),
        ("kit:0", 38),
        ("kit:25", 39),
        ("kit:40", 42),
        ("gm:0", 60),
        ("gm:36", 40),
        ("gm:61", 67),
        ("gm:28", 60),
        ("gm:47", 45),
        ("gm:45", 60),
        ("kit2:0", 38),
        ("gm2:0", 60),
        ("gm2:28", 60),
    ],
)
def test_written_notes_are_heard_in_time(sound, pitch):
    assert np.abs(attack_errors(sound, pitch)).max() < 0.010


def test_synthesised_drums_are_heard_in_time():
    for character in ("909", "dusty", "tight"):
        kit = drums.draw_kit(np.random.default_rng(3), character)
        for key in (drums.KICK, drums.SNARE, drums.CLAP, drums.HAT):
            assert np.abs(attack_errors("drums", key, {"kit": kit})).max() < 0.010, (character, key)


@pytest.mark.parametrize("name", ["acoustic", "electronic"])
def test_recorded_drums_are_heard_in_time(name):
    rng = np.random.default_rng(4)
    for _ in range(3):
        kit = drum_samples.draw_kit(rng, name, drums.draw_kit(rng, "tight"))
        for key in (drums.KICK, drums.SNARE, drums.HAT):
            assert np.abs(attack_errors("drums", key, {"kit": kit})).max() < 0.012, (kit["samples"][key], key)


def test_every_preset_of_the_dance_genres_sounds_in_both_fonts():
    from models.lab.studio.composer_dance import GENRES as TABLES
    from models.lab.studio.instruments import KIT, SECOND, instruments

    kits = {int(kit[3:]) for genre in TABLES.values() for kit, _ in genre.kits if kit.startswith("gm:")}
    sounds = [(KIT + kit + font, key) for kit in sorted(kits) for key in (36, 38, 42) for font in (0, SECOND)]
    parts = [(sound, [Note(0.0, 0.2, key, 0.8)], 0.0) for sound, key in sounds]
    for part, stem in zip(parts, instruments(RATE).render(parts, RATE // 4)):
        assert np.abs(stem).max() > 0.01, part


def test_groove_templates_are_what_the_dataset_says(tmp_path):
    """A performance written as MIDI comes back: late snares, loud first hats; and a swung one is refused."""
    strokes = [(4.0 * bar + step / 4 + (0.02 if key == 38 else 0.0), key, 100 if step % 4 == 0 else 60)
               for bar in range(16) for key, steps in ((36, (0, 8)), (38, (4, 12)), (42, range(16))) for step in steps]
    path = tmp_path / "groove.mid"
    write_midi(path, strokes)
    row = groove_templates.measure(groove_templates.read_midi(path))
    measured = groove_templates.Template(row)
    snare = measured.offset[1, [4, 12, 20, 28]] - measured.offset[0, [0, 8, 16, 24]]
    assert np.abs(snare - 0.08).max() < 0.02 and measured.velocity[2, 0] > 1.3 * measured.velocity[2, 1]
    swung = [(onset + 0.08 * (round(4 * onset) % 2), key, velocity) for onset, key, velocity in strokes]
    write_midi(path, swung)
    assert groove_templates.measure(groove_templates.read_midi(path)) is None


def test_damaged_grooves_are_told(tmp_path):
    path = tmp_path / "groove.mid"
    write_midi(path, [(float(beat), 36, 90) for beat in range(16)])
    whole = path.read_bytes()
    for damaged in (b"RIFF", whole[:20], whole[:-9]):
        path.write_bytes(damaged)
        with pytest.raises(BadInput, match="groove.mid"):
            groove_templates.read_midi(path)


def write_midi(path, strokes):
    """A one-track MIDI file of (onset in quarter notes, key, velocity), 480 ticks a quarter note."""
    def number(value):
        out = [value & 127]
        while value := value >> 7:
            out.insert(0, value & 127 | 128)
        return bytes(out)
    body, last = b"", 0
    for onset, key, velocity in sorted(strokes):
        tick = round(480 * onset)
        body, last = body + number(tick - last) + bytes([0x99, key, velocity]), tick
    body += b"\x00\xff\x2f\x00"
    path.write_bytes(b"MThd" + struct.pack(">IHHH", 6, 0, 1, 480) + b"MTrk" + struct.pack(">I", len(body)) + body)


def test_a_dull_piece_is_led_to_its_genre():
    rng = np.random.default_rng(5)
    noise = np.cumsum(rng.normal(size=(2, 6 * RATE)), axis=1)                       # 6 dB per octave too dark already
    dull = effects.equalise((noise - noise.mean()).astype(np.float32), RATE, lowpass=6000.0, highpass=40.0)
    def miss(audio):
        gap = tone.target_db("waack") - tone.band_levels(audio, RATE)
        return np.abs(gap - gap[4:-5].mean()).mean()
    assert miss(tone.towards(dull, RATE, "waack")) < 0.5 * miss(dull)


@pytest.mark.parametrize("kind", ["dance", "conducting"])
def test_same_seed_same_samples(kind):
    plan = make_plan(kind, 910_003, duration=6.0)
    first, other = compose(plan), compose(make_plan(kind, 910_004, duration=6.0))
    audio = render(first, plan)
    render(other, plan)  # another piece in between leaves nothing behind
    assert np.array_equal(audio, render(compose(make_plan(kind, 910_003, duration=6.0)), plan))
    assert [p.notes for p in first.parts] != [p.notes for p in other.parts]


@pytest.mark.parametrize("genre", GENRES)
def test_every_genre_sounds(genre):
    plan = make_plan("dance", 910_010, genre=genre, duration=7.5)
    score = compose(plan)
    audio = render(score, plan)
    assert audio.shape == (2, int(7.5 * RATE)) and audio.dtype == np.float32
    assert np.isfinite(audio).all() and 0.05 < np.abs(audio).max() <= 0.98
    names = {part.name for part in score.parts}
    assert "bass" in names and names & {"drums"} and len(names) >= 3
    blocks = audio[:, : 7 * RATE].reshape(2, 28, -1)[:, 2:]
    assert (blocks**2).mean(axis=(0, 2)).min() > 1e-7  # no hole of a quarter second


def test_unknown_genre_is_refused():
    with pytest.raises(ValueError, match="polka"):
        compose(replace(make_plan("dance", 1), genre="polka"))


def test_house_kick_follows_given_beats():
    times = 0.9 + np.cumsum(np.r_[0, 0.5 + 0.02 * np.sin(np.arange(30))])
    plan = make_plan("dance", 910_020, genre="house", duration=15.0, beats=Beats(times, np.zeros(31)))
    assert np.isin(np.round(times[times < 15], 6), np.round(plan.times, 6)).all()
    assert plan.times[0] <= 0.45 and plan.times[-1] > 14.4
    score = compose(replace(plan, sections=(Section(0, len(plan.times), "groove", 0.7),)))
    kicks = np.array([n.onset for p in score.parts if p.name == "drums" for n in p.notes if n.pitch == drums.KICK])
    assert len(kicks) >= len(plan.times) - 8
    distance = np.abs(kicks[:, None] - plan.times).min(axis=1)
    assert np.median(distance) < 0.012 and distance.max() < 0.04


def test_librosa_finds_the_beats():
    import librosa

    found = []
    for seed, genre in ((910_030, "house"), (910_031, "street-jazz"), (910_032, "break"), (910_033, "middle-hip-hop")):
        plan = make_plan("dance", seed, genre=genre, duration=20.0)
        audio = librosa.resample(
            render(compose(plan), plan).mean(axis=0), orig_sr=RATE, target_sr=22050, res_type="polyphase"
        )
        beats = librosa.beat.beat_track(y=audio, sr=22050, units="time")[1]
        halves = np.sort(np.r_[plan.times, (plan.times[1:] + plan.times[:-1]) / 2])
        found.append(max(beat_f1(beats, t) for t in (plan.times, halves, plan.times[::2], plan.times[1::2])))
        assert beat_f1(beats + 0.25 * 60 / plan.bpm, plan.times) < 0.6  # the figure can fail
    assert np.mean(found) > 0.8, found


def beat_f1(found, truth, tolerance=0.07):
    hits = sum(1 for t in truth if np.abs(found - t).min() <= tolerance)
    return 2 * hits / (len(found) + len(truth))


def test_music_is_harmonic_and_percussive():
    import librosa

    for genre in ("house", "krump"):
        plan = make_plan("dance", 910_041, genre=genre, duration=8.0)
        audio = librosa.resample(
            render(compose(plan), plan).mean(axis=0), orig_sr=RATE, target_sr=22050, res_type="polyphase"
        )
        harmonic, percussive = librosa.decompose.hpss(np.abs(librosa.stft(audio)))
        share = (harmonic**2).sum() / ((harmonic**2).sum() + (percussive**2).sum())
        assert 0.2 < share < 0.98, (genre, share)


def test_bars_with_an_upbeat():
    plan = replace(make_plan("dance", 1), metre=4, times=np.arange(7) * 0.5, positions=np.array([3, 4, 1, 2, 3, 4, 1]))
    assert bars_of(plan) == [(-2, 4), (2, 4), (6, 1)]


def test_grid_swings_inside_the_beat():
    plan = replace(make_plan("dance", 1), times=np.arange(4.0), swing=0.6)
    grid = Grid(plan, 0.5)
    assert np.allclose([grid(1.0), grid(1.5), grid(2.0)], [1.0, 1.6, 2.0])
    straight = Grid(replace(plan, swing=0.5), 0.6)
    assert np.allclose([straight(1.25), straight(1.5), straight(1.75)], [1.3, 1.5, 1.8])


def test_voicings_move_little():
    previous = voice(chord_tones("major", 0), 0, 60)
    for degree in (3, 4, 5, 1):
        chord = voice(chord_tones("major", degree), 0, 60, previous)
        assert {p % 12 for p in chord} == {t % 12 for t in chord_tones("major", degree)}
        assert abs(np.mean(chord) - np.mean(previous)) < 5
        previous = chord


def test_effects():
    t = np.arange(RATE) / RATE
    tone = np.stack([np.sin(2 * np.pi * 440 * t)] * 2).astype(np.float32)
    assert np.abs(effects.limit(4 * tone, RATE, 0.9)).max() <= 0.9
    ducked = effects.duck(tone, [0.5], RATE, 0.8)
    assert level_db(ducked[:, RATE // 2 + 300 : RATE // 2 + 2000]) < level_db(ducked[:, 1000:20000]) - 6
    quiet = effects.equalise(tone, RATE, lowpass=100.0)
    assert level_db(quiet) < level_db(tone) - 40
    loud = effects.compress(tone, RATE, threshold_db=-20, ratio=4)
    assert level_db(loud[:, 20000:]) < level_db(tone[:, 20000:]) - 10
    assert abs(effects.loudness_db(tone, RATE) - effects.loudness_db(0.5 * tone, RATE) - 6.02) < 0.1
