"""Damage to files, drawn from a seed: bytes, text, numbers, JSON, arrays. Each function gives (what was done, the
damaged thing)."""

import io
import json
import random
import zipfile

import numpy as np

NUMBERS = (
    "0",
    "-1",
    "1e999",
    "-1e308",
    "nan",
    "inf",
    "1e-320",
    "99999999999",
    "2147483648",
    "4e9",
    "0.0000001",
    "1,5",
    "--3",
    "",
    "x",
    "60",
    "1e9",
    "é",
    "0x10",
    "1_000",
)
VALUES = (
    None,
    True,
    False,
    0,
    -1,
    1,
    1e308,
    -1e308,
    1e-320,
    2**63,
    10**30,
    float("nan"),
    float("inf"),
    "",
    "x",
    "0",
    "nan",
    "\0",
    "é" * 300,
    [],
    {},
    [[]],
    [None],
    {"a": {}},
    [1, "x"],
    "../../etc/passwd",
    "/dev/zero",
    [0] * 3000,
    {"__class__": "x"},
    "1e5",
    [[1, 2], [3]],
    -0.0,
)


def damage_bytes(rng: random.Random, data: bytes):
    """One to four small wounds, or one large one."""
    out, said = bytearray(data), []
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if not out:
            break
        at, kind = (
            rng.randrange(len(out)),
            rng.choice(("flip", "byte", "cut", "drop", "double", "zeros", "insert", "head", "swap")),
        )
        size = min(len(out) - at, rng.choice((1, 2, 4, 16, 256, 4096)))
        if kind == "flip":
            out[at] ^= 1 << rng.randrange(8)
        elif kind == "byte":
            out[at] = rng.choice((0, 255, 10, 32, 123, 46, rng.randrange(256)))
        elif kind == "cut":
            del out[at:]
        elif kind == "drop":
            del out[at : at + size]
        elif kind == "double":
            out[at:at] = out[at : at + size]
        elif kind == "zeros":
            out[at : at + size] = bytes(size)
        elif kind == "insert":
            out[at:at] = rng.randbytes(size)
        elif kind == "head":
            del out[:size]
        else:
            other = rng.randrange(len(out))
            out[at : at + size], out[other : other + size] = out[other : other + size], out[at : at + size]
        said.append(f"{kind} at {at}")
    return ", ".join(said), bytes(out)


def damage_text(rng: random.Random, text: str):
    """A number, a word or a line exchanged, left out, doubled or repeated beyond measure."""
    kind = rng.choice(("number", "number", "number", "word", "line", "double", "drop", "many", "join", "order"))
    lines = text.split("\n")
    at = rng.randrange(len(lines)) if rng.random() < 0.5 else rng.randrange(min(len(lines), 60))
    words = lines[at].split(" ")
    if kind == "number":
        places = [n for n, word in enumerate(words) if any(c.isdigit() for c in word)]
        if places:
            words[rng.choice(places)] = rng.choice(NUMBERS)
        lines[at] = " ".join(words)
    elif kind == "word":
        words[rng.randrange(len(words))] = rng.choice(
            ("JOINT", "{", "}", "End Site", "MOTION", "", "\0", "é" * 50, "#", "null", "[", "CHANNELS 99")
        )
        lines[at] = " ".join(words)
    elif kind == "line":
        lines[at] = rng.choice(lines)
    elif kind == "double":
        lines[at:at] = lines[at : at + rng.choice((1, 3, 30))]
    elif kind == "drop":
        del lines[at : at + rng.choice((1, 3, 30))]
    elif kind == "many":
        lines[at:at] = [lines[at]] * rng.choice((50, 2000, 20000))
    elif kind == "join":
        lines[at : at + 2] = ["".join(lines[at : at + 2])]
    else:
        rng.shuffle(lines)
    return f"{kind} in line {at + 1}", "\n".join(lines)


