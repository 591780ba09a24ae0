"""The worker's real jobs over its real pipes, with tiny networks: what the add-on sends, and what it gets back."""
import json
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from job_folder import BEATS, dancing, write_rig
from rigs import mixamo_rig, stepping

from core.motion_files import write_bvh
from core.pipelines import beats as pipeline_beats
from core.retarget import Options, from_smpl
from core.rhythm.beats import Beats
from core.worker import jobs


def check_progress(seen):
    fractions = [m["fraction"] for m in seen if m["type"] == "progress" and m["fraction"] is not None]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0


def test_conduct_answers_with_channels_for_the_rig(job, clicks_file):
    rig = mixamo_rig()
    write_rig(job.folder, rig, rig.rest[None], [0.0])
    done = job("conduct", audio=clicks_file, start=0.5, duration=3.0, speed=1.0, guidance_scale=1.5, steps=2, seed=4,
               metre="auto", beats=BEATS, in_place=True, variations=2)
    assert done["type"] == "done", done
    result = done["result"]
    assert result["channels"] == "channels.npz" and [t["file"] for t in result["takes"]] == ["channels.npz",
                                                                                             "channels_2.npz"]
    assert result["recipe"]["settings"]["seed"] == 4 and result["takes"][1]["recipe"]["settings"]["seed"] == 5
    assert result["beats"]["times"] == BEATS["times"] and set(result["alignment"]) >= {"score", "chance"}
    assert json.loads((job.folder / "result.json").read_text())["takes"] == result["takes"]
    with np.load(job.folder / "channels.npz") as channels:
        times = channels["times"]
        assert np.allclose(np.diff(times), 1 / 24) and abs(times[-1] - 3.0) < 0.1       # at the rate rig.json names
        for bone in rig.bone_map.values():
            assert np.allclose(np.linalg.norm(channels[f"rotation/{bone}"], axis=1), 1.0, atol=1e-4)
        assert channels[f"location/{rig.bone_map['pelvis']}"].shape == (len(times), 3)
    check_progress(job.worker.seen)


def test_conduct_keeps_what_is_not_made_anew(job, clicks_file):
    rig = mixamo_rig()
    poses, times = dancing(rig)
    write_rig(job.folder, rig, poses, times)
    done = job("conduct", audio=clicks_file, duration=3.0, steps=2, beats=BEATS, keep={"start": 1.0, "stop": 2.0})
    assert done["type"] == "done", done
    bone = rig.bone_map["right_elbow"]
    with np.load(job.folder / "channels.npz") as channels:
        made = channels[f"rotation/{bone}"]
    kept = from_smpl(stepping(3.0)[0], rig, Options(fps=24.0)).rotations[bone]
    gap = 2 * np.degrees(np.arccos(np.clip(np.abs((made[:70] * kept[:70]).sum(1)), 0, 1)))
    assert gap[:15].max() < 3.0 and gap[30:45].max() > 3.0


def test_the_beginning_of_long_music_is_there_before_the_rest(job):
    rig = mixamo_rig()
    poses, times = dancing(rig, seconds=32.0)
    write_rig(job.folder, rig, poses, times)
    done = job("music", genre="house", steps=2, seed=1, duration=31.0, beats=BEATS)
    assert done["type"] == "done", done
    kinds = [message["type"] for message in job.worker.seen]
    assert kinds.count("first") == 1 and kinds.index("first") < len(kinds) - 3
    assert soundfile.info(job.folder / "first.wav").frames == 480_000
    check_progress(job.worker.seen)


def test_music_answers_with_takes(job):
    rig = mixamo_rig()
    poses, times = dancing(rig)
    write_rig(job.folder, rig, poses, times)
    done = job("music", genre="house", guidance_scale=2.0, steps=2, seed=1, variations=2, duration=float(times[-1]),
               bpm=None, beats=BEATS, loudness="podcast")
    assert done["type"] == "done", done
    takes = done["result"]["takes"]
    assert [take["file"] for take in takes] == ["take_1.wav", "take_2.wav"]
    assert [take["recipe"]["settings"]["seed"] for take in takes] == [1, 2]
    assert (takes[0]["recipe"]["settings"]["loudness"] == "podcast"
            and takes[0]["recipe"]["settings"]["genre"] == "house")
    for take in takes:
        info = soundfile.info(job.folder / take["file"])
        assert (info.samplerate, info.channels) == (48_000, 2) and abs(info.duration - times[-1]) < 0.1
    check_progress(job.worker.seen)
    assert {m["phase"] for m in job.worker.seen if m["type"] == "progress"} >= {"Reading", "Sampling", "Writing"}


def test_beats_of_a_strip_and_of_the_rig(job, clicks_file):
    done = job("beats", source="audio", audio=clicks_file, start=0.0, duration=4.0, speed=2.0)
    assert done["type"] == "done" and done["result"]["seconds"] == pytest.approx(4.0)
    rig = mixamo_rig()
    poses, times = dancing(rig)
    write_rig(job.folder, rig, poses, times)
    done = job("beats", source="motion")
    assert done["type"] == "done" and set(done["result"]["beats"]) >= {"times", "positions", "metre", "confidence"}


