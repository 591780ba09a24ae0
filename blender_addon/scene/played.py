"""A scene that Baton itself plays frame by frame, for a moment: what hides meanwhile, and where the rig is read."""
from contextlib import contextmanager

from ..errors import UserError
from .refs import alive


def evaluated(rig, scene):
    """The rig as the scene shows it, whichever scene the window shows. Raises UserError where the scene lacks it."""
    layer = layer_of(rig, scene)
    if layer is None:
        raise UserError(f"{rig.name} is in no view layer of scene {scene.name}.")
    return rig.evaluated_get(layer.depsgraph)


def layer_of(rig, scene):
    """A view layer of the scene that has the rig, or None."""
    for layer in scene.view_layers:
        if layer.objects.get(rig.name) is not None:
            return layer
    return None


@contextmanager
def hidden_meshes(scene):
    """Skinned meshes cost most of a frame. They are shown again before anybody can save, undo or rename anything."""
    hidden = [thing for thing in scene.objects if thing.type == "MESH" and not thing.hide_viewport
              and any(modifier.type == "ARMATURE" for modifier in thing.modifiers)]
    try:
        for thing in hidden:
            thing.hide_viewport = True
        yield
    finally:
        for thing in hidden:
            if alive(thing):
                thing.hide_viewport = False


@contextmanager
def frame_kept(scene):
    """The current frame is as before afterwards."""
    before, sub = scene.frame_current, scene.frame_subframe
    try:
        yield
    finally:
        if alive(scene):                                        # a handler of somebody's may have deleted it
            scene.frame_set(before, subframe=sub)
