"""Speeds of the worker process, for `tests/bench.py`: its start, the first take, a cancel."""
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from models.lab.demo import DANCE

ROOT = Path(__file__).resolve().parents[1]


class Worker:
    """A worker process spoken to line by line."""

    def __init__(self):
        self.began = time.perf_counter()
        self.process = subprocess.Popen([sys.executable, "-s", str(ROOT / "core" / "worker" / "main.py")],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tempfile.gettempdir(),
                                        text=True, bufsize=1)

    def until(self, wanted):
        """The next message of one of the types `wanted`."""
        for line in self.process.stdout:
            message = json.loads(line)
            if message["type"] in wanted:
                return message
        raise RuntimeError("the worker ended")

    def send(self, **message):
        """One message."""
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()


def draft_seconds(prepared):
    """Seconds to the first take of 20 s on disk, from the start of a worker, or, where Blender samples the pose for
    `prepared` seconds meanwhile, from the job."""
    worker = Worker()
    worker.until(("hello",))
    time.sleep(prepared)
    began = time.perf_counter() if prepared else worker.began
    with tempfile.TemporaryDirectory() as folder:
        worker.send(type="job", job="first", kind="generate", folder=folder, params={
            "system": "music_ldm", "settings": {"genre": "house", "steps": "draft", "seed": 1}, "motion": str(DANCE),
            "duration": 20.0, "device": "cpu"})
        answer = worker.until(("done", "error"))
        seconds = time.perf_counter() - began
    worker.process.kill()
    if answer["type"] == "error":
        raise RuntimeError(answer["message"])
    return seconds


def measure():
    """{figure: seconds}: until hello, and from a cancel in the midst of sampling to the answer."""
    starts = []
    for _ in range(5):
        worker = Worker()
        worker.until(("hello",))
        starts.append(time.perf_counter() - worker.began)
        worker.process.kill()
    worker = Worker()
    worker.until(("hello",))
    latencies = []
    for number in range(3):
        with tempfile.TemporaryDirectory() as folder:
            worker.send(type="job", job=f"j{number}", kind="generate", folder=folder, params={
                "system": "music_ldm", "settings": {"genre": "house", "steps": 400}, "motion": str(DANCE)})
            while True:
                message = worker.until(("progress", "error", "done"))
                if message["type"] != "progress" or message["phase"] == "Sampling":
                    break
            if message["type"] != "progress":
                return {"hello_s": statistics.median(starts), "cancel": message}
            time.sleep(0.3)
            began = time.perf_counter()
            worker.send(type="cancel", job=f"j{number}")
            worker.until(("error", "done"))
            latencies.append(time.perf_counter() - began)
    worker.process.kill()
    return {"hello_s": statistics.median(starts), "cancel_s": statistics.median(latencies)}
