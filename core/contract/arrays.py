"""What .npy and .npz files say of themselves, checked before numpy is asked to make arrays
of them. Standard library only.

numpy allocates what a header announces: a file of 200 bytes can ask for 500 GB.
"""

import ast
import math
import os
import re
import zipfile
import zlib
from typing import BinaryIO

from .files import open_plain

MAGIC = b"\x93NUMPY"
MOST_HEADER = 10_000
MOST_ENTRIES = 5000
DTYPE = re.compile(r"[<>|=]?(?:[biuf][1248]|U\d{1,4})\Z")  # plain numbers and short texts
SIZES = {"U": 4}


class Unsound(ValueError):
    """The file is not what it says it is; the text is the end of a sentence: "... cannot be read: " + it."""


def check_npz(file: str | os.PathLike | BinaryIO, most: int, stored: bool = False, strict: bool = True) -> dict:
    """{name: (dtype, shape)} of an npz (a path or a binary handle) that unpacks to at most `most` bytes. Raises
    Unsound, OSError.

    stored: nothing in it may be packed.
    strict: an array of anything but numbers and texts is refused; else it is left out.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            if len(entries) > MOST_ENTRIES:
                raise Unsound(f"it holds {len(entries)} arrays")
            if sum(entry.file_size for entry in entries) > most:
                raise Unsound(f"it unpacks to more than {most >> 20} MB")
            out = {}
            for entry in entries:
                if stored and entry.compress_type != zipfile.ZIP_STORED:
                    raise Unsound("it is packed")
                name = entry.filename.removesuffix(".npy")
                if name in out:
                    raise Unsound(f"it holds {name[:60]} twice")
                with archive.open(entry) as member:
                    found = _header(member, entry.file_size, strict)
                if found is not None:
                    out[name] = found
            return out
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        KeyError,
        UnicodeError,
        OverflowError,
    ) as error:
        raise Unsound("it is damaged") from error
    except ValueError as error:
        raise error if isinstance(error, Unsound) else Unsound("it is damaged") from error


def check_npy(path: str | os.PathLike, most: int) -> tuple:
    """(dtype, shape) of an .npy file of at most `most` bytes. Raises Unsound, OSError."""
    size = os.path.getsize(path)
    if size > most:
        raise Unsound(f"it is larger than {most >> 20} MB")
    with open_plain(path) as handle:
        return _header(handle, size, True)


def _header(handle, size, strict):
    """(dtype, shape) of what an array's header says, where it agrees with the size of the file;
    None for other kinds."""
    start = handle.read(8)
    if start[:6] != MAGIC or len(start) < 8 or start[6] not in (1, 2, 3):
        raise Unsound("it is no numpy array")
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(handle.read(width), "little")
    if not 0 < length <= MOST_HEADER:
        raise Unsound("its header is damaged")
    try:
        said = ast.literal_eval(handle.read(length).decode("latin-1").strip())
        dtype, shape, _ = said["descr"], said["shape"], said["fortran_order"]
    except (ValueError, SyntaxError, KeyError, TypeError, RecursionError, MemoryError) as error:
        raise Unsound("its header is damaged") from error
    if not isinstance(dtype, str) or not DTYPE.match(dtype):
        if strict:
            raise Unsound(f"it holds {str(dtype)[:30]}, not numbers")
        return None
    if not isinstance(shape, tuple) or len(shape) > 8 or not all(type(n) is int and 0 <= n < 1 << 40 for n in shape):
        raise Unsound("its shape is damaged")
    plain = dtype.lstrip("<>|=")
    if math.prod(shape) * int(plain[1:]) * SIZES.get(plain[0], 1) != size - 8 - width - length:
        raise Unsound("its size and its header disagree")
    return dtype, shape
