"""The Blender side of Baton: reads the scene, writes the scene, shows the panel. The only code that imports bpy."""
from . import (
    handlers,
    operators_beats,
    operators_generate,
    operators_prefs,
    operators_rig,
    operators_takes,
    overlay,
    panels,
    prefs,
    presets,
    props,
)

# Order matters: property groups before what refers to them.
MODULES = (props, prefs, operators_generate, operators_rig, operators_takes, operators_beats, operators_prefs, presets,
           panels, overlay, handlers)


def register():
    for module in MODULES:
        module.register()


def unregister():
    from . import jobs
    jobs.shutdown()
    for module in reversed(MODULES):
        module.unregister()
