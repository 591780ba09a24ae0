"""Odd and bad input through the worker: a sensible result, or one clear sentence and a worker that stays."""
import numpy as np
import pytest
import soundfile
from job_folder import BEATS, dancing, write_rig
from rigs import mixamo_rig
from tiny import clicks

RNG = np.random.default_rng(0)
SOUNDS = {"silence": (np.zeros(44_100 * 2), 44_100), "noise": (RNG.normal(0, 0.2, (44_100 * 2, 2)), 44_100),
          "8 kHz": (clicks(2.0, 8_000), 8_000), "192 kHz": (clicks(2.0, 192_000), 192_000),
          "mono": (clicks(2.0), 22_050), "5.1": (np.repeat(clicks(2.0, 48_000)[:, None], 6, axis=1) * 0.3, 48_000),
          "full scale": (np.sign(clicks(2.0, 44_100)), 44_100), "constant": (np.full(44_100 * 2, 0.5), 44_100)}


@pytest.mark.parametrize("name", SOUNDS)
def test_any_sound_gives_beats_and_conducting(job, name):
    samples, rate = SOUNDS[name]
    path = job.folder / "sound.wav"
    soundfile.write(path, samples, rate, subtype="PCM_16")
    rig = mixamo_rig()
    write_rig(job.folder, rig, rig.rest[None], [0.0])
    done = job("beats", audio=str(path))
    assert done["type"] == "done" and done["result"]["seconds"] == pytest.approx(2.0, abs=0.01), done
    done = job("conduct", audio=str(path), duration=2.0, steps=1)
    assert done["type"] == "done", done
    with np.load(job.folder / "channels.npz") as channels:
        assert all(np.isfinite(channels[name]).all() for name in channels.files)


def bad_files(folder):
    """{what: (file, words of the sentence)}."""
    short, corrupt, text, empty, nan = (folder / f"{name}.wav" for name in ("short", "corrupt", "text", "empty", "nan"))
    soundfile.write(short, clicks(0.2), 22_050)
    soundfile.write(folder / "whole.flac", clicks(3.0), 22_050)
    (folder / "cut.flac").write_bytes((folder / "whole.flac").read_bytes()[:60])
    corrupt.write_bytes(b"RIFF" + bytes(RNG.integers(0, 256, 5000, dtype=np.uint8)))
    text.write_text("this is no sound")
    empty.write_bytes(b"")
    samples = clicks(2.0)
    samples[500] = np.nan
    soundfile.write(nan, samples, 22_050, subtype="FLOAT")
    return {"0.2 s": (short, "0.20 s long; at least 0.5 s"), "corrupt": (corrupt, "cannot be read as sound"),
            "cut off": (folder / "cut.flac", ""), "text": (text, "cannot be read as sound"),
            "empty": (empty, "is empty"),
            "nan": (nan, "not numbers"), "folder": (folder, "is a folder"),
            "missing": (folder / "no.wav", "does not exist")}


@pytest.mark.parametrize("kind", ["beats", "conduct"])
def test_each_bad_sound_is_one_sentence(job, kind):
    rig = mixamo_rig()
    write_rig(job.folder, rig, rig.rest[None], [0.0])
    for what, (path, words) in bad_files(job.folder).items():
        refused(job(kind, audio=str(path)), words, what)


def refused(error, words, what=""):
    assert error["type"] == "error" and error["code"] == "bad_input" and words in error["message"], (what, error)
    assert "\n" not in error["message"] and error["message"].endswith(".") and error["trace"] is None, (what, error)


@pytest.mark.parametrize("params, words", [
    ({"duration": 0.0}, "length of zero"), ({"duration": -1.0}, "length of zero"),
    ({"duration": 4 * 3600.0}, "240 min"),
    ({"start": 60.0}, "ends before 60 s"), ({"start": -5.0, "duration": 4.0}, "before the sound"),
    ({"speed": 100.0}, "100 times"),
    ({"duration": 0.3}, "at least 0.5 s"), ({"metre": 8}, "metre 8"), ({"bpm": 3}, "3 BPM"), ({"lead": 3.0}, "lead"),
    ({"keep": {"start": 0.0}}, "needs the rig's poses"), ({"steps": "some"}, "sampling steps"),
    ({"beats": {"times": [0.0, 0.5, float("inf")]}}, "not a number"), ({"beats": {"times": [1.0, 0.5]}},
                                                                       "must ascend")])
def test_each_bad_request_for_conducting_is_one_sentence(job, clicks_file, params, words):
    rig = mixamo_rig()
    write_rig(job.folder, rig, rig.rest[None], [0.0])
    refused(job("conduct", audio=clicks_file, **{"steps": 1, **params}), words)


def spoilt(name, poses, times):
    """(poses, times, more params, words of the sentence) of one kind of bad motion."""
    if name == "empty":
        return poses[:0], times[:0], {}, "at least 2"
    if name == "one frame":
        return poses[:1], times[:1], {}, "at least 2"
    if name == "nan":
        poses[5, 3, 0, 0] = np.nan
        return poses, times, {}, "not numbers"
    if name == "four hours":
        return poses[:2], [0.0, 4 * 3600.0], {}, "240 min"
    if name == "times":
        return poses, times[::-1], {}, "ascend"
    return poses, times, {"genre": "polka"}, "'polka' is unknown"


@pytest.mark.parametrize("name", ["empty", "one frame", "nan", "four hours", "times", "genre"])
def test_each_bad_motion_is_one_sentence(job, name):
    rig = mixamo_rig()
    poses, times, params, words = spoilt(name, *dancing(rig, 2.0))
    write_rig(job.folder, rig, poses, times)
    refused(job("music", **params), words, name)
    if not params:
        refused(job("beats"), words, name)


def test_a_rig_that_stands_still_gets_music(job):
    """No motion is no error: the animator may want music to a held pose, or the beats to be given."""
    rig = mixamo_rig()
    write_rig(job.folder, rig, rig.rest[None].repeat(60, 0), np.arange(60) / 24)
    done = job("music", steps=1, beats=BEATS, duration=2.4)
    assert done["type"] == "done", done
    done = job("music", steps=1)
    assert done["type"] == "done", done
