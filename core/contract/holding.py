"""Which files a living process holds: a lock goes with its process, however that ends. stdlib only.

Where there are no such locks (Windows) an open file cannot be deleted, which serves as well.
"""
import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from .files import create

try:
    import fcntl
except ImportError:
    fcntl = None


def hold(file: IO) -> IO:
    """Hold an open file until it is closed, here and in processes that inherited it. Returns the file."""
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pass                                                # a disk without locks: `held` finds none there either
    return file


def held_from_birth(path: Path | str, mode: int = 0o666) -> IO:
    """A new file at `path` alone, open for writing in binary, and held before anybody can see it there.

    Who made it first and held it then would leave a moment in which another process finds it unheld and deletes it.
    So it is made under a random name that nobody looks for. mode: its rights. Raises FileExistsError, OSError.
    """
    path = Path(path)
    if fcntl is None:
        return create(path, mode)                               # open is held, there
    young = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    file = hold(create(young, mode))
    try:
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "File exists", str(path))
        os.rename(young, path)
    except BaseException:
        file.close()
        os.unlink(young)
        raise
    return file


class Held(Exception):
    """Another process holds the lock."""


@contextmanager
def alone(path: Path | str) -> Iterator[None]:
    """Hold the lock file `path`, made when missing, for the block. Raises Held where somebody else does, OSError.

    The file stays: who waits for it and who makes it anew would hold two.
    """
    number = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        try:
            if fcntl is not None:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            else:
                import msvcrt
                msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                raise Held(str(path)) from error                # else a disk without locks: nobody can hold it
        yield
    finally:
        os.close(number)


def held(path: Path | str) -> bool:
    """Whether a living process holds the file at `path`; True where that cannot be told."""
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        number = os.open(path, flags)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        if fcntl is None:
            return False                                        # who deletes it is refused where it is open
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    except OSError:
        return True
    finally:
        os.close(number)


def unlink_unless_held(path: Path | str) -> bool:
    """Delete the file where no living process holds it; whether it is gone."""
    if held(path):
        return False
    try:
        Path(path).unlink(missing_ok=True)
    except OSError:
        return False
    return True
