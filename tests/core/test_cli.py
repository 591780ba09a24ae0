"""The command line as a user runs it: exit codes, files, sentences and the last line of JSON; some as real
processes."""
import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny import clicks

from core.body.motion import rest_motion
from core.cli import common, main, make_parser
from core.motion_files import read_motion, write_bvh, write_npz
from core.rhythm.beats import read_beats

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
KEYS = {"out", "seconds", "wall", "realtime_factor", "device", "tempo_bpm", "beats", "recipe"}


def run(*arguments):
    """The command in this process (torch is imported once for all tests): return code, stdout, stderr."""
    out, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error), warnings.catch_warnings():
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as leaving:                             # argparse
            code = leaving.code
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), error.getvalue())


def run_process(*arguments):
    """The command as a process of its own."""
    return subprocess.run([sys.executable, "-m", "core", *map(str, arguments)], cwd=ROOT, capture_output=True,
                          text=True, env=ENVIRONMENT, timeout=600)


def refused(code, words, *arguments):
    """The command fails with `code` and exactly one sentence on stderr, and prints no result."""
    done = run(*arguments)
    assert done.returncode == code, done.stderr
    last = [line for line in done.stderr.splitlines() if line.strip()][-1]
    assert words in last and "Traceback" not in done.stderr, done.stderr
    assert not done.stdout.strip()


@pytest.fixture
def sound(tmp_path):
    path = tmp_path / "clicks.wav"
    soundfile.write(path, clicks(3.0), 22_050)
    return path


@pytest.fixture
def beats_file(tmp_path):
    path = tmp_path / "beats.txt"
    path.write_text("".join(f"{0.5 * n} {n % 4 + 1}\n" for n in range(6)))
    return path


@pytest.fixture
def walk(tmp_path):
    from rigs import stepping
    path = tmp_path / "walk.bvh"
    write_bvh(path, stepping(3.0)[0])
    return path


def test_help_of_every_command_names_the_shared_flags():
    for command in ("music", "conduct", "beats", "doctor", "worker"):
        with pytest.raises(SystemExit) as caught:
            make_parser().parse_args([command, "--help"])
        assert caught.value.code == 0
        text = make_parser()._subparsers._group_actions[0].choices[command].format_help()
        assert all(flag in text for flag in ("--seed", "--device", "--json", "--checkpoints")), command


@pytest.mark.parametrize("suffix, start", [("bvh", run_process), ("npz", run)])
def test_conduct_writes_motion_recipe_and_json(tiny_checkpoints, tmp_path, sound, beats_file, suffix, start):
    out = tmp_path / "new" / f"take.{suffix}"
    done = start("conduct", "--audio", sound, "--out", out, "--steps", 2, "--seed", 5, "--metre", "4", "--beats",
                 beats_file,
               "--checkpoints", tiny_checkpoints, "--json", "--variations", 2, "--device", "cpu")
    assert done.returncode == 0, done.stderr
    line = json.loads(done.stdout.splitlines()[-1])
    assert set(line) >= KEYS and line["out"] == str(out) and line["beats"] == [0.5 * n for n in range(6)]
    assert line["seconds"] == pytest.approx(3.0,
                                            abs=0.05) and line["tempo_bpm"] == 120 and line["device"].startswith("cpu")
    assert line["recipe"]["settings"]["seed"] == 5 and line["outs"] == [str(out),
                                                                        str(out.with_name(f"take-2.{suffix}"))]
    motion = read_motion(out)
    assert abs(motion.duration - 3.0) < 0.05
    told, written = line["recipe"], json.loads(Path(f"{out}.json").read_text())
    assert written["source"]["audio"] == "../clicks.wav"                    # as seen from where it lies
    assert {**written, "source": {**written["source"], "audio": str(sound)}} == told
    assert "Sampling" in done.stderr and not list(tmp_path.rglob("*.part"))


