"""A system is one row and one folder: three toy rows in a temporary place are found by the command line, the worker,
the recipe and the doctor, with no other file touched. `tests/blender/test_toys_in_blender.py` does the same in
Blender."""
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from job_folder import dancing, write_rig
from rigs import mixamo_rig, stepping
from test_cli import run
from test_worker import REAL, Worker

from core.contract import systems as registry
from core.motion_files import read_motion, write_bvh
from core.pipelines import open_pipeline

TOYS = Path(__file__).resolve().parents[1] / "toy_systems"


@pytest.fixture
def toys(tmp_path, monkeypatch):
    """The temporary folder of the toy systems, named in the environment."""
    folder = tmp_path / "toys"
    shutil.copytree(TOYS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setenv(registry.ENVIRONMENT, str(folder))
    return folder


def line_of(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_command_line_has_it(toys, tmp_path):
    helped = run("generate", "--help").stdout
    assert all(name in helped for name in ("music_ldm", "conductor", "toy_hum", "toy_nod", "toy_both"))
    helped = run("generate", "toy_hum", "--help").stdout
    assert "--colour NAME" in helped and "colour of the toy: red, blue" in helped
    assert "--pitch X" in helped and "--partner FILE" in helped
    walk = tmp_path / "walk.bvh"
    write_bvh(walk, stepping(2.0)[0])
    line = line_of(run("generate", "toy_hum", "--motion", walk, "--out", tmp_path / "a.wav", "--colour", "blue",
                       "--pitch", 300, "--seed", 2, "--variations", 2, "--json", "--quiet"))
    recipe = line["recipe"]
    assert recipe["system"] == "toy_hum" and recipe["settings"]["colour"] == 2 and recipe["settings"]["pitch"] == 300.0
    assert json.loads((tmp_path / "a-2.wav.json").read_text())["settings"]["seed"] == 3
    samples, rate = soundfile.read(tmp_path / "a.wav")
    peak = np.abs(np.fft.rfft(samples[:rate, 0])).argmax()
    assert peak == pytest.approx(300 * 2 * 2 ** (2 / 12), abs=1.0), "every setting has arrived"
    for words, *flags in (("The colour 'green' is unknown; choose one of red, blue.", "--colour", "green"),
                          ("The pitch of 5 Hz is out of range; choose 20 to 2000 Hz.", "--pitch", 5),
                          ("The number of variations of 4 is out of range; choose 1 to 3.", "--variations", 4)):
        done = run("generate", "toy_hum", "--motion", walk, "--out", tmp_path / "x.wav", *flags)
        assert done.returncode == 2 and words in done.stderr


def test_sound_and_motion_at_once(toys, tmp_path):
    out = tmp_path / "made"
    line = line_of(run("generate", "toy_both", "--duration", 3, "--tempo", 120, "--seed", 1, "--out", out, "--json",
                       "--quiet"))
    assert line["outs"] == [str(out
                                / "music.wav")] and line["tempo_bpm"] == 120 and line["recipe"]["beats_from"] == "tempo"
    assert line["files"] == [[str(out / "music.wav"), str(out / "dance.bvh")]]
    assert soundfile.info(out / "music.wav").duration == pytest.approx(3.0) and len(read_motion(out
                                                                                                / "dance.bvh")) == 90
    again = line_of(run("generate", "toy_both", "--duration", 3, "--out", tmp_path / "next", "--keep", out,
                        "--range", 1, 2, "--side", "motion", "--json", "--quiet"))
    assert again["recipe"]["settings"]["keep"] == {"start": 1.0, "stop": 2.0, "side": "motion"}
    told = run("generate", "toy_both", "--duration", 1, "--out", tmp_path / "told", "--quiet").stdout
    assert f"{tmp_path / 'told' / 'music.wav'} and {tmp_path / 'told' / 'dance.bvh'}: 1.0 s" in told
    done = run("generate", "toy_both", "--duration", 3, "--out", tmp_path / "next", "--keep", tmp_path, "--range", 1, 2)
    assert done.returncode == 2 and "has no music.wav" in done.stderr
    kept = open_pipeline("toy_both")._kept
    sound, motion = np.zeros((2, 144_000), np.float32), read_motion(out / "dance.bvh")
    whole, rest = [(0.0, 3.0)], [(0.0, 1.0), (2.0, 3.0)]
    for side, of_sound, of_motion in (("both", rest, rest), ("sound", rest, whole), ("motion", whole, rest)):
        found = kept(SimpleNamespace(keep=(sound, motion, 1.0, 2.0, side), duration=3.0))
        assert found[2:] == (of_sound, of_motion)


def test_the_doctor_and_the_panel_list_it(toys):
    from core.worker.doctor import examine
    assert examine()["systems"]["toy_nod"] == {"label": "Nodding from Music", "ready": True, "missing": []}
    assert [system.name for system in registry.by_direction()[registry.find("toy_both").direction]][-1] == "toy_both"


def test_it_is_evaluated_by_its_name(toys):
    def evaluate(*words):
        return subprocess.run([sys.executable, "-m", "models.lab.evaluation", *words], capture_output=True, text=True,
                              cwd=TOYS.parents[1])
    assert line_of(evaluate("toy_nod", "--pieces", "3")) == {"peak": 0.3, "asked": ["--pieces", "3"]}
    done = evaluate("toy_dance")
    names = done.stderr.strip().removeprefix("name what to evaluate: ").split(", ")
    assert done.returncode == 2 and {"toy", "toy_hum", "toy_both", "rhythm", "studio"} <= set(names)
    trained = [system for system in registry.systems().values()
               if (TOYS.parents[1] / "models" / system.folder / "train.py").is_file()]
    assert len(trained) >= 6 and {system.name for system in trained} <= set(names), "a row that cannot be evaluated"


@pytest.fixture
def worker(toys, tmp_path):
    running = Worker(tmp_path, script=REAL, env={"OMP_NUM_THREADS": "1"})
    running.next("hello")
    yield running
    running.close()


def test_the_worker_runs_it(worker, tmp_path, clicks_file):
    """The job `generate`, with a path and with what the rig did before, on a rig."""
    rig, folder = mixamo_rig(), tmp_path / "job"
    (folder / "seed_motion").mkdir(parents=True)
    write_rig(folder, rig, rig.rest[None], [0.0])
    write_rig(folder / "seed_motion", rig, *dancing(rig, 1.0))
    scale = 1.0 / 0.95                       # metres of this rig for a metre of the canonical skeleton, nearly
    np.save(folder / "path.npy", np.array([[0, 0, 0], [0, -2 * scale, 0]], np.float32))
    params = {"system": "toy_nod", "settings": {"colour": "blue", "seed": 4, "path": None}, "audio": clicks_file,
              "duration": 2.0, "device": "cpu"}
    worker.send("job", "toy", kind="generate", folder=str(folder), params=params)
    done = worker.next("done", "error")
    assert done["type"] == "done", done
    recipe = done["result"]["recipe"]
    assert (recipe["system"] == "toy_nod" and recipe["settings"]["path"] == {"points": 2}
            and recipe["settings"]["seed"] == 4)
    assert recipe["settings"]["seed_motion"]["seconds"] == pytest.approx(1.0,
                                                                         abs=0.1) and recipe["settings"]["colour"] == 2
    with np.load(folder / "channels.npz") as channels:
        way = channels[f"location/{rig.bone_map['pelvis']}"]
    assert np.linalg.norm(way[-1] - way[0]) * np.abs(rig.matrix_world[0, 0]) > 1.0, "along the path"
    for number in (2, 3):
        (folder / f"rig_{number}").mkdir()
        write_rig(folder / f"rig_{number}", rig, rig.rest[None], [0.0])
    several = {**params["settings"], "formation": "own"}
    worker.send("job", "three", kind="generate", folder=str(folder), params={**params, "settings": several})
    done = worker.next("done", "error")
    assert done["type"] == "done" and done["result"]["others"] == ["channels_rig_2.npz", "channels_rig_3.npz"], done
    heads = [np.load(folder / name)[f"rotation/{rig.bone_map['head']}"] for name in ("channels.npz",
                                                                                     *done["result"]["others"])]
    assert np.abs(heads[0] - heads[1]).max() > 0.02 < np.abs(heads[1]
                                                             - heads[2]).max() and len(done["result"]["takes"]) == 1
    (folder / "rig_4").mkdir()
    write_rig(folder / "rig_4", rig, rig.rest[None], [0.0])
    worker.send("job", "four", kind="generate", folder=str(folder), params=params)
    assert "3 at most" in worker.next("done", "error")["message"]
    worker.send("job", "bad", kind="generate", folder=str(folder), params={**params, "settings": {"shape": 1}})
    assert "Nodding from Music has no setting shape" in worker.next("done", "error")["message"]
