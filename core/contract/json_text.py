"""JSON that others wrote: read with limits, so that what comes out can be walked, sent and stored.
Standard library only."""

import json
import math
from pathlib import Path

from .files import open_plain

MOST_CHARACTERS = 64 << 20
DEEPEST = 60


def loads(text: str, most: int = MOST_CHARACTERS, finite: bool = True) -> object:
    """The value of a text. Raises ValueError, in words for a user, for what is no JSON, is too long, is nested beyond
    DEEPEST or, with `finite`, holds numbers that are not finite."""
    if len(text) > most:
        raise ValueError(f"it is longer than {most >> 20} MB")
    try:
        real = _finite if finite else float
        value = json.loads(text, parse_float=real, parse_constant=real, parse_int=_whole)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON: line {error.lineno}, {error.msg.lower()}") from error
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for each in level if isinstance(each, (dict, list))
                 for inner in (each.values() if isinstance(each, dict) else each)]
        if not level:
            return value
    raise ValueError("it is nested too deeply")


def read(path: Path | str, most: int = MOST_CHARACTERS, finite: bool = True) -> object:
    """The value of a file, as `loads`. Raises OSError or ValueError."""
    with open_plain(path) as handle:
        data = handle.read(most + 1)
    try:
        return loads(data.decode("utf-8-sig"), most, finite)
    except UnicodeDecodeError as error:
        raise ValueError("it is no text in UTF-8") from error


def _whole(word):
    if len(word) > 300:
        raise ValueError("it holds a number of more than 300 digits")
    return int(word)


def _finite(word):
    value = float(word)
    if not math.isfinite(value):
        raise ValueError(f"it holds {word[:20]}, which is no number")
    return value
