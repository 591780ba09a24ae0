"""Takes: what was made, with its recipe; A/B, keep, remove, redo."""
import json
from functools import partial
from pathlib import Path

import bpy

from ...core.contract import recipes
from ..errors import UserError, on_disk
from . import actions, sound_files, strips
from .whole import later, place, whole, write_beside


def has_sound(take):
    """True for a take with a strip."""
    return take.kind in ("MUSIC", "BOTH")


def has_motion(take):
    """True for a take with an action."""
    return take.kind in ("MOTION", "BOTH")


def _stored(read, text, take):
    """A JSON text of a take, read with its checks. Raises UserError that says what is damaged."""
    try:
        return read(text)
    except recipes.Refused as error:
        raise UserError(f"{take.name} is damaged: {error}; Remove it, or make it anew") from error


def beats_of(take) -> dict:
    """The take's beats. Raises UserError where they are damaged."""
    return _stored(recipes.read_beats, take.beats, take)


def recipe_of(take) -> dict:
    """How the take came to be. Raises UserError where that is damaged."""
    return _stored(recipes.read_recipe, take.recipe, take)


def request_of(take) -> dict:
    """What made the take and Redo asks again, in today's form whatever version wrote it."""
    return _stored(recipes.read_request, take.request, take)


def damaged(take) -> str:
    """Why what the file stores of a take cannot be used, as the end of a sentence; "" where all is sound."""
    return recipes.damage(take.request, take.beats, take.recipe, take.state)


def new(scene, start, kind):
    """A take at the end of the list, with a name that is free in it."""
    collection, number = scene.baton.takes, 1
    while f"{start} {number}" in collection:
        number += 1
    take = collection.add()
    take.name, take.kind = f"{start} {number}", kind
    scene.baton.take_index = len(collection) - 1
    return take


def rows(result):
    """One dict a variation of a worker's result: file, recipe, alignment, beats. Raises UserError where there is
    none."""
    found = result.get("takes") or []
    if not found:
        raise UserError("The worker returned nothing; its log may tell why.")
    return found


def account(result):
    """How long the worker took and on what, such as ` (12.0 s in 4.1 s on cuda (NVIDIA H200))`; "" where it does not
    say."""
    if not result.get("device") or not result.get("wall"):
        return ""
    return f" ({result.get('seconds') or 0:.1f} s in {result['wall']:.1f} s on {result['device']})"


def one_of(request, number):
    """The request that makes variation `number` (from 0) alone: Redo asks it."""
    own = json.loads(json.dumps(request))
    if "seed" in own["params"]:
        own["params"]["seed"] = (request["params"]["seed"] or 0) + number
    if "variations" in own["params"]:
        own["params"]["variations"] = 1
    return own


def remember(take, row, request, frame_start):
    """Recipe, beats and alignment of a result onto the take; the recipe also onto strip or action."""
    take.request, take.frame_start = json.dumps(request), frame_start
    take.recipe = json.dumps(row.get("recipe") or {})
    take.beats = json.dumps(row["beats"]) if row.get("beats") else ""
    alignment = row.get("alignment") or {}
    if alignment.get("score") is not None:
        take.score, take.chance = float(alignment["score"]), float(alignment.get("chance") or 0.0)
        take.has_alignment = True
    if take.action is not None:
        take.action["baton_recipe"] = take.recipe
    strip = strip_of(take)
    if strip is not None:
        strip["baton_recipe"] = take.recipe
    if take.path:
        sidecar = Path(take.path).with_suffix(".json")
        with on_disk("The folder for sounds", sidecar.parent, "make room there, or press Save Take As"):
            write_beside(sidecar, json.dumps(row.get("recipe") or {}, indent=1))


def remember_motion(take, rig, state):
    """Link a written action to its take."""
    take.rig, take.state = rig, json.dumps(state)
    take.action = bpy.data.actions.get(state["action"])
    take.previous = bpy.data.actions.get(state["previous"]) if state["previous"] else None
    take.action.use_fake_user = False  # the take is its user now


def strip_of(take):
    """The strip of a take in whatever scene it is, also after it was renamed; or None."""
    if not has_sound(take) or not take.strip:
        return None
    for scene in bpy.data.scenes:
        strip = strips.find(scene, take.strip) or strips.find_file(scene, take.path)
        if strip is not None:
            return strip
    return None


def state_of(take):
    """The state dict of a motion take with the present names of its actions (both may have been renamed)."""
    state = _stored(recipes.read_state, take.state, take)
    if take.action is not None:
        state["action"] = take.action.name
    if take.previous is not None:
        state["previous"] = take.previous.name
    return state


def active(scene):
    """The active take, or None."""
    index = scene.baton.take_index
    return scene.baton.takes[index] if 0 <= index < len(scene.baton.takes) else None


def faces(take, other):
    """(sound, motion) in which two takes of one rig stand for the same thing."""
    same = take.rig == other.rig
    return same and has_sound(take) and has_sound(other), same and has_motion(take) and has_motion(other)


def rivals(scene, take):
    """Takes, this one among them, that stand for the same thing: sounds of a rig, or motions of a rig."""
    return [other for other in scene.baton.takes if any(faces(take, other)) and not other.kept]


