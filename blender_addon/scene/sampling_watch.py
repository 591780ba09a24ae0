"""Notices when the user changes a rig between two slices of its sampling."""
from contextlib import contextmanager

import bpy

from .stats import timed

_own = 0
_changed = set()


@contextmanager
def own_changes():
    """What happens inside is Baton's own doing."""
    global _own
    _own += 1
    try:
        yield
    finally:
        _own -= 1


def begin():
    """Start listening; only while a rig is played does Baton look at Blender's updates."""
    _changed.clear()
    if _on_update not in bpy.app.handlers.depsgraph_update_post:
        bpy.app.handlers.depsgraph_update_post.append(_on_update)


def end():
    if _on_update in bpy.app.handlers.depsgraph_update_post:
        bpy.app.handlers.depsgraph_update_post.remove(_on_update)


def changed(ref):
    """True once after somebody else changed the object behind `ref`."""
    hit = ref.name in _changed
    _changed.clear()
    return hit


@bpy.app.handlers.persistent
@timed
def _on_update(scene, depsgraph):
    if _own:
        return
    for update in depsgraph.updates:
        if isinstance(update.id, bpy.types.Object) and update.id.type == "ARMATURE":
            _changed.add(update.id.name)
