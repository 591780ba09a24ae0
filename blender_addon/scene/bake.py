"""Bake: a take's keys go into the rig's own action, for export. Outside the take every frame evaluates as before."""
import json
from functools import partial

import bpy
import numpy as np

from ..errors import UserError
from . import actions, compat, nla, playing, takes
from .whole import later

FREE, LINEAR = 0, 1
ARRAYS = {"co": 2, "handle_left": 2, "handle_right": 2, "interpolation": 1, "handle_left_type": 1,
          "handle_right_type": 1}


def check(take):
    """Raises UserError where the take cannot be baked."""
    if not takes.has_motion(take):
        raise UserError(f"{take.name} has no motion to bake")
    if take.baked:
        raise UserError(f"{take.name} has been baked already")
    if take.rig is None or take.action is None or not take.state:
        raise UserError(f"The rig or the action of {take.name} is gone.")
    state = takes.state_of(take)
    own = bpy.data.actions.get(state["previous"]) if state["previous"] else None
    if own is None:
        return
    if own.library is not None:
        raise UserError(f"{own.name} is linked from another file; make it local first")
    others = [thing.name for thing in bpy.data.objects if thing != take.rig and thing.animation_data is not None
              and thing.animation_data.action == own]
    if others:
        raise UserError(f"{own.name} is also the action of {others[0]}; make it a single user first")
    if state["blend"] != "REPLACE" or state["influence"] < 1.0:
        raise UserError(f"{own.name} is mixed with what lies below it; set its blending to Replace with full influence")


def bake(scene, name):
    """Write a take's motion into the rig's own action, or into a new one where it has none. Returns a sentence."""
    take = scene.baton.takes[name]
    check(take)
    playing.play(scene, take)
    rig, state = take.rig, takes.state_of(take)
    own = bpy.data.actions.get(state["previous"]) if state["previous"] else None
    keys = [(curve.data_path, curve.array_index, curve.group.name if curve.group else "Baton", _read(curve))
            for curve in compat.all_curves(take.action) if not curve.mute]
    span = range(round(take.action.frame_range[0]), round(take.action.frame_range[1]) + 1)
    rest = _rest_values(state)
    target = own or bpy.data.actions.new(f"{rig.name} Action")
    for row in _rows(scene, target, rig, keys, span, rest if own is not None else None):
        if own is None:
            _put(target, rig, *row)
        else:                                           # the user's keys are replaced when all else has been done
            later(partial(_put, target, rig, *row))
    beside = [other for other in playing.group(scene, rig, state["base"]) if other != take]
    takes.remove_motion(scene, take)
    take.state, take.action, take.previous = "", None, None
    take.kept = take.baked = take.moves = take.audible = True
    if own is None:
        _take_up(rig, target, state, beside)
    elif beside:
        later(partial(_let_show, rig, state, target))
    playing.arrange(scene, rig)
    return f"{take.name} is in the action {target.name}, frames {span[0]} to {span[-1]}"


def _take_up(rig, target, state, beside):
    """A rig that had no action of its own: the new one is active, or below the takes that stand beside."""
    data = rig.animation_data or rig.animation_data_create()
    hold = "NOTHING" if state["tracks"] else "HOLD"
    if not beside:
        actions.lead(data, target, hold)
        return
    data.action = None
    slot = nla.first_slot(target)
    track = nla.lay(data, actions.TRACK.format(target.name), target, slot, hold)
    for other in beside:
        other.state = json.dumps({**takes.state_of(other), "had_action": True, "previous": target.name,
                                  "slot": slot.identifier if slot else None, "track": track.name,
                                  "extrapolation": hold, "blend": "REPLACE", "influence": 1.0})
        other.previous = target


def _let_show(rig, state, target):
    """The own action lies below other takes: its strip reaches as far as its keys, nothing at rest covers it."""
    for track in nla.holding(rig.animation_data, target):
        for strip in track.strips:
            first, last = target.frame_range
            strip.action_frame_start = min(strip.action_frame_start, first)
            strip.action_frame_end = max(strip.action_frame_end, last)
            strip.frame_start_raw = min(strip.frame_start, first)
            strip.frame_end_raw = max(strip.frame_end, last)
    rest = bpy.data.actions.get(state["rest_action"]) if state["rest_action"] else None
    if rest is not None:
        keyed = {(curve.data_path, curve.array_index) for curve in compat.all_curves(target)}
        _bag, fcurves, _slot = compat.action_curves(rest, rig)
        for curve in [curve for curve in fcurves if (curve.data_path, curve.array_index) in keyed]:
            fcurves.remove(curve)


