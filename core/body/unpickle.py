"""Unpickling that builds numpy arrays and plain containers and nothing else: a pickle file can otherwise run any code."""
import io
import pickle

import numpy as np

from core.errors import BadInput

try:
    from numpy._core import multiarray as _multiarray
except ImportError:                                       # numpy < 2
    from numpy.core import multiarray as _multiarray

ALLOWED = {("numpy", "ndarray"): np.ndarray, ("numpy", "dtype"): np.dtype}
for _module in ("numpy.core.multiarray", "numpy._core.multiarray"):
    ALLOWED[_module, "_reconstruct"] = _multiarray._reconstruct
    ALLOWED[_module, "scalar"] = _multiarray.scalar


def _latin(text, encoding):
    """What Python 2 strings inside protocol 2 pickles are rebuilt with."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"strings in {encoding} are not allowed")
    return text.encode(encoding)


ALLOWED["_codecs", "encode"] = _latin


class NumpyUnpickler(pickle.Unpickler):
    """Refuses every global but those needed for numpy arrays."""

    def find_class(self, module, name):
        """The allowed constructor, or UnpicklingError."""
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it wants to run {module}.{name}")
        return ALLOWED[module, name]


def load_numpy_pickle(data, name):
    """Bytes of a pickle -> its content. Raises BadInput for anything but numbers, strings, containers and arrays."""
    try:
        return NumpyUnpickler(io.BytesIO(data), encoding="latin1").load()
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, IndexError, KeyError, ImportError,
            MemoryError, OverflowError) as error:
        raise BadInput(f"{name} is not a pickle of plain arrays ({error}); Baton does not open it.") from error
