"""Pickles of plain arrays, by their own writers or by joblib, packed or not:
opened without running anything of them."""
import io

from core.body.stand_ins import LIMIT_BYTES, NumpyUnpickler, Refused, plain, scan
from core.body.unpickle_joblib import MARK, joblib_load, unpacked
from core.errors import BadInput, reading


def load_numpy_pickle(data, name):
    """Bytes of a pickle, plain or of joblib -> its content. Raises BadInput for anything but numbers, strings,
    containers and plain arrays."""
    if len(data) > LIMIT_BYTES:
        raise BadInput(f"{name} is larger than 1 GiB; that is no motion.")
    with reading(f"{name} is damaged or no pickle of plain arrays; Baton does not open it."):
        try:
            data = unpacked(data)
            if MARK in data:
                return plain(joblib_load(data))
            scan(data)
            return plain(NumpyUnpickler(io.BytesIO(data), encoding="latin1").load())
        except Refused as error:
            raise BadInput(f"{name} is not a pickle of plain arrays ({error}); Baton does not open it.") from error


__all__ = ["NumpyUnpickler", "load_numpy_pickle", "plain", "scan"]