def _rest_values(state):
    """{(path, index): value} of the channels that nothing but the take animates."""
    rest = bpy.data.actions.get(state["rest_action"]) if state["rest_action"] else None
    curves = compat.all_curves(rest) if rest is not None else ()
    return {(curve.data_path, curve.array_index): curve.evaluate(0.0) for curve in curves}


# ---------------------------------------------------------------------------------------------- keys

def _rows(scene, target, rig, keys, span, rest):
    """[(path, index, group, rows of `ARRAYS`)] that an action is to have; nothing is changed yet. rest: values outside
    of the channels that it does not have; None: hold the ends."""
    _bag, fcurves, _slot = compat.action_curves(target, rig)
    out, there = [], {(curve.data_path, curve.array_index): curve for curve in fcurves}
    for path, index, group, new in keys:
        curve = there.get((path, index))
        if curve is None:
            value = (rest or {}).get((path, index))
            ends = [] if value is None else [(span[0] - 1, value), (span[-1] + 1, value)]
            before, after = _plain(ends[:1]), _plain(ends[1:])
        else:
            before, after = _outside(scene, curve, span)
        out.append((path, index, group, _join(before, new, after)))
    return out


def _put(target, rig, path, index, group, rows):
    """Give a curve of the action these keys and no others; it may be repeated."""
    bag, fcurves, _slot = compat.action_curves(target, rig)
    curve = fcurves.find(path, index=index) or compat.new_curve(bag, fcurves, path, index, group)
    for modifier in list(curve.modifiers):              # what they gave is written out
        curve.modifiers.remove(modifier)
    _fill(curve, rows)


def _outside(scene, curve, span):
    """(keys before, keys after) that make the curve evaluate at every whole frame outside `span` as it does now."""
    old, first, last = _read(curve), span[0], span[-1]
    frames = old["co"][:, 0]
    if len(curve.modifiers):                            # cycles, noise: what they give is written out
        low = int(min(scene.frame_start, first - 1, frames.min(initial=first)))
        high = int(max(scene.frame_end, last + 1, np.ceil(frames.max(initial=last))))
        return tuple(_sampled(curve, part) for part in (range(low, first), range(last + 1, high + 1)))
    left, right = np.flatnonzero(frames < first), np.flatnonzero(frames > last)
    low = int(np.floor(frames[left[-1]])) + 1 if len(left) else first - 2
    high = int(np.ceil(frames[right[0]])) - 1 if len(right) else last + 2
    before = _join(_part(old, left, "right"), _sampled(curve, range(max(low, -100000), first)))
    after = _join(_sampled(curve, range(last + 1, high + 1)), _part(old, right, "left"))
    return before, after


def _part(old, chosen, cut):
    """Some keys; at the cut the handle on the far side stays as it is, whatever its neighbour is now."""
    part = {name: values[chosen].copy() for name, values in old.items()}
    if len(chosen):
        end = -1 if cut == "right" else 0
        part["handle_left_type"][end] = part["handle_right_type"][end] = FREE
        if cut == "right":
            part["interpolation"][end] = LINEAR
    return part


def _sampled(curve, frames):
    return _plain([(frame, curve.evaluate(frame)) for frame in frames])


def _plain(points):
    """Keys joined by straight lines."""
    co, count = np.array(points, dtype=np.float32).reshape(-1, 2), len(points)
    return {"co": co, "handle_left": co.copy(), "handle_right": co.copy(),
            **{name: np.full(count, LINEAR if name == "interpolation" else FREE, np.int32) for name in
               ("interpolation", "handle_left_type", "handle_right_type")}}


def _join(*parts):
    return {name: np.concatenate([part[name] for part in parts]) for name in ARRAYS}


def _read(curve):
    points, out = curve.keyframe_points, {}
    for name, width in ARRAYS.items():
        values = np.empty(len(points) * width, np.float32 if width == 2 else np.int32)
        points.foreach_get(name, values)
        out[name] = values.reshape(-1, 2) if width == 2 else values
    return out


def _fill(curve, rows):
    points = curve.keyframe_points
    points.clear()
    points.add(len(rows["co"]))
    for name in ("interpolation", "handle_left_type", "handle_right_type", "co", "handle_left", "handle_right"):
        points.foreach_set(name, np.ascontiguousarray(rows[name]).reshape(-1))
    curve.update()
