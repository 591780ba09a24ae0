"""Every way in which a pickle could reach a constructor of numpy, or memory without end: refused in one sentence."""
import pickle
import tracemalloc

import numpy as np
import pytest

from core.body.unpickle import load_numpy_pickle
from core.errors import BadInput

FLOATS = b"cnumpy\ndtype\n(X\x02\x00\x00\x00f8tR"
OBJECTS = b"cnumpy\ndtype\n(X\x01\x00\x00\x00OtR"
EMPTY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tC\x01btR"


def state(dtype, raw=b"C\x10" + b"\x41" * 16):
    return b"(K\x01(K\x02t" + dtype + b"I00\n" + raw + b"t"


ROUTES = {
    "ndarray called": b"cnumpy\nndarray\n((K\x02tX\x01\x00\x00\x00OC\x10" + b"\x41" * 16 + b"tR",
    "ndarray made by NEWOBJ": b"cnumpy\nndarray\n((K\x02tX\x01\x00\x00\x00OC\x10" + b"\x41" * 16 + b"t\x81",
    "ndarray made by INST": b"((K\x02tX\x01\x00\x00\x00OC\x10" + b"\x41" * 16 + b"inumpy\nndarray\n",
    "ndarray made by OBJ": b"(cnumpy\nndarray\n(K\x02tX\x01\x00\x00\x00OC\x10" + b"\x41" * 16 + b"o",
    "ndarray by a name on the stack": b"X\x05\x00\x00\x00numpyX\x07\x00\x00\x00ndarray\x93((K\x02tX\x01\x00\x00\x00Ot"
                                      b"R",
    "dtype of objects": OBJECTS,
    "dtype of records": b"cnumpy\ndtype\n((X\x01\x00\x00\x00aX\x02\x00\x00\x00f8tl(tR",
    "dtype turned by its state": FLOATS + b"(K\x03X\x01\x00\x00\x00|(X\x01\x00\x00\x00aO00000tb",
    "array of objects": EMPTY + state(OBJECTS) + b"b",
    "array whose bytes do not suffice": EMPTY + state(FLOATS, b"C\x02AA") + b"b",
    "array of a terabyte": EMPTY + b"(K\x01(\x8a\x06\x00\x00\x00\x00\x00\x01t" + FLOATS + b"I00\nC\x02AAtb",
    "array whose state is a dict": EMPTY + b"}b",
    "array without its state": EMPTY,
    "a class rebuilt that is no array": b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\ndtype\n(K\x00tC\x01btR",
    "a scalar of objects": b"cnumpy.core.multiarray\nscalar\n(" + OBJECTS + b"C\x08AAAAAAAAtR",
    "state put into a named function": b"c_codecs\nencode\n}X\x05\x00\x00\x00_callcnumpy\nndarray\nsb",
    "a function left as data": b"c_codecs\nencode\n",
    "an attribute of numpy": b"cnumpy\nndarray.__class__\n",
    "memory read by address": b"cnumpy.ctypeslib\nas_array\n(K\x00tR",
    "something of the extension registry": b"\x82\x01",
    "something persistent": b"Pname\n",
    "a pickle inside a pickle": b"c_pickle\nloads\n(C\x03N..tR"}


@pytest.mark.parametrize("route", ROUTES)
def test_no_route_reaches_numpy(route):
    with pytest.raises(BadInput) as caught:
        load_numpy_pickle(b"\x80\x04" + ROUTES[route] + b".", "clip.pkl")
    assert "Baton does not open it" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("again", [b"\x86", b"\x85"])
@pytest.mark.parametrize("deep", [40, 1000])
def test_what_is_held_once_and_named_often_is_refused(again, deep):
    """A tuple of the same tuple twice, forty times over, is small in a file and 2^40 things when it is walked."""
    step = (b"h\x00h\x00" if again == b"\x86" else b"h\x00") + again + b"q\x00"
    data = b"\x80\x02)q\x000" + b"".join(step + b"0" for _ in range(deep)) + b"h\x00."
    assert isinstance(pickle.loads(data), tuple)
    if deep == 40 and again == b"\x85":
        assert load_numpy_pickle(data, "clip.pkl")              # forty tuples in each other are no bomb
        return
    with pytest.raises(BadInput, match="nested or long"):
        load_numpy_pickle(data, "clip.pkl")


def test_a_list_that_holds_itself_is_refused():
    mine = []
    mine.append(mine)
    with pytest.raises(BadInput, match="nested or long"):
        load_numpy_pickle(pickle.dumps(mine), "clip.pkl")


def test_a_length_that_is_announced_is_not_taken():
    """A frame of bytes of a gigabyte in a file of twenty takes no memory."""
    tracemalloc.start()
    try:
        for head in (b"B\xff\xff\xff\x3f", b"\x8e\xff\xff\xff\x3f\0\0\0\0", b"\x8d\xff\xff\xff\x3f\0\0\0\0",
                     b"\x96\xff\xff\xff\x3f\0\0\0\0", b"r\xff\xff\xff\x3f"):
            with pytest.raises(BadInput):
                load_numpy_pickle(b"\x80\x05" + head + b"abc.", "clip.pkl")
        assert tracemalloc.get_traced_memory()[1] < 64e6
    finally:
        tracemalloc.stop()


def test_the_stand_ins_read_what_numpy_writes():
    """So that the refusals above are not of everything."""
    data = b"\x80\x04" + EMPTY + state(FLOATS) + b"b."
    assert np.array_equal(load_numpy_pickle(data, "clip.pkl"), np.frombuffer(b"\x41" * 16))
