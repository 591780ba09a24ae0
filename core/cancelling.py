"""Whether the work in hand is still wanted: long loops anywhere in `core` and `models` ask here.

So no function has to be handed a way to ask. Whoever runs a job says how (`core/worker/server.py`); where nobody has,
the work is wanted.
"""

from contextlib import contextmanager

from core.errors import Cancelled

_asked = [None]


@contextmanager
def watch(should_cancel):
    """Within the block `check` asks should_cancel()."""
    before, _asked[0] = _asked[0], should_cancel
    try:
        yield
    finally:
        _asked[0] = before


def check():
    """Raises Cancelled once the user has asked to stop."""
    if _asked[0] is not None and _asked[0]():
        raise Cancelled
