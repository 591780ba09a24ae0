"""The paper's ablations at a small equal budget: `python -m models.lab.evaluation.momu.ablations --corpus FLAT --out
DIR [--only ROW ...] [--minutes M | --steps N [--vae-steps N]] [--count N] [--docs FILE]`.

Small networks, one thread. FLAT: `python -m models.lab.packs.small FLAT`. Interrupted, the command goes on: trainings
from their checkpoints, records from DIR/scores, finished rows from DIR/rows.json.

cross                 the model as it is, small: music to a dance and a dance to music
cross, another seed   the same once more, of both denoisers: how large a difference means nothing
joint                 the networks of cross, both at once, one length
joint, any length     the same, lengths from 6 to 20 s in turn
directional vectors   directions of bones in the place of rotations (models/momu/directions.py)
no mel                music as principal components of a spectrum of bands of one width (`components.py`)
mel by components     the same of the mel, for comparison with that row
no contrast           the motion VAE without the rhythmic contrast, and transformers on its latents
no transformer        U-Nets in the place of the transformers

All but cross are made both at once from a style, a tempo and a length, so joint is what they are compared with.
"""
import argparse
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

import torch

from core.errors import command
from models.lab.evaluation.momu.components import component_music
from models.lab.evaluation.momu.evaluate import Evaluation
from models.lab.evaluation.momu.figures import joint_figures, motion_figures, sound_figures
from models.lab.evaluation.tables import markdown_table, tell, write_json
from models.training.export import export
from models.training.loop import default_cache, train
from models.training.run_folder import RunFolder
from models.training.task import make_task

VAE = {"widths": (64, 80, 112), "blocks": 1, "batch": 16, "frames": 128}         # 0.61 M parameters
# Short windows and a faster rate teach more in few steps. The music's latents are 64 channels that tell nothing of one
# another within a latent: a stream of 64 has no room to hold them and what their neighbours say. 0.7 M parameters.
DIT = {"width": 128, "depth": 2, "hidden": 256, "batch": 8, "window": 64, "lr": 5e-3}
LENGTHS = (6.0, 9.0, 11.8, 20.0)


@dataclass(frozen=True)
class Row:
    """vae, dits: what differs in the motion VAE and in both denoisers; music: the spectrum whose components are the
    music's latents, empty: those of the released VAE; seed: of the denoisers."""

    vae: dict = field(default_factory=dict)
    dits: dict = field(default_factory=dict)
    music: str = ""
    seed: int = 0


ROWS = {"cross": Row(), "cross, another seed": Row(seed=1), "directional vectors": Row(vae={"directions": True}),
        "no mel": Row(music="linear"), "mel by components": Row(music="mel"), "no contrast": Row(vae={"contrast": 0.0}),
        # At the transformers' rate it stays above a linear filter however long: 1.03 after 400 and after 800 steps.
        "no transformer": Row(dits={"kind": "unet", "depth": 1, "lr": 1.5e-3})}
MODES = {"cross": ("cross", "joint", "joint, any length")}          # of the other rows: joint alone


class Trainings:
    """Runs in a folder, one a part and its settings, and the folder of checkpoints of a row."""

    def __init__(self, folder, corpus, plan, report):
        self.folder, self.corpus, self.plan, self.report = Path(folder), corpus, plan, report

    def run(self, name, part, overrides, corpus=None, seed=0):
        """The folder of the run of that name, trained to the end of its budget."""
        folder, corpus = self.folder / name, corpus or self.corpus
        steps = self.plan["vae_steps"] or self.plan["steps"] if part == "motion_vae" else self.plan["steps"]
        done = folder / "done"
        if not done.is_file():
            self.report(f"train {name}")
            base = "tiny" if self.plan["tiny"] else "release"
            task = make_task("momu", part, base, overrides)
            train(task, folder, corpus, default_cache(corpus, "momu"), system="momu", part=part, config_name=base,
                  resume=True, validations=1, device="cpu", report=self.report, minutes=self.plan["minutes"],
                  steps=steps, seed=seed)
            done.touch()
        return folder

    def row(self, name):
        """(folder of checkpoints, `ComponentMusic` or None, {part: `RunFolder`}) of a row of ROWS."""
        row, small, word = ROWS[name], not self.plan["tiny"], name.replace(", ", "-").replace(" ", "-")
        music, corpus = component_music(row.music, self.corpus, self.folder) if row.music else (None, None)
        vae = self.run(f"{word if row.vae else 'cross'}-motion_vae", "motion_vae",
                       {**(VAE if small else {}), **row.vae})
        runs = {"motion_vae": vae}
        for part in ("music_dit", "motion_dit"):
            asked = {**(DIT if small else {}), **row.dits, "motion_vae": str(vae)}
            runs[part] = self.run(f"{word}-{part}", part, asked, corpus, row.seed)
        folder = self.folder / f"{word}-checkpoints"
        for part, run in runs.items():
            if not (folder / f"momu-{part}.safetensors").is_file():
                export(run, f"momu-{part}", folder)
        return folder, music, {part: RunFolder(run) for part, run in runs.items()}


def losses(runs):
    """Columns of the validation split at the end of the trainings: error of joints, the contrast with the share of
    windows it finds, and the error of both denoisers' target with all conditions, without the other side, with none,
    and that of an answer of zeros."""
    last = {part: {key: value for row in run.rows() for key, value in row.items()} for part, run in runs.items()}
    vae = last["motion_vae"]
    out = {"joint cm": vae["valid_joint_cm"], "contrast": vae.get("valid_contrast"), "found": vae.get("valid_hit")}
    for part, word in (("music_dit", "music"), ("motion_dit", "motion")):
        out |= {f"{word} loss{end}": last[part][f"valid_loss{key}"]
                for key, end in (("", ""), ("_alone", ", alone"), ("_none", ", nothing given"),
                                 ("_zero", ", nothing said"))}
    return out


