"""Switches of a control rig: custom properties of a pose bone, or, with a leading dot, attributes such as
`.ik_stretch` and `.constraints["IK"].influence`."""
import bpy


def there(pose, name):
    """True where the pose bone has this switch."""
    if not name.startswith("."):
        return name in pose
    try:
        pose.path_resolve(name[1:])
    except ValueError:
        return False
    return True


def path(pose, name):
    """The data path that an f-curve of the switch needs."""
    return pose.path_from_id() + (name if name.startswith(".") else f'["{bpy.utils.escape_identifier(name)}"]')


def read(pose, name):
    """The switch's value, JSON-ready."""
    return pose.path_resolve(name[1:]) if name.startswith(".") else pose[name]


def write(pose, name, value):
    """Set the switch."""
    if name.startswith("."):
        owner, _, last = name[1:].rpartition(".")
        setattr(pose.path_resolve(owner) if owner else pose, last, value)
    else:
        pose[name] = value
