"""Light jobs for tests of the manager, and what plays the worker for them."""
import json
import sys
import time

from baton.blender_addon.worker import manager as jobs
from baton.blender_addon.worker import owner
from baton.core import contract
from tests.blender.test_worker_client import peer


def bones_only(folder):
    """The lightest real job: bone names, no weights."""
    yield 0.5
    (folder / "rig.json").write_text(json.dumps({"bones": [{"name": "head", "parent": None}]}))


def endless(folder):
    while True:
        yield 0.1


def job(apply=lambda result, folder: "fine", kind="bonemap", prepare=bones_only, watched=(), params=None):
    return jobs.Job(kind, "Test", params or {}, prepare, apply, watched)


def run_until(manager, test, seconds=60.0):
    end = time.monotonic() + seconds
    while not test():
        assert time.monotonic() < end, f"still {manager.job and manager.job.state}"
        manager.poll(timeout=0.02)


def scripted(monkeypatch, tmp_path, body):
    """A peer in the worker's place that says what this very code hashes to, then `body`."""
    monkeypatch.setenv("BATON_WORKER_PYTHON", sys.executable)
    monkeypatch.setattr(contract, "ROOT", tmp_path)
    monkeypatch.setattr(owner, "code_hash", lambda root: "x")
    return peer(tmp_path, body)
