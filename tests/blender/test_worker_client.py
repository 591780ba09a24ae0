"""The add-on's end of the protocol: the real worker's hello, and peers that misbehave."""
import sys
import textwrap
import time

import pytest

from baton.blender_addon.worker import client as worker_client
from baton.blender_addon.worker.client import WorkerClient, WorkerError
from baton.core import contract
from baton.core.contract.protocol import PROTOCOL, code_hash


def peer(folder, body):
    """A scripted peer in place of core/worker/main.py."""
    (folder / "core" / "worker").mkdir(parents=True, exist_ok=True)
    (folder / "models").mkdir(exist_ok=True)
    (folder / "core" / "worker" / "main.py").write_text(textwrap.dedent(f"""
        import json, sys, time, os
        def say(**m): print(json.dumps(m), flush=True)
        HELLO = dict(type="hello", job=None, protocol={PROTOCOL}, code="x", pid=os.getpid(), python="3", version="0")
        {textwrap.indent(textwrap.dedent(body), ' ' * 8).strip()}
        """))
    return folder


def wait_for(client, kind, seconds=20.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for message in client.messages(timeout=0.1):
            if message["type"] == kind:
                return message
    raise AssertionError(f"no {kind} within {seconds} s; log: {client.log_tail()}")


def test_real_worker_says_hello_with_our_code_hash(tmp_path, monkeypatch):
    # A decoy on PYTHONPATH must not reach the worker.
    decoy = tmp_path / "decoy"
    decoy.mkdir()
    (decoy / "core.py").write_text("raise SystemExit('decoy imported')")
    monkeypatch.setenv("PYTHONPATH", str(decoy))
    import os
    client = WorkerClient(os.environ["BATON_WORKER_PYTHON"], contract.ROOT, tmp_path / "run")
    hello = wait_for(client, "hello")
    assert hello["code"] == code_hash(contract.ROOT)
    assert hello["pid"] == client.pid and client.alive
    client.quit()
    assert not client.alive


def test_worker_ends_when_its_stdin_closes(tmp_path):
    import os
    client = WorkerClient(os.environ["BATON_WORKER_PYTHON"], contract.ROOT, tmp_path)
    wait_for(client, "hello")
    client._process.stdin.close()
    assert wait_for(client, "exit")["code"] == 0


def test_killed_worker_is_reported_with_its_last_words(tmp_path):
    root = peer(tmp_path, """
        say(**HELLO)
        print("the disk is on fire", file=sys.stderr, flush=True)
        sys.stdin.readline()
        os._exit(7)
        """)
    client = WorkerClient(sys.executable, root, tmp_path / "run")
    wait_for(client, "hello")
    client.send({"type": "ping", "job": None})
    gone = wait_for(client, "exit")
    assert gone["code"] == 7 and "the disk is on fire" in gone["log"]
    client.send({"type": "ping", "job": None})  # to a dead worker: no exception
    client.quit()


@pytest.mark.parametrize("line", ["not json", "[1, 2]", '{"job": 3}', "\\udc80"])
def test_a_line_that_is_no_message_is_garbage(tmp_path, line):
    root = peer(tmp_path, f"""
        say(**HELLO)
        sys.stdout.buffer.write({line!r}.encode("utf-8", "surrogatepass") + b"\\n"); sys.stdout.flush()
        time.sleep(20)
        """)
    client = WorkerClient(sys.executable, root, tmp_path / "run")
    assert "text" in wait_for(client, "garbage")
    client.kill()
    assert not client.alive


def test_another_protocol_is_refused(tmp_path):
    root = peer(tmp_path, 'say(**{**HELLO, "protocol": 7}); time.sleep(20)')
    client = WorkerClient(sys.executable, root, tmp_path / "run")
    with pytest.raises(WorkerError, match="protocol 7"):
        wait_for(client, "hello")
    assert not client.alive


def test_a_silent_worker_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(worker_client, "HELLO_SECONDS", 0.5)
    client = WorkerClient(sys.executable, peer(tmp_path, "time.sleep(30)"), tmp_path / "run")
    with pytest.raises(WorkerError, match="did not answer"):
        wait_for(client, "hello", 5)
    assert not client.alive


def test_a_python_that_is_none(tmp_path):
    with pytest.raises(WorkerError, match="cannot be started"):
        WorkerClient(tmp_path / "no-python", contract.ROOT, tmp_path / "run")


def test_code_hash_sees_paths_and_contents(tmp_path):
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "a.py").write_text("1")
    first = code_hash(tmp_path)
    (tmp_path / "core" / "note.txt").write_text("not code")
    assert code_hash(tmp_path) == first
    (tmp_path / "core" / "a.py").rename(tmp_path / "core" / "b.py")
    second = code_hash(tmp_path)
    assert second != first
    (tmp_path / "core" / "b.py").write_text("2")
    assert code_hash(tmp_path) != second
