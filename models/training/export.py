"""The averaged weights of a run, those that validated best, as a released checkpoint: `python -m
models.training.export RUN NAME [--checkpoints DIR]`."""
import argparse
import sys

import torch

from core import checkpoints
from core.errors import BadInput, command
from models.training.run_folder import RunFolder
from models.training.task import make_task

CARD = """# {name}

{system} / {part}, configuration `{config_name}`, {parameters:.2f} M parameters stored as {dtype}.

- Trained for {steps} steps, {minutes:.0f} minutes of wall time.
- Values of the training log at that step: {values}
{notes}
"""


def export(run, name, folder=checkpoints.FOLDER, *, licence="GPL-3.0-or-later", notes="", dtype="float16", part=None,
           last=False, share=1.0):
    """Write the averaged weights of `run` into `folder` and its index; returns the `core.checkpoints.Checkpoint`.

    They are those that validated best, or the last of the run where `last` is true or the run kept no best.

    share: how far to go from the weights that are released in `folder` to those of the run (Wortsman et al. 2022,
    "Robust fine-tuning of zero-shot models"); 1: all of the way.
    notes: Markdown lines for the card (data, hours, scores, limits). part: released as, if not as what was trained.
    Raises BadInput on a folder that holds no run or a share that cannot be taken, NoCheckpoint where it has no start.
    """
    run = RunFolder(run)
    record, state = run.read_config(), run.read_average(last)
    task = make_task(record["system"], record["part"], record["config_name"], record["config"])
    config, weights = task.export(state["ema"])
    if share != 1.0:
        weights = _on_the_way(checkpoints.find(record["system"], part or record["part"], folder), weights, share)
    values = {}
    for row in run.rows():
        if row["step"] <= state["step"]:
            values.update(row)
    scores = {key: value for key, value in values.items() if key not in ("step", "minutes", "lr", "steps_per_second")}
    extra = {"steps": state["step"], "minutes": round(state["seconds"] / 60, 1), "scores": scores}
    part = part or record["part"]
    card = CARD.format(name=name, system=record["system"], part=part, config_name=record["config_name"], dtype=dtype,
                       parameters=sum(value.numel() for value in weights.values()) / 1e6, steps=state["step"],
                       minutes=state["seconds"] / 60, notes=notes,
                       values=", ".join(f"{key} {value:.4g}" for key, value in sorted(scores.items())) or "none")
    return checkpoints.save(folder, name=name, system=record["system"], part=part, config=config, state_dict=weights,
                            card_text=card, licence=licence, extra=extra, dtype=dtype)


def _on_the_way(released, weights, share):
    """Weights between those of a released checkpoint and others of the same shapes."""
    before = checkpoints.load_state(released)
    if not 0.0 < share < 1.0 or {key: value.shape for key, value in before.items()} != {
            key: value.shape for key, value in weights.items()}:
        raise BadInput(f"Only a share between 0 and 1, of weights of the same shapes as the released "
                       f"{released.path.name}, can be taken; leave the share at 1.")
    return {key: torch.lerp(before[key].to(value), value, share) if value.is_floating_point() else value
            for key, value in weights.items()}


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.training.export", description=__doc__)
    parser.add_argument("run", help="folder written by models.training.loop")
    parser.add_argument("name", help="name of the checkpoint, such as music_ldm-vae")
    parser.add_argument("--checkpoints", default=str(checkpoints.FOLDER), help="folder to write to (default: the "
                        "shipped one)")
    parser.add_argument("--notes", default="", help="Markdown for the card, or @FILE")
    parser.add_argument("--part", help="release it as another part of the system than the one that was trained")
    parser.add_argument("--last", action="store_true", help="the averaged weights of the last step, not those that "
                        "validated best")
    parser.add_argument("--share", type=float, default=1.0, help="how far to go from the released weights to these, "
                        "above 0 to 1 (default: 1, all of the way)")
    parser.add_argument("--dtype", default="float16", choices=("float16", "bfloat16", "float32"))
    options = parser.parse_args(arguments)
    notes = options.notes
    if notes.startswith("@"):
        with open(notes[1:], encoding="utf-8") as handle:
            notes = handle.read()
    written = export(options.run, options.name, options.checkpoints, notes=notes, dtype=options.dtype,
                     part=options.part, last=options.last, share=options.share)
    print(f"{written.path} {written.path.stat().st_size / 1e6:.1f} MB sha256 {written.sha256[:16]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
