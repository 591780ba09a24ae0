"""A worker that ends, stops, babbles or cannot start, at any moment: the job ends in a sentence, and soon."""
import os
import random
import signal
import sys
import textwrap
import time
from pathlib import Path

from tests.faults import Outcome, is_sentence

WHAT = "a worker that ends, stops, babbles, answers for others or cannot start, at any moment: no job waits for ever"
LONGEST_S = 20.0
CANCEL_S = 2.3
PEER = '''
import json, os, random, sys, time
def say(**m): print(json.dumps(m), flush=True)
HELLO = dict(type="hello", job=None, protocol={protocol}, code="x", pid=os.getpid(), python="3", version="0")
RESULT = {{"bone_map": {{}}, "missing": []}}
def jobs():
    for line in sys.stdin:
        m = json.loads(line)
        if m["type"] == "job":
            yield m["job"]
        elif m["type"] == "cancel" and OBEYS:
            say(type="error", job=m["job"], code="cancelled", message="Cancelled.", trace=None)
OBEYS = False
def well():
    say(**HELLO)
    for job in jobs():
        say(type="done", job=job, result=RESULT)
{body}
'''


def run(seed, trials, folder):
    """`trials` jobs with a scripted worker each."""
    import bpy

    from baton import blender_addon
    from baton.blender_addon.worker import client, manager
    from baton.core import contract
    blender_addon.register()
    kept = contract.ROOT, dict(os.environ)
    client.HELLO_SECONDS, client.SILENT_SECONDS = 4.0, 4.0
    try:
        from baton.blender_addon.worker import job as job_module
        from baton.blender_addon.worker import owner
        job_module.LOST_SECONDS, manager.START_SECONDS = 1.0, 4.0
        owner.code_hash = lambda root: "x"
    except ImportError:
        manager.code_hash = lambda root: "x"            # as it was before the manager was taken apart
    os.environ["BATON_WORKER_PYTHON"] = sys.executable
    bpy.ops.wm.read_factory_settings(use_empty=True)
    try:
        return [_trial(manager, contract, random.Random(f"hangs {seed} {number}"), Path(folder) / str(number), number)
                for number in range(trials)]
    finally:
        contract.ROOT = kept[0]
        os.environ.clear()
        os.environ.update(kept[1])
        blender_addon.unregister()


def _trial(manager, contract, rng, folder, number):
    from baton.core.contract.protocol import PROTOCOL
    name = rng.choice(list(BODIES))
    (folder / "core" / "worker").mkdir(parents=True)
    (folder / "models").mkdir()
    body = textwrap.dedent(BODIES[name](rng))
    (folder / "core" / "worker" / "main.py").write_text(PEER.format(protocol=PROTOCOL, body=body))
    contract.ROOT = folder
    jobs = manager.manager
    jobs.stop_worker()
    reading, params = rng.choice((0.0, 0.3, 0.8)), {}
    if name == "setting":
        params = {"odd": rng.choice((float("nan"), {1}, b"x", object(), float("inf")))}
    job = manager.Job("bonemap", "Test", params, _reading(reading), lambda result, place: "fine")
    cancel = rng.uniform(0.0, 2.0) if rng.random() < 0.3 else None
    kill = rng.uniform(0.0, 1.5) if name == "killed" else None
    with_what = rng.choice((signal.SIGKILL, signal.SIGTERM))
    asleep = None
    if name == "stopped":
        kill, with_what, asleep = rng.uniform(0.0, 1.0), signal.SIGSTOP, rng.choice((0.5, 2.0, 8.0))
    how = _ended(jobs, job, cancel, kill, with_what, asleep)
    said = f"{number} {name}, {reading:g} s of reading"
    said += "" if cancel is None else f", cancelled after {cancel:.1f} s"
    return Outcome(said, how[0] in ("done", "failed", "cancelled"), *how)


def _reading(seconds):
    def prepare(folder):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.02)
            yield 0.5
        yield 1.0
        (folder / "rig.json").write_text("{}")
    return prepare


