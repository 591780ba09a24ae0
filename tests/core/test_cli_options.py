"""Options of the command line that change what is made: ranges, loops, beat levels, conducting controls, motion
reading."""
import json

import numpy as np
import pytest
import soundfile
from test_cli import refused, run
from test_worker_options import foreign_bvh

from core.motion_files import read_motion, write_bvh
from core.retarget import bonemap


@pytest.fixture
def walk(tmp_path):
    from rigs import stepping
    path = tmp_path / "walk.bvh"
    write_bvh(path, stepping(3.0)[0])
    return path


@pytest.fixture
def made(tiny_checkpoints):
    """made(command, ...) -> the JSON of a command that must succeed."""
    def start(*arguments):
        done = run(*arguments, "--steps", 2, "--checkpoints", tiny_checkpoints, "--json", "--quiet")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])
    return start


def test_music_makes_a_range_anew(made, walk, tmp_path):
    first, second = tmp_path / "a.wav", tmp_path / "b.wav"
    made("music", "--motion", walk, "--genre", "house", "--bpm", 120, "--out", first)
    line = made("music", "--motion", walk, "--genre", "house", "--bpm", 120, "--seed", 3, "--out", second,
                "--keep", first, "--range", 1, 2)
    gap = np.abs(soundfile.read(first)[0] - soundfile.read(second)[0]).max(axis=1)
    assert gap[:47_000].max() < 1e-4 and gap[97_000:].max() < 1e-4 and gap[60_000:90_000].max() > 1e-3
    assert line["recipe"]["settings"]["keep"] == {"start": 1.0,
                                                  "stop": 2.0} and line["recipe"]["source"]["keep"] == str(first)


def test_music_goes_by_the_sound_of_a_file(made, walk, clicks_file, tmp_path):
    line = made("music", "--motion", walk, "--genre", "house", "--bpm", 120, "--out", tmp_path / "a.wav", "--like",
                clicks_file)
    assert line["recipe"]["source"]["like"] == str(clicks_file) and line["recipe"]["settings"]["like"]["seconds"] > 1
    refused(2, "does not exist", "music", "--motion", walk, "--genre", "pop", "--out", tmp_path / "x.wav", "--like",
            tmp_path / "no.wav")


@pytest.mark.parametrize("stays", ["outside", "inside"])
def test_conduct_keeps_a_range_or_all_but_a_range(made, clicks_file, tmp_path, stays):
    first, second = tmp_path / "a.npz", tmp_path / "b.npz"
    made("conduct", "--audio", clicks_file, "--bpm", 120, "--out", first)
    line = made("conduct", "--audio", clicks_file, "--bpm", 120, "--seed", 3, "--out", second, "--keep", first,
                "--range", 1.5, 2.5, "--stays", stays)
    gap = np.abs(read_motion(first).rotations - read_motion(second).rotations).max(axis=(1, 2, 3))
    inside, outside = gap[46:74], np.concatenate([gap[:28], gap[94:]])
    same, other = (outside, inside) if stays == "outside" else (inside, outside)
    assert same.max() < 0.02 and other.max() > 0.05
    assert line["recipe"]["settings"]["keep"]["stays"] == stays


def test_a_range_and_its_file_belong_together(walk, clicks_file, tmp_path):
    refused(2, "belong together", "music", "--motion", walk, "--genre", "pop", "--out", tmp_path / "x.wav",
            "--range", 1, 2)
    refused(2, "belong together", "conduct", "--audio", clicks_file, "--out", tmp_path / "x.npz", "--keep", walk)
    refused(2, "does not exist", "music", "--motion", walk, "--genre", "pop", "--out", tmp_path / "x.wav", "--keep",
            tmp_path / "no.wav", "--range", 1, 2)


