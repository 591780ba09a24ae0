"""Options that ride along with a worker's job: a range made anew, beat levels, loops, how a motion file is read."""
import numpy as np
import pytest
import soundfile
from job_folder import BEATS, dancing, write_rig
from rigs import mixamo_rig, stepping

from core.motion_files import write_bvh
from core.retarget import Options, from_smpl


@pytest.fixture
def rig(job):
    """A dancing rig, in the job's folder."""
    rig = mixamo_rig()
    poses, times = dancing(rig)
    write_rig(job.folder, rig, poses, times)
    return rig


def result_of(done):
    assert done["type"] == "done", done
    return done["result"]


def arm_gap(folder, rig):
    """Degrees between the right elbow of channels.npz and that of the dance, per frame at 24 fps."""
    bone = rig.bone_map["right_elbow"]
    with np.load(folder / "channels.npz") as channels:
        made = channels[f"rotation/{bone}"]
    kept = from_smpl(stepping(3.0)[0], rig, Options(fps=24.0)).rotations[bone]
    return 2 * np.degrees(np.arccos(np.clip(np.abs((made[:70] * kept[:70]).sum(1)), 0, 1)))


def test_conduct_keeps_what_lies_inside_a_range(job, clicks_file, rig):
    keep = {"start": 1.0, "stop": 2.0, "stays": "inside"}
    result = result_of(job("conduct", audio=clicks_file, duration=3.0, steps=2, beats=BEATS, keep=keep))
    gap = arm_gap(job.folder, rig)
    assert gap[28:44].max() < 3.0 and gap[:10].max() > 3.0 and gap[60:].max() > 3.0
    assert result["recipe"]["settings"]["keep"] == keep
    hips = rig.bone_map["pelvis"]
    with np.load(job.folder / "channels.npz") as channels:  # in its place too, not where the rest begins
        off = channels[f"location/{hips}"][28:44] - from_smpl(stepping(3.0)[0], rig,
                                                              Options(fps=24.0)).locations[hips][28:44]
    assert np.linalg.norm(off, axis=1).max() / abs(rig.rest[0, 2, 3]) < 0.03


def test_music_makes_a_range_anew_and_the_rest_stays(job, rig):
    length = len(np.load(job.folder / "times.npy")) / 24
    first = result_of(job("music", genre="house", steps=2, seed=1, duration=length, beats=BEATS))
    take = job.folder / "kept.wav"
    (job.folder / first["file"]).rename(take)
    again = result_of(job("music", genre="house", steps=2, seed=2, duration=length, beats=BEATS,
                          keep={"file": str(take), "start": 1.0, "stop": 2.0}))
    before, after = (soundfile.read(path)[0] for path in (take, job.folder / again["file"]))
    gap = np.abs(before - after).max(axis=1)
    assert gap[:47_000].max() < 1e-4 and gap[97_000:].max() < 1e-4 and gap[60_000:90_000].max() > 1e-3
    assert again["recipe"]["settings"]["keep"] == {"start": 1.0, "stop": 2.0}


def test_music_goes_by_the_sound_of_a_file(job, rig, clicks_file):
    result = result_of(job("music", genre="pop", steps=2, duration=2.0, beats=BEATS, like=str(clicks_file)))
    assert result["recipe"]["settings"]["like"]["seconds"] == pytest.approx(soundfile.info(clicks_file).duration,
                                                                            abs=0.02)
    none = result_of(job("music", genre="pop", steps=2, duration=2.0, beats=BEATS, like=None))
    assert none["recipe"]["settings"]["like"] is None
    gone = job("music", genre="pop", steps=2, duration=2.0, beats=BEATS, like=str(job.folder / "gone.wav"))
    assert gone["type"] == "error" and "gone.wav does not exist" in gone["message"]


def test_music_loops(job, rig):
    result = result_of(job("music", genre="pop", steps=2, duration=2.0, beats=BEATS, loop=True))
    sound = soundfile.read(job.folder / result["file"])[0]
    assert result["recipe"]["settings"]["loop"] is True
    assert np.abs(sound[0] - sound[-1]).max() <= np.abs(np.diff(sound, axis=0)).max()


