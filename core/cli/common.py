"""Flags, progress bar and report that the commands share."""
import json
import math
import os
import sys
import time
import warnings
from pathlib import Path

from core.contract import recipes
from core.contract.files import reason, write_text
from core.errors import BadInput

BAR_CELLS = 24


def number(text):
    """A finite float, for argparse: "nan" and "inf" are no settings."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def shared_arguments(parser, seed=True):
    """--seed, --device, --json, --checkpoints: every command has them; seed: False where nothing is drawn at random."""
    if not seed:
        parser.add_argument("--seed", type=int, default=0, help="accepted by every command; this one draws nothing at "
                            "random")
    parser.add_argument("--device", default="auto", help="auto (CUDA, then MPS, then CPU), cuda, mps or cpu")
    parser.add_argument("--json", action="store_true", help="print one last line of JSON")
    parser.add_argument("--checkpoints", metavar="DIR", default=None,
                        help="folder of further checkpoints, unlisted ones included")


def passage_arguments(parser):
    """--start and --duration."""
    parser.add_argument("--start", type=number, default=0.0, metavar="S", help="seconds into the file")
    parser.add_argument("--duration", type=number, default=None, metavar="S", help="seconds; the rest of the file if "
                        "absent")


def motion_arguments(parser):
    """How a motion file is read."""
    parser.add_argument("--fps", type=number, default=None, metavar="F", help="frame rate of a motion, where its own "
                        "is wrong")
    parser.add_argument("--up", default="auto", choices=["auto", "x", "-x", "y", "-y", "z", "-z"],
                        help="the axis of the file that is up, where the motion itself does not tell (default auto)")
    parser.add_argument("--root", metavar="NAME", default=None,
                        help="whose motion, of several people: the name of a root or joint of a BVH, the person's key "
                             "in a pickle")
    parser.add_argument("--bone-map", metavar="FILE", default=None,
                        help="JSON of {SMPL joint: bone}, as Blender's bone map saves it, for a BVH whose names are "
                        "not known")
    parser.add_argument("--smpl-models", metavar="DIR", default=None,
                        help="your folder of SMPL body models: AMASS and AIST++ are read with the performer's own "
                        "skeleton")


def read_motion_of(options, path):
    """The motion file of a command with `passage_arguments` and `motion_arguments`. Raises BadInput."""
    from core.motion_files import read_motion
    from core.retarget import bonemap
    bones = bonemap.to_map(bonemap.load(options.bone_map)) if options.bone_map else None
    return read_motion(path, fps=options.fps, start=options.start, duration=options.duration, bone_map=bones,
                       smpl_models=options.smpl_models, up=options.up, root=options.root, notify=say)


def beat_arguments(parser):
    """How beats are found: --tempo, --bpm and --level."""
    parser.add_argument("--tempo", default="auto", metavar="auto|steady|follow|B",
                        help="one steady grid over the passage, every beat followed on its own, auto to choose by what "
                        "the motion or sound bears out, or a tempo in beats per minute to keep")
    parser.add_argument("--bpm", type=number, default=None, metavar="B", help="stay within 10 %% of this tempo")
    parser.add_argument("--level", default="normal", choices=["half", "normal", "double"],
                        help="half or double time of the beats that are found")


def range_arguments(parser, what):
    """--keep and --range: an earlier result of which a range is made anew."""
    parser.add_argument("--keep", metavar="FILE", default=None, help=f"an earlier {what} of this passage, most of "
                        "which stays")
    parser.add_argument("--range", metavar=("A", "B"), type=number, nargs=2, default=None,
                        help="with --keep: the seconds that are made anew; their ends are blended")


def check_range(options):
    """True when a range of --keep is to be made anew. Raises BadInput for one option without the other."""
    if (options.keep is None) != (options.range is None):
        raise BadInput("--keep FILE and --range A B belong together: a result, and the seconds of it that are made "
                       "anew.")
    return options.keep is not None


class Bar:
    """progress(phase, fraction, detail) as a bar on a terminal, or as a line per phase elsewhere."""

    def __init__(self, quiet=False, stream=None, clock=time.monotonic):
        self._stream, self._quiet, self._clock = stream or sys.stderr, quiet, clock
        self._live = hasattr(self._stream, "isatty") and self._stream.isatty()
        self._phase, self._width, self._drawn, self._fraction, self._anchor = None, 0, -1.0, 0.0, None

    def __call__(self, phase, fraction=None, detail=""):
        if self._quiet:
            return
        now = self._clock()
        if fraction is not None:
            self._fraction = max(self._fraction, min(1.0, fraction))
            if self._anchor is None and fraction > 0:
                self._anchor = (now, self._fraction)
        if not self._live:
            if phase != self._phase:
                self._stream.write(f"{phase}\n")
        elif phase != self._phase or now - self._drawn > 0.1 or fraction == 1.0:
            self._drawn = now
            full = round(self._fraction * BAR_CELLS)
            text = f"[{'#' * full}{'.' * (BAR_CELLS - full)}] {self._fraction:4.0%}  {phase} {detail}{self._eta(now)}"
            self._stream.write("\r" + text.ljust(self._width))
            self._width = len(text)
        self._phase = phase
        self._stream.flush()

    def _eta(self, now):
        if self._anchor is None or self._fraction - self._anchor[1] < 0.05 or self._fraction >= 1.0:
            return ""
        left = (now - self._anchor[0]) / (self._fraction - self._anchor[1]) * (1.0 - self._fraction)
        return f"  {left:.0f} s left"

    def close(self):
        """End the line."""
        if self._live and self._phase is not None and not self._quiet:
            self._stream.write("\n")
            self._stream.flush()


def say(sentence):
    """A warning for the user, on stderr."""
    sys.stderr.write(f"\n{sentence}\n")


def hush_libraries():
    """Deprecation chatter is no business of the user's, and what `say` has told need not come again as a warning."""
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.filterwarnings("ignore", message=".* is not in the index of its folder")


