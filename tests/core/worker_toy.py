"""A worker with toy jobs beside the real ones: the same entry, pipes, server and threads (used by test_worker.py)."""
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def modules(context):
    heavy = ("torch", "numpy", "scipy", "librosa", "soundfile")
    return {"heavy": [name for name in heavy if name in sys.modules], "path": sys.path[0],
            "stray": [path for path in sys.path if Path(path) == ROOT / "core"],
            "environment": sorted({"PYTHONPATH", "PYTHONHOME"} & set(os.environ))}


def where(context):
    import core
    import models
    return {"models": models.__file__, "core": core.__file__}


def noise(context):
    import ctypes
    print("python noise")
    os.write(1, b"descriptor noise\n")
    if sys.platform != "win32":
        libc = ctypes.CDLL(None)
        libc.puts(b"library noise")
        libc.fflush(None)
    context.log("warning", "a line\nof two, ü")
    return {"stdin": sys.stdin.read() if sys.stdin else ""}


def steps(context):
    for step in range(int(context.params.get("steps", 500))):
        context.check_cancel()
        context.progress("Sampling", step / 500, f"{step}/500")
        time.sleep(0.01)
    return {"steps": context.params.get("steps", 500)}


def stuck(context):
    time.sleep(600)


def crash(context):
    import ctypes
    ctypes.string_at(0)


def fail(context):
    raise KeyError("secret detail")


def refuse(context):
    from core.errors import BadInput
    raise BadInput("The toy is broken; buy another.")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "core" / "worker"))                  # as python itself does for core/worker/main.py
    sys.path.insert(1, str(ROOT))
    from core.worker.main import claim_imports, claim_pipes
    pipes = claim_pipes()
    claim_imports()
    from core.worker.jobs import KINDS
    from core.worker.server import serve
    toys = {f.__name__: f for f in (modules, where, noise, steps, stuck, crash, fail, refuse)}
    sys.exit(serve(*pipes, {**KINDS, **toys}, sys.argv[1:]))
