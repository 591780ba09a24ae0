"""Errors of the Blender side that reach the user as one sentence."""
from contextlib import contextmanager

from ..core.contract.files import reason


class UserError(Exception):
    """Something in the scene or the settings stands in the way; the text says what and what to do."""


class DiskError(UserError):
    """A file or folder cannot be read or written; the text says which it is, why, and what to do."""


class Cancelled(Exception):
    """The job was cancelled."""


@contextmanager
def on_disk(role, path, do="", verb="written"):
    """What is inside reads or writes `path`, which is `role` to the user: an OSError becomes a DiskError."""
    try:
        yield
    except OSError as error:
        raise DiskError(f"{role} {path} cannot be {verb}: {reason(error)}{'; ' if do else ''}{do}") from error
