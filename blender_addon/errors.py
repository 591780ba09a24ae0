"""Errors of the Blender side that reach the user as one sentence."""


class UserError(Exception):
    """Something in the scene or the settings stands in the way; the text says what and what to do."""


class Cancelled(Exception):
    """The job was cancelled."""
