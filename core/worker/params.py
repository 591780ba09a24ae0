"""What the params of a job may be, by name: each is checked before anything is read or computed of it."""

import math

from core.errors import BadInput

LONGEST_TEXT = 4096


def _number(low, high):
    def check(value):
        return type(value) in (int, float) and low <= value <= high and math.isfinite(value)

    return check, f"a number from {low:g} to {high:g}"


def _one_of(*words):
    return (lambda value: isinstance(value, str) and value in words), f"one of {', '.join(words)}"


def _text(value):
    return isinstance(value, str) and len(value) <= LONGEST_TEXT and "\0" not in value


def _names(value):
    return isinstance(value, dict) and len(value) < 1000 and all(_text(part) for row in value.items() for part in row)


def _shape(value):
    return isinstance(value, list) and len(value) <= 400 and all(_number(-1e3, 1e3)[0](each) for each in value)


TEXT, YES_NO = (_text, "a text"), ((lambda value: isinstance(value, bool)), "true or false")
OBJECT = ((lambda value: isinstance(value, dict)), "an object of {name: value}")
SECONDS = _number(-86_400.0, 86_400.0)
KINDS = {
    "device": TEXT,
    "checkpoints": TEXT,
    "motion": TEXT,
    "audio": TEXT,
    "smpl_models": TEXT,
    "up": TEXT,
    "root": TEXT,
    "models": TEXT,
    "gender": TEXT,
    "kind": TEXT,
    "system": TEXT,
    "genre": TEXT,
    "fps": _number(1, 1000),
    "start": SECONDS,
    "duration": SECONDS,
    "speed": _number(-1e6, 1e6),
    "blend_in": _number(0, 3600),
    "blend_out": _number(0, 3600),
    "bone_map": (_names, "an object of {joint: bone}"),
    "in_place": YES_NO,
    "plant_feet": YES_NO,
    "mirror": YES_NO,
    "place": _one_of("rig", "motion"),
    "fingers": _one_of("none", "relaxed", "baton", "baton_left"),
    "settings": OBJECT,
    "keep": OBJECT,
    "beats": OBJECT,
    "betas": (_shape, "a list of up to 400 numbers"),
}


def check(kind, params, known):
    """The params that are there. Raises BadInput for one that means nothing to this kind of job or cannot be."""
    unknown = sorted(name[:60] for name in set(params) - known)
    if unknown:
        raise BadInput(f"A {kind} job has no setting {', '.join(unknown[:5])}.")
    out = {name: value for name, value in params.items() if value is not None}
    for name, value in out.items():
        good, what = KINDS.get(name, (None, ""))
        if good is not None and not good(value):
            raise BadInput(f"The {name} of a {kind} job must be {what}, not {repr(value)[:40]}.")
    return out
