"""The paper's ablations at a small equal budget: `python -m models.lab.evaluation.momu.ablations --corpus FLAT --out
DIR [--minutes M] [--count N] [--docs FILE]`.

Small networks, one thread. Interrupted, the command goes on: trainings from their checkpoints, records from DIR/scores.

cross               the model as it is, small: music to a dance and a dance to music
joint               the same networks, both at once, one length
joint, any length   the same, lengths from 6 to 20 s in turn
no contrast         the motion VAE without the rhythmic contrast, and transformers on its latents
no transformer      U-Nets in the place of the transformers

Two rows of the paper have no counterpart here: the vocoder wants the mel that *no mel* is without, and the VAE's linear
path is fitted to rotations, which *directional vectors* do not hold.
"""
import argparse
import sys
from pathlib import Path

import torch

from core.errors import command
from models.lab.evaluation.momu.evaluate import Evaluation
from models.lab.evaluation.momu.figures import joint_figures, motion_figures, sound_figures
from models.lab.evaluation.tables import markdown_table, tell
from models.training.export import export
from models.training.loop import default_cache, train
from models.training.run_folder import RunFolder
from models.training.task import make_task

VAE = {"widths": (64, 80, 112), "blocks": 1, "batch": 48}
DIT = {"width": 128, "depth": 4, "hidden": 320, "batch": 24}
ROWS = {"cross": ({}, {}), "no contrast": ({"contrast": 0.0}, {}),
        "no transformer": ({}, {"kind": "unet", "depth": 1})}      # {of the VAE}, {of both denoisers}
LENGTHS = (6.0, 9.0, 11.8, 20.0)


class Trainings:
    """Runs in a folder, one a part and its settings, and the folder of checkpoints of a row."""

    def __init__(self, folder, corpus, plan, report):
        self.folder, self.corpus, self.plan, self.report = Path(folder), corpus, plan, report

    def run(self, name, part, overrides):
        """The folder of the run of that name, trained to the end of its budget."""
        folder = self.folder / name
        done = folder / "done"
        if not done.is_file():
            self.report(f"train {name}")
            base = "tiny" if self.plan["tiny"] else "release"
            task = make_task("momu", part, base, overrides)
            train(task, folder, self.corpus, default_cache(self.corpus, "momu"), system="momu", part=part,
                  config_name=base, resume=True, validations=4, device="cpu", report=self.report,
                  minutes=self.plan["minutes"], steps=self.plan["steps"])
            done.touch()
        return folder

    def row(self, name):
        """The folder of checkpoints of a row of ROWS."""
        of_vae, of_dits = ROWS[name]
        small = not self.plan["tiny"]
        word = name.replace(" ", "-")
        vae = self.run(f"{word if of_vae else 'cross'}-motion_vae", "motion_vae", {**(VAE if small else {}), **of_vae})
        runs = {"motion_vae": vae}
        for part in ("music_dit", "motion_dit"):
            asked = {**(DIT if small else {}), **of_dits, "motion_vae": str(vae)}
            runs[part] = self.run(f"{word}-{part}", part, asked)
        folder = self.folder / f"{word}-checkpoints"
        for part, run in runs.items():
            if not (folder / f"momu-{part}.safetensors").is_file():
                export(run, f"momu-{part}", folder)
        return folder, {part: RunFolder(run).rows()[-1]["step"] for part, run in runs.items()}


def scores(folder, options, modes, report):
    """{mode: columns of the table} of a row's checkpoints; modes: of cross, joint, "joint, any length"."""
    asked = argparse.Namespace(**{**vars(options), "checkpoints": str(folder), "cache": str(Path(options.out) /
                                                                                           "scores")})
    evaluation = Evaluation(asked, report)
    count, seconds, (sound, motion) = options.count, options.seconds, evaluation.real
    out = {}
    for mode in modes:
        if mode == "cross":
            heard = sound_figures(evaluation.row("to_sound", count, seconds), sound)
            seen = motion_figures(evaluation.row("to_motion", count, seconds), motion)
        elif mode == "joint":
            made = joint_figures(evaluation.row("joint", count, seconds), sound, motion)
            heard, seen = made["sound"], made["motion"]
        else:
            records = [evaluation.piece("joint", number, LENGTHS[number % len(LENGTHS)]) for number in range(count)]
            made = joint_figures(records, sound, motion)
            heard, seen = made["sound"], made["motion"]
        out[mode] = {"pieces": count, "music fd_logmel": heard.get("fd_logmel"), "music F1": heard["asked_heard"]["f1"],
                     "music mixed": heard["asked_heard"]["mixed"], "music share": heard["music"],
                     "motion fid_k": seen.get("fid_k"), "motion F1": seen["asked_seen"]["f1"],
                     "motion mixed": seen["asked_seen"]["mixed"], "slide cm": seen["slide_cm"]}
    return out


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.lab.evaluation.momu.ablations",
                                     description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", required=True, help="flat folder with motion (models/lab/packs)")
    parser.add_argument("--out", required=True)
    parser.add_argument("--minutes", type=float, default=4.0, help="of wall time, each training (default 4)")
    parser.add_argument("--steps", type=int, help="or so many steps each, where the machine is not idle")
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=11.8)
    parser.add_argument("--tiny", action="store_true", help="networks of the tests")
    parser.add_argument("--docs", help="Markdown file whose section momu-ablations is replaced")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    plan = {"minutes": None if options.steps else options.minutes, "steps": options.steps, "tiny": options.tiny}
    report = lambda text: print(text, flush=True)                                                  # noqa: E731
    trainings, rows, steps = Trainings(options.out, options.corpus, plan, report), {}, {}
    for name in ROWS:
        folder, steps[name] = trainings.row(name)
        modes = ("cross", "joint", "joint, any length") if name == "cross" else ("cross",)
        found = scores(folder, options, modes, report)
        rows.update(found if name == "cross" else {name: found["cross"]})
    budget = "; ".join(f"{name}: " + ", ".join(f"{part} {count}" for part, count in each.items())
                       for name, each in steps.items())
    text = "\n".join(["### Ablations at a small equal budget", "",
                      f"Networks of some 0.5 M parameters, "
                      f"{f'{options.steps} steps' if options.steps else f'{options.minutes:g} minutes of one thread'} "
                      f"each, {options.count} test pieces of {options.seconds:g} s. Steps made: {budget}.", "",
                      markdown_table(rows, list(next(iter(rows.values()))))])
    tell({"rows": rows, "steps": steps}, text, "momu-ablations", Path(options.out) / "ablations.json", options.docs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
