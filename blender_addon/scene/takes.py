"""Takes: what was made, with its recipe; A/B, keep, remove, redo."""
import json
from functools import partial
from pathlib import Path, PurePath

import bpy

from ...core.contract import recipes, systems
from ..errors import UserError, on_disk
from . import actions, body_parts, noted, playing, settling, sound_files, strips
from .playing import has_motion, has_sound
from .strips import of_take as strip_of
from .whole import copy_beside, later, place, whole, write_beside


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
    return recipes.damage(take.request, take.beats, take.recipe, take.state, take.away, take.heard)


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
    """One dict a variation of a worker's result: file, recipe, alignment, beats.
    Raises UserError where there is none."""
    found = result.get("takes") or []
    if not found:
        raise UserError("The worker returned nothing; its log may tell why.")
    return found


def account(result):
    """How long the worker took and on what, such as ` (12.0 s in 4.1 s on cuda (NVIDIA H200))`;
    "" where it does not say."""
    if not result.get("device") or not result.get("wall"):
        return ""
    return f" ({result.get('seconds') or 0:.1f} s in {result['wall']:.1f} s on {result['device']})"


def one_of(request, number, row=None):
    """The request that makes variation `number` (from 0) alone: Redo asks it.

    row: of the result. What was left to the model it chose by the first seed, for all variations.
    """
    own, system = json.loads(json.dumps(request)), systems.systems().get(request["system"])
    if number and row and system is not None:
        own["params"].update(system.chosen(own["params"], (row.get("recipe") or {}).get("settings")))
    if "seed" in own["params"]:
        own["params"]["seed"] = (request["params"]["seed"] or 0) + number
    if "variations" in own["params"]:
        own["params"]["variations"] = 1
    return own


def pattern_of(row):
    """The beat pattern that was chosen for a row of a result, as the setting names it; "" where there is none, or where
    it changes inside the piece."""
    recipe = row.get("recipe") or {}
    system = systems.systems().get(recipe.get("system"))
    if system is None or "beat_pattern" not in system.settings:
        return ""
    chosen, groups = (recipe.get("settings") or {}).get("beat_pattern"), (row.get("beats") or {}).get("groups")
    if chosen in (None, "auto"):
        return " + ".join(map(str, groups or ()))
    return next((item["label"] for item in system.settings["beat_pattern"].raw["items"] if item["id"] == chosen), "")


def remember(take, row, request, frame_start):
    """Recipe, beats and alignment of a result onto the take; the recipe also onto strip or action."""
    take.request, take.frame_start = json.dumps(request), frame_start
    take.recipe = json.dumps(recipes.with_paths(row.get("recipe") or {}, _told))
    take.beats = json.dumps(row["beats"]) if row.get("beats") else ""
    take.bpm, take.pattern = float((row.get("beats") or {}).get("tempo_bpm") or 0.0), pattern_of(row)
    alignment = row.get("alignment") or {}
    if alignment.get("score") is not None:
        take.score, take.chance = float(alignment["score"]), float(alignment.get("chance") or 0.0)
        take.has_alignment = True
    if take.action is not None:
        take.action["baton_recipe"] = take.recipe
        take.part = (request.get("own") or {}).get("body_part") or body_parts.WHOLE
    strip = strip_of(take)
    if strip is not None:
        strip["baton_recipe"] = take.recipe
    if take.path:
        sidecar = Path(take.path).with_suffix(".json")
        with on_disk("The folder for sounds", sidecar.parent, "make room there, or press Save Take As"):
            write_beside(sidecar, json.dumps(json.loads(take.recipe), indent=1))


def _told(path):
    """A path in a recipe: from the saved file on, else, and of what lies among temporary files, its name alone."""
    temporary = sound_files.temporary(Path(path)) or "baton-job" in path
    inside = bpy.data.filepath and not temporary
    try:
        return bpy.path.relpath(path) if inside else PurePath(path).name
    except ValueError:                          # another drive
        return PurePath(path).name


def remember_motion(take, rig, state):
    """Link a written action to its take."""
    take.rig, take.state = rig, json.dumps(state)
    take.action = bpy.data.actions.get(state["action"])
    take.previous = bpy.data.actions.get(state["previous"]) if state["previous"] else None
    take.action.use_fake_user = False  # the take is its user now


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


def solo(scene, name):
    """Play this take and silence what it overlaps, kept or not; a second time, what played before plays again."""
    playing.solo(scene, scene.baton.takes[name])


