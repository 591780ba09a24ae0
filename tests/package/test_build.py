"""build.py's own set-up: made, interrupted, completed; every way it can fail is one sentence with the command that
helps."""
import subprocess
import sys
from pathlib import Path

import pytest

import build
from tests.blender.test_runtime_setup import tools, wheel  # noqa: F401

LOCK, CHECK = "tinydep==1.0\n", "import tinydep; assert tinydep.ANSWER == 42"


@pytest.fixture(scope="module")
def made(tmp_path_factory, tools):
    """A folder whose environment was interrupted while uv ran: there, but not stamped."""
    root = tmp_path_factory.mktemp("build")
    (root / ".build").mkdir()
    (root / ".build" / "uv").symlink_to(tools, target_is_directory=True)
    wheel(root / "wheels")
    real = subprocess.run

    def interrupted(command, **options):
        if "install" in command:
            raise KeyboardInterrupt
        return real(command, **options)
    with pytest.MonkeyPatch.context() as patch:
        settings(patch, root)
        patch.setattr(build.subprocess, "run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            build.ensure_environment(root / "env", LOCK, CHECK)
    assert build.python_of(root / "env").is_file() and not (root / "env" / "baton-ready.json").exists()
    return root


def settings(patch, root):
    """Packages come from the folder of wheels alone, logs go to `root`."""
    patch.setattr(build, "ROOT", root)
    patch.setenv("PIP_FIND_LINKS", str(root / "wheels"))
    patch.setenv("PIP_NO_INDEX", "1")


@pytest.fixture
def root(made, monkeypatch):
    settings(monkeypatch, made)
    return made


def test_an_interrupted_set_up_is_completed(root, monkeypatch):
    commands, real = [], subprocess.run

    def watched(command, **options):
        commands.append([str(word) for word in command])
        return real(command, **options)
    monkeypatch.setattr(build.subprocess, "run", watched)
    python = build.ensure_environment(root / "env", LOCK, CHECK)
    assert not any("venv" in command for command in commands), "what was there is used"
    assert any("install" in command for command in commands)
    assert subprocess.run([python, "-c", CHECK]).returncode == 0
    commands.clear()
    assert build.ensure_environment(root / "env", LOCK, CHECK) == python
    assert commands == [], "a finished environment costs nothing"
    build.ensure_environment(root / "env", LOCK + "# changed\n", CHECK)
    assert any("install" in command for command in commands), "another lock is installed"


def test_no_network(root, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(build.SetupError, match="no network.*run this command again, it goes on where it stopped"):
        build.ensure_environment(root / "env", "baton-no-such-package==1.0\n", CHECK)
    assert not (root / "env" / "baton-ready.json").exists(), "not trusted"


def test_missing_system_library(root):
    check = "raise ImportError('libGL.so.1: cannot open shared object file: No such file or directory')"
    with pytest.raises(build.SetupError, match=r"libGL.so.1.*apt-get install libgl1 .*run this command again"):
        build.ensure_environment(root / "env", LOCK, check)
    with pytest.raises(build.SetupError, match="does not work: ModuleNotFoundError"):
        build.ensure_environment(root / "env", LOCK, "import no_such_module")


def test_no_python(monkeypatch, tmp_path):
    other = tmp_path / "python3"
    other.write_text("#!/bin/sh\necho 3.8\n")
    other.chmod(0o755)
    monkeypatch.setattr(build.sys, "executable", str(other))
    monkeypatch.setattr(build.shutil, "which", lambda name: None)
    with pytest.raises(build.SetupError, match="apt-get install python3.11"):
        build.find_python311()


@pytest.mark.parametrize(("log", "words"), [
    ("WARNING: Retrying after connection broken by 'NewConnectionError(...)'", "no network"),
    ("OSError: [Errno 28] No space left on device", "disk is full"), ("ERROR: boom", "could not be installed: ERROR: "
                                                                      "boom")])
def test_what_was_said(log, words):
    assert words in build.environment.why(log, "run this command again")


def test_the_sentence_and_the_exit_code(monkeypatch, capsys):
    def fail(*_):
        raise build.SetupError("One sentence.")
    monkeypatch.setattr(build, "command_bench", fail)
    assert build.main(["bench"]) == 3 and "One sentence." in capsys.readouterr().out

    def stop(*_):
        raise KeyboardInterrupt
    monkeypatch.setattr(build, "command_bench", stop)
    assert build.main(["bench"]) == 130 and "run the same command again" in capsys.readouterr().out


def test_it_needs_nothing_but_the_standard_library():
    """Nor do the modules of ours that it imports: the first call runs before there is any environment."""
    code = ("import sys; import build; from pathlib import Path; site = [m for m in sys.modules.values() "
            "if 'site-packages' in (getattr(m, '__file__', None) or '')]; sys.exit(', '.join(m.__name__ for m in site) "
            "or 0)")
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=Path(build.__file__).parent, capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
