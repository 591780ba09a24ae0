"""Writes motion onto a rig without destroying anything, and takes it back exactly.

A take is a new action with its own slot that keys only the channels it was given. The action that was there is pushed
down to an NLA track below, stretched so far that every frame evaluates as before; everything changed is remembered
in a JSON-ready dict, so that Remove restores it.
"""
import json
import uuid
from functools import partial

import bpy
import numpy as np

from ..errors import UserError
from . import compat, draft, nla
from . import switches as switch
from .keys import fill_curve
from .whole import later

TRACK = "Baton: below {}"
REST, REST_TRACK = "baton_rest", "Baton: rest below "    # mark of the action, start of the track's name


def channel_arrays(path):
    """(times (T,), {bone: (T,4) wxyz}, {bone: (T,3)}) of a `channels.npz`."""
    with np.load(path, allow_pickle=False) as data:
        rotations = {key.partition("/")[2]: data[key] for key in data.files if key.startswith("rotation/")}
        locations = {key.partition("/")[2]: data[key] for key in data.files if key.startswith("location/")}
        return data["times"], rotations, locations


def channels_of(path):
    """Generator: (name, times (T,), values (T, C)) of each array of a `channels.npz`, one by one; rotations first."""
    with np.load(path, allow_pickle=False) as data:
        times, names = data["times"], data.files
        for name in sorted((name for name in names if "/" in name), key=lambda name: not name.startswith("rotation")):
            yield name, times, data[name]


def settle_of(path):
    """Seconds over which the legs of a `channels.npz`, which come by steps from the pose the rig had, are to be mixed
    with it; 0 where they do not come so."""
    with np.load(path, allow_pickle=False) as data:
        return float(data["settle"]) if "settle" in data.files else 0.0


def write_take(rig, name, frames, rotations, locations, *, base=None, **how):
    """Key a take named `name` on `rig` at once; returns the state that `remove_take` needs.

    frames, rotations, locations and how: as in `draft.keyed`; base: as in `put_on`. Raises UserError where the rig
    cannot be written.
    """
    check_writable(rig, {*rotations, *locations})
    if base is not None:
        rig.animation_data.action = None
    steps = draft.keyed(lambda: rig, name, frames, rotations, locations, **how)
    return put_on(rig, name, draft.finished(steps), base)


def put_on(rig, name, made, base=None):
    """Put a `draft.Draft` on the rig as a take named `name`; returns the state that `remove_take` needs.

    base: state of an earlier take that this one stands beside (A/B), whose pushed-down action it then shares. Raises
    UserError where the rig cannot be written.
    """
    check_writable(rig, made.bones)
    if base is not None:
        rig.animation_data.action = None  # the earlier takes have stepped aside, what lies below them stays
    state = push_down(rig, name, made.bones, made.switches) if base is None else {
        **base, "pose": {**_static_pose(rig, made.bones), **base["pose"]}}
    action = made.get()
    action.name, action.use_fake_user = name, True  # an A/B comparison unlinks it for a while
    data, curves = rig.animation_data, list(compat.all_curves(action))
    if state["had_action"] or state["tracks"]:
        _rest_below(rig, state, name, [(curve.data_path, curve.array_index) for curve in curves])
    # Where nothing lies below, the first and last pose are held.
    lead(data, action, "NOTHING" if state["had_action"] or state["tracks"] else "HOLD")
    state["action"] = action.name
    return state


def check_writable(rig, bones):
    """Raises UserError where these bones of the rig cannot be keyed."""
    if rig.library is not None:
        raise UserError(f"{rig.name} is linked from another file; make a library override first.")
    if rig.animation_data is not None and rig.animation_data.use_tweak_mode:
        raise UserError(f"{rig.name} is in NLA tweak mode; leave it with Tab in the NLA editor first.")
    missing = [bone for bone in bones if bone not in rig.pose.bones]
    if missing:
        raise UserError(f"{rig.name} has no bone {missing[0]}; it was renamed or removed during the job.")


# --- NLA -------------------------------------------------------------------------------------------------------------

