"""The Blender side of Baton: reads the scene, writes the scene, shows the panel. The only code that imports bpy."""
from .scene import player
from .ui import menus, overlay, panels, preferences, presets, properties, translations, user_presets
from .ui.operators import armature_source, beats, body_picture, generate, import_motion, listen, rig, takes
from .ui.operators import preferences as preference_operators
from .worker import early, handlers
from .worker import manager as jobs

# Order matters: property groups before what refers to them.
MODULES = (translations, properties, preferences, generate, import_motion, armature_source, rig, body_picture, takes,
           listen, beats, preference_operators, presets, user_presets, panels, menus, overlay, player, handlers,
           early)


def register():
    for module in MODULES:
        module.register()


def unregister():
    jobs.shutdown()
    for module in reversed(MODULES):
        module.unregister()
