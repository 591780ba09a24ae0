"""Arrays of motion and features as few bytes: differences along time, byte planes apart, xz. Nothing is lost."""
import lzma

import numpy as np

FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6}]


def squeeze(array, order=1):
    """An array (T, ...) as bytes: differences along time (`order` times, wrapping;
    whole numbers only), byte planes apart, xz.
    """
    array = np.ascontiguousarray(array)
    if array.dtype.kind in "iu":
        for _ in range(order):
            array = np.concatenate([array[:1], array[1:] - array[:-1]])
    planes = array.view(np.uint8).reshape(-1, array.dtype.itemsize).T
    return lzma.compress(np.ascontiguousarray(planes).tobytes(), format=lzma.FORMAT_RAW, filters=FILTERS)


def expand(data, dtype, shape, order=1):
    """Inverse of `squeeze`. Raises lzma.LZMAError or ValueError for bytes that are not such an array."""
    dtype = np.dtype(dtype)
    planes = np.frombuffer(lzma.decompress(data, format=lzma.FORMAT_RAW, filters=FILTERS), np.uint8)
    array = np.ascontiguousarray(planes.reshape(dtype.itemsize, -1).T).view(dtype).reshape(shape)
    if dtype.kind in "iu":
        for _ in range(order):
            array = np.cumsum(array, axis=0, dtype=dtype)
    return array
