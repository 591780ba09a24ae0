"""Set Up Runtime: with a wheel made here and no network. Made, resumed, cancelled, failed with a sentence."""
import base64
import hashlib
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from baton.blender_addon.worker import runtime
from baton.blender_addon.worker.runtime import RuntimeSetup
from baton.core.contract import environment
from baton.core.contract.environment import SetupError


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


@pytest.fixture(scope="session")
def tools():
    """uv, got once and kept beside the development environments; skips where there is no network for it."""
    folder = Path(__file__).resolve().parents[2] / ".build" / "uv"
    if environment.version_of(environment.python_of(folder)) is None:
        said = []

        def run(command, variables):
            done = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=variables)
            said.append(done.stdout + done.stderr)
            return done.returncode
        maker = environment.Maker(folder, folder, folder / "x", {}, "", "", base=lambda: sys.executable, run=run,
                                  words=lambda: said[-1], say=print)
        try:
            maker._get_uv(environment.python_of(folder))
        except SetupError as error:
            pytest.skip(f"uv cannot be had here: {error}")
    return folder


@pytest.fixture(autouse=True)
def have_tools(tools, tmp_path):
    """Each runtime folder has uv already, as after a first run."""
    (tmp_path / "runtime").mkdir()
    (tmp_path / "runtime" / "uv").symlink_to(tools, target_is_directory=True)


def make(tmp_path, lock, **options):
    options = {"wheels": str(wheel(tmp_path / "wheels")), "check": "import tinydep; assert tinydep.ANSWER == 42",
               "search": [Path(sys.executable)], **options}
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
    assert not any("uv venv" in line for line in made.lines), "the environment of the first run was completed"
    python = runtime.ready_python(folder)
    assert python is not None and environment.version_of(python) == sys.version_info[:2]
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
    assert environment.version_of(liar) is None
    assert environment.version_of(tmp_path / "absent") is None
    with pytest.raises(SetupError, match="python3.11"):
        runtime.find_python([liar])
    found = runtime.find_python([liar, Path(sys.executable)])
    assert str(found) == sys.executable
    assert runtime.find_python() is not None  # of this very interpreter


def test_missing_venv_of_a_distribution_is_named(tmp_path, lock):
    """Debian's Python keeps ensurepip in a package of its own; the sentence carries the command that helps."""
    (tmp_path / "runtime" / "uv").unlink()
    python = tmp_path / "python3.13"
    python.write_text("#!/bin/sh\ncase \"$*\" in *print*) echo 'py 3 13';; *) echo 'ensurepip is not'; echo; "
                      "echo '    apt install python3.13-venv'; exit 1;; esac\n")
    python.chmod(0o755)
    failed = make(tmp_path, lock, search=[python]).start()
    failed.join(60)
    assert "apt-get install python3.13-venv" in failed.error and not failed.done


def test_wheels_without_uv_are_told_so(tmp_path, lock):
    (tmp_path / "runtime" / "uv").unlink()
    failed = make(tmp_path, lock).start()
    failed.join(120)
    assert "holds no uv" in failed.error and "pip download uv" in failed.error and not failed.done


def test_an_environment_holds_the_lock_and_nothing_else(tmp_path, lock):
    wheel(tmp_path / "wheels", "second")
    lock.write_text("tinydep==1.0\nsecond==1.0\n")
    made = make(tmp_path, lock).start()
    made.join(120)
    assert made.done, made.report()
    lock.write_text("tinydep==1.0\n")
    made = make(tmp_path, lock).start()
    made.join(120)
    python = runtime.ready_python(tmp_path / "runtime")
    assert subprocess.run([python, "-c", "import tinydep"]).returncode == 0
    assert subprocess.run([python, "-c", "import second"], capture_output=True).returncode == 1


def test_processor_build_comes_from_its_own_index_or_the_usual_one_serves(tmp_path, lock, monkeypatch):
    """Where PyTorch's own index cannot be reached, the lock alone decides."""
    asked = []

    def call(self, command, variables):
        asked.append([str(word) for word in command])
        return 1 if "--torch-backend" in asked[-1] else real(self, command, variables)
    real = RuntimeSetup._call
    monkeypatch.setattr(RuntimeSetup, "_call", call)
    monkeypatch.setattr(runtime.sys, "platform", "linux")
    wheel(tmp_path / "wheels")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    made = make(tmp_path, lock, wheels=None).start()
    made.join(120)
    assert made.done, made.report()
    installs = [words for words in asked if "install" in words]
    assert [words[words.index("--torch-backend") + 1] if "--torch-backend" in words else None
            for words in installs] == ["cpu", None]
    assert all("--no-index" in words and str(tmp_path / "wheels") in words
               for words in installs), "pip's settings count for uv"


@pytest.mark.parametrize(("words", "sentence"), [
    ("... NewConnectionError(...)", "no network"), ("error: Failed to fetch: x\n cause: dns error", "no network"),
    ("OSError: [Errno 28] No space left on device", "disk is full"),
    ("ERROR: No matching distribution found for torch==9", "torch==9"),
    ("because there is no version of torch==9 and you require torch==9, we can conclude", "torch==9 was not found"),
    ("boom", "could not be installed: boom")])
def test_reasons(words, sentence):
    assert sentence in environment.why(words, "try again")