def solo(scene, name):
    """Play this take and mute its rivals. For A/B: `alone=False` is `mute`."""
    take = scene.baton.takes[name]
    for other in rivals(scene, take):
        if other.name != name and (_sound_state(other) or not has_motion(other)):    # nothing can be done with the rest
            mute(other, True, *faces(take, other))
    mute(take, False)


def mute(take, silent, sound=True, motion=True):
    """Silence or play a take, or one face of it, without removing it."""
    strip = strip_of(take) if sound else None
    if strip is not None:
        strip.mute = silent
    if motion and has_motion(take) and take.rig is not None and take.action is not None:
        actions.solo_take(take.rig, state_of(take), not silent)
    whole = (sound or not has_sound(take)) and (motion or not has_motion(take))
    take.audible = not silent or not whole and take.audible


def remove(scene, name):
    """Take a result away, whole or not at all: strip and rig as they were before; the sound file stays on disk."""
    take = scene.baton.takes[name]
    with whole([take.rig]):
        strip = strip_of(take)
        if strip is not None:
            strips.drop(strip)
        if has_motion(take) and take.rig is not None and take.state:
            _remove_motion(scene, take)
        next_index = max(0, min(scene.baton.takes.find(name), len(scene.baton.takes) - 2))
        later(partial(_drop_row, scene, name))
        later(partial(setattr, scene.baton, "take_index", next_index))


def _drop_row(scene, name):
    index = scene.baton.takes.find(name)
    if index >= 0:
        scene.baton.takes.remove(index)


def _remove_motion(scene, take):
    if not _sound_state(take):                  # what it changed beside its own action nobody knows any more
        if take.action is not None:
            bpy.data.actions.remove(take.action)
        return
    state = state_of(take)
    beside = [other for other in scene.baton.takes if other.name != take.name and has_motion(other)
              and _sound_state(other) and other.rig == take.rig and state_of(other)["base"] == state["base"]]
    if beside:
        if actions.drop_action(take.rig, state):
            mute(beside[-1], False, sound=False)
        return
    above = _later_on(scene, take)
    actions.remove_take(take.rig, state)
    if above is not None:  # what the newer take would bring back is now what this one had below
        newer = state_of(above)
        merged = {**recipes.read_state(take.state), "action": newer["action"], "base": newer["base"]}
        above.state, above.previous = json.dumps(merged), take.previous


def base_state(scene, rig):
    """State of the unkept take that plays on `rig` (or would, were it not muted); a new take then stands beside it."""
    data = rig.animation_data
    if data is None:
        return None
    unkept = [take for take in scene.baton.takes if has_motion(take) and take.rig == rig and not take.kept
              and take.action is not None]
    playing = [take for take in unkept if data.action == take.action]
    if not playing and data.action is None:
        playing = unkept[-1:]
    return state_of(playing[0]) if playing and _sound_state(playing[0]) else None


def _sound_state(take):
    """Whether Remove knows what to restore."""
    return bool(take.state) and not recipes.damage("", "", "", take.state)


def _later_on(scene, take):
    """The take whose pushed-down action is this take's, or None."""
    return next((other for other in scene.baton.takes
                 if has_motion(other) and _sound_state(other) and other.previous is not None
                 and other.previous == take.action), None)


def keep(scene, name):
    """Make a take the user's own and drop its rivals' claim; it leaves the A/B comparison. Returns a sentence."""
    take = scene.baton.takes[name]
    if has_motion(take) and take.rig is None:
        raise UserError(f"The rig of {take.name} is gone.")
    notice = _settle_file(take) if has_sound(take) else ""
    mute(take, False)
    if has_motion(take):
        actions.keep_take(take.rig, state_of(take))
    take.kept = True
    return f"{take.name} kept{notice}"


def _settle_file(take):
    """Move a sound from the temporary folder to `//baton`, once the file has been saved; what to add to the message.

    What lies elsewhere stays there: the path is what a file says, and nothing outside the project is copied for it.
    """
    strip, path = strip_of(take), Path(bpy.path.abspath(take.path))
    if strip is None:
        raise UserError(f"The strip of {take.name} is gone.")
    if not bpy.data.filepath:
        raise UserError("Save the file first: until then the sound lies in a temporary folder")
    folder = Path(bpy.path.abspath("//baton"))
    if sound_files.temporary(path) and path.is_file():
        with on_disk("The folder for sounds", folder, "make room there, or save the file on another disk"):
            recipe = path.with_suffix(".json")
            path = place(path, folder, path.stem)
            if sound_files.temporary(recipe) and recipe.is_file():
                write_beside(path.with_suffix(".json"), recipe.read_text(encoding="utf-8"))
        take.path = str(path)
        strip.sound.filepath = bpy.path.relpath(take.path)
    elif not sound_files.in_project(path):
        if strip.sound is None or sound_files.real(strip.sound.filepath) != sound_files.real(path):
            raise UserError(f"The sound of {take.name} is said to lie outside the project, at {path}, where its strip "
                            "plays another: choose its file in the strip's properties")
        return f"; its sound stays outside the project, at {path}"
    return ""
