"""Whom a BVH file holds: the names of its roots, read without the motion, for a choice before the import."""
import gzip
import re
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

from .files import open_plain

JOINT = re.compile(r"(?<![\w.])(ROOT|JOINT)[ \t]+([^\r\n{]+)", re.IGNORECASE)
MOTION = re.compile(r"(?:^|[\r\n])\s*MOTION\b", re.IGNORECASE)
LIMIT_BYTES = 8 << 20           # a hierarchy is smaller


def roots(path: Path | str) -> list[str]:
    """Names of the roots of a BVH (`.bvh`, `.bvh.gz`), as its reader names them: a second `Hips` is `Hips.001`. []
    where the file cannot be read or is none; what is wrong with it the import says."""
    try:
        with open_plain(path) as opened:
            packed = str(path).lower().endswith(".gz")
            with gzip.open(opened, "rb") if packed else nullcontext(opened) as file:
                data = file.read(LIMIT_BYTES)
    except (OSError, EOFError):
        return []
    return roots_of(_text(data))


def roots_of(text: str) -> list[str]:
    """The same of the text itself."""
    end = MOTION.search(text)
    seen, found = Counter(), []
    for kind, name in JOINT.findall(text[:end.start()] if end else text):
        name = " ".join(re.split(r"#|//", name)[0].split())
        seen[name] += 1
        if kind.upper() == "ROOT":
            found.append(name if seen[name] == 1 else f"{name}.{seen[name] - 1:03d}")
    return found


def _text(data):
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    if data[1:2] == b"\0" or data[:1] == b"\0":
        return data.decode("utf-16-le" if data[1:2] == b"\0" else "utf-16-be", errors="replace")
    for encoding in ("utf-8-sig", "shift_jis"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")