def check_out(path, suffixes):
    """The output path if it can be written. Raises BadInput."""
    path = Path(path).expanduser()
    if not path.name.lower().endswith(tuple(suffixes)):
        raise BadInput(f"The output {path.name} must end in {' or '.join(suffixes)}.")
    if path.is_dir():
        raise BadInput(f"The output {path} is a folder; name a file in it.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"The folder {path.parent} cannot be made ({reason(error)}); choose another.") from error
    if not os.access(path.parent, os.W_OK):                   # said now, not after the work
        raise BadInput(f"The folder {path.parent} cannot be written to; choose another.")
    return path


def check_folder(path):
    """The output folder, made when missing, if it can be written to. Raises BadInput."""
    return check_out(Path(path) / "music.wav", [".wav"]).parent


def in_folder(folder, name):
    """A file of an earlier result's folder. Raises BadInput where it is not there."""
    path = Path(folder).expanduser() / name
    if not path.is_file():
        raise BadInput(f"The folder {folder} of an earlier result has no {name}.")
    return path


def numbered(path, number):
    """FILE.wav, FILE-2.wav, FILE-3.wav ..."""
    return path if number == 0 else path.with_name(f"{path.stem}-{number + 1}{path.suffix}")


def write_recipe(path, recipe):
    """The recipe as JSON beside a result: FILE.wav.json; paths as seen from there."""
    def seen(other):
        try:
            return Path(os.path.relpath(other, path.parent.resolve())).as_posix()
        except ValueError:                                    # another drive
            return Path(other).name
    recipe = recipes.with_paths(recipe, seen)
    write_text(path.with_name(path.name + ".json"), json.dumps(recipe, indent=1) + "\n")


def beaten(recipe):
    """How a recipe's beats are conducted, as `, in four`; "" where nobody does, or where it changes in the piece."""
    chosen, groups = recipe["settings"].get("beat_pattern"), (recipe.get("beats") or {}).get("groups")
    if chosen == "auto" and groups:
        return f", in {' + '.join(map(str, groups))}"
    return "" if chosen in (None, "auto") else f", in {chosen.replace('_', ' + ')}"


def report(options, results, outs, files=None):
    """Tell what was made: a line per result, or with --json the one line of JSON that other programs read.

    outs: the file of each result that its recipe lies beside; files: all files of each, where that is more than one.
    """
    files = files or [[out] for out in outs]
    first = results[0]
    beats, made = first.beats, sum(result.seconds for result in results)
    if options.json:
        line = {"out": str(outs[0]), "seconds": round(first.seconds, 3), "wall": round(first.wall, 3),
                "realtime_factor": round(made / first.wall, 3) if first.wall else None, "device": first.device,
                "tempo_bpm": round(beats.tempo_bpm, 2) if beats is not None else None,
                "beats": beats.to_json()["times"] if beats is not None else [], "alignment": first.alignment,
                "outs": [str(out) for out in outs], "files": [[str(file) for file in row] for row in files],
                "recipe": first.recipe}
        print(json.dumps(line), flush=True)
        return
    for result, row in zip(results, files):
        text = f"{' and '.join(map(str, row))}: {result.seconds:.1f} s"
        if beats is not None and len(beats) > 1:
            text += f", {beats.tempo_bpm:.0f} BPM{beaten(result.recipe)}"
        if result.alignment:
            text += (f", beats within 70 ms {result.alignment['f1']:.2f} (chance {result.alignment['f1_chance']:.2f})")
        print(text)
    print(f"{made:.1f} s in {first.wall:.1f} s on {first.device}: {made / first.wall:.1f} times real time", flush=True)
