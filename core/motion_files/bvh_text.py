"""Text of a BVH -> `Bvh`: the hierarchy by tokens, the motion by rows, each checked against the channels."""
import re
from collections import Counter

import numpy as np

from core.errors import BadInput
from core.motion_files.rates import rate_of_time
from core.motion_files.text import decode, number, words_of

MOST_JOINTS, DEEPEST = 2000, 200
LONGEST_S = 4 * 3600.0
GAP_S = 0.1                 # rows that are missing over at most this long are filled in
KEYWORDS = re.compile(r"(?<![\w.])(OFFSET|CHANNELS|MOTION|HIERARCHY|JOINT|ROOT|End\s+Site|END\s+SITE)(?=[\s{]|$)")
TIME = re.compile(r"frame\s*time\s*:?\s*([^\s/]+)(?:\s*/\s*([^\s/]+))?", re.IGNORECASE)
COUNT = re.compile(r"frames?\s*:?\s*(\d+)\s*$", re.IGNORECASE)
PLAIN = re.compile(r"[-+.\deE\s]+\Z")
KINDS = {f"{axis}{kind}" for axis in "XYZ" for kind in ("position", "rotation", "scale")}
COMMENT = re.compile(r"\s*(?:#|//|;)")


class _Wrong(Exception):
    """What is wrong, said of the line that is being read."""


def parse_bvh(data, name="the file", notify=None):
    """BVH bytes or text -> `core.motion_files.bvh.Bvh`. notify(sentence): what was mended or left out.

    Rows that cannot be used are filled in where they span at most a tenth of a second. Raises BadInput naming the line
    or row.
    """
    from core.motion_files.bvh import Bvh
    notify = notify or (lambda sentence: None)
    text = decode(data, name) if isinstance(data, bytes) else data
    lines = text.split("\n")
    at = next((n for n, line in enumerate(lines) if re.match(r"\s*MOTION\b", line, re.IGNORECASE)), None)
    if at is None:
        raise BadInput(f"{name} is not a readable BVH: it has no MOTION section; export it again.")
    tree = _hierarchy(lines[:at], name)
    rate, declared, first = _header(lines, at + 1, name, notify)
    width = sum(len(channels) for channels, _ in tree["columns"])
    if width == 0:
        raise BadInput(f"{name} is not a readable BVH: no joint has channels; export it again.")
    turning = np.array([channel.endswith("rotation") for channels, _ in tree["columns"] for channel in channels])
    values = _rows(lines[first:], turning, declared, rate, name, notify)
    keep = np.concatenate([[used and not channel.endswith("scale") for channel in channels]
                           for channels, used in tree["columns"]]).astype(bool)
    return Bvh(tree["names"], tree["parents"], np.array(tree["offsets"], dtype=np.float64).reshape(-1, 3),
               tree["channels"], values[:, keep], 1.0 / rate, tree["ends"])


def _hierarchy(lines, name):
    """names, parents, offsets, channels, ends, and `columns`: (channels, whether they move a joint) in the order of the
    rows."""
    tree = {"names": [], "parents": [], "offsets": [], "channels": [], "ends": {}, "columns": []}
    stack, seen, pending = [], Counter(), None
    for at, line in enumerate(lines):
        try:
            for words in _statements(line):
                pending = _statement(tree, stack, seen, words, pending)
        except _Wrong as wrong:
            raise BadInput(f"{name} is not a readable BVH (line {at + 1}: {wrong}); export it again.") from None
    if not tree["names"]:
        raise BadInput(f"{name} is not a readable BVH: it has no joints; export it again.")
    return tree


def _statements(line):
    """The statements of a line: comments away, braces and keywords apart."""
    line = re.split(r"#|//|^\s*;", line)[0]
    line = KEYWORDS.sub(r"\n\1", line.replace("{", "\n{\n").replace("}", "\n}\n"))
    return [part.split() for part in line.split("\n") if part.strip()]


