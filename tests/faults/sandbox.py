"""One trial in a process of its own with little memory and little time, so that a crash, a hang or a blow-up is an
outcome too."""

import gc
import json
import os
import resource
import signal
import sys
import time
import traceback

MEMORY = 1 << 30  # bytes of address space
CPU_SECONDS = 5  # of the processor: another program's load is no fault of the reader
WALL_FACTOR = 8


def trial(function, memory=MEMORY, seconds=CPU_SECONDS):
    """(how it ended, detail) of function() in a forked child. function() returns or raises; it must not write to
    stdout.

    Ends: "result", "sentence" (a `core.errors.BatonError`), "python message" (one that reads like an exception),
    "traceback", "memory", "hang", "crash".
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _run(function, writing, memory, seconds)
    os.close(writing)
    data, ended = _wait(reading, child, seconds * WALL_FACTOR)
    if data:
        return tuple(json.loads(data))
    if ended in (signal.SIGXCPU, signal.SIGKILL, None):
        return "hang", f"more than {seconds} s"
    return "crash", signal.Signals(ended).name if ended else "it ended without an answer"


def _mapped():
    """Bytes of address space of this process: libraries that were imported before count for nobody."""
    try:
        with open("/proc/self/statm", encoding="ascii") as handle:
            return int(handle.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def _run(function, writing, memory, seconds):
    gc.disable()
    with open(os.devnull, "w", encoding="utf-8") as nothing:
        os.dup2(nothing.fileno(), 2)
    limit = memory if _mapped() < memory // 2 else memory + _mapped()
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    used = int(sum(os.times()[:2])) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (used + seconds, used + seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answer = _answer(function)
    os.write(writing, json.dumps(answer).encode()[:60000])
    os._exit(0)


def _answer(function):
    from core.errors import BatonError, OutOfMemory
    from tests.faults import is_sentence

    try:
        function()
        return "result", ""
    except OutOfMemory as error:
        return "memory", str(error)[:300]
    except BatonError as error:
        text = str(error)
        return ("sentence" if is_sentence(text) and "\n" not in text else "python message"), text[:300]
    except MemoryError as error:
        return "memory", f"MemoryError: {error} {_where()}"
    except BaseException as error:  # noqa: BLE001  a trial ends in an outcome, whatever comes
        return "traceback", f"{type(error).__name__}: {str(error)[:160]} {_where()}"


def _where():
    frames = traceback.extract_tb(sys.exc_info()[2])
    return " < ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in reversed(frames[-4:]))


def _wait(reading, child, seconds):
    """(what the child said, the signal that ended it: 0 for none, None where it had to be ended)."""
    import select

    end, data = time.monotonic() + seconds, b""
    while True:
        ready, _, _ = select.select([reading], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(reading)
            return b"", None
        block = os.read(reading, 65536)
        if not block:
            break
        data += block
    os.close(reading)
    _, status = os.waitpid(child, 0)
    return data, os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