def push_down(rig, name, bones=(), switches=()):
    """Put the active action on an NLA track of its own, evaluating as before; returns what restores it.

    bones: those the take will key; their pose is remembered for rigs without keys.
    The rig is left without an active action.
    """
    had_data = rig.animation_data is not None
    data = rig.animation_data or rig.animation_data_create()
    state = {"base": uuid.uuid4().hex, "had_data": had_data, "had_action": data.action is not None, "previous": "",
             "slot": None, "use_nla": data.use_nla, "blend": data.action_blend_type, "influence": data.action_influence,
             "extrapolation": data.action_extrapolation, "track": "", "muted": [], "pose": _static_pose(rig, bones),
             "switches": [(bone, prop, switch.read(rig.pose.bones[bone], prop)) for bone, prop, _ in switches],
             "rest_action": "", "rest_track": "",
             "tracks": len(data.nla_tracks) > 0 and data.use_nla}
    if not data.use_nla:
        # Tracks that did not play before must not begin to.
        state["muted"] = [track.name for track in data.nla_tracks if not track.mute]
        for track in data.nla_tracks:
            track.mute = True
        data.use_nla = True
    if data.action is None:
        return state
    action = data.action
    state["previous"], state["slot"] = action.name, compat.slot_identifier(data)
    blend, influence = data.action_blend_type, data.action_influence
    slot = data.action_slot if compat.SLOTTED else None
    data.action = None
    # An action that answers only within its keys (a kept take) goes on doing so.
    track = nla.lay(data, TRACK.format(name), action, slot, state["extrapolation"], blend, influence)
    state["track"] = track.name
    return state


def _rest_below(rig, state, name, channels):
    """An NLA track with the present values of those channels of the take that nothing below animates: without it they
    would stay as the take left them, before its first and after its last frame."""
    data = rig.animation_data
    animated = set()
    for track in data.nla_tracks:
        for strip in track.strips:
            if not track.mute and strip.action is not None and not track.name.startswith(nla.BESIDE):
                curves = compat.curves_of(strip.action, strip.action_slot if compat.SLOTTED else None)
                animated.update((curve.data_path, curve.array_index) for curve in curves)
    bare = [channel for channel in channels if channel not in animated]
    if not bare:
        return
    action = bpy.data.actions.get(state["rest_action"]) or bpy.data.actions.new(f"{name} rest")
    action[REST] = True
    bag, fcurves, slot = compat.action_curves(action, rig)
    own = {switch.path(rig.pose.bones[bone], prop): value for bone, prop, value in state["switches"]}
    for path, index in bare:
        value = own[path] if path in own else rig.path_resolve(path)  # which gives the name of an enumerated switch
        value = value[index] if hasattr(value, "__len__") else value
        fill_curve(compat.new_curve(bag, fcurves, path, index, "Rest"), np.array([0.0]), np.array([float(value)]))
    if data.nla_tracks.get(state["rest_track"]) is not None:
        return
    track = data.nla_tracks.new()
    track.name = REST_TRACK + name
    strip = track.strips.new(action.name, 0, action)
    if slot is not None:
        strip.action_slot = slot
    strip.extrapolation = "HOLD"
    state["rest_action"], state["rest_track"] = action.name, track.name


def _static_pose(rig, bones):
    """Transform channels of the pose bones named: a removed take must not leave its last pose behind."""
    pose = {}
    for bone in (rig.pose.bones[name] for name in bones):
        pose[bone.name] = [list(bone.location), list(bone.rotation_quaternion), list(bone.rotation_euler),
                           list(bone.rotation_axis_angle), list(bone.scale)]
    return pose


def _restore_pose(rig, pose):
    for name, (location, quaternion, euler, axis_angle, scale) in pose.items():
        bone = rig.pose.bones.get(name)
        if bone is not None:
            bone.location, bone.rotation_quaternion, bone.rotation_euler = location, quaternion, euler
            bone.rotation_axis_angle, bone.scale = axis_angle, scale


def _restore_switches(rig, switches):
    for bone, prop, value in switches:
        if bone in rig.pose.bones:
            switch.write(rig.pose.bones[bone], prop, value)


