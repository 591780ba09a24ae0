"""Errors that reach the user as one clear sentence: what, where, what to do."""
import sys
from contextlib import contextmanager
from functools import wraps

from core.contract import load


class BatonError(Exception):
    """An error with a code of `core/contract/errors.json` and a sentence for the user.

    `str(error)` is the sentence; `exit_code` is what the command line returns.
    """

    code = "internal"

    def __init__(self, sentence):
        super().__init__(sentence)

    @property
    def exit_code(self):
        return load("errors")[self.code]["exit"]


class BadInput(BatonError):
    """The given file, scene or setting cannot be used."""

    code = "bad_input"


class NoCheckpoint(BatonError):
    """A needed checkpoint is missing or damaged."""

    code = "no_checkpoint"


class NoRuntime(BatonError):
    """The worker's Python environment is missing or incomplete."""

    code = "no_runtime"


class OutOfMemory(BatonError):
    """The device has too little memory even for the smallest windows."""

    code = "out_of_memory"


class Cancelled(BatonError):
    """The user cancelled the job."""

    code = "cancelled"

    def __init__(self, sentence="Cancelled."):
        super().__init__(sentence)


@contextmanager
def reading(sentence, error=BadInput):
    """The one boundary of a reader: whatever a parser raises on a damaged file becomes `sentence`;
    it stays the error's cause.

    Parsers of other people raise what they like. Baton's own errors pass, and so does a lack of memory.
    """
    try:
        yield
    except (BatonError, MemoryError):
        raise
    except Exception as cause:
        raise error(sentence) from cause


def command(main):
    """A command's `main(arguments)`, which gives the exit code (None: 0): a `BatonError` in it becomes one line on
    stderr and its own exit code."""
    @wraps(main)
    def run(arguments=None):
        try:
            return main(arguments) or 0
        except BatonError as error:
            print(f"error: {error}", file=sys.stderr)
            return error.exit_code
    return run