def test_levels_halve_and_double_the_beats_that_are_found(job, clicks_file, rig):
    counts = {}
    for level in ("half", "normal", "double"):
        result = result_of(job("conduct", audio=clicks_file, steps=1, level=level, bpm=120.0))
        assert result["recipe"]["settings"]["level"] == level and result["recipe"]["settings"]["bpm"] == 120.0
        counts[level] = len(result["beats"]["times"])
    assert counts["double"] == 2 * counts["normal"] - 1 and abs(counts["half"] - counts["normal"] / 2) <= 1
    for level in ("normal", "double"):
        counts[level] = len(result_of(job("music", steps=1, level=level))["beats"]["times"])
    assert counts["double"] == 2 * counts["normal"] - 1
    error = job("music", level="triple")
    assert error["code"] == "bad_input" and "half, normal, double" in error["message"]


def foreign_bvh(path):
    """A walk whose joints have names that mean nothing; {joint: its name}."""
    names, out = {}, []
    write_bvh(path, stepping(2.0)[0])
    for line in path.read_text().splitlines():
        words = line.split()
        if words and words[0] in ("ROOT", "JOINT"):
            names[words[1]] = f"q{len(names)}x"
            line = line.replace(words[1], names[words[1]])
        out.append(line)
    path.write_text("\n".join(out) + "\n")
    return names


def test_a_bone_map_reads_a_file_with_names_of_its_own(job, rig, tmp_path):
    names = foreign_bvh(tmp_path / "odd.bvh")
    file = str(tmp_path / "odd.bvh")
    assert job("retarget", motion=file)["code"] == "bad_input"
    assert result_of(job("retarget", motion=file, bone_map=names))["seconds"] == pytest.approx(2.0, abs=0.05)
    for spoilt, words in (({k: v for k, v in names.items() if k != "head"}, "lacks head"), ([1], "object of"),
                          ({**names, "head": "nobody"}, "nobody")):
        error = job("retarget", motion=file, bone_map=spoilt)
        assert error["code"] == "bad_input" and words in error["message"], error


def test_smpl_models_give_the_performers_own_size(job, tmp_path):
    pytest.importorskip("smplx")
    from test_smpl_body import TALL, tiny_model

    from core.body.rotations import matrix_to_axis_angle
    dance, models = stepping(3.0)[0], tmp_path / "models"
    models.mkdir()
    np.savez(models / "SMPL_NEUTRAL.npz", **tiny_model())
    np.savez(tmp_path / "tall.npz", poses=matrix_to_axis_angle(dance.rotations).reshape(-1, 72), mocap_framerate=30.0,
             trans=dance.root * TALL - tiny_model()["v_template"][0] * TALL, betas=np.array([2.0]), gender="neutral")
    rig = mixamo_rig()
    way = {}
    for name, folder in (("with", str(models)), ("without", None)):
        write_rig(tmp_path, rig, rig.rest[None], [0.0])
        result_of(job("retarget", motion=str(tmp_path / "tall.npz"), smpl_models=folder))
        with np.load(tmp_path / "channels.npz") as channels:
            way[name] = np.ptp(channels[f"location/{rig.bone_map['pelvis']}"], axis=0).max()
    assert way["without"] / way["with"] == pytest.approx(TALL, rel=0.05)
    error = job("retarget", motion=str(tmp_path / "tall.npz"), smpl_models=str(tmp_path / "nothing"))
    assert error["code"] == "bad_input" and "SMPL_NEUTRAL" in error["message"]


def test_retarget_mirrors_and_a_left_handed_conductor_grips_with_the_left(job, rig, tmp_path, clicks_file):
    write_bvh(tmp_path / "walk.bvh", stepping(2.0)[0])
    made = {}
    for mirror in (False, True):
        result_of(job("retarget", motion=str(tmp_path / "walk.bvh"), mirror=mirror))
        with np.load(tmp_path / "channels.npz") as channels:
            made[mirror] = {side: channels[f"rotation/{rig.bone_map[f'{side}_knee']}"] for side in ("left", "right")}
    assert np.abs(made[True]["left"] - made[False]["left"]).max() > 0.05
    from core.worker.inputs import retarget_options
    assert retarget_options({"fingers": "baton", "mirror": True}).fingers == "baton_left"
    assert retarget_options({"fingers": "baton"}).fingers == "baton" and not retarget_options({"mirror": True}).mirror
