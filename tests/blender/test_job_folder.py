"""A job's folder: private, swept after a killed Blender, never that of a living one."""
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from baton.blender_addon.errors import DiskError
from baton.blender_addon.worker import job_folder
from baton.blender_addon.worker.client import WorkerClient
from tests.blender import scenes


def test_it_is_private(blender, tmp_path, monkeypatch):
    monkeypatch.setattr(job_folder, "session", lambda: tmp_path)
    folder = job_folder.make("job1")
    (folder / "rig.json").write_text("{}")
    (folder / "rig_2").mkdir()
    (folder / "rig_2" / "rig.json").write_text("{}")
    job_folder.seal(folder)
    assert folder.parent == tmp_path and folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()} == {0o600}
    job_folder.clear(folder)
    assert not folder.exists()


def test_blenders_folder_taken_away_is_no_trouble_and_none_at_all_is_a_sentence(blender, tmp_path, monkeypatch):
    monkeypatch.setattr(job_folder, "session", lambda: None)
    monkeypatch.setattr(job_folder.tempfile, "tempdir", str(tmp_path))
    folder = job_folder.make("job1")
    assert folder.parent == tmp_path
    job_folder.clear(folder)
    monkeypatch.setattr(job_folder.tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(DiskError, match="temporary folder .*gone.* is gone"):
        job_folder.make("job1")


@pytest.mark.skipif(sys.platform == "win32", reason="locks")
def test_what_a_killed_blender_left_is_swept(blender, tmp_path, monkeypatch):
    monkeypatch.setattr(job_folder.tempfile, "tempdir", str(tmp_path))
    code = ("from models.lab.mount import mount; mount()\nimport time\nfrom pathlib import Path\n"
            "from baton.blender_addon.worker import job_folder\n"
            f"job_folder.session = lambda: Path({str(tmp_path)!r}) / 'blender_aaaaaa'\n"
            "(job_folder.session() / 'baton').mkdir(parents=True)\n"
            "(job_folder.session() / 'baton' / 'Music 1.wav').write_bytes(b'sound')\n"
            "print(job_folder.make('job7'), flush=True)\ntime.sleep(60)")
    with subprocess.Popen([sys.executable, "-c", code], cwd=scenes.ROOT, stdout=subprocess.PIPE, text=True) as other:
        theirs = Path(other.stdout.readline().strip())
        mine = job_folder.make("job1")
        job_folder.sweep({tmp_path})
        assert theirs.is_dir() and mine.is_dir(), "both Blenders live"
        other.kill()
    job_folder.sweep({tmp_path})
    assert not theirs.exists() and mine.is_dir()
    assert (tmp_path / "blender_aaaaaa" / "baton" / "Music 1.wav").is_file(), "a recovered file may play it"
    job_folder.clear(mine)


@pytest.mark.parametrize("years", [-30, 30])
def test_a_clock_that_is_set_takes_no_living_job_its_folder(blender, tmp_path, monkeypatch, years):
    """What lives is told by a lock, not by a time."""
    monkeypatch.setattr(job_folder.tempfile, "tempdir", str(tmp_path))
    mine, old = job_folder.make("job1"), tmp_path / "baton-job2-old"
    old.mkdir()
    now = time.time() + years * 365 * 86400
    monkeypatch.setattr(job_folder.time, "time", lambda: now)
    job_folder.sweep({tmp_path})
    assert mine.is_dir() and old.exists() == (years < 0)
    job_folder.clear(mine)


def test_folders_of_earlier_versions_and_links(blender, tmp_path):
    old, young = tmp_path / "baton-job1-old", tmp_path / "baton-job2-young"
    victim = tmp_path / "victim"
    for folder in (old, young, victim):
        folder.mkdir()
    os.utime(old, (time.time() - 3 * 86400,) * 2)
    os.utime(victim, (time.time() - 3 * 86400,) * 2)
    (tmp_path / "baton-job3-link").symlink_to(victim)
    job_folder.sweep({tmp_path})
    assert not old.exists() and young.is_dir() and victim.is_dir()


@pytest.mark.skipif(sys.platform == "win32", reason="locks")
def test_logs_of_workers_that_live_stay(tmp_path):
    """Of many workers on one folder of logs, only those of the dead are tidied away."""
    script = tmp_path / "root" / "core" / "worker" / "main.py"
    script.parent.mkdir(parents=True)
    script.write_text("import sys\nfor line in sys.stdin: pass\n")
    clients = [WorkerClient(sys.executable, tmp_path / "root", tmp_path / "logs") for _ in range(6)]
    try:
        assert all(client.log_path.exists() for client in clients)
        for client in clients[:5]:
            client.quit()
        clients.append(WorkerClient(sys.executable, tmp_path / "root", tmp_path / "logs"))
        left = [client.log_path.exists() for client in clients]
        assert left[5:] == [True, True] and sum(left[:5]) == 2
    finally:
        for client in clients:
            client.kill()
