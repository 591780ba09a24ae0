"""Any system of the registry by its name: motion to sound, sound to motion, or both from nothing.

`python -m core generate NAME --help` lists a system's settings.
`music` and `conduct` are the first systems of their directions.
"""
import argparse

from core.cli import common
from core.contract import systems as registry
from core.contract.systems import Setting, System
from core.errors import BadInput

LISTED = 12                     # items of an enum that a line of help can hold


def add_arguments(parser):
    """A sub-command for each system, made from its row."""
    names = parser.add_subparsers(dest="system", required=True, metavar="NAME")
    for name, system in registry.systems().items():
        command = names.add_parser(name, help=f"{system.label}: {system.tip[0].lower()}{system.tip[1:]}",
                                   description=system.tip, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
        add_system(command, system)


def add_system(parser, system: System):
    """What the system is made from, its settings, and where the result goes."""
    SOURCES[system.direction.name](parser)
    parser.add_argument("--beats", metavar="FILE", default=None,
                        help="beats to follow: lines of `seconds [position in the bar]`, seconds from the start of the "
                             "passage, or the JSON of the beats command")
    for setting in system.settings.values():
        if setting.by in ("model", "frame") and (
                setting.flag or setting.type in registry.MEDIA and setting.type != "actions"):
            _add_setting(parser, setting)
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    suffix, helped = OUTS[system.direction.name]
    parser.add_argument("--out", required=True, metavar=suffix, help=helped)
    common.shared_arguments(parser, seed="seed" in system.settings)
    parser.set_defaults(system=system.name)


def _add_setting(parser, setting: Setting):
    flag, text = setting.flag or f"--{setting.name.replace('_', '-')}", setting.tip[0].lower() + setting.tip[1:]
    text = text.replace("%", "%%")
    if setting.type == "bool":
        action = "store_true" if not setting.absent else argparse.BooleanOptionalAction
        parser.add_argument(flag, dest=setting.name, action=action, default=setting.absent, help=text)
        return
    if setting.type == "enum":
        ids = [item.id for item in setting.items]
        text += ": " + ", ".join(ids[:LISTED]) + (" ..." if len(ids) > LISTED else "")
        text += f", or a number from {setting.min} to {setting.max}" if setting.raw.get("numbers") else ""
    if setting.warn_above is not None:
        text += f"; above {setting.warn_above:g} the result degrades"
    usual = {"file": "FILE", "folder": "DIR", "object": "FILE", "motion": "FILE", "int": "N", "enum": "NAME"}.get(
        setting.type, "X")
    metavar = setting.raw.get("metavar", usual)
    default = argparse.SUPPRESS if setting.required else setting.absent
    kind = {"float": common.number, "int": int}.get(setting.type, str)
    parser.add_argument(flag, dest=setting.name, type=kind, default=default, required=setting.required, metavar=metavar,
                        help=text)


# ---------------------------------------------------------------------------------------------- in and out

def _from_motion(parser):
    parser.add_argument("--motion", required=True, metavar="FILE", help="BVH, npz, pkl or pt (.gz accepted)")
    common.motion_arguments(parser)
    common.passage_arguments(parser)
    common.range_arguments(parser, "WAV")
    parser.add_argument("--first", metavar="FILE.wav", help="the first 10 s of a take of more than 30 s, written as "
                        "soon as they are made, to be heard while the rest is (`music` alone)")


def _from_sound(parser):
    parser.add_argument("--audio", required=True, metavar="FILE", help="WAV, FLAC, OGG, MP3 ...")
    common.passage_arguments(parser)
    common.range_arguments(parser, "BVH or npz")
    parser.add_argument("--stays", default="outside", choices=["outside", "inside"],
                        help="with --keep: what stays of it, outside the range or inside")


def _from_nothing(parser):
    common.range_arguments(parser, "folder")
    parser.add_argument("--side", default="both", choices=["sound", "motion", "both"],
                        help="with --keep: what is made anew within the range")


SOURCES = {"to_sound": _from_motion, "to_motion": _from_sound, "to_both": _from_nothing}
OUTS = {"to_sound": ("FILE.wav", "48 kHz stereo 24-bit WAV; its recipe goes beside it"),
        "to_motion": ("FILE", "FILE.bvh or FILE.npz; its recipe goes beside it"),
        "to_both": ("DIR", "folder for music.wav and dance.bvh; the recipe goes beside them")}


def _read(options, system):
    """(condition, keep, source) of the options."""
    from core.motion_files import read_motion
    keeps, direction = common.check_range(options), system.direction.name
    source = {"keep": options.keep}
    if direction == "to_sound":
        from core.audio.io import read_take
        motion = common.read_motion_of(options, options.motion)
        source |= {"motion": str(options.motion), **{name: getattr(options, name) for name in (
            "fps", "start", "duration", "bone_map", "smpl_models", "up", "root")}}
        return motion, (read_take(options.keep), *options.range) if keeps else None, source
    if direction == "to_motion":
        from core.audio.io import read_audio
        audio = read_audio(options.audio, start=options.start, duration=options.duration, minimum=system.seconds[0],
                           notify=common.say)
        source |= {"audio": str(options.audio), "start": options.start, "duration": options.duration}
        return audio, (read_motion(options.keep), *options.range, options.stays) if keeps else None, source
    if not keeps:
        return None, None, source
    from core.audio.io import read_take
    sound, dance = (common.in_folder(options.keep, name) for name in ("music.wav", "dance.bvh"))
    return None, (read_take(sound), read_motion(dance), *options.range, options.side), source


def _outputs(options, system, count):
    """[{"wav" or "motion": path}] of each variation, checked before the work."""
    direction = system.direction.name
    if direction == "to_both":
        folder = common.check_folder(options.out)
        return [{"wav": common.numbered(folder / "music.wav", n), "motion": common.numbered(folder / "dance.bvh", n)}
                for n in range(count)]
    kind, suffixes = ("wav", [".wav"]) if direction == "to_sound" else ("motion", [".bvh", ".npz"])
    out = common.check_out(options.out, suffixes)
    return [{kind: common.numbered(out, n)} for n in range(count)]


def settings_of(options, system: System) -> dict:
    """The settings among the options, checked. Raises BadInput; a number for a scaled setting is in the flag's unit."""
    out = {}
    for name, setting in system.settings.items():
        value = getattr(options, name, None)
        if setting.by in ("model", "frame") and value is not None:
            out[name] = value * setting.scale if setting.scale != 1 else value
    try:
        registry.check(system, out)
    except registry.Refused as error:
        raise BadInput(str(error)) from error
    return out


class _First:
    """The beginning of a long take, written to `path` while the rest is made. heard: whether there was one."""

    def __init__(self, path):
        self.path, self.heard = path, False

    def __call__(self, samples):
        from core.audio.io import write_wav
        self.heard = True
        common.say(f"The first {samples.shape[1] / 48_000:.0f} s can be heard: {write_wav(self.path, samples)}")

    def end(self):
        """Say so where there was none."""
        if not self.heard:
            common.say(f"{self.path} was not written: this take was made in one piece.")


def run(options):
    """Read, generate, write. Returns 0."""
    from core.audio.io import write_wav
    from core.motion_files import write_bvh, write_npz
    from core.pipelines import find, open_pipeline
    from core.rhythm.beats import read_beats
    common.hush_libraries()
    system = find(options.system)
    settings = settings_of(options, system)
    outs = _outputs(options, system, settings.get("variations", 1))
    beats = read_beats(options.beats) if options.beats else None
    first = _First(common.check_out(options.first, [".wav"])) if getattr(options, "first", None) else None
    bar = common.Bar(options.quiet)
    bar("Reading", 0.0)
    condition, keep, source = _read(options, system)
    source |= {name: value for name, value in settings.items() if system.settings[name].type in registry.MEDIA}
    results = open_pipeline(system.name, options.checkpoints, options.device, common.say).generate_variations(
        condition, beats=beats, keep=keep, progress=bar, source=source, on_first=first, **settings)
    if first is not None:
        first.end()
    bar("Writing", 1.0)
    for row, result in zip(outs, results):
        if "wav" in row:
            write_wav(row["wav"], result.audio)
        if "motion" in row:
            (write_bvh if row["motion"].suffix == ".bvh" else write_npz)(row["motion"], result.motion)
        common.write_recipe(next(iter(row.values())), result.recipe)
    bar.close()
    common.report(options, results, [next(iter(row.values())) for row in outs],
                  [list(row.values()) for row in outs])
    return 0
