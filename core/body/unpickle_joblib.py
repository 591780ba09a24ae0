"""Pickles as joblib writes them (VIBE, WHAM, PHC): the bytes of an array follow its description, so the stream is no
plain pickle. Read by the same stand-ins and to the same limits as `core/body/stand_ins.py`.

The format is that of joblib 0.10 and later: joblib's documentation of `joblib.dump`, numpy_pickle.py.
"""
import bz2
import io
import lzma
import pickle
import pickletools
import zlib

from core.body.stand_ins import (
    ALLOWED,
    ARRAY,
    CONTAINERS,
    LIMIT_BYTES,
    MOST_CONTAINERS,
    MOST_STEPS,
    REFUSED,
    DType,
    Refused,
    array_of,
)

MARK = b"joblib.numpy_pickle"
BLOCK = 1 << 20
MOST_UNPACKED = 256 << 20      # two hours of SMPL-H at 60 fps are 250 MB


class _Following:
    """Stands in for joblib's NumpyArrayWrapper: an array whose bytes follow in the stream."""

    def __setstate__(self, state):
        if not isinstance(state, dict) or state.get("subclass") is not ARRAY or not isinstance(
                state.get("dtype"), DType) or state.get("order") not in ("C", "F"):
            raise Refused("it holds arrays that are not plain numbers")
        self.state = state

    def read(self, handle):
        """The array itself, from where the stream is."""
        shape, kind = self.state.get("shape"), self.state["dtype"]
        if not isinstance(shape, tuple) or not all(isinstance(n, int) and 0 <= n <= LIMIT_BYTES for n in shape):
            raise Refused("it holds an array of no sensible shape")
        if self.state.get("numpy_array_alignment_bytes") is not None:
            handle.read(handle.read(1)[0])               # padding before the array, its length first
        size = kind.numpy().itemsize
        for n in shape:
            size *= n
        if size > LIMIT_BYTES:
            raise Refused("it holds an array of no sensible shape")
        return array_of(handle.read(size), kind, shape, self.state["order"] == "F")


FOLLOWING = object()            # what joblib's wrapper is in these files: named, and made by NEWOBJ alone


class _Unpickler(pickle._Unpickler):  # the one in C reads ahead and would swallow what follows an array
    def __init__(self, data):
        self.handle = io.BytesIO(data)
        super().__init__(self.handle, encoding="latin1")
        self.steps = self.containers = 0

    def find_class(self, module, name):
        """The stand-in, or Refused."""
        if (module, name) == ("joblib.numpy_pickle", "NumpyArrayWrapper"):
            return FOLLOWING
        if (module, name) not in ALLOWED:
            raise Refused(f"it wants to run {module}.{name}")
        return ALLOWED[module, name]

    def new_object(self):
        """NEWOBJ: an array that follows, and nothing else."""
        arguments, kind = self.stack.pop(), self.stack.pop()
        if kind is not FOLLOWING or arguments != ():
            raise Refused("it holds objects")
        self.append(_Following())

    def built(self):
        """After an object's state has come: an array whose bytes follow is taken up."""
        if isinstance(self.stack[-1], _Following):
            self.stack[-1] = self.stack[-1].read(self.handle)


def _dispatch():
    """What each opcode does, counted; opcodes that name other kinds of object are refused."""
    table = {}
    for opcode in pickletools.opcodes:
        function = pickle._Unpickler.dispatch.get(ord(opcode.code))
        if function is None:
            continue

        def step(machine, function=function, name=opcode.name):
            machine.steps += 1
            machine.containers += name in CONTAINERS
            if name in REFUSED:
                raise Refused("it holds objects")
            if machine.steps > MOST_STEPS or machine.containers > MOST_CONTAINERS:
                raise Refused("it is nested or long beyond what a motion can be")
            if name == "NEWOBJ":
                return machine.new_object()
            function(machine)
            if name == "BUILD":
                machine.built()
        table[ord(opcode.code)] = step
    return table


_Unpickler.dispatch = _dispatch()


def joblib_load(data):
    """Content of joblib's bytes, arrays in place; still to be cleared of stand-ins by `plain`. Raises whatever a
    damaged stream makes its parser raise."""
    return _Unpickler(data).load()


def unpacked(data):
    """Bytes without the compression that joblib puts around them (zlib, gzip, bz2, xz), or as they are."""
    if data[:2] in (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda", b"\x1f\x8b"):
        return _whole(zlib.decompressobj(wbits=47), data)
    if data[:3] == b"BZh":
        return _whole(bz2.BZ2Decompressor(), data)
    if data[:6] == b"\xfd7zXZ\0" or data[:3] == b"\x5d\0\0":
        return _whole(lzma.LZMADecompressor(memlimit=1 << 28), data)
    return data


def _whole(machine, data):
    """What a decompressor gives of data, refused beyond the limit:
    what a few bytes unpack to is known on the way only."""
    out, size, rest = [], 0, data
    while not machine.eof:
        piece = machine.decompress(rest, BLOCK)
        rest = machine.unconsumed_tail if hasattr(machine, "unconsumed_tail") else b""
        if not piece and not rest and getattr(machine, "needs_input", True):
            raise Refused("it is cut")
        out.append(piece)
        size += len(piece)
        if size > MOST_UNPACKED:
            raise Refused(f"it unpacks to more than {MOST_UNPACKED >> 20} MB")
    return b"".join(out)
