"""Unpickling that builds numbers, strings, containers and plain numeric arrays and nothing else.

A pickle file can otherwise run any code. No constructor of numpy is reachable from one either: arrays and dtypes are
taken up by stand-ins, whose content is checked before an array is made of it (`ndarray(shape, 'O', bytes)` would turn
the bytes of a file into pointers).
"""
import pickle
import pickletools
import re

import numpy as np

MOST_STEPS, MOST_CONTAINERS, DEEPEST = 5_000_000, 20_000, 60
LIMIT_BYTES = 1 << 30
PLAIN = re.compile(r"[<>|=]?[biufc]\d{1,2}\Z")
CONTAINERS = {"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "LIST", "DICT", "EMPTY_LIST", "EMPTY_DICT", "EMPTY_TUPLE",
              "EMPTY_SET", "FROZENSET", "REDUCE", "BUILD", "MARK"}
REFUSED = {"INST", "OBJ", "NEWOBJ_EX", "PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER"}


class Refused(pickle.UnpicklingError):
    """What the file wants and is not given."""


class DType:
    """Stands in for a numpy dtype: a plain numeric one by its name, its byte order by its state."""

    def __init__(self, code="f8", align=False, copy=True):
        if not isinstance(code, str) or not PLAIN.match(code):
            raise Refused(f"it holds arrays of {str(code)[:20]!r}")
        self.code = code.lstrip("<>|=")
        self.order = code[0] if code[0] in "<>|=" else "="

    def __setstate__(self, state):
        if not isinstance(state, tuple) or len(state) < 2 or any(part is not None for part in state[2:5]):
            raise Refused("it holds arrays of records")
        if state[1] in ("<", ">", "|", "="):
            self.order = state[1]

    def numpy(self):
        """The dtype itself."""
        return np.dtype(self.order + self.code)


def array_of(raw, dtype, shape, order):
    """A checked array. Raises Refused."""
    if not isinstance(dtype, DType) or not isinstance(raw, (bytes, bytearray)):
        raise Refused("it holds arrays that are not plain numbers")
    if not isinstance(shape, tuple) or not all(isinstance(n, int) and 0 <= n <= LIMIT_BYTES for n in shape):
        raise Refused("it holds an array of no sensible shape")
    plain = dtype.numpy()
    if len(shape) > 8 or int(np.prod(shape, dtype=object)) * plain.itemsize != len(raw):
        raise Refused("it holds an array whose size and bytes disagree")
    return np.frombuffer(bytes(raw), plain).reshape(shape, order="F" if order else "C").copy()


class _Array:
    """Stands in for an array until its state comes."""

    content = None

    def __setstate__(self, state):
        if not isinstance(state, tuple) or len(state) != 5:
            raise Refused("it holds an array of an unknown form")
        _, shape, dtype, fortran, raw = state
        self.content = array_of(raw.encode("latin1") if isinstance(raw, str) else raw, dtype, shape, bool(fortran))


class _Named:
    """What a file may name, and call where there is something to call. A file's BUILD cannot reach into it."""

    __slots__ = ("_call",)

    def __init__(self, call):
        self._call = call

    def __call__(self, *arguments):
        return self._call(*arguments)

    def __setstate__(self, state):
        raise Refused("it wants to change what it names")


def _never(*_):
    raise Refused("it wants to call numpy.ndarray")


ARRAY = _Named(_never)          # what `numpy.ndarray` is in these files: named as a class, never called


def _reconstruct(kind, shape, code):
    if kind is not ARRAY:
        raise Refused("it wants to rebuild something that is no array")
    return _Array()


def _scalar(dtype, raw=b""):
    return array_of(raw.encode("latin1") if isinstance(raw, str) else raw, dtype, (), False)[()]


def _frombuffer(raw, dtype, shape, order="C"):
    return array_of(raw, dtype, tuple(shape), order == "F")


def _latin(text, encoding):
    """What Python 2 strings inside protocol 2 pickles are rebuilt with."""
    if encoding != "latin1" or not isinstance(text, str):
        raise Refused("strings in other codes are not allowed")
    return text.encode(encoding)


ALLOWED = {("numpy", "ndarray"): ARRAY, ("numpy", "dtype"): _Named(DType), ("_codecs", "encode"): _Named(_latin)}
for _core in ("numpy.core", "numpy._core"):
    ALLOWED[f"{_core}.multiarray", "_reconstruct"] = _Named(_reconstruct)
    ALLOWED[f"{_core}.multiarray", "scalar"] = _Named(_scalar)
    ALLOWED[f"{_core}.numeric", "_frombuffer"] = _Named(_frombuffer)


class NumpyUnpickler(pickle.Unpickler):
    """Refuses every global but those needed for numpy arrays."""

    def find_class(self, module, name):
        """The stand-in, or UnpicklingError."""
        if (module, name) not in ALLOWED:
            raise Refused(f"it wants to run {module}.{name}")
        return ALLOWED[module, name]


def scan(data):
    """Refuse what is too long, too deep or names other kinds of object, before anything is built."""
    containers = 0
    for steps, (opcode, _, _) in enumerate(pickletools.genops(data)):
        if opcode.name in REFUSED:
            raise Refused("it holds objects")
        containers += opcode.name in CONTAINERS
        if containers > MOST_CONTAINERS or steps > MOST_STEPS:
            raise Refused("it is nested or long beyond what a motion can be")


def plain(value, depth=0, left=None):
    """The value with arrays in the place of their stand-ins.
    left: a counter, since what a file holds once it can name often."""
    left = iter(range(MOST_STEPS)) if left is None else left
    if depth > DEEPEST or next(left, None) is None:
        raise Refused("it is nested or long beyond what a motion can be")
    if isinstance(value, _Array):
        if value.content is None:
            raise Refused("it holds an array without content")
        return value.content
    if isinstance(value, DType) or callable(value):
        raise Refused("it holds something that is no data")
    if isinstance(value, dict):
        return {plain(key, depth + 1, left): plain(each, depth + 1, left) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return type(value)(plain(each, depth + 1, left) for each in value)
    return value