def _ended(jobs, job, cancel, kill, with_what, asleep=None):
    """(kind, detail) of one job, driven as the timer drives it. asleep: seconds until a stopped worker goes on."""
    began, asked, stopped = time.monotonic(), None, None
    try:
        jobs.start(job)
        while not job.over and time.monotonic() - began < LONGEST_S:
            jobs.poll(timeout=0.02)
            now = time.monotonic()
            if cancel is not None and asked is None and now - began > cancel and not job.over:
                asked = now
                jobs.cancel()
            if kill is not None and now - began > kill and jobs._client is not None:
                kill, stopped = None, (now, jobs._client.pid)
                os.kill(jobs._client.pid, with_what)
            if asleep is not None and stopped is not None and now - stopped[0] > asleep:
                _wake(stopped[1])
                stopped = None
    except Exception as error:  # noqa: BLE001  an exception of the manager's is one the user would see
        words = f"{type(error).__name__}: {error}"
        if type(error).__name__ != "UserError":
            jobs.abort("over")
            return "python message", words[:200]
        return "failed", str(error)[:200]
    if not job.over:
        state = job.state
        jobs.abort("over")
        return "hang", f"still {state} after {LONGEST_S:g} s"
    if asked is not None and time.monotonic() - asked > CANCEL_S:
        return "slow cancel", f"{time.monotonic() - asked:.1f} s"
    if job.state == "failed" and not is_sentence(job.message):
        return "python message", job.message[:200]
    return job.state, job.message[:120]


def _wake(pid):
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        pass                                                    # ended meanwhile, as one that gives no sign of life is


# ---------------------------------------------------------------------------------------------- workers

def _slow(rng):
    step = rng.choice((0.05, 0.2))
    return (f"say(**HELLO)\nfor job in jobs():\n    for step in range(10):\n        time.sleep({step})\n"
            "        say(type='progress', job=job, phase='Sampling', fraction=step / 10)\n"
            "    say(type='done', job=job, result=RESULT)")


def _ends(rng):
    code, delay = rng.choice((0, 1, 3, 139)), rng.choice((0, 0.1, 0.5))
    at = rng.choice(("", "say(**HELLO)\n", "say(**HELLO); next(jobs())\n",
                     "say(**HELLO); job = next(jobs())\n"
                     "say(type='progress', job=job, phase='Loading', fraction=0.1)\n"))
    return f"{at}time.sleep({delay})\nos._exit({code})"


def _babbles(rng):
    lines = ["not json", "[1]", '{"job": 3}', "\\u0000", '{"type": 5}', '{"type": "done"}', "[" * 300,
             '{"type": "hello"}']
    return f"say(**HELLO)\nfor job in jobs():\n    print({rng.choice(lines)!r}, flush=True); time.sleep(30)"


def _odd(rng):
    fields = rng.choice(("phase=5, fraction='x'", "phase=None, fraction=float('nan')",
                         "phase=['a'], fraction=1e308, eta='y'",
                         "phase='Loading', detail={}, fraction=[]", "phase='x' * 100000, fraction=-5"))
    return (f"say(**HELLO)\nfor job in jobs():\n    say(type='progress', job=job, {fields})\n"
            "    say(type='done', job=job, result=RESULT)")


def _others(rng):
    wrong = rng.choice(("'job0'", "None", "5", "['x']", "{}"))
    kind = rng.choice(("say(type='done', job={}, result=RESULT)",
                       "say(type='error', job={}, code='x', message='What', trace=None)"))
    return f"say(**HELLO)\nfor job in jobs():\n    {kind.format(wrong)}; time.sleep(30)"


def _answers(rng):
    result = rng.choice(("None", "5", "[]", "{}", "{'bone_map': 5}", "{'bone_map': {}, 'missing': [], 'warnings': 5}"))
    return f"say(**HELLO)\nfor job in jobs():\n    say(type='done', job=job, result={result})"


def _fails(rng):
    fields = rng.choice(("", "message=None", "message=5, code='internal', trace=7",
                         "code='internal', message='x', trace='y'"))
    return f"say(**HELLO)\nfor job in jobs():\n    say(type='error', job=job, {fields})"


def _silent(rng):
    start = rng.choice(("", "say(**HELLO)\n", "say(**HELLO); next(jobs())\n"))
    return f"{start}time.sleep(60)"


def _lost(rng):
    busy = rng.choice(("None", "'job0'", "5"))
    return f"say(**HELLO)\nwhile True:\n    say(type='heartbeat', job=None, busy={busy}); time.sleep(0.2)"


def _hello(rng):
    change = rng.choice(("protocol=9", "protocol=None", "code='y'", "code=None", "protocol='2'"))
    return f"say(**{{**HELLO, **dict({change})}})\ntime.sleep(60)"


def _obeys(rng):
    return "OBEYS = True\nsay(**HELLO)\nfor job in jobs():\n    pass"


BODIES = {"well": lambda rng: "well()", "killed": lambda rng: "well()" if rng.random() < 0.3 else _silent(rng),
          "ends": _ends, "babbles": _babbles, "odd progress": _odd, "answers for others": _others,
          "odd answer": _answers, "odd error": _fails,
          "silent": _silent, "lost": _lost, "odd hello": _hello, "obeys": _obeys, "setting": lambda rng: "well()",
          "stopped": _slow}
