"""The process wall of the architecture page, sentence by sentence, with real processes."""
import hashlib
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from core.contract.protocol import PROTOCOL, code_hash
from core.worker.progress import Progress

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT / "core" / "worker" / "main.py"
TOY = Path(__file__).with_name("worker_toy.py")
PATIENCE = 120                                              # only a hang fails by it; nothing here measures time


class Worker:
    """A worker process; `next(type)` waits for the next message of a type, keeping all seen."""

    def __init__(self, folder, *arguments, script=TOY, env=None):
        self.log = folder / "worker.log"
        self.seen, self.inbox = [], queue.Queue()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([sys.executable, "-s", str(script), *arguments], cwd=folder, stderr=log,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            env={**os.environ, **(env or {})})
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.inbox.put(line)
        self.inbox.put(None)

    def send(self, type_, job=None, **fields):
        self.send_raw(json.dumps({"type": type_, "job": job, **fields}).encode() + b"\n")

    def send_raw(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def job(self, job, kind, **params):
        self.send("job", job, kind=kind, folder=str(self.log.parent), params=params)

    def next(self, *kinds):
        while True:
            line = self.inbox.get(timeout=PATIENCE)
            assert line is not None, f"the worker ended; its log: {self.log.read_text(errors='replace')}"
            message = json.loads(line)                      # every line must be one message
            assert "job" in message and "type" in message
            self.seen.append(message)
            if message["type"] in kinds:
                return message

    def wait(self):
        return self.process.wait(PATIENCE)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def start(tmp_path):
    workers = []

    def make(*arguments, **options):
        workers.append(Worker(tmp_path, *arguments, **options))
        return workers[-1]

    yield make
    for worker in workers:
        worker.process.kill()
        worker.process.wait()
        worker.process.stdin.close()
        worker.process.stdout.close()


def test_hello_comes_first_and_names_protocol_code_and_python(start):
    worker = start(script=REAL)
    hello = worker.next("hello")
    assert worker.seen == [hello]
    assert hello["protocol"] == PROTOCOL == 2 and hello["pid"] == worker.process.pid and hello["job"] is None
    assert hello["code"] == code_hash() and hello["python"].count(".") == 2 and hello["version"]


def test_nothing_heavy_is_imported_at_hello(start):
    worker = start()
    worker.next("hello")
    worker.job("a", "modules")
    found = worker.next("done")["result"]
    assert found["heavy"] == [] and found["stray"] == [] and Path(found["path"]) == ROOT


def test_code_hash_follows_code_and_lists_only(tmp_path):
    for name in ("core/a.py", "models/sub/b.json", "models/c.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1")
    expected = hashlib.sha256(b"core/a.py\0" + b"1\0" + b"models/sub/b.json\0" + b"1\0").hexdigest()
    assert code_hash(tmp_path) == expected                  # the add-on computes the same from its own copy
    (tmp_path / "models/c.txt").write_bytes(b"2")
    assert code_hash(tmp_path) == expected
    (tmp_path / "models/sub/b.json").write_bytes(b"2")
    assert code_hash(tmp_path) != expected


def test_a_changed_copy_says_another_hash(start, tmp_path):
    copy = tmp_path / "copy"
    for room in ("core", "models"):
        shutil.copytree(ROOT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "core" / "errors.py").open("a").write("\n")
    assert start(script=copy / "core" / "worker" / "main.py").next("hello")["code"] != code_hash()


def test_prints_of_libraries_go_to_the_log(start):
    worker = start()
    worker.job("a", "noise")
    done = worker.next("done")                              # `next` has parsed every line before it
    assert done["result"] == {"stdin": ""}
    assert [m["text"] for m in worker.seen if m["type"] == "log"] == ["a line\nof two, ü"]
    log = worker.log.read_text()
    assert "python noise" in log and "descriptor noise" in log and (sys.platform == "win32" or "library noise" in log)


def test_every_message_carries_its_job(start):
    worker = start()
    for job in ("first", 2):
        worker.job(job, "steps", steps=8)
        assert worker.next("done")["job"] == job
        progress = [m for m in worker.seen if m["type"] == "progress"]
        assert progress and {m["job"] for m in progress} == {job}
        worker.seen.clear()


def test_cancel_stops_the_job_and_the_worker_stays_warm(start):
    worker = start()
    worker.job("a", "steps")
    worker.next("progress")
    worker.send("cancel", "another job")                    # not this one: ignored
    worker.next("progress")
    worker.send("cancel", "a")
    error = worker.next("error", "done")
    assert (error["type"], error["job"], error["code"]) == ("error", "a", "cancelled")
    worker.job("b", "steps", steps=1)
    assert worker.next("done")["job"] == "b"


def test_second_job_while_busy_is_refused_and_the_first_goes_on(start):
    worker = start()
    worker.job("a", "steps", steps=60)
    worker.next("progress")
    worker.job("b", "steps", steps=1)
    error = worker.next("error", "done")
    assert (error["type"], error["job"]) == ("error", "b") and "busy with job a" in error["message"]
    assert worker.next("done")["job"] == "a"


@pytest.mark.parametrize("kind", ["steps", "stuck"])
def test_end_of_stdin_ends_the_process_even_mid_job(start, kind):
    worker = start()
    worker.next("hello")
    worker.job("a", kind)
    worker.process.stdin.close()
    assert worker.wait() == 0


def test_quit_and_idle_exit(start):
    worker = start()
    worker.send("quit")
    assert worker.wait() == 0
    worker = start("--idle", "0.3")
    worker.job("a", "steps", steps=1)
    worker.next("done")
    assert worker.wait() == 0 and "idle" in worker.log.read_text()


def test_heartbeat_names_the_busy_job_and_ping_is_answered(start):
    worker = start("--heartbeat", "0.05")
    assert worker.next("heartbeat")["busy"] is None
    worker.job("a", "stuck")
    while worker.next("heartbeat")["busy"] != "a":
        pass
    quiet = start("--heartbeat", "1000")
    quiet.send("ping")
    assert quiet.next("heartbeat")["busy"] is None


def test_killed_or_crashed_worker_ends_its_pipe_and_leaves_a_log(start):
    worker = start()
    worker.job("a", "stuck")
    worker.next("hello")
    worker.process.kill()
    assert worker.wait() != 0
    crashed = start()
    crashed.job("a", "crash")
    assert crashed.wait() != 0 and "in crash" in crashed.log.read_text()
    assert start().next("hello")                            # a new one starts as if nothing had been


def test_errors_are_one_sentence_with_a_code(start):
    worker = start()
    worker.job("a", "refuse")
    error = worker.next("error")
    assert (error["code"], error["message"], error["trace"]) == ("bad_input", "The toy is broken; buy another.", None)
    worker.job("b", "fail")
    error = worker.next("error")
    assert error["code"] == "internal" and "\n" not in error["message"] and "in fail" in error["trace"]
    assert "secret detail" in worker.log.read_text()


def test_what_is_no_message_is_answered_and_survived(start):
    worker = start()
    for data, words in ((b"{\n", "no JSON"), (b"\xff\xfe\n", "no UTF-8"), (b"[1]\n", "no known type"),
                        (b'{"type":"job"}\n', "no job id")):
        worker.send_raw(data)
        error = worker.next("error")
        assert error["code"] == "protocol" and words in error["message"] and error["job"] is None
    worker.job("a", "unheard")
    assert "no job kind 'unheard'" in worker.next("error")["message"]
    worker.send("job", "a", kind=["steps"], folder=None, params={})
    assert "no job kind ['steps']" in worker.next("error")["message"]
    for folder in ("/nowhere/at/all", 7):
        worker.send("job", "b", kind="steps", folder=folder, params={})
        assert "does not exist" in worker.next("error")["message"]
    worker.job("c", "steps", steps=1)
    assert worker.next("done")["job"] == "c"


def test_a_decoy_package_on_the_path_is_not_imported(start, tmp_path):
    for name in ("models", "core"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('decoy')")
    worker = start(script=REAL, env={"PYTHONPATH": str(tmp_path)})
    assert worker.next("hello")["code"] == code_hash()
    worker = start(env={"PYTHONPATH": str(tmp_path)})
    worker.job("a", "where")
    found = worker.next("done", "error")["result"]
    assert Path(found["models"]).parent == ROOT / "models" and Path(found["core"]).parent == ROOT / "core"
    worker.job("b", "modules")
    assert worker.next("done")["result"]["environment"] == []


def test_progress_is_monotonic_throttled_and_measures_its_eta():
    sent, now = [], [0.0]
    progress = Progress(lambda **fields: sent.append(fields), clock=lambda: now[0])
    progress("Loading", None)
    now[0] = 30.0                                           # loading does not count for the estimate
    progress("Sampling", 0.1)
    for step in range(1, 9):
        now[0] += 1.0
        progress("Sampling", 0.1 + 0.1 * step, f"{step}/9")
    assert sent[-1]["eta"] == pytest.approx(1.0) and sent[-1]["detail"] == "8/9" and sent[0]["fraction"] is None
    count = len(sent)
    progress("Sampling", 0.2)                               # too soon after the last one
    assert len(sent) == count
    now[0] += 1.0
    progress("Sampling", 0.2)
    assert sent[-1]["fraction"] == pytest.approx(0.9)       # never back
    progress("Writing", 1.0)                                # a new phase is always told
    assert sent[-1]["phase"] == "Writing" and sent[-1]["fraction"] == 1.0
    with pytest.raises(ValueError):
        progress("Pondering", 0.5)


def test_warming_up_stops_for_a_job_and_never_breaks_the_worker():
    """The server asks before each module whether a job waits; a module that cannot be imported is the job's to
    report."""
    import io

    from core.start import import_all
    from core.worker import jobs
    from core.worker.server import Server
    sys.modules.pop("colorsys", None)
    answers = iter([False, True])
    import_all(["colorsys", "tests.no_such_module"], lambda: next(answers))
    assert "colorsys" in sys.modules
    stopped = []
    server = Server(io.BytesIO(), io.BytesIO(), {}, idle=0.0, heartbeat=60.0,
                    warm_up=lambda stop: stopped.append(stop()))
    server._read = lambda: None                                # the end of these streams would end this process
    assert server.run() == 0 and stopped == [False]
    server._jobs.put(None)
    assert server.run() == 0 and stopped == [False, True]
    usual, jobs.WARM = jobs.WARM, ("tests.no_such_module",)
    try:
        jobs.warm_up(lambda: False)
    finally:
        jobs.WARM = usual


def test_waiting_threads_spin_for_as_long_as_a_meeting_lasts_unless_the_user_says_otherwise(monkeypatch):
    from core.start import SPINS, quiet_threads
    names = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
    for name in names:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)                               # what is set below is taken back afterwards
    quiet_threads()
    assert [os.environ.get(name) for name in names] == [None, str(SPINS), "1"]
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    quiet_threads()
    assert os.environ["GOMP_SPINCOUNT"] == "7"
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    for name in names[1:]:
        monkeypatch.delenv(name)
    quiet_threads()
    assert [os.environ.get(name) for name in names] == ["PASSIVE", None, None]


def test_frozen_imports_leave_later_garbage_to_the_collector():
    import gc

    from core.start import import_all
    before = gc.get_freeze_count()
    import_all(["sys", "json"])                                # both are there: nothing is frozen
    assert gc.get_freeze_count() <= before and gc.isenabled()  # what was frozen before may have gone meanwhile
