"""Whole or not at all: files are written under a temporary name beside their own, then renamed. stdlib only."""
import os
import shutil
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path):
    """A temporary path in the folder of `path` (made when missing), renamed to `path` when the block ends well.

    When the block raises, the temporary file is removed and what `path` held before is untouched.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path, text):
    """`text` as UTF-8."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def copy(source, path):
    """The file `source` at `path`."""
    with replacing(path) as temporary:
        shutil.copyfile(source, temporary)
