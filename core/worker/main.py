"""Entry of the worker process: `PYTHON -s <folder>/core/worker/main.py [--idle SECONDS]`.

Before anything else is imported, stdout is duplicated for the protocol and fd 1 is pointed at the log (stderr), so
that no library's print can corrupt a message; and the folder that holds `core` becomes the first place to import from.
"""
import os
import sys

LOG_FD = 2


def claim_pipes():
    """Take stdin and stdout for the protocol: (reader, writer), both binary. fd 0 becomes empty, fd 1 the log."""
    if sys.platform == "win32":
        import msvcrt
        for fd in (0, 1):
            msvcrt.setmode(fd, os.O_BINARY)
    reader, writer = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    try:
        os.dup2(LOG_FD, 1)
    except OSError:                              # started without a stderr
        os.dup2(nothing, 1)
        os.dup2(nothing, LOG_FD)
    os.close(nothing)
    sys.stdout = open(1, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)
    return os.fdopen(reader, "rb"), os.fdopen(writer, "wb", buffering=0)


def claim_imports():
    """Put the folder above `core` first in sys.path and take this file's own folder and PYTHONPATH's effects away."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [os.path.dirname(os.path.dirname(here))] + [path for path in sys.path if path
                                                              and os.path.abspath(path) != here]
    for name in ("PYTHONPATH", "PYTHONHOME"):
        os.environ.pop(name, None)


def main(arguments=None):
    """Serve until stdin ends, `quit` comes or the worker has been idle too long. Returns the exit status."""
    reader, writer = claim_pipes()
    claim_imports()
    from core.start import quiet_threads
    from core.worker.jobs import KINDS, warm_up
    from core.worker.server import serve
    quiet_threads()
    os.umask(0o077)                              # what a job makes is its user's alone; the add-on copies it on
    return serve(reader, writer, KINDS, sys.argv[1:] if arguments is None else arguments, warm_up)


if __name__ == "__main__":
    sys.exit(main())
