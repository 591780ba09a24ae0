"""Scores of MoMu: `build.py evaluate momu [--count N] [--only SECTION ...] [--docs FILE]`.

Test pieces are performed and rendered anew from the studio's test seeds; nothing else is needed but, for the
left-out recordings, `--data` (a folder with motion/). Records are kept in --cache under a hash of the weights:
interrupted, the command goes on.
"""
import argparse
import functools
import hashlib
import json
import sys
from pathlib import Path

import torch

from core import checkpoints
from core.errors import command
from models.lab.evaluation.momu import lengths
from models.lab.evaluation.momu import report as reports
from models.lab.evaluation.momu.contrast import contrast_section, load_vae
from models.lab.evaluation.momu.figures import joint_figures, motion_figures, sound_figures
from models.lab.evaluation.momu.parts import music_section, vae_section
from models.lab.evaluation.momu.records import Maker
from models.lab.evaluation.tables import replace_section, write_json
from models.momu.settings import Settings

SECTIONS = ("vae", "music_vae", "contrast", "joint", "together", "to_sound", "to_motion", "unheard", "recorded",
            "lengths", "sheets")
TOGETHER = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
VERSION = 4                     # of how mixes are drawn and sound is made of latents
LENGTHS = (5.0, 20.0, 60.0, 180.0)


class Store:
    """Records on disk, one file each, named by what they depend on."""

    def __init__(self, folder, folders):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        parts = [("momu", part) for part in ("motion_vae", "music_dit", "motion_dit", "timing")]
        parts += [("music_ldm", part) for part in ("vae", "denoiser", "vocoder")]
        parts += [("rhythm", "body"), ("repertoire", "moves")]
        parts += [("dance_cascade", part) for part in ("base", "guided", "super_resolution", "styles")]
        found = {system: [] for system, _ in parts}
        for system, part in parts:
            found[system].append(checkpoints.find(system, part, folders).sha256)
        self.judges, self.weights = found["rhythm"], [sha256 for shas in found.values() for sha256 in shas] + [VERSION]

    def kept(self, name, settings, make, generated=True):
        """The record of that name and settings, made where it is not there; generated: it depends on MoMu's weights."""
        text = json.dumps([name, settings, self.weights if generated else self.judges], sort_keys=True)
        path = self.folder / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
        if not path.is_file():
            write_json(path, make())
        return json.loads(path.read_text(encoding="utf-8"))