def test_the_beginning_of_a_long_take_is_written_first(tiny_checkpoints, tmp_path, capsys):
    write_npz(tmp_path / "long.npz", rest_motion(32 * 30))
    assert main(["music", "--motion", str(tmp_path / "long.npz"), "--genre", "house", "--steps", "2", "--device", "cpu",
                 "--checkpoints", str(tiny_checkpoints), "--out", str(tmp_path / "take.wav"), "--quiet",
                 "--first", str(tmp_path / "first.wav")]) == 0
    said = capsys.readouterr()
    assert "The first 10 s can be heard" in said.out + said.err
    assert soundfile.info(tmp_path / "first.wav").frames == 480_000
    assert soundfile.info(tmp_path / "take.wav").frames == 32 * 48_000


def test_a_take_without_a_beginning_of_its_own_says_so(tiny_checkpoints, tmp_path, walk, capsys):
    assert main(["music", "--motion", str(walk), "--genre", "house", "--steps", "2", "--device", "cpu", "--checkpoints",
                 str(tiny_checkpoints), "--out", str(tmp_path / "take.wav"), "--quiet", "--first",
                 str(tmp_path / "first.wav")]) == 0
    said = capsys.readouterr()
    assert "first.wav was not written" in said.out + said.err and not (tmp_path / "first.wav").exists()


def test_music_writes_wav_recipe_and_json(tiny_checkpoints, tmp_path, walk):
    out = tmp_path / "take.wav"
    done = run("music", "--motion", walk, "--genre", "gHO", "--out", out, "--steps", 2, "--checkpoints",
               tiny_checkpoints, "--bpm", 100, "--json")
    assert done.returncode == 0, done.stderr
    line = json.loads(done.stdout.splitlines()[-1])
    assert set(line) >= KEYS and line["recipe"]["settings"]["genre"] == "house"
    info = soundfile.info(out)
    assert (info.samplerate, info.channels, info.subtype) == (48_000, 2, "PCM_24")
    assert info.duration == pytest.approx(3.0, abs=0.05) and Path(f"{out}.json").is_file()


def test_beats_of_sound_and_motion(tiny_checkpoints, tmp_path, sound):
    from rigs import stepping
    write_npz(tmp_path / "walk.npz", stepping(3.0)[0])
    for path in (sound, tmp_path / "walk.npz"):
        done = run("beats", path, "--checkpoints", tiny_checkpoints, "--json", "--metre", "3")
        assert done.returncode == 0, done.stderr
        line = json.loads(done.stdout.splitlines()[-1])
        assert set(line) >= KEYS | {"downbeats", "confidence", "metre"} and len(line["beats"]) == len(line["positions"])
    text = run("beats", sound, "--checkpoints", tiny_checkpoints)
    assert text.stdout.splitlines()[-1].startswith("#")
    found = run("beats", sound, "--checkpoints", tiny_checkpoints, "--json")
    for name, output in (("b.txt", text.stdout), ("b.json", found.stdout)):         # both forms are what --beats reads
        (tmp_path / name).write_text(output)
        read = read_beats(tmp_path / name)
        np.testing.assert_allclose(read.times, json.loads(found.stdout)["beats"], atol=1e-3)
        assert list(read.positions) == json.loads(found.stdout)["positions"]


def test_doctor_reports_and_names_what_is_missing(tiny_checkpoints, tmp_path):
    done = run("doctor", "--json", "--checkpoints", tiny_checkpoints)
    found = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 0, found["problems"]
    assert found["device"] and found["versions"]["torch"] and all(s["ready"] for s in found["systems"].values())
    assert {len(row["sha256"]) for row in found["checkpoints"]} == {64}
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for file in tiny_checkpoints.iterdir():
        data = bytearray(file.read_bytes())
        if file.name.startswith("tiny-conductor-denoiser.s"):
            data[-1] ^= 1
        (damaged / file.name).write_bytes(data)
    done = run("doctor", "--checkpoints", damaged)
    assert (done.returncode == 3 and "differs from its sha256" in done.stdout
            and "lacks conductor (denoiser)" in done.stdout)


