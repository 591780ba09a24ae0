"""Renderer: a score to stereo sound, by FluidSynth, numpy drums and synthesisers, and the effects of the mix."""

import numpy as np

from models.lab.studio import drums, effects, synths, tone
from models.lab.studio.instruments import KIT, SECOND, instruments
from models.lab.studio.score import rng_of

FONTS = ("gm:", "kit:", "gm2:", "kit2:")


def render_score(score, rate=48000):
    """(2, N) float32 of a score, N = round(duration * rate); the same score gives the same samples."""
    samples = int(round(score.duration * rate))
    sampled = [part for part in score.parts if part.sound.startswith(FONTS)]
    stems = instruments(rate).render(
        [(_sound_number(part.sound), part.notes, _cents(part, score)) for part in sampled], samples
    )
    tracks = {id(part): stem for part, stem in zip(sampled, stems)}
    rng = rng_of(score.mix["seed"], "render")
    kicks = [n.onset for part in score.parts if part.name == "drums" for n in part.notes if n.pitch == drums.KICK]
    dry, wet, kit = (np.zeros((2, samples), np.float32) for _ in range(3))
    for part in score.parts:
        track = tracks[id(part)] if id(part) in tracks else _synthesise(part, samples, rate, score.mix["cents"])
        track = _place(part, track, score, rng, rate)
        if part.duck and kicks:
            track = effects.duck(track, kicks, rate, min(part.duck, 0.9))
        bus = kit if score.kind == "dance" and _is_drum(part) else dry
        bus += track
        wet += np.float32(part.reverb) * track
    mix = score.mix
    dry += _glued(kit, rate, mix.get("glue", 0.0))
    if score.dynamics:
        times, levels = score.dynamics
        dry, wet = (effects.follow_dynamics(x, rate, times, levels, mix["dynamic_range_db"]) for x in (dry, wet))
    response = effects.impulse_response(rng, rate, mix["reverb_seconds"], mix["reverb_bright"])
    dry += np.float32(10 ** (mix["reverb_db"] / 20)) * effects.reverb(wet, response)
    return _master(dry, score, rng, rate)


def _sound_number(sound):
    kind, number = sound.split(":")
    return int(number) + (KIT if kind.startswith("kit") else 0) + (SECOND if kind.endswith("2") else 0)


def _cents(part, score):
    return part.tone.get("cents", 0.0) if part.sound.startswith("kit") else score.mix["cents"]


def _synthesise(part, samples, rate, cents):
    if part.sound == "drums":
        mono = drums.play(part.tone["kit"], part.notes, samples, rate)
    else:
        mono = synths.play_synth(part.tone, part.notes, samples, rate, cents)
    return np.stack([mono, mono])


def _is_drum(part):
    return part.sound == "drums" or part.sound.startswith("kit")


def _glued(kit, rate, amount):
    """The drum bus with `amount` of a hard-compressed copy beside it: fuller tails under the same attacks."""
    level = _active_level(kit, rate)
    if not amount or not level:
        return kit
    pressed = effects.compress(kit / np.float32(level), rate, threshold_db=-9.0, ratio=8.0, attack=0.012, release=0.09)
    pressed *= np.float32(level / max(_active_level(pressed, rate), 1e-6))
    return (kit + np.float32(amount) * pressed) / np.float32(1 + amount)


def _active_level(track, rate):
    """RMS of the louder half of 50 ms blocks: how loud a part is while it plays."""
    block = int(0.05 * rate)
    power = (track[:, : track.shape[1] // block * block] ** 2).sum(axis=0).reshape(-1, block).mean(axis=1)
    power = power[power > 1e-8]
    return float(np.sqrt(np.sort(power)[len(power) // 2 :].mean())) if len(power) else 0.0


def _place(part, track, score, rng, rate):
    """A part at its level and place: levelled to a common loudness, its own gain, pan."""
    width = score.mix["width"]
    level = _active_level(track, rate)
    drum = _is_drum(part)
    insert = part.insert
    if insert.get("tremolo"):
        track = effects.tremolo(track, rate, *insert["tremolo"])
    if insert.get("drive_db"):
        track = effects.saturate(track * np.float32(0.4 / max(level, 1e-4)), insert["drive_db"])
        level = _active_level(track, rate)
    if insert.get("tilt_db"):
        track = effects.tilt(track, rate, insert["tilt_db"])
    if insert.get("echo"):
        track = effects.echo(track, rate, *insert["echo"])
    gain = part.gain * 0.12 / max(level, 1e-4)
    gain *= 10 ** ((score.mix["balance_db"] if drum else 0.0) / 20)
    pan = part.pan * width
    if width == 0.0:
        track = np.repeat(track.mean(axis=0, keepdims=True), 2, axis=0)
    angle = (pan + 1) * np.pi / 4
    gains = np.array([[np.cos(angle)], [np.sin(angle)]], np.float32) * np.float32(np.sqrt(2) * gain)
    return track * gains


def _master(audio, score, rng, rate):
    mix, samples = score.mix, audio.shape[1]
    if mix.get("genre"):
        audio = tone.towards(audio, rate, mix["genre"])
    audio = effects.equalise(
        audio,
        rate,
        tilt_db=mix["tilt_db"],
        low_db=mix["low_db"],
        mid_db=mix["mid_db"],
        mid_hz=mix["mid_hz"],
        high_db=mix["high_db"],
        lowpass=mix["lowpass"],
        highpass=mix["highpass"],
    )
    if score.kind == "dance":
        audio *= 0.7 / max(float(np.percentile(effects.envelope_blocks(audio, 1024), 98)), 1e-4)
        audio = effects.compress(
            audio, rate, threshold_db=mix["threshold_db"], ratio=mix["ratio"], release=mix["release"]
        )
    peak = max(float(np.percentile(effects.envelope_blocks(audio, 1024), 99.5)), 1e-4)
    audio *= 0.8 / peak
    if mix["drive_db"]:
        audio = effects.saturate(audio, mix["drive_db"])
    audio *= 10 ** ((mix["level_db"] - effects.loudness_db(audio, rate)) / 20)
    if mix.get("wow"):
        audio = effects.wow(audio, rate, *mix["wow"])
    if mix["noise"]:
        audio += np.float32(10 ** (mix["noise_db"] / 20)) * effects.noise(rng, mix["noise"], samples, rate)
    return np.ascontiguousarray(effects.limit(audio, rate, 0.97), dtype=np.float32)