def test_ranges_outside_the_take_are_refused(tiny_checkpoints, walk, clicks_file, tmp_path):
    weights = ("--checkpoints", tiny_checkpoints, "--steps", 1, "--bpm", 120)
    refused(2, "within the 4.00 s passage", "conduct", "--audio", clicks_file, "--out", tmp_path / "x.npz",
            "--keep", walk, "--range", 3, 9, *weights)
    refused(2, "keep ranges inside", "conduct", "--audio", clicks_file, "--out", tmp_path / "x.npz", "--keep", walk,
            "--range", 1, 2, *weights)
    refused(2, "does not lie in the take", "music", "--motion", walk, "--genre", "pop", "--out", tmp_path / "x.wav",
            "--keep", clicks_file, "--range", 2, 1, *weights)
    refused(2, "the passage 3.00 s", "music", "--motion", walk, "--genre", "pop", "--out", tmp_path / "x.wav", "--keep",
            clicks_file, "--range", 1, 2, *weights)


def test_conducting_controls_change_the_motion(made, clicks_file, tmp_path):
    def motion(name, *options):
        made("conduct", "--audio", clicks_file, "--bpm", 120, "--out", tmp_path / name, *options)
        return read_motion(tmp_path / name).rotations
    plain, large = motion("plain.npz"), motion("large.npz", "--amplitude", 2)
    for options in (("--lead", 200), ("--amplitude", 0.3), ("--mirror",)):
        assert np.abs(motion(f"{options[0][2:]}.npz", *options) - plain).max() > 1e-3, options
    # An untrained network holds its elbows above its shoulders, from where they are brought down, both to one pose, but
    # for strokes that are asked for larger than usual.
    assert np.abs(motion("left-hand.npz", "--left-hand", 0, "--amplitude", 2) - large).max() > 1e-3
    # Whatever the plain one took the metre for, a three and a four are different patterns.
    assert np.abs(motion("three.npz", "--metre", 3) - motion("four.npz", "--metre", 4)).max() > 1e-3


def test_levels_and_loop(made, walk, clicks_file, tmp_path):
    counts = [len(made("conduct", "--audio", clicks_file, "--level", level, "--bpm", 120, "--out",
                       tmp_path / "x.npz")["beats"])
              for level in ("half", "double")]
    assert 3.2 < counts[1] / counts[0] < 5                  # 17 and 5 where both ends of four seconds have a beat
    sound = tmp_path / "loop.wav"
    line = made("music", "--motion", walk, "--genre", "pop", "--loop", "--out", sound)
    samples = soundfile.read(sound)[0]
    assert line["recipe"]["settings"]["loop"] and np.abs(samples[0]
                                                         - samples[-1]).max() <= np.abs(np.diff(samples, axis=0)).max()


def test_a_bone_map_file_reads_foreign_names(tiny_checkpoints, tmp_path):
    odd, saved = tmp_path / "odd.bvh", tmp_path / "map.json"
    names = foreign_bvh(odd)
    saved.write_text(json.dumps(names))
    refused(2, "No bone of odd.bvh", "beats", odd, "--checkpoints", tiny_checkpoints)
    assert run("beats", odd, "--bone-map", saved, "--checkpoints", tiny_checkpoints).returncode == 0
    bonemap.save(saved, [bonemap.Row(joint, names.get(joint), 1.0, "user") for joint in names])  # as Blender saves it
    assert run("beats", odd, "--bone-map", saved, "--checkpoints", tiny_checkpoints).returncode == 0
    saved.write_text("{}")
    refused(2, "bone map lacks", "beats", odd, "--bone-map", saved)
    refused(2, "is not a bone map", "beats", odd, "--bone-map", tmp_path / "no.json")


def test_smpl_models_are_read_where_they_are(tmp_path):
    pytest.importorskip("smplx")
    from rigs import stepping

    from core.body.rotations import matrix_to_axis_angle
    dance = stepping(2.0)[0]
    np.savez(tmp_path / "a.npz", poses=matrix_to_axis_angle(dance.rotations).reshape(-1, 72), trans=dance.root,
             mocap_framerate=30.0, betas=np.zeros(10), gender="neutral")
    refused(2, "SMPL_NEUTRAL", "music", "--motion", tmp_path / "a.npz", "--genre", "pop", "--out", tmp_path / "x.wav",
            "--smpl-models", tmp_path / "nothing")