def _statement(tree, stack, seen, words, pending):
    """Take one statement in; returns what the next brace opens: a joint's number, "end", or None."""
    head = words[0].upper()
    if head in ("ROOT", "JOINT"):
        return _joint(tree, stack, seen, words)
    if head == "END":
        return "end"
    if head == "{":
        if pending is None:
            raise _Wrong("a brace that opens nothing")
        stack.append(pending)
        if len(stack) > DEEPEST:
            raise _Wrong(f"joints lie more than {DEEPEST} deep")
    elif head == "}":
        if not stack:
            raise _Wrong("a closing brace too many")
        stack.pop()
    elif head in ("OFFSET", "CHANNELS"):
        if not stack:
            raise _Wrong(f"{head} outside of a joint")
        _offset(tree, stack, words) if head == "OFFSET" else _channels(tree, stack, words)
    elif head != "HIERARCHY":
        raise _Wrong(f"unknown word {words[0][:40]!r}")
    return None


def _joint(tree, stack, seen, words):
    if len(tree["names"]) >= MOST_JOINTS:
        raise _Wrong(f"more than {MOST_JOINTS} joints")
    if "end" in stack:
        raise _Wrong("a joint inside an End Site")
    joint = " ".join(words[1:]) or "joint"
    seen[joint] += 1
    tree["parents"].append(stack[-1] if stack else -1)
    tree["names"].append(joint if seen[joint] == 1 else f"{joint}.{seen[joint] - 1:03d}")
    tree["offsets"].append([0.0, 0.0, 0.0])
    tree["channels"].append([])
    return len(tree["names"]) - 1


def _offset(tree, stack, words):
    found = [number(word) for word in words_of(" ".join(words[1:]))]
    if len(found) < 3 or any(value is None or not np.isfinite(value) for value in found[:3]):
        raise _Wrong("an OFFSET that is not three numbers")
    if stack[-1] != "end":
        tree["offsets"][stack[-1]] = found[:3]
    elif len(stack) > 1:
        tree["ends"][tree["names"][stack[-2]]] = found[:3]


def _channels(tree, stack, words):
    count = int(words[1]) if len(words) > 1 and words[1].isdigit() else -1
    kinds = [word[0].upper() + word[1:].lower() for word in words[2:2 + max(count, 0)]]
    if count < 0 or len(kinds) != count or not KINDS.issuperset(kinds):
        raise _Wrong("CHANNELS that are not a number and as many of Xposition .. Zrotation")
    # Channels of an End Site have columns in the rows but move nothing.
    tree["columns"].append((kinds, stack[-1] != "end"))
    if stack[-1] != "end":
        tree["channels"][stack[-1]] = [kind for kind in kinds if not kind.endswith("scale")]


def _header(lines, at, name, notify):
    """(frames a second, declared number of rows or None, first line of the rows)."""
    rate = declared = None
    while at < len(lines) and not (rate and re.match(r"\s*[-+.\d]", lines[at])):
        time, count = TIME.search(lines[at]), COUNT.search(lines[at])
        if time:
            word = time.group(1).replace(",", ".")
            value, parts = number(word), number((time.group(2) or "1").replace(",", "."))      # 1/30 is written too
            value = value / parts if value is not None and parts else None
            if value is None or not np.isfinite(value):
                raise BadInput(f"{name} is not a readable BVH (line {at + 1}: its Frame Time is not a number); export "
                               f"it again.")
            digits = None if parts != 1 or "e" in word.lower() else len(word.split(".")[1]) if "." in word else 0
            rate = rate_of_time(value, name, digits, notify)
        elif count:
            declared = int(count.group(1))
        elif rate is None and re.match(r"\s*[-+.\d]", lines[at]):
            break
        at += 1
    if rate is None:
        raise BadInput(f"{name} is not a readable BVH: it has no Frame Time before its rows; export it again.")
    return rate, declared, at


