"""Links, pipes, devices and twins where Baton reads or writes, in projects with odd names: nobody's file is touched."""
import os
import random
import resource
import socket
import uuid
from functools import partial
from pathlib import Path

from tests.faults import Outcome, is_sentence

WHAT = "links, pipes, devices, folders and twins lie where files are read or written, in folders with odd names"
NAMES = ("plain", "ünï 💃", "a\nb", "%s %d {0}", "-rf", "a'b\"c`$(x)", " lead and trail ", "C:\\x", "x" * 200, "...",
         "#1;|&", "\udcff\udcfe", "CON", "a.blend", "😀" * 50)
LONGEST_S, MEMORY = 20, 3 << 30                                 # of a trial
VICTIM = b"mine " * 500


def run(seed, trials, folder):
    """Each act in turn, with a thing, a place for it and a name of the project drawn by `seed`."""
    import bpy

    from baton import blender_addon
    from tests.faults.campaign_apply import Counted
    from tests.faults.forked import Files, apart
    blender_addon.register()
    bpy.context.preferences.edit.undo_steps = 32
    uuid.uuid4 = Counted()
    acts, made = _acts(), {}
    folder = Path(folder)
    (folder / "all").mkdir()
    files = Files([folder / "all"], folder / "aside")
    try:
        for number in range(trials):
            name = list(acts)[(number + seed) % len(acts)]
            if name not in made:                                # which files it makes where nothing is in the way
                made[name] = apart(partial(_undisturbed, acts[name], folder / "all" / "plain"), files, LONGEST_S * 3)
            try:
                yield apart(partial(_trial, name, acts[name], made[name], folder / "all",
                                    random.Random(f"links {seed} {number}")), files, LONGEST_S)
            except RuntimeError as error:
                yield Outcome(f"{name}, number {number}", False, "hang or crash", str(error))
    finally:
        blender_addon.unregister()


def _files(folder):
    """Names of the files that an act may meet below the project; not the .blend, nor what the worker left."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.suffix != ".blend"
            and path.relative_to(folder).parts[0] != "job" and not path.suffix.startswith(".blend")}


def _undisturbed(make, folder):
    folder.mkdir()
    act = make(folder)
    act()
    return sorted(_files(folder))


def _trial(name, make, made, above, rng):
    from tests.faults.scene_state import difference, state
    folder = above / rng.choice(NAMES)
    folder.mkdir()
    victim = folder.parent / "victim"
    victim.write_bytes(VICTIM)
    act = make(folder)
    target = rng.choice(sorted({*made, *_files(folder)}))
    thing = rng.choice(list(THINGS))
    place = folder / target
    place.parent.mkdir(parents=True, exist_ok=True)
    there = place.exists()
    if there:
        place.unlink()
    laid = THINGS[thing](place, victim)
    mark = os.lstat(laid)
    trial = f"{name} in {folder.name[:12]!r}, {thing} at {target}{' (was there)' if there else ''}"
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    before = state()
    told, sentence = act()
    if told != "done" and not is_sentence(sentence):
        return Outcome(trial, False, "python message", sentence[:300])
    if "a fault of its own" in sentence:
        from baton.blender_addon.worker.job import faults
        return Outcome(trial, False, "fault", " | ".join(faults[-1].strip().splitlines()[-4:])[:300])
    if victim.read_bytes() != VICTIM:
        return Outcome(trial, False, "victim", "a file elsewhere was written through")
    # A file that the user chose in a dialog is replaced, a link as well: what it led to stays.
    if not there and name != "save bones" and (not os.path.lexists(laid) or os.lstat(laid).st_ino != mark.st_ino):
        return Outcome(trial, False, "replaced", "what lay there is gone")
    left = [path.name for path in folder.rglob("*.part")]
    if left:
        return Outcome(trial, False, "left behind", ", ".join(left)[:200])
    changed = difference(before, state()) if told != "done" else []
    if changed:
        return Outcome(trial, False, "half done", f"{sentence[:80]}; {'; '.join(changed[:3])}"[:300])
    return Outcome(trial, True, "whole" if told == "done" else "refused", sentence[:160])


# --- things that lie there: each gives the path at which it lies -----------------------------------------------------

def _linked(target):
    def lay(place, victim):
        place.symlink_to(victim if target is None else target)
        return place
    return lay


def _hard(place, victim):
    os.link(victim, place)
    return place


def _pipe(place, victim):
    os.mkfifo(place)
    return place


def _folder(place, victim):
    place.mkdir()
    (place / "mine").write_bytes(VICTIM)
    return place


def _socket(place, victim):
    """Its address is short: the folder is entered for it."""
    before = os.getcwd()
    os.chdir(place.parent)
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind("s")
        os.rename("s", place.name)
    finally:
        os.chdir(before)
    return place


def _twin(place, victim):
    other = place.with_name(place.name.swapcase())
    other.write_bytes(VICTIM)
    return other


THINGS = {"a link": _linked(None), "a link to nowhere": _linked("nowhere/at all"), "a link to itself": _linked("."),
          "a hard link": _hard, "a pipe": _pipe, "zeros without end": _linked("/dev/zero"), "a full device":
          _linked("/dev/full"), "a folder": _folder, "a socket": _socket, "a twin in other letters": _twin,
          "somebody's memory": _linked("/proc/self/mem")}


# --- acts ------------------------------------------------------------------------------------------------------------

def _acts():
    import bpy

    from tests.faults import apply_buttons, apply_scenes
    from tests.faults.apply_buttons import SCENARIOS
    from tests.faults.apply_scenes import base, button

    def of(name):
        return lambda folder: SCENARIOS[name](folder)[1]

    def save_bones(folder):
        base(folder)
        bpy.ops.baton.detect_bones()
        return button(bpy.ops.baton.save_bones, filepath=str(folder / "maps" / "map.json"))

    def save(folder):
        """Sounds of a file that was not saved move beside it."""
        act = apply_buttons.first_save(folder)[1]

        def do():
            told, sentence = act()
            return told, sentence
        return do

    def from_sound(folder):
        """Reading begins: the strip's file is looked at."""
        return apply_buttons.begin("generate_conductor")(folder)[1]

    def dialog(folder):
        """The importer's dialog looks into the file that is chosen, over and over."""
        from baton.core.contract import bvh_roots
        apply_scenes.base(folder)
        (folder / "dance.bvh").write_text("HIERARCHY\nROOT Hips\n{\n OFFSET 0 0 0\n}\nMOTION\n")

        def do():
            bvh_roots.roots(folder / "dance.bvh")
            return "done", "looked"
        return do
    return {**{name: of(name) for name in ("music", "both", "keep sound", "load bones", "remove music", "delete unused",
                                           "range of music", "redo music")},
            "save bones": save_bones, "first save": save, "from sound": from_sound, "dialog": dialog}


