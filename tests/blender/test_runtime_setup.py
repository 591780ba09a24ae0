"""Set Up Runtime: with a wheel made here and no network. Made, resumed, cancelled, failed with a sentence."""
import base64
import hashlib
import sys
import time
import zipfile

import pytest

from baton.blender_addon.worker import runtime
from baton.blender_addon.worker.pip_progress import PipProgress
from baton.blender_addon.worker.runtime import RuntimeSetup, SetupError


def wheel(folder, name="tinydep", version="1.0"):
    """A pure wheel with one module."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-{version}.dist-info"
    files = {f"{name}.py": "ANSWER = 42\n",
             f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
             f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text)}\n"
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as file:
        for path, text in files.items():
            file.writestr(path, text)
    return folder


@pytest.fixture
def lock(tmp_path):
    path = tmp_path / "lock.txt"
    path.write_text("# lock\ntinydep==1.0\n")
    return path


def make(tmp_path, lock, **options):
    options = {"wheels": str(wheel(tmp_path / "wheels")), "check": "import tinydep; assert tinydep.ANSWER == 42",
               "search": [__import__("pathlib").Path(sys.executable)], **options}
    return RuntimeSetup(tmp_path / "runtime", lock, **options)


def test_made_and_resumed(tmp_path, lock):
    folder = tmp_path / "runtime"
    broken = make(tmp_path, lock, check="raise SystemExit(3)").start()
    broken.join(120)
    assert not broken.done and "does not work" in broken.error
    assert runtime.ready_python(folder) is None, "an unfinished environment is never trusted"
    made = make(tmp_path, lock).start()
    made.join(120)
    assert made.done and made.fraction == 1.0, made.report()
    assert not any("-m venv" in line for line in made.lines), "the environment of the first run was completed"
    python = runtime.ready_python(folder)
    assert python is not None and runtime.version_of(python) == sys.version_info[:2]
    assert runtime.is_current(folder, lock)
    lock.write_text("tinydep==9.9\n")
    assert not runtime.is_current(folder, lock)
    failed = make(tmp_path, lock).start()
    failed.join(120)
    assert "tinydep==9.9 was not found" in failed.error and not failed.done
    assert runtime.ready_python(folder) is None
    assert "tinydep" in made.report() and "state: done" in made.report()


def test_cancel(tmp_path, lock):
    started = make(tmp_path, lock).start()
    while not started.lines:
        time.sleep(0.01)
    started.cancel()
    started.join(60)
    assert not started.running and started.error == "Cancelled"
    assert runtime.ready_python(tmp_path / "runtime") is None


def test_python_is_believed_only_when_it_runs(tmp_path):
    liar = tmp_path / "python3.11"
    liar.write_text("#!/bin/sh\necho blender 5.0\n")
    liar.chmod(0o755)
    assert runtime.version_of(liar) is None
    assert runtime.version_of(tmp_path / "absent") is None
    with pytest.raises(SetupError, match="python3.11"):
        runtime.find_python([liar])
    found = runtime.find_python([liar, __import__("pathlib").Path(sys.executable)])
    assert str(found) == sys.executable
    assert runtime.find_python() is not None  # of this very interpreter


def test_missing_venv_of_a_distribution_is_named(tmp_path, lock):
    """Debian's Python keeps ensurepip in a package of its own; the sentence carries the command that helps."""
    python = tmp_path / "python3.13"
    python.write_text("#!/bin/sh\ncase \"$*\" in *print*) echo 'py 3 13';; *) echo 'ensurepip is not'; echo; "
                      "echo '    apt install python3.13-venv'; exit 1;; esac\n")
    python.chmod(0o755)
    failed = make(tmp_path, lock, search=[python]).start()
    failed.join(60)
    assert "apt-get install python3.13-venv" in failed.error and not failed.done


def test_processor_build_comes_from_its_own_index_or_not_at_all(tmp_path, lock, monkeypatch):
    """Nothing but PyTorch is asked of PyTorch's index; where it cannot be reached, the lock alone decides."""
    wheel(tmp_path / "wheels")
    wheel(tmp_path / "wheels", "torch", "2.13.0")
    lock.write_text("tinydep==1.0\ntorch==2.13.0\n")
    index = (tmp_path / "no such index").as_uri()
    monkeypatch.setattr(runtime, "CPU_INDEX", index)
    monkeypatch.setattr(runtime.sys, "platform", "linux")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("PIP_INDEX_URL", index)
    monkeypatch.setattr(RuntimeSetup, "_raw_progress", lambda self, python: [])
    made = make(tmp_path, lock, wheels=None).start()
    made.join(120)
    assert made.done, made.report()
    asked = [line for line in made.lines if line.startswith("$") and index in line]
    assert len(asked) == 1 and asked[0].endswith("torch==2.13.0+cpu") and "--no-deps" in asked[0]
    assert "larger build of PyTorch" in made.report()


LOG = """Collecting certifi==1.0 (from -r lock.txt (line 3))
  Downloading certifi-1.0-py3-none-any.whl.metadata (2.5 kB)
Collecting torch==2.13.0 (from -r lock.txt (line 9))
  Downloading torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl.metadata (31 kB)
Requirement already satisfied: typing_extensions==4.16.0 in ./env/lib (4.16.0)
Using cached certifi-1.0-py3-none-any.whl (160 kB)
Downloading torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl (190.1 MB)
Progress 95000000 of 190000000
Progress 190000000 of 190000000
Installing collected packages: torch, certifi""".splitlines()


def test_the_bar_moves_with_the_bytes(tmp_path):
    progress = PipProgress(["certifi", "torch", "typing-extensions"])
    bar = []
    for line in LOG:
        progress.read(line)
        bar.append(progress.fraction)
    assert bar == sorted(bar) and bar[-1] == pytest.approx(0.85) and progress.step == "Installing 2 packages"
    (tmp_path / "certifi-1.0.dist-info").mkdir()
    progress.look(tmp_path)
    assert 0.85 < progress.fraction < 0.87
    (tmp_path / "torch-2.13.0.dist-info").mkdir()
    progress.look(tmp_path)
    assert progress.fraction == pytest.approx(1.0)
    assert bar[6] < 0.15 and 0.4 < bar[7] < 0.6 and bar[8] > 0.8, "most of the bar belongs to the large wheel"


@pytest.mark.parametrize(("log", "sentence"), [
    ("... NewConnectionError(...)", "no network"), ("OSError: [Errno 28] No space left on device", "disk is full"),
    ("ERROR: No matching distribution found for torch==9", "torch==9"), ("boom", "could not be installed")])
def test_reasons(log, sentence):
    assert sentence in runtime.why(log)