class Evaluation:
    """One run of the evaluation: rows of records, then their figures."""

    def __init__(self, options, report, music=None):
        """music: as `Maker`."""
        self.options, self.report = options, report
        self.maker = Maker(options.checkpoints, music)
        self.store = Store(options.cache, options.checkpoints)

    def row(self, method, count, seconds, **settings):
        """Records 0..count of a method of `Maker`."""
        records = [self.piece(method, number, seconds, **settings) for number in range(count)]
        self.report(f"{method} {settings}: {count} pieces")
        return records

    def rows(self, method, seconds, asked):
        """{name: records} of several rows {name: (count, settings)} of a method, piece by piece: the studio performs
        each piece once, not once a row, and a run that is stopped leaves rows of like length."""
        found = {name: [] for name in asked}
        for number in range(max(count for count, _ in asked.values())):
            for name, (count, settings) in asked.items():
                if number < count:
                    found[name].append(self.piece(method, number, seconds, **settings))
            self.report(f"{method} {number}")
        return found

    def piece(self, method, number, seconds, **settings):
        """The record of one piece."""
        generated = not any(settings.get(name) for name in ("real", "click", "mean"))
        asked = {"number": number, "seconds": seconds, **settings}
        return self.store.kept(method, asked, functools.partial(getattr(self.maker, method), **asked), generated)

    @property
    def real(self):
        """(records of the studio's own sound, of its own dances), for distances."""
        count, seconds = self.options.count, self.options.seconds
        return self.row("to_sound", count, seconds, real=True), self.row("to_motion", count, seconds, real=True)

    def vae(self):
        """Reconstruction errors."""
        vae = load_vae(checkpoints.find("momu", "motion_vae", self.options.checkpoints).path)[0]
        count, seconds = self.options.count, self.options.seconds
        return self.store.kept("vae", [count, seconds, self.options.data],
                               lambda: vae_section(vae, self.options.data, count, seconds, self.report))

    def music_vae(self):
        """Log-mel distances of the frozen music VAE."""
        from models.momu.pipeline import load_music
        asked = [self.options.count, self.options.seconds, self.options.data,
                 checkpoints.find("music_ldm", "vae", self.options.checkpoints).sha256]
        return self.store.kept("music_vae", asked, lambda: music_section(
            load_music(self.options.checkpoints, vocoder=False), self.options.data, self.options.count,
            self.options.seconds, self.report))

    def contrast(self):
        """Retrieval of the right window among sixteen, beside the rows that expose it."""
        from models.momu.pipeline import load_music
        found = [checkpoints.find("momu", part, self.options.checkpoints).sha256 for part in ("contrast", "motion_vae")]
        asked = [self.options.count, self.options.beside, self.options.data, found]
        return self.store.kept("contrast", asked, lambda: contrast_section(
            load_music(self.options.checkpoints, vocoder=False), self.options, self.report))

    def joint(self):
        """Both at once from a style, a tempo and a length, beside scrambled weights and no beats."""
        count, seconds, few = self.options.count, self.options.seconds, max(2, self.options.count // 4)
        sound, motion = self.real
        rows = {"joint": (count, {}), "without beats": (few, {"beats": False}),
                "scrambled weights": (few, {"scrambled": True})}
        return {name: joint_figures(self.row("joint", number, seconds, **settings), sound, motion)
                for name, (number, settings) in rows.items()}

    def together(self):
        """The sweep of T_c / T, with beats and without."""
        few, (sound, motion) = self.options.sweep or max(2, self.options.count // 4), self.real
        rows = {}
        for beats in (True, False):
            for part in TOGETHER:
                asked = {} if part == Settings.together_from else {"together_from": part}   # the default is made once
                number = few if beats else max(2, few // 2)
                found = self.row("joint", number, self.options.seconds, **asked, **({} if beats else {"beats": False}))
                rows[f"{'beats' if beats else 'no beats'} {part:g}"] = joint_figures(found, sound, motion)
        return rows

    def to_sound(self):
        """Music to a dance: true, predicted and no rhythm, rolled body, the real sound; music_ldm beside it."""
        count, seconds, few = self.options.count, self.options.seconds, max(2, self.options.count // 2)
        rows = {"real sound": (count, {"real": True}), "true rhythm": (count, {}),
                "music_ldm, true rhythm": (count, {"by": "music_ldm"}),
                "predicted rhythm": (few, {"rhythm": "predicted"}),
                "music_ldm, predicted rhythm": (few, {"by": "music_ldm", "rhythm": "predicted"}),
                "2 Hz clicks": (few, {"click": True}),
                "motion alone": (few, {"rhythm": "none"}),
                "motion alone, beat not read": (few, {"rhythm": "none", "reads": False}),
                "body rolled by half a beat, beats predicted anew": (few, {"rolled": True, "rhythm": "predicted"}),
                "scrambled weights": (few, {"scrambled": True})}
        found = self.rows("to_sound", seconds, rows)
        return {name: sound_figures(records, found["real sound"]) for name, records in found.items()}

    def to_motion(self):
        """A dance to music: true and no rhythm, the real dance, the dancer and real moves beside it, the mean pose."""
        count, seconds, few = self.options.count, self.options.seconds, max(2, self.options.count // 2)
        rows = {"real dance": (count, {"real": True}), "true rhythm": (count, {}),
                "music alone": (few, {"rhythm": "none"}),
                "music alone, beat not read": (few, {"rhythm": "none", "reads": False}),
                "dance_cascade": (count, {"by": "dance_cascade"}), "repertoire": (count, {"by": "repertoire"}),
                "scrambled weights": (few, {"scrambled": True}), "one pose, standing": (few, {"mean": True})}
        found = self.rows("to_motion", seconds, rows)
        return {name: motion_figures(records, found["real dance"]) for name, records in found.items()}

    def unheard(self):
        """One side under the other without beats, with the beat read in it and not; None without `--corpus`."""
        from models.lab.evaluation.momu.unheard import unheard_section
        asked = [self.options.corpus, self.options.few, self.options.seconds]
        return self.store.kept("unheard", asked, lambda: unheard_section(
            self.maker.entry("MoMuBoth"), *asked, self.report)) if self.options.corpus else None

    def recorded(self):
        """Dances to recorded tracks and music to captured dances; None without `--data`."""
        from models.lab.evaluation.momu.recorded import Recorded
        return Recorded(self.options.data, self.maker, self.store, self.report).section() if self.options.data else None

    def lengths(self):
        """5, 20, 60 and 180 seconds (a third of the pieces): figures, and the memory of a process that makes the first
        piece and nothing else."""
        out = {}
        for seconds in LENGTHS:
            count = self.options.long if seconds < LENGTHS[-1] else max(2, self.options.long // 3)
            made = self.row("joint", count, seconds)
            alone = self.store.kept("alone", [0, seconds], functools.partial(
                lengths.alone, 0, seconds, self.options.checkpoints))
            out[f"{seconds:g} s"] = {**joint_figures(made), "peak_mib": round(alone["peak_mib"])}
        return out

    def sheets(self):
        """Poses under mels beside the documents."""
        if not self.options.docs:
            return None
        from models.lab.evaluation.momu.sheets import draw_sheets
        return draw_sheets(self.maker, Path(self.options.docs).parent)


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="build.py evaluate momu", description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200, help="pieces of a main row (default 200)")
    parser.add_argument("--sweep", type=int, help="pieces of each value of T_c (default a quarter of --count)")
    parser.add_argument("--long", type=int, default=10, help="pieces of each length in the table of lengths (default "
                        "10; a third of the longest)")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--data", help="folder with real motion/ and music/, for what nobody here made")
    parser.add_argument("--corpus", help="flat folder with a valid split, for the rows without beats")
    parser.add_argument("--few", type=int, default=16, help="pieces of it (default 16)")
    parser.add_argument("--beside", nargs="*", metavar="NAME=VAE[,MAPS]",
                        help="motion VAEs, with maps of theirs, that are put beside the released one (contrast)")
    parser.add_argument("--checkpoints")
    parser.add_argument("--only", nargs="*", choices=SECTIONS, default=SECTIONS)
    parser.add_argument("--cache", default="momu_scores", help="folder of the records")
    parser.add_argument("--out", default="momu_results.json")
    parser.add_argument("--docs", help="Markdown file whose momu section is replaced; pictures go beside it")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    evaluation = Evaluation(options, lambda text: print(text, flush=True))
    out = Path(options.out)
    results = json.loads(out.read_text(encoding="utf-8")) if out.is_file() else {}
    for name in options.only:
        results[name] = getattr(evaluation, name)()
        results["settings"] = {"count": options.count, "seconds": options.seconds}
        write_json(out, results)
    text = reports.markdown(results)
    print(text)
    if options.docs:
        reports.plot_together(results, Path(options.docs).parent / "momu-together.png")
        replace_section(options.docs, "momu", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
