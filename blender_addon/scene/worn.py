"""A rig that plays one action alone for a moment, and then is as it was."""
import re
from contextlib import contextmanager

import bpy

from ..errors import UserError
from . import compat

PROPERTY = re.compile(r'(.*)\["((?:[^"\\]|\\.)*)"\]\Z')       # a custom property: of what, its escaped name
SETTINGS = ("use_nla", "action_blend_type", "action_influence", "action_extrapolation")


@contextmanager
def worn(rig, name):
    """Inside, `rig` plays the action `name` and nothing else; afterwards action, tracks and every channel that it keys
    are as before. name None changes nothing. Raises UserError where the rig cannot play it."""
    if name is None:
        yield
        return
    action = bpy.data.actions.get(name)
    if action is None:
        raise UserError(f"The action {name} is no longer in the file")
    if rig.animation_data is not None and rig.animation_data.use_tweak_mode:
        raise UserError(f"{rig.name} is in NLA tweak mode; leave it with Tab in the NLA editor first.")
    had_data = rig.animation_data is not None
    data = rig.animation_data or rig.animation_data_create()
    own, slot = data.action, compat.slot_identifier(data)
    before = {setting: getattr(data, setting) for setting in SETTINGS}
    channels = _values(rig, action)
    try:
        data.use_nla = False
        compat.assign_action(data, action)
        data.action_blend_type, data.action_influence, data.action_extrapolation = "REPLACE", 1.0, "HOLD"
        yield
    finally:
        data.action = None
        _restore(rig, channels)
        if own is not None:
            compat.assign_action(data, own, slot)
        for setting, value in before.items():
            setattr(data, setting, value)
        if not had_data:
            rig.animation_data_clear()


def _values(rig, action):
    """[(path, index, value)] of the channels of `rig` that an action keys and that the rig has."""
    out = []
    for curve in compat.all_curves(action):
        try:
            value = rig.path_resolve(curve.data_path)
        except ValueError:                          # a bone or property that this rig lacks
            continue
        out.append((curve.data_path, curve.array_index, value[curve.array_index] if _many(value) else value))
    return out


def _restore(rig, channels):
    for path, index, value in channels:
        there, match = rig.path_resolve(path), PROPERTY.match(path)
        if _many(there):
            there[index] = value
        elif match is not None:
            (rig.path_resolve(match[1]) if match[1] else rig)[bpy.utils.unescape_identifier(match[2])] = value
        else:
            owner, _, attribute = path.rpartition(".")
            setattr(rig.path_resolve(owner) if owner else rig, attribute, value)


def _many(value):
    return hasattr(value, "__len__") and not isinstance(value, str)
