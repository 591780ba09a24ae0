"""A body drawn from the front, as the contract's skeleton stands, a dot for each joint: places, hits, colours."""
import math
from dataclasses import dataclass
from functools import cache

from ...core import contract
from ..scene import bone_map
from . import translations

HEIGHT, MARGIN = 380.0, 24.0            # pixels at a scale of 1: of the figure, around it
DOT, REACH = 7.0, 13.0                  # radius of a joint's dot, and within which a click means it
COLOURS = {"sure": (0.35, 0.75, 0.45), "unsure": (1.0, 0.75, 0.15), "lacking": (0.95, 0.3, 0.25),
           "empty": (0.5, 0.5, 0.5)}
WORDS = {"sure": "", "unsure": "not sure", "lacking": "needs a bone", "empty": "no bone"}
# Half widths in metres of the body around the line from a joint to its parent.
THICK = {"hip": 0.09, "knee": 0.075, "ankle": 0.05, "foot": 0.04, "shoulder": 0.06, "elbow": 0.045, "wrist": 0.036,
         "hand": 0.04, "neck": 0.05, "head": 0.05, "collar": 0.07, "spine1": 0.13, "spine2": 0.13, "spine3": 0.14}
SPREAD = {"spine1": -0.02, "spine3": 0.03, "neck": 0.03, "head": 0.06}       # metres up, where joints stand too close
BODY, BACK, TEXT = (0.32, 0.34, 0.38, 1.0), (0.08, 0.08, 0.09, 0.82), (0.92, 0.92, 0.92, 1.0)


@cache
def joints():
    """{joint: (across, up) in metres} seen from the front: the body's left is at the right of the picture."""
    offsets, out = contract.SKELETON["offsets_m"], {}
    for number, joint in enumerate(contract.JOINTS):
        parent = contract.PARENTS[number]
        across, up = out[contract.JOINTS[parent]] if parent >= 0 else (0.0, contract.SKELETON["hip_height_m"])
        if parent >= 0:
            across, up = across + offsets[number][0], up + offsets[number][1]
        out[joint] = across, up
    return {joint: (across, up + SPREAD.get(joint, 0.0)) for joint, (across, up) in out.items()}


@dataclass(frozen=True)
class Place:
    """Where the figure stands in a region: centre of its feet and pixels a metre."""

    x: float
    y: float
    size: float
    scale: float                        # of the interface

    @classmethod
    def of(cls, region, scale, indent=0):
        """At the lower left, `indent` pixels in (the tool bar), smaller where the region is small."""
        half, top = _extent()
        room = min(region.height - (3 * MARGIN + 36) * scale, HEIGHT * scale)
        size = max(40.0, min(room / top, (region.width - indent - 3 * MARGIN * scale) / (2 * half)))
        return cls(indent + (half * size) + 2 * MARGIN * scale, 2 * MARGIN * scale, size, scale)

    def point(self, joint):
        """(x, y) in pixels of the region."""
        across, up = joints()[joint]
        return self.x + across * self.size, self.y + up * self.size

    def box(self):
        """(left, bottom, right, top) of the dark ground behind the figure."""
        half, top = _extent()
        edge = MARGIN * self.scale
        return (self.x - half * self.size - edge, self.y - edge, self.x + half * self.size + edge,
                self.y + top * self.size + edge + 34 * self.scale)

    def holds(self, x, y):
        left, bottom, right, top = self.box()
        return left <= x <= right and bottom <= y <= top

    def joint_at(self, x, y):
        """The joint whose dot a click means, or None."""
        near = {joint: math.dist((x, y), self.point(joint)) for joint in contract.JOINTS}
        joint = min(near, key=near.get)
        return joint if near[joint] <= REACH * self.scale else None


@cache
def _extent():
    """(half width, height) of the figure in metres."""
    places = joints().values()
    return max(abs(across) for across, _ in places) + 0.06, max(up for _, up in places) + 0.14


def free_bone(rig, active, joint):
    """Name of the rig's active pose bone unless another joint has it already; None where there is none to take."""
    if active is None or active.id_data != rig:
        return None
    taken = any(row.bone == active.name and row.name != joint for row in bone_map.ensure_rows(rig))
    return None if taken else active.name


def caption(joint, state, bone):
    """What is said of the joint under the pointer."""
    words = translations.shown(WORDS[state]) if WORDS[state] else ""
    name = translations.shown(bone_map.label(joint))
    return f"{name}: {', '.join(filter(None, (bone, words)))}"


# ---------------------------------------------------------------------------------------------- drawing

def draw(place, states, bones, over=None):
    """The figure at `place`: states and bones by joint, over: the joint under the pointer."""
    import gpu
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    gpu.state.blend_set("ALPHA")
    left, bottom, right, top = place.box()
    _fill(shader, [(left, bottom), (right, bottom), (right, top), (left, top)], BACK)
    for number, joint in enumerate(contract.JOINTS):
        if contract.PARENTS[number] >= 0:
            _limb(shader, place, contract.JOINTS[contract.PARENTS[number]], joint)
    x, y = place.point("head")
    _fill(shader, _circle(x, y + 0.04 * place.size, 0.085 * place.size), BODY)
    for joint in contract.JOINTS:
        x, y = place.point(joint)
        radius = DOT * place.scale * (1.35 if joint == over else 1.0)
        _fill(shader, _circle(x, y, radius + 1.5 * place.scale), (0.0, 0.0, 0.0, 1.0))
        _fill(shader, _circle(x, y, radius), (*COLOURS[states.get(joint, "empty")], 1.0))
    gpu.state.blend_set("NONE")
    said = translations.shown("Click a joint to pick its bone, right-click to clear it, Esc to end")
    if over:
        said = caption(over, states.get(over, "empty"), bones.get(over, ""))
    _write(place, said, left + 10 * place.scale, top - 22 * place.scale, right - left - 20 * place.scale)


def _limb(shader, place, parent, joint):
    (x0, y0), (x1, y1) = place.point(parent), place.point(joint)
    half = THICK.get(joint.partition("_")[2] or joint, 0.05) * place.size
    length = max(math.dist((x0, y0), (x1, y1)), 1e-6)
    across = (y1 - y0) / length * half, (x0 - x1) / length * half
    _fill(shader, [(x0 + across[0], y0 + across[1]), (x1 + across[0], y1 + across[1]), (x1 - across[0], y1 - across[1]),
                   (x0 - across[0], y0 - across[1])], BODY)
    _fill(shader, _circle(x1, y1, half), BODY)


def _circle(x, y, radius, parts=24):
    turns = [2 * math.pi * part / parts for part in range(parts)]
    return [(x + radius * math.cos(turn), y + radius * math.sin(turn)) for turn in turns]


def _fill(shader, corners, colour):
    """A convex polygon."""
    from gpu_extras.batch import batch_for_shader
    fan = [(0, number, number + 1) for number in range(1, len(corners) - 1)]
    batch = batch_for_shader(shader, "TRIS", {"pos": corners}, indices=fan)
    shader.bind()
    shader.uniform_float("color", colour)
    batch.draw(shader)


def _write(place, text, x, y, room):
    import blf
    blf.size(0, 12 * place.scale)
    needs = blf.dimensions(0, text)[0]
    if needs > room:
        blf.size(0, 12 * place.scale * room / needs)
    blf.color(0, *TEXT)
    blf.position(0, x, y, 0)
    blf.draw(0, text)
