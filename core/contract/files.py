"""Whole or not at all: files are written under a temporary name beside their own, then renamed. stdlib only.

Temporary names are random and made exclusively, so that nothing that lies there already,
a link among it, is written through.
"""
import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

# What the system's error numbers mean to a user; the sentence around it says which file, and what to do.
REASONS = {
    errno.ENOSPC: "the disk is full", errno.EDQUOT: "your share of the disk is full",
    errno.EROFS: "the disk is read-only", errno.ENOENT: "the file or its folder is gone",
    errno.EACCES: "you have no right to it", errno.EPERM: "you have no right to it",
    errno.EEXIST: "a file lies where a folder should be", errno.ENOTDIR: "a file lies where a folder should be",
    errno.EISDIR: "a folder lies where the file should be", errno.ENOTEMPTY: "a folder lies where the file should be",
    errno.ENAMETOOLONG: "the name is too long", errno.EIO: "the disk reports a fault",
    errno.EMFILE: "too many files are open", errno.ENFILE: "too many files are open",
    errno.ELOOP: "it is a link, or links lead in a circle", errno.EFBIG: "the disk takes no file so large",
    errno.ENODEV: "the disk is gone", errno.ESTALE: "the network folder is gone",
    errno.ENXIO: "it is a pipe or a device, and no plain file",
    errno.ETXTBSY: "another program uses it", errno.EBUSY: "another program uses it",
    errno.EINVAL: "its name is not allowed here"}


def reason(error: OSError) -> str:
    """Why a file could not be read or written, in words, such as "the disk is full"."""
    known = REASONS.get(error.errno)
    return known or (error.strerror or "").lower() or str(error) or type(error).__name__


def create(path: Path | str, mode: int = 0o666) -> BinaryIO:
    """A new file at `path` alone, opened for writing in binary; never one that is there, never through a link.

    mode: its rights, less the umask; 0o600 keeps it from other users. Raises FileExistsError.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    number = os.open(path, flags, mode)
    try:
        return os.fdopen(number, "wb")
    except BaseException:
        os.close(number)
        os.unlink(path)
        raise


def open_plain(path: Path | str) -> BinaryIO:
    """A plain file opened for reading in binary. A pipe would wait for ever and a device need not end: raises OSError
    for these as well."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    number = os.open(path, flags)
    try:
        kind = os.fstat(number).st_mode
        if not stat.S_ISREG(kind):
            known = errno.EISDIR if stat.S_ISDIR(kind) else errno.ENXIO
            raise OSError(known, os.strerror(known), str(path))
        return os.fdopen(number, "rb")
    except BaseException:
        os.close(number)
        raise


@contextmanager
def folder_for(path: Path | str) -> Iterator[None]:
    """Make the folder of `path` where it is missing; when the block raises, it goes again, if it is empty."""
    missing, folder = [], Path(path).parent
    while not os.path.lexists(folder) and folder != folder.parent:
        missing.append(folder)
        folder = folder.parent
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for made in missing:
            try:
                made.rmdir()
            except OSError:
                break                                           # it was never made, or somebody uses it meanwhile
        raise


@contextmanager
def replacing(path: Path | str, mode: int = 0o666) -> Iterator[Path]:
    """A temporary path in the folder of `path` (made when missing), renamed to `path` when the block ends well.

    When the block raises, the temporary file is removed and what `path` held before is untouched. mode: as in `create`.
    """
    path = Path(path)
    # A long name leaves little room for more: many disks allow 255 bytes, and an emoji has four.
    start = path.name.encode("utf-8", "ignore")[:60].decode("utf-8", "ignore")
    temporary = path.with_name(f".{start}.{secrets.token_hex(8)}.part")
    with folder_for(path):
        file = create(temporary, mode)
        try:
            file.close()
            made = os.lstat(temporary).st_mtime_ns
            yield temporary
            now = os.lstat(temporary)
            if not stat.S_ISREG(now.st_mode) or now.st_size == 0 and now.st_mtime_ns == made:
                raise FileNotFoundError(errno.ENOENT, "Nothing was written", str(path))
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def write_text(path: Path | str, text: str, mode: int = 0o666):
    """`text` as UTF-8."""
    with replacing(path, mode) as temporary:
        temporary.write_text(text, encoding="utf-8")


def copy(source: Path | str, path: Path | str):
    """The file `source` at `path`."""
    with replacing(path) as temporary:
        shutil.copyfile(source, temporary)


def claim(folder: Path | str, name: str, suffixes: Sequence[str]) -> Path:
    """A path `<folder>/<name><suffixes[0]>` that is free with every one of the suffixes, claimed as an empty file for
    the caller alone: two programs that ask at once get two names ("name (2)", ...). The folder is made when missing."""
    folder, number = Path(folder), 1
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        start = name if number == 1 else f"{name} ({number})"
        number += 1
        if any(os.path.lexists(folder / f"{start}{suffix}") for suffix in suffixes):
            continue
        path = folder / f"{start}{suffixes[0]}"
        try:
            file = create(path)
        except FileExistsError:
            continue
        try:
            file.close()
        except BaseException:
            os.unlink(path)
            raise
        return path


def place(source: Path | str, folder: Path | str, name: str, suffixes: Sequence[str]) -> Path:
    """The file `source` in `folder` under a name that is free with every one of the suffixes; returns its path."""
    path = claim(folder, name, suffixes)
    try:
        copy(source, path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path
