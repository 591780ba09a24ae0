"""Fixtures of the core tests."""
import pytest

from core.motion_files.bvh import format_bvh
from core.worker.inputs import EVERY
from models.lab.studio.dancer import dance
from models.lab.studio.plan import make_plan


@pytest.fixture(scope="session")
def motion():
    """Three seconds of house that files are made of; no test changes it."""
    return dance(make_plan("dance", 11, genre="house", duration=3.0))


@pytest.fixture(scope="session")
def text(motion):
    """The same as BVH text."""
    return format_bvh(motion)


@pytest.fixture(scope="session")
def tiny_checkpoints(tmp_path_factory):
    """A folder of tiny checkpoints of every released part, listed in its index."""
    import torch
    from tiny import save_all
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("checkpoints")
    save_all(folder)
    return folder


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    """A real worker process that has said hello."""
    from test_worker import REAL, Worker
    running = Worker(tmp_path_factory.mktemp("worker"), script=REAL, env={"OMP_NUM_THREADS": "1"})
    running.next("hello")
    yield running
    running.close()


def as_generate(kind, params):
    """(kind, params) of a worker's message for a job of a direction's name; others as they are."""
    if kind not in ("music", "conduct"):
        return kind, params
    from core.contract.systems import find
    from core.worker.generate import COMMON, INPUTS
    system = find(kind)
    inputs = {name: value for name, value in params.items() if name in COMMON | INPUTS[system.direction.name] | EVERY}
    settings = {name: value for name, value in params.items() if name not in inputs}
    return "generate", {"system": system.name, "settings": settings, **inputs}


@pytest.fixture
def job(worker, tiny_checkpoints, tmp_path):
    """job(kind, **params) -> the final message; files are in tmp_path. "music" and "conduct" are `generate` for the
    first system of the direction, what is no input among the params its settings."""
    def run(kind, **params):
        worker.seen.clear()
        kind, params = as_generate(kind, params)
        worker.send("job", kind, kind=kind, folder=str(tmp_path),
                    params={"device": "cpu", "checkpoints": str(tiny_checkpoints), **params})
        return worker.next("done", "error")
    run.folder, run.worker = tmp_path, worker
    return run


@pytest.fixture
def clicks_file(tmp_path):
    """Path of 4 s of clicks at 120 BPM."""
    import soundfile
    from tiny import clicks
    path = tmp_path / "clicks.wav"
    soundfile.write(path, clicks(4.0), 22_050)
    return str(path)
