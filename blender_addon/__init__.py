"""The Blender side of Baton: reads the scene, writes the scene, shows the panel. The only code that imports bpy."""
from .ui import overlay, panels, presets, properties
from .ui.operators import beats, generate, preferences, rig, takes
from .worker import handlers
from .worker import options as prefs

# Order matters: property groups before what refers to them.
MODULES = (properties, prefs, generate, rig, takes, beats, preferences, presets,
           panels, overlay, handlers)


def register():
    for module in MODULES:
        module.register()


def unregister():
    from .worker import manager as jobs
    jobs.shutdown()
    for module in reversed(MODULES):
        module.unregister()