def remove_take(rig, state):
    """Undo `write_take`: the previous action is active again, tracks and settings as they were,
    the take's action gone."""
    data = rig.animation_data
    if data is None:
        return
    action = bpy.data.actions.get(state["action"])
    for track in nla.holding(data, action) if action is not None and data.action in (None, action) else ():
        nla.drop(track)
    if action is not None and data.action is not None and data.action != action:
        _drop_below(data, state)  # another take or the user's action is active: leave it be
    else:
        data.action = None
        track = _track_of(data, state)
        previous = bpy.data.actions.get(state["previous"]) if state["previous"] else None
        rest = data.nla_tracks.get(state["rest_track"]) if state["rest_track"] else None
        for gone in (track, rest):
            if gone is not None:
                nla.drop(gone)
        drop(state["rest_action"])
        data.use_nla = state["use_nla"]
        for name in state["muted"]:
            if data.nla_tracks.get(name) is not None:
                data.nla_tracks[name].mute = False
        if previous is not None:
            compat.assign_action(data, previous, state["slot"])
        data.action_blend_type, data.action_influence = state["blend"], state["influence"]
        data.action_extrapolation = state["extrapolation"]
        if not state["had_data"]:
            later(partial(_clear_empty, rig))
        _restore_pose(rig, state["pose"])
        _restore_switches(rig, state["switches"])
    drop(state["action"])


def drop(name):
    """Delete an action, after all else has been done."""
    def goes():
        if name in bpy.data.actions:
            bpy.data.actions.remove(bpy.data.actions[name])
    later(goes)


def _clear_empty(rig):
    data = rig.animation_data
    if data is not None and data.action is None and not data.nla_tracks and not data.drivers:
        rig.animation_data_clear()


def _track_of(data, state):
    """The NLA track that holds the pushed-down action, also after it was renamed; None where there is none."""
    if not state["previous"]:
        return None
    named = data.nla_tracks.get(state["track"])
    holding = [track for track in data.nla_tracks
               if any(strip.action is not None and strip.action.name == state["previous"] for strip in track.strips)]
    return named if named in holding else holding[-1] if holding else None


def drop_action(rig, state, others):
    """Take away one of several takes that share what lies below: its action goes, its NLA tracks, and the pose that it
    left on bones that none of the others, states of theirs, keys."""
    action, data = bpy.data.actions.get(state["action"]), rig.animation_data
    if action is None:
        return
    for track in nla.holding(data, action) if data is not None else ():
        nla.drop(track)
    if data is not None and data.action == action:
        data.action = None
    drop(action.name)
    _restore_pose(rig, {bone: row for bone, row in state["pose"].items()
                        if not any(bone in other["pose"] for other in others)})


def _drop_below(data, state):
    """The take lies under something newer: only its own NLA strips go."""
    for track in list(data.nla_tracks):
        if any(strip.action is not None and strip.action.name == state["action"] for strip in track.strips):
            nla.drop(track)


def keep_take(rig, state):
    """Make the take the user's own: the fake user goes, everything stays as it evaluates now."""
    action = bpy.data.actions.get(state["action"])
    if action is None:
        raise UserError(f"The action {state['action']} of this take is gone.")
    action.use_fake_user = False
    track = _track_of(rig.animation_data, state) if rig.animation_data else None
    if track is not None:
        track.name = state["previous"]


def stand_as_before(rig, state, bones):
    """Bones (escaped names, as in the paths of curves) that no curve moves any more stand as before the take.

    state: of the take, as JSON; "" leaves all as it is.
    """
    held = json.loads(state) if state else {}
    pose, switches = held.get("pose", {}), held.get("switches", ())
    _restore_pose(rig, {name: row for name, row in pose.items() if bpy.utils.escape_identifier(name) in bones})
    _restore_switches(rig, [row for row in switches if bpy.utils.escape_identifier(row[0]) in bones])


def lead(data, action, extrapolation):
    """Make a take's action the active one, in full and as it is."""
    compat.assign_action(data, action)
    data.action_blend_type, data.action_influence, data.action_extrapolation = "REPLACE", 1.0, extrapolation


def rest(rig, state):
    """No take plays: a rig that had no action of its own stands as it did."""
    if not state["had_action"]:
        _restore_pose(rig, state["pose"])
        _restore_switches(rig, state["switches"])