def scores(folder, music, options, modes, report):
    """{mode: columns of the table} of a row's checkpoints and its music side, None: the released one; modes: of cross
    (each side under the studio's other), joint, "joint, any length"."""
    cache = str(Path(options.out) / "scores")
    asked = argparse.Namespace(**{**vars(options), "checkpoints": str(folder), "cache": cache})
    evaluation = Evaluation(asked, report, music)
    count, seconds, (sound, motion) = options.count, options.seconds, evaluation.real
    out = {}
    for mode in modes:
        if mode == "cross":
            heard = sound_figures(evaluation.row("to_sound", count, seconds), sound)
            seen, both = motion_figures(evaluation.row("to_motion", count, seconds), motion), {}
        else:
            lengths = LENGTHS if mode.endswith("any length") else (seconds,)
            records = [evaluation.piece("joint", number, lengths[number % len(lengths)]) for number in range(count)]
            made = joint_figures(records, sound, motion)
            heard, seen, agree = made["sound"], made["motion"], made["music_body_network"]
            both = {"F1 music / body": agree["f1"], "mixed": agree["mixed"], "shifted": agree["shifted"],
                    "tempo heard": made["tempo_heard"]["within_3_percent"],
                    "tempo seen": made["tempo_seen"]["within_3_percent"]}
            report(f"{mode}: {both}")
        out[mode] = {"pieces": count, **both, "F1 asked / music": heard["asked_heard"]["f1"],
                     "F1 asked / body": seen["asked_seen"]["f1"], "music": heard["music"],
                     "genre heard": heard.get("sound_genre"), "genre seen": seen.get("motion_genre"),
                     "fd_logmel": heard.get("fd_logmel"), "fid_k": seen.get("fid_k"), "slide cm": seen["slide_cm"]}
    return out


def place(name, mode):
    """The row of the table where a mode of a row of ROWS stands: its first under its own name."""
    return name if mode == modes_of(name)[0] else mode


def modes_of(name):
    """Modes of a row of ROWS."""
    return MODES.get(name, ("joint",))


def lacking(done, name, count):
    """Whether a row, or one of its modes, is to be trained or scored."""
    if not count:
        return name not in done
    return any("pieces" not in done.get(place(name, mode), {}).get("columns", ()) for mode in modes_of(name))


def finished(out):
    """{row: {"columns", "steps"}} of the rows that are done."""
    path = Path(out) / "rows.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.lab.evaluation.momu.ablations",
                                     description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", required=True, help="flat folder of models.lab.packs.small")
    parser.add_argument("--out", required=True)
    parser.add_argument("--minutes", type=float, default=4.0, help="of wall time, each training (default 4)")
    parser.add_argument("--steps", type=int, help="or so many steps each, where the machine is not idle")
    parser.add_argument("--vae-steps", type=int, help="of the motion VAE (default: as --steps)")
    parser.add_argument("--count", type=int, default=12, help="test pieces; 0: losses alone (default 12)")
    parser.add_argument("--seconds", type=float, default=11.8)
    parser.add_argument("--tiny", action="store_true", help="networks of the tests")
    parser.add_argument("--docs", help="Markdown file whose section momu-ablations is replaced")
    parser.add_argument("--only", nargs="*", choices=ROWS, default=list(ROWS), help="train and score these rows alone")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    plan = {"minutes": None if options.steps else options.minutes, "steps": options.steps,
            "vae_steps": options.vae_steps, "tiny": options.tiny}
    report = lambda text: print(text, flush=True)                                                  # noqa: E731
    trainings, done = Trainings(options.out, options.corpus, plan, report), finished(options.out)
    for name in options.only:
        if lacking(done, name, options.count):
            folder, music, runs = trainings.row(name)
            steps, found = {part: run.rows()[-1]["step"] for part, run in runs.items()}, losses(runs)
            modes = modes_of(name)
            made = scores(folder, music, options, modes, report) if options.count else {modes[0]: {}}
            for mode, columns in made.items():
                columns = {**found, **columns} if mode == modes[0] else columns
                done[place(name, mode)] = {"columns": columns, "steps": steps}
            write_json(Path(options.out) / "rows.json", done)
    order = [row for name in ROWS for row in (place(name, mode) for mode in modes_of(name)) if row in done]
    rows = {name: done[name]["columns"] for name in order}
    columns = list({column: None for row in rows.values() for column in row})
    budget = "; ".join(f"{name}: " + ", ".join(f"{part} {count}" for part, count in done[name]["steps"].items())
                       for name in order if not name.startswith("joint"))
    text = "\n".join(["### Ablations at a small equal budget", "",
                      f"Networks of 0.6 to 0.7 M parameters, "
                      f"{f'{options.steps} steps' if options.steps else f'{options.minutes:g} minutes of one thread'} "
                      f"each, {options.count} test pieces of {options.seconds:g} s. Steps made: {budget}.", "",
                      markdown_table(rows, columns)])
    tell({"rows": rows, "steps": {name: done[name]["steps"] for name in order}}, text, "momu-ablations",
         Path(options.out) / "ablations.json", options.docs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