def _rows(lines, turning, declared, rate, name, notify):
    """(T, width) values; bad rows filled in or refused. turning (width,): which columns are angles in degrees."""
    width = len(turning)
    rows = _without_text([_row(line) for line in lines if line.strip() and not COMMENT.match(line)], declared)
    while rows and isinstance(rows[-1], list) and all(number(word) is None for word in rows[-1]):
        rows.pop()                                           # what stands behind the last row
    rows = _unnumbered(rows, width)
    if not rows:
        raise BadInput(f"{name} holds no motion: there is no row after its Frame Time.")
    if sum(map(len, rows)) == (declared or 0) * width and any(len(row) != width for row in rows):
        words = [str(word) for row in rows for word in row]  # rows broken over lines: their number says so
        rows = [words[at:at + width] for at in range(0, len(words), width)]
    if len(rows) / rate > LONGEST_S:
        raise BadInput(f"{name} lasts {len(rows) / rate / 3600:.1f} hours; give at most {LONGEST_S / 3600:g}.")
    values, problems = np.full((len(rows), width), np.nan), {}
    for at, row in enumerate(rows):
        if len(row) != width:
            problems[at] = f"has {len(row)} numbers for {width} channels"
            continue
        numbers = row if isinstance(row, np.ndarray) else [number(word) for word in row]
        if any(value is None for value in numbers) or not np.isfinite(numbers).all():
            problems[at] = "holds something that is not a number"
            continue
        values[at] = numbers
    values, rows = _filled(values, problems, turning, rate, name, notify), len(rows)
    if declared is not None and declared != rows:
        notify(f"{name} says Frames: {declared} and holds {rows} rows; the {len(values)} good ones are used.")
    return values


def _without_text(rows, declared):
    """The rows without lines of text between them, where it is these that are more than declared."""
    texts = [isinstance(row, list) and number(row[0]) is None for row in rows]
    return [row for row, text in zip(rows, texts) if not text] if len(rows) - sum(texts) == declared else rows


def _unnumbered(rows, width):
    """The rows without a first column that does nothing but count them."""
    if len(rows) < 2 or any(len(row) != width + 1 for row in rows):
        return rows
    counted = [number(str(row[0]).rstrip(":")) for row in rows]
    first = counted[0]
    return [row[1:] for row in rows] if first in (0, 1) and counted == [first + at for at in range(len(rows))] else rows


def _row(line):
    """The numbers of a line as an array where it holds nothing else, which is eight times smaller; else its words."""
    if PLAIN.match(line):
        try:
            return np.array(line.split(), dtype=np.float64)
        except ValueError:                                   # signs that glue numbers together, say
            pass
    return words_of(line)


def _filled(values, problems, turning, rate, name, notify):
    """Values with short gaps filled in, angles by the shorter way; one at the start holds what comes first, one at the
    end is cut off. Raises BadInput naming the first row of a longer one."""
    if not problems:
        return values
    good = np.flatnonzero(~np.isnan(values).any(axis=1))
    first = min(problems)
    what = f"{name}: row {first + 1} {problems[first]}"
    if len(good) < 2:
        raise BadInput(f"{what}; no two of its {len(values)} rows are whole, so nothing is read. Export it again.")
    longest = max(1, int(round(GAP_S * rate)))
    edges = max(good[0], len(values) - 1 - good[-1])
    gaps = np.diff(good) - 1
    if max(edges, gaps.max(initial=0)) > longest:
        raise BadInput(f"{what}, and with its neighbours that is longer than {GAP_S:g} s; export it again.")
    kept, found = np.arange(good[-1] + 1), values[good]
    found[:, turning] = np.unwrap(found[:, turning], period=360.0, axis=0)
    filled = np.stack([np.interp(kept, good, column) for column in found.T], axis=1)
    filled[good] = values[good]
    notify(f"{what}; {len(problems)} such row{'s were' if len(problems) > 1 else ' was'} filled in or left out.")
    return filled
