"""The dictionary of one person in what SMPL tools save: the whole file, one of several people, or one of several frames
of reference (a world, a camera)."""
from core.errors import BadInput, reading

WORLD = ("global", "world")     # of two accounts of one person the one in the world is meant
LIMIT_DEPTH = 3


def one_of(held, has_motion, name, root=None, notify=None):
    """The innermost dictionary for which has_motion(dictionary) holds. root: the person's key, where there are several.

    Raises BadInput for a key that is not there; the dictionary itself where none has a motion, so that what it lacks is
    said of it.
    """
    if has_motion(held):
        return held
    found = dict(_inside(held, has_motion, LIMIT_DEPTH))
    if not found:
        return held
    if root is not None:
        chosen = next((key for key in found if key == str(root)), None)
        if chosen is None:
            raise BadInput(f"{name} has no {root!r}; it holds {', '.join(found)}.")
        return found[chosen]
    world = [key for key in found if any(word in key.lower() for word in WORLD)]
    keys = world or list(found)
    if len(keys) > 1 and notify is not None:
        notify(f"{name} holds {len(keys)} motions: {', '.join(keys[:6])}. {keys[0]} is read; choose another with "
               f"--root "
               f"{keys[1]}.")
    return found[keys[0]]


def _inside(held, has_motion, depth):
    for key, value in held.items():
        if isinstance(value, dict) and depth > 0:
            if has_motion(value):
                yield str(key), value
            else:
                yield from _inside(value, has_motion, depth - 1)


def read_torch(data, name):
    """Content of a file that torch.save wrote, tensors as arrays; opened with `weights_only`, which builds nothing
    else.
    Raises BadInput."""
    import io

    import torch
    with reading(f"{name} holds other things than tensors and numbers, which Baton does not open; save its arrays with "
                 "numpy.savez."):
        held = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    return _arrays(held, torch)


def _arrays(value, torch):
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().to(torch.float64).numpy() if value.is_floating_point() else value.cpu().numpy()
    if isinstance(value, dict):
        return {key: _arrays(each, torch) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_arrays(each, torch) for each in value]
    return value