def damage_value(rng: random.Random, value):
    """A JSON-ready value with one node exchanged, left out, renamed, wrapped or added."""
    value = json.loads(json.dumps(value))
    places = list(_places(value))
    if not places or rng.random() < 0.05:
        return "the whole", rng.choice(VALUES)
    holder, key = rng.choice(places)
    kind = rng.choice(("value", "value", "value", "drop", "wrap", "deep", "add", "key"))
    if kind == "value":
        holder[key] = rng.choice(VALUES)
    elif kind == "drop":
        del holder[key]
    elif kind == "wrap":
        holder[key] = rng.choice(([holder[key]], {"x": holder[key]}, str(holder[key])))
    elif kind == "deep":
        deep = holder[key]
        for _ in range(rng.choice((30, 400))):
            deep = [deep]
        holder[key] = deep
    elif isinstance(holder, dict):
        name = rng.choice(("x", "", "é", "__init__", "a" * 400))
        holder[name] = rng.choice(VALUES) if kind == "add" else holder.pop(key)
    else:
        holder.insert(key, rng.choice(VALUES))
    return f"{kind} of {key!r}", value


def _places(value):
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(pairs):
        yield value, key
        yield from _places(inner)


def dumps(value) -> str:
    """JSON that may hold NaN and infinities, as careless programs write it."""
    return json.dumps(value, allow_nan=True)


def damage_array(rng: random.Random, array):
    """An array of another kind, shape or content."""
    array = np.asarray(array)
    kind = rng.choice(
        (
            "nan",
            "inf",
            "huge",
            "empty",
            "flat",
            "more",
            "less",
            "dtype",
            "strings",
            "scalar",
            "objects",
            "ints",
            "long",
            "bool",
        )
    )
    flat = array.reshape(-1)
    if kind in ("nan", "inf", "huge") and array.size and array.dtype.kind in "biuf":
        out = array.astype(np.float64)
        out.reshape(-1)[rng.randrange(array.size)] = {"nan": np.nan, "inf": np.inf, "huge": 1e300}[kind]
        return kind, out
    made = {
        "empty": lambda: array[:0] if array.ndim else np.zeros(0),
        "flat": lambda: flat,
        "more": lambda: np.stack([array] * 2),
        "less": lambda: array[0] if array.ndim else array,
        "dtype": lambda: array.astype(rng.choice(("c8", "f2", "i1", "u8", ">f8"))),
        "strings": lambda: array.astype("U8"),
        "scalar": lambda: np.float64(3),
        "objects": lambda: flat[:3].astype(object),
        "ints": lambda: np.nan_to_num(array.astype(np.float64)).astype(np.int64),
        "long": lambda: np.tile(flat, 3),
        "bool": lambda: array.astype(bool),
    }
    try:
        return kind, made.get(kind, lambda: flat)()
    except (TypeError, ValueError):
        return "flat", flat


def damage_arrays(rng: random.Random, arrays: dict):
    """{name: array} with one of them damaged, missing, renamed or added."""
    out, name = dict(arrays), rng.choice(list(arrays))
    kind = rng.choice(("array", "array", "array", "drop", "rename", "add"))
    if kind == "array":
        said, out[name] = damage_array(rng, out[name])
        return f"{name} {said}", out
    if kind == "add":
        out[rng.choice(("x", "betas", "gender", "../x", "poses/y"))] = rng.choice(
            (np.zeros(3), np.array("x"), np.array([None]))
        )
    else:
        held = out.pop(name)
        if kind == "rename":
            out[rng.choice(("fullpose", "x", "transl"))] = held
    return f"{kind} {name}", out


def npz_bytes(arrays: dict) -> bytes:
    """An npz, object arrays included."""
    handle = io.BytesIO()
    np.savez(
        handle, **{name.replace("/", "_") if name.startswith("..") else name: array for name, array in arrays.items()}
    )
    return handle.getvalue()


def bomb(name: str, size: int) -> bytes:
    """A small zip that unpacks to `size` zeros."""
    handle = io.BytesIO()
    with zipfile.ZipFile(handle, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open(name, "w", force_zip64=True) as member:
            for _ in range(size >> 20):
                member.write(bytes(1 << 20))
    return handle.getvalue()
