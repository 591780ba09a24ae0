"""Fixtures of the core tests."""
import pytest


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
    running.process.kill()
    running.process.wait()
    running.process.stdin.close()
    running.process.stdout.close()


@pytest.fixture
def job(worker, tiny_checkpoints, tmp_path):
    """job(kind, **params) -> the final message; files are in tmp_path."""
    def run(kind, **params):
        worker.seen.clear()
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