def remove(scene, name):
    """Take a result away, whole or not at all: strip and rig as they were before; the sound file stays on disk.
    Returns sentences on takes that cannot play again in its place."""
    take = scene.baton.takes[name]
    with whole([take.rig]):
        strip, rig, key = strip_of(take), take.rig, playing.key_of(take)
        settling.note_removed(scene, take)
        if strip is not None:
            take.strip = ""
            strips.drop(strip)
        sound = take.sound
        noted.clear(take)
        strips.drop_sound(sound)
        if has_motion(take) and rig is not None and take.state:
            remove_motion(scene, take)
        take.state, take.audible, take.moves = "", False, False     # it counts no more among those that play
        playing.arrange(scene, rig)
        lacking = playing.give_back(scene, key)
        next_index = max(0, min(scene.baton.takes.find(name), len(scene.baton.takes) - 2))
        later(partial(_drop_row, scene, name))
        later(partial(setattr, scene.baton, "take_index", next_index))
        return ". ".join(lacking)


def _drop_row(scene, name):
    index = scene.baton.takes.find(name)
    if index >= 0:
        scene.baton.takes.remove(index)


def remove_motion(scene, take):
    """The motion of a take goes; what it covered is seen again."""
    if playing.state(take) is None:                  # what it changed beside its own action nobody knows any more
        if take.action is not None:
            actions.drop(take.action.name)
        return
    state = state_of(take)
    above = _later_on(scene, take)
    beside = [playing.state(other) for other in playing.group(scene, take.rig, state["base"]) if other != take]
    if beside:
        actions.drop_action(take.rig, state, beside)
        own = {"had_action": False, "previous": "", "track": ""} if above else {}
    else:
        actions.remove_take(take.rig, state)
        own = playing.state(take)
    for other in above:     # what newer takes would bring back is now what this one had below
        newer = state_of(other)
        other.state = json.dumps({**newer, **own, "action": newer["action"], "base": newer["base"]})
        other.previous = take.previous if own.get("previous") else None


def _later_on(scene, take):
    """The takes whose pushed-down action is this take's."""
    return [other for other in scene.baton.takes if has_motion(other) and playing.state(other) is not None
            and other.previous is not None and other.previous == take.action]


def keep(scene, name):
    """Make a take the user's own and drop its rivals' claim; it leaves the A/B comparison. Returns a sentence."""
    take = scene.baton.takes[name]
    if has_motion(take) and take.rig is None:
        raise UserError(f"The rig of {take.name} is gone.")
    if take.away:
        playing.play(scene, take)
    notice = _settle_file(take) if has_sound(take) else ""
    if has_motion(take):
        actions.keep_take(take.rig, state_of(take))
    playing.play(scene, take)
    take.kept = True
    playing.arrange(scene, take.rig, take)
    return f"{take.name} kept{notice}"


def _settle_file(take):
    """Move a sound from the temporary folder to `//baton`, once the file has been saved; what to add to the message.

    What lies elsewhere stays there: the path is what a file says, and nothing outside the project is copied for it.
    """
    strip = strip_of(take)
    if strip is None:
        raise UserError(f"The strip of {take.name} is gone.")
    path = settling.path_of(take)
    if strip.sound is not None and strip.sound.packed_file is not None:
        return "; its sound is packed into the file"
    if not path.is_file():
        raise UserError(f"The sound file of {take.name} is missing: {path}. Find it with File > External Data > Find "
                        "Missing Files, or remove the take and make it again with Redo")
    if not bpy.data.filepath:
        raise UserError("Save the file first: until then the sound lies in a temporary folder")
    folder = Path(bpy.path.abspath("//baton"))
    if sound_files.temporary(path):
        with on_disk("The folder for sounds", folder, "make room there, or save the file on another disk"):
            recipe = path.with_suffix(".json")
            path = place(path, folder, path.stem)
            copy_beside(recipe, path.with_suffix(".json"))
        take.path = str(path)
        strip.sound.filepath = bpy.path.relpath(take.path)
    elif not sound_files.in_project(path):
        if strip.sound is None or sound_files.real(strip.sound.filepath) != sound_files.real(path):
            raise UserError(f"The sound of {take.name} is said to lie outside the project, at {path}, where its strip "
                            "plays another: choose its file in the strip's properties")
        return f"; its sound stays outside the project, at {path}"
    return ""
