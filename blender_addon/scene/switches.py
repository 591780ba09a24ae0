"""Switches of a control rig: custom properties of a pose bone, or, with a leading dot, attributes such as
`.ik_stretch`."""
import bpy


def there(pose, name):
    """True where the pose bone has this switch."""
    return hasattr(pose, name[1:]) if name.startswith(".") else name in pose


def path(pose, name):
    """The data path that an f-curve of the switch needs."""
    return pose.path_from_id() + (name if name.startswith(".") else f'["{bpy.utils.escape_identifier(name)}"]')


def read(pose, name):
    """The switch's value, JSON-ready."""
    return getattr(pose, name[1:]) if name.startswith(".") else pose[name]


def write(pose, name, value):
    """Set the switch."""
    if name.startswith("."):
        setattr(pose, name[1:], value)
    else:
        pose[name] = value