def test_bad_input_is_2(tmp_path, sound, walk):
    out = tmp_path / "x.npz"
    (tmp_path / "bad.wav").write_bytes(b"nothing")
    refused(2, "does not exist", "conduct", "--audio", tmp_path / "no.wav", "--out", out)
    refused(2, "cannot be read as sound", "conduct", "--audio", tmp_path / "bad.wav", "--out", out)
    refused(2, "must end in .bvh or .npz", "conduct", "--audio", sound, "--out", tmp_path / "x.fbx")
    refused(2, "ends before 60 s", "conduct", "--audio", sound, "--start", 60, "--out", out)
    refused(2, "'polka' is unknown", "music", "--motion", walk, "--genre", "polka", "--out", tmp_path / "x.wav")
    refused(2, "cannot be read", "music", "--motion", tmp_path / "no.bvh", "--genre", "house", "--out",
            tmp_path / "x.wav")
    refused(2, "not a motion file", "music", "--motion", sound, "--genre", "house", "--out", tmp_path / "x.wav")
    assert run("dance").returncode == 2 and run("music").returncode == 2
    assert run_process("conduct", "--audio", tmp_path / "no.wav", "--out", out).returncode == 2


def test_no_checkpoint_is_3(tmp_path, sound):
    refused(3, "checkpoint folder", "conduct", "--audio", sound, "--out", tmp_path / "x.bvh", "--checkpoints",
            tmp_path / "no")


def test_unlisted_weights_load_with_a_warning(tiny_checkpoints, tmp_path, sound, beats_file):
    folder = tmp_path / "loose"
    folder.mkdir()
    for file in tiny_checkpoints.glob("*.safetensors"):
        (folder / file.name).write_bytes(file.read_bytes())
    done = run("conduct", "--audio", sound, "--out", tmp_path / "x.bvh", "--checkpoints", folder, "--steps", 1,
               "--beats", beats_file)
    assert done.returncode == 0 and "not in the index" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no signals on Windows")
def test_ctrl_c_is_130_and_leaves_nothing(tiny_checkpoints, tmp_path, sound, beats_file):
    process = subprocess.Popen([sys.executable, "-m", "core", "conduct", "--audio", sound, "--out", tmp_path / "x.bvh",
                                "--steps", "1000", "--variations", "8", "--beats", beats_file, "--checkpoints",
                                tiny_checkpoints], cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                               env=ENVIRONMENT)
    for line in process.stderr:
        if line.startswith("Sampling"):
            break
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=300)
    assert process.returncode == 130 and "Cancelled" in error and not out
    assert not list(tmp_path.glob("x*"))


def test_progress_bar_on_a_terminal_and_lines_elsewhere():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    now, screen = [0.0], Terminal()
    bar = common.Bar(stream=screen, clock=lambda: now[0])
    bar("Loading", 0.0)
    for step in range(1, 11):
        now[0] += 1.0
        bar("Sampling", step / 10, f"{step}/10")
    bar.close()
    last = screen.getvalue().rstrip("\n").split("\r")
    assert "100%" in last[-1] and "[" + "#" * common.BAR_CELLS + "]" in last[-1] and "5 s left" in last[6]
    plain = io.StringIO()
    bar = common.Bar(stream=plain)
    for fraction in np.linspace(0, 1, 50):
        bar("Sampling", float(fraction))
    assert plain.getvalue() == "Sampling\n"


def test_the_worker_can_be_started_by_hand():
    """It says hello, takes a job with the device that it was told of, and ends when it is asked to."""
    worker = subprocess.Popen([sys.executable, "-m", "core", "worker", "--device", "abacus", "--idle", "60"], cwd=ROOT,
                              text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT)
    with worker:
        assert json.loads(worker.stdout.readline())["type"] == "hello"
        worker.stdin.write('{"type": "job", "job": "a", "kind": "doctor", "params": {}}\n')
        worker.stdin.flush()
        answer = next(message for message in map(json.loads, worker.stdout) if message["type"] in ("done", "error"))
        assert "abacus" in json.dumps(answer), answer
        worker.stdin.write('{"type": "quit", "job": null}\n')
        worker.stdin.flush()
        assert worker.wait(30) == 0


@pytest.mark.parametrize(("pattern", "groups", "told"), [
    ("four", None, ", in four"), ("auto", [3, 2], ", in 3 + 2"), ("auto", None, ""), (None, [3, 2], ""),
    ("three_two_two", [2, 2, 3], ", in three + two + two")])
def test_how_beats_are_conducted_is_said(pattern, groups, told):
    settings = {} if pattern is None else {"beat_pattern": pattern}
    assert common.beaten({"settings": settings, "beats": {"groups": groups}}) == told
