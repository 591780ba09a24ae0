"""Names and session uids instead of bpy references: undo and file loading kill every reference."""
from dataclasses import dataclass

import bpy

from ..errors import UserError
from . import compat


@dataclass(frozen=True)
class Ref:
    """A datablock of `bpy.data.<collection>` by session uid, with its name for messages."""

    collection: str
    name: str
    uid: int

    @classmethod
    def of(cls, datablock):
        collection = "scenes" if isinstance(datablock, bpy.types.Scene) else "objects"
        return cls(collection, datablock.name, compat.uid(datablock))

    def find(self):
        """The datablock, or None where it was deleted; a renamed one is found all the same.

        A deleted object that something still points to stays in the file, so it must also be in a scene.
        """
        collection = getattr(bpy.data, self.collection)
        block = collection.get(self.name)
        if block is None or compat.uid(block) != self.uid:
            block = next((block for block in collection if compat.uid(block) == self.uid), None)
        if block is not None and self.collection == "objects" and not block.users_scene:
            return None
        return block

    def get(self):
        """Like `find`, but raises UserError."""
        block = self.find()
        if block is None:
            kind = "scene" if self.collection == "scenes" else "object"
            raise UserError(f"The {kind} {self.name} was deleted.")
        return block


def alive(block):
    """Whether a datablock is still there: while frames are played, a handler of somebody's may delete what it likes."""
    try:
        return bool(block.name)
    except ReferenceError:
        return False
