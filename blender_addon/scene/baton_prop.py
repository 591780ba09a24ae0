"""A conductor's baton in the hand of any mapped rig: in the palm, pointing forward and a little up as one conducts."""
import bmesh
import numpy as np
from mathutils import Matrix, Vector

from ...core import contract
from . import bone_meshes

COLOUR = (1.0, 0.97, 0.9, 1.0)
# (along, radius) in metres from the bulb in the palm to the tip: thick enough to be seen from the stalls.
PROFILE = ((-0.034, 0.0), (-0.032, 0.008), (-0.02, 0.0145), (0.0, 0.0135), (0.02, 0.008), (0.035, 0.0058), (0.2, 0.005),
           (0.38, 0.0035), (0.383, 0.0))
AROUND = 12
MARK = "baton_hand"             # on the object: "right" or "left"
# Direction in SMPL's axes of the right wrist (x left, y up, z forward at rest): the mean over released conducting of
# the direction that points forward, 16 degrees up and 9 degrees inward; and where in the palm the bulb lies.
POINTING = Vector((-0.89, 0.45, 0.07)).normalized()
PALM = Vector((-0.07, -0.028, 0.014))
ARM = (("shoulder", "elbow"), ("elbow", "wrist"), ("wrist", "hand"))


def of(rig):
    """The baton that a rig has in a hand, or None."""
    return next((thing for thing in rig.children if thing.get(MARK) or thing.type == "MESH"
                 and thing.data.name.partition(".")[0] == "Baton" and thing.parent_type == "BONE"), None)


def add(rig, mapped, side="right"):
    """A baton in the hand of `rig`, 42 cm long for a body of the usual height; returns the object. The one that the rig
    has already goes into that hand.

    mapped: {joint: bone}, needs hips, head, a leg and the arm of that side.
    """
    wrist = mapped[f"{side}_wrist"]
    thing = of(rig)
    if thing is None:
        thing = bone_meshes.attach(rig, wrist, mesh(), COLOUR)
        thing.display.show_shadows = False  # Workbench would shade so thin a stick with its own shadow
    bone_meshes.hang(thing, rig, wrist)
    thing[MARK] = side
    bone, frame = rig.data.bones[wrist], hand_frame(rig, mapped, side)
    size = leg_length(rig, mapped) / leg_length(None, None)
    mirror = Vector((-1.0, 1.0, 1.0)) if side == "left" else Vector((1.0, 1.0, 1.0))
    into_bone = bone.matrix_local.to_3x3().inverted() @ frame
    turn = Vector((0.0, 1.0, 0.0)).rotation_difference(into_bone @ (POINTING * mirror))
    place = into_bone @ (PALM * mirror * size)
    thing.matrix_basis = Matrix.Translation(place) @ turn.to_matrix().to_4x4() @ Matrix.Scale(size, 4)
    return thing


def leg_length(rig, mapped):
    """From hip over knee to ankle at rest, in the rig's own units;
    of the canonical skeleton in metres where rig is None."""
    if rig is None:
        skeleton = contract.load("skeleton")
        offset = dict(zip(skeleton["joints"], (Vector(row) for row in skeleton["offsets_m"])))
        return offset["left_knee"].length + offset["left_ankle"].length
    hip, knee, ankle = (rig.data.bones[mapped[f"left_{joint}"]].head_local for joint in ("hip", "knee", "ankle"))
    return (knee - hip).length + (ankle - knee).length


def hand_frame(rig, mapped, side):
    """SMPL's axes of the wrist at rest, as the columns of a 3x3 matrix in armature space.

    As in core/retarget/rest.py: the body's frame, swung along the limb from the T-pose onto the rig's own rest.
    """
    head = {joint: rig.data.bones[bone].head_local for joint, bone in mapped.items()}
    skeleton = contract.load("skeleton")
    offset = dict(zip(skeleton["joints"], (Vector(row) for row in skeleton["offsets_m"])))
    up = (head["head"] - (head["left_hip"] + head["right_hip"]) / 2).normalized()
    left = head["left_hip"] - head["right_hip"]
    left = (left - left.dot(up) * up).normalized()
    frame = Matrix((left, up, left.cross(up))).transposed()
    for start, end in ARM:
        tip = head.get(f"{side}_{end}")
        if tip is None:  # no bone for the hand: the wrist's own, where it goes on from the forearm
            tip = rig.data.bones[mapped[f"{side}_wrist"]].tail_local
            if (tip - head[f"{side}_wrist"]).angle(head[f"{side}_wrist"] - head[f"{side}_elbow"], 4.0) > 1.0:
                continue
        frame = (frame @ offset[f"{side}_{end}"]).rotation_difference(tip - head[f"{side}_{start}"]).to_matrix() @ frame
    return frame


def mesh():
    """The baton along +y, the middle of its grip at the origin."""
    shape, rings = bmesh.new(), []
    for along, radius in PROFILE:
        rings.append([shape.verts.new((np.cos(a) * radius, along, np.sin(a) * radius))
                      for a in np.linspace(0, 2 * np.pi, AROUND, endpoint=False)])
    for first, second in zip(rings, rings[1:]):
        for i in range(AROUND):
            shape.faces.new((first[i], first[(i + 1) % AROUND], second[(i + 1) % AROUND], second[i]))
    bmesh.ops.remove_doubles(shape, verts=shape.verts, dist=1e-6)
    return bone_meshes.finish(shape, "Baton")
