"""Set Up Runtime installs what the lock names and nothing else: hashes, no building, no bent environment, one at a
time."""
import hashlib
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from baton.blender_addon.worker import runtime
from baton.core import contract
from baton.core.contract import environment
from baton.core.contract.holding import alone
from tests.blender.test_runtime_setup import have_tools, make, tools, wheel  # noqa: F401

LOCKS = ("runtime-lock.txt", "runtime-constraints.txt", "uv-lock.txt")


def locked(tmp_path, content=None):
    """A lock that names a wheel by its hash; the wheel's path."""
    path = wheel(tmp_path / "wheels") / "tinydep-1.0-py3-none-any.whl"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    lock = tmp_path / "lock.txt"
    lock.write_text(f"tinydep==1.0 \\\n    --hash=sha256:{digest}\n")
    return lock, path


def test_every_package_of_the_locks_has_hashes():
    for name in LOCKS:
        text = (contract.ROOT / "core" / "contract" / name).read_text()
        rows = re.findall(r"(?m)^([\w.-]+==[^ \n]+)[^\\\n]*(\\\n)?", text)
        assert rows and all(hashes for _, hashes in rows), name
        for row, _ in rows:
            assert re.search(rf"(?m)^{re.escape(row)}[^\n]*\\\n +--hash=sha256:[0-9a-f]{{64}}", text)
    assert environment.UV_PIN in (contract.ROOT / "core" / "contract" / "uv-lock.txt").read_text()
    lock = (contract.ROOT / "core" / "contract" / "runtime-lock.txt").read_text()
    builds = environment.TORCH_BUILDS.read_text()
    version = re.search(r"(?m)^torch==([\d.]+)", lock)[1]
    rows = [line.split() for line in builds.splitlines() if not line.startswith("#")]
    assert all(row[0].startswith(f"torch-{version}+") and re.fullmatch("[0-9a-f]{64}", row[1]) for row in rows)
    other = environment.with_builds(lock, builds)
    assert other.count("--hash") == lock.count("--hash") + len(rows) and len({row[1] for row in rows}) == len(rows)
    torch = re.search(r"(?m)^torch==[^\n]*\\\n(?: +--hash=\S+(?: \\)?\n)+", other)[0]
    assert all(f"--hash=sha256:{row[1]}" in torch for row in rows)


def test_a_build_of_pytorch_that_is_not_known_is_never_installed(tmp_path, monkeypatch):
    """PyTorch's index offers a CUDA build whose hash nobody has noted: an older one that is known is asked for, then
    the package index's own."""
    asked = []

    def run(command, variables):
        asked.append([str(word) for word in command])
        return 0 if "--torch-backend" not in asked[-1] else 1
    (tmp_path / "uv").mkdir()
    maker = environment.Maker(
        folder=tmp_path / "env", tools=tmp_path / "uv", stamp=tmp_path / "stamp", mark={}, check="", base=None, run=run,
        lock="torch==2.13.0 \\\n    --hash=sha256:" + "0" * 64 + "\n", say=None, backend="auto", binary=True,
        words=lambda: "Hash mismatch for `torch==2.13.0+cu130`")
    monkeypatch.setattr(maker, "_as_pip_would", lambda: [])
    maker._install(["uv"], "python")
    backends = [words[words.index("--torch-backend") + 1] if "--torch-backend" in words else None for words in asked]
    assert backends == ["auto", environment.OLDER_CUDA, None]
    for words in asked:
        text = Path(words[words.index("-r") + 1]).read_text()
        assert "torch==2.13.0 \\\n    --hash=sha256:" in text, "never without a hash"


def test_a_wheel_that_was_altered_is_refused(tmp_path):
    lock, path = locked(tmp_path)
    made = make(tmp_path, lock).start()
    made.join(120)
    assert made.done, made.report()
    wheel(tmp_path / "wheels")                                   # `make` wrote it anew: alter it after that
    setup = make(tmp_path, lock)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("altered.pth", f"import pathlib; pathlib.Path({str(tmp_path / 'ran')!r}).touch()\n")
    (tmp_path / "runtime" / "env").rename(tmp_path / "old")
    setup.start().join(120)
    assert not setup.done and "not the one that Baton's lock names" in setup.error, setup.report()
    assert not (tmp_path / "ran").exists() and runtime.ready_python(tmp_path / "runtime") is None


def test_no_source_package_is_built(tmp_path):
    folder = tmp_path / "sources"
    folder.mkdir()
    evil = tmp_path / "tinydep-1.0"
    evil.mkdir()
    (evil / "setup.py").write_text(f"import pathlib; pathlib.Path({str(tmp_path / 'ran')!r}).touch()\n"
                                   "from setuptools import setup; setup(name='tinydep', version='1.0')\n")
    (evil / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: tinydep\nVersion: 1.0\n")
    with tarfile.open(folder / "tinydep-1.0.tar.gz", "w:gz") as file:
        file.add(evil, "tinydep-1.0")
    lock = tmp_path / "lock.txt"
    lock.write_text("tinydep==1.0\n")
    setup = make(tmp_path, lock, wheels=str(folder))
    setup.start().join(120)
    assert not setup.done and not (tmp_path / "ran").exists(), setup.report()
    assert "tinydep" in setup.error


def test_two_set_ups_at_once(tmp_path):
    lock, _ = locked(tmp_path)
    setup = make(tmp_path, lock)
    with alone(tmp_path / "runtime" / "setup.lock"):
        setup.start().join(60)
    assert "Another Blender" in setup.error and not setup.done
    again = make(tmp_path, lock)
    again.start().join(120)
    assert again.done, again.report()


def test_what_would_bend_a_child_does_not_reach_it(monkeypatch, tmp_path):
    (tmp_path / "numpy.py").write_text("raise SystemExit('a decoy was imported')")
    for name in ("LD_PRELOAD", "DYLD_INSERT_LIBRARIES", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONWARNINGS",
                 "PYTHONINSPECT", "PYTHONBREAKPOINT", "PYTHONHOME", "LD_AUDIT"):
        monkeypatch.setenv(name, str(tmp_path))
    given = environment.clean_environment()
    assert not [name for name in given if name.startswith(("PYTHON", "LD_PRELOAD", "LD_AUDIT", "DYLD"))
                and name != "PYTHONUTF8"]
    said = "import os; print(sorted(name for name in os.environ if name[:3] == 'LD_' or name[:6] == 'PYTHON'))"
    done = subprocess.run([sys.executable, "-c", said], env=given, capture_output=True, text=True)
    assert done.stdout.strip() in ("['PYTHONUTF8']", "['LD_LIBRARY_PATH', 'PYTHONUTF8']")