@pytest.mark.parametrize(("more", "usual"), [
    ({}, None), ({"system": "conductor"}, (50.0, 140.0)), ({"system": "music_ldm", "genre": "house"}, (110, 135)),
    ({"system": "music_ldm", "genre": "any"}, None), ({"system": "my_moves", "genre": "salsa"}, (70.0, 180.0))])
def test_beats_are_looked_for_on_the_level_that_a_system_takes(clicks_file, tmp_path, monkeypatch, more, usual):
    asked = []
    monkeypatch.setattr(pipeline_beats, "find_beats",
                        lambda sound, **options: asked.append(options) or Beats([1.0], [1]))
    jobs.beats(SimpleNamespace(kind="beats", folder=tmp_path, params={"audio": clicks_file, "duration": 4.0, **more},
                               log=print, progress=lambda *told: None, should_cancel=lambda: False))
    assert asked[0]["usual"] == usual


def test_bonemap_names_the_bones(job):
    rig = mixamo_rig()
    write_rig(job.folder, rig, rig.rest[None], [0.0], bone_map={})
    done = job("bonemap")
    assert done["type"] == "done" and done["result"]["missing"] == []
    assert {joint: row["bone"] for joint, row in done["result"]["bone_map"].items()} == rig.bone_map
    assert all(0 < row["confidence"] <= 1 for row in done["result"]["bone_map"].values())


def test_retarget_puts_a_file_on_the_rig(job):
    rig = mixamo_rig()
    write_rig(job.folder, rig, rig.rest[None], [0.0])
    write_bvh(job.folder / "walk.bvh", stepping(2.0)[0])
    done = job("retarget", motion=str(job.folder / "walk.bvh"), start=0.5)
    assert done["type"] == "done" and done["result"]["seconds"] == pytest.approx(1.5, abs=0.05)
    with np.load(job.folder / "channels.npz") as channels:
        assert f"rotation/{rig.bone_map['left_knee']}" in channels


def test_doctor_over_the_pipe(job):
    result = job("doctor")["result"]
    assert "Checkpoints" in result["text"] and result["systems"]["conductor"]["ready"]


def test_cancel_of_a_real_job_within_its_steps(job, clicks_file, tiny_checkpoints):
    rig = mixamo_rig()
    write_rig(job.folder, rig, rig.rest[None], [0.0])
    worker = job.worker
    worker.seen.clear()
    worker.send("job", "long", kind="generate", folder=str(job.folder),
                params={"system": "conductor", "settings": {"steps": 1000, "variations": 8}, "audio": clicks_file,
                        "beats": BEATS, "device": "cpu", "checkpoints": str(tiny_checkpoints)})
    while "/" not in worker.next("progress")["detail"]:
        pass
    worker.send("cancel", "long")
    error = worker.next("error", "done")
    assert (error["type"], error["code"], error["job"]) == ("error", "cancelled", "long")
    assert not list(job.folder.glob("channels*")) and not list(job.folder.glob("result.json*"))


@pytest.mark.parametrize("kind, params, words", [
    ("conduct", {}, "No sound file"), ("conduct", {"audio": "/no/such.wav"}, "does not exist"),
    ("conduct", {"audio": None, "volume": 3}, "no setting volume"),
    ("music", {"genre": "polka"}, "'polka' is unknown"), ("music", {"duration": 4 * 3600.0}, "motion lasts"),
    ("music", {"loudness": "loud"}, "loudness 'loud' is unknown"), ("generate", {}, "must name its system"),
    ("generate", {"system": "dance"}, "no system 'dance'"),
    ("generate", {"system": "conductor", "settings": [1]}, "must be an object"),
    ("generate", {"system": "conductor", "settings": {"loop": True}}, "no setting loop"),
    ("music", {"beats": {"x": 1}}, "The beats are damaged"), ("beats", {"system": "nobody"}, "nobody"),
    ("retarget", {}, "No motion file"), ("retarget", {"motion": "/no/such.bvh"}, "cannot be read")])
def test_bad_requests_are_one_sentence(job, kind, params, words):
    rig = mixamo_rig()
    poses, times = dancing(rig, 2.0)
    write_rig(job.folder, rig, poses, times)
    error = job(kind, **params)
    assert error["type"] == "error" and error["code"] == "bad_input" and words in error["message"], error
    assert "\n" not in error["message"] and error["trace"] is None


@pytest.mark.parametrize("spoil, words", [("one frame", "at least 2"), ("nan", "not numbers"),
                                          ("no map", "bone map lacks")])
def test_bad_poses_are_one_sentence(job, spoil, words):
    rig = mixamo_rig()
    poses, times = dancing(rig, 2.0)
    if spoil == "nan":
        poses[5, 3, 0, 0] = np.nan
    if spoil == "one frame":
        poses, times = poses[:1], times[:1]
    write_rig(job.folder, rig, poses, times, bone_map={} if spoil == "no map" else None)
    error = job("music", genre="house")
    assert error["type"] == "error" and error["code"] == "bad_input" and words in error["message"], error
