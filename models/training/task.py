"""What a part of a system tells the training loop (docs/contracts.md, section 7)."""
import dataclasses
import importlib
import json

from core.errors import BadInput


class Task:
    """One trainable part. Subclass it in `models/<system>/train.py` and return it from `task(part, config,
    **overrides)`.

    config      a dataclass; written to the run folder, and from there into the exported checkpoint, after `prepare`
    fraction    0..1, set by the loop before every step: how much of the budget is used (to switch loss terms on)
    device      where the training runs, set by the loop before `prepare`
    The remaining attributes are the loop's settings; override them in the subclass or its instance.
    """

    lr = 2e-4                   # peak learning rate of AdamW
    betas = (0.9, 0.99)
    weight_decay = 1e-2         # on matrices only
    warmup = 0.02               # part of the budget
    final_lr = 0.01             # of the peak, where the cosine ends
    clip = 1.0                  # gradient norm
    ema = 0.999                 # decay of the averaged weights, which are what is exported
    autocast = True             # bf16 where the device has it

    def __init__(self, config):
        self.config, self.fraction, self.device = config, 0.0, "cpu"

    def prepare(self, corpus, cache, progress):
        """Write features of the corpus folder `corpus` into the folder `cache`, skipping what is there.
        progress(fraction, text). May fill in measured fields of `self.config` (latent scale, statistics)."""

    def build(self):
        """A new nn.Module. Called after `prepare`; for export it is never called."""
        raise NotImplementedError

    def adopt(self, model, released):
        """Load released weights (a state dict) into a new model. Raises RuntimeError where they do not fit."""
        model.load_state_dict(released)

    def dataset(self, cache, split):
        """An object whose `[index]` gives the batch (a dict of CPU tensors) of that number, for any index >= 0, the
        same for the same index. Processes of a distributed run ask for interleaved numbers.

        Or one that lives on the training's device: `resident(device)` copies its arrays there once, `batch(index,
        generator)` makes a batch there. Its generator is the device's and depends on the index alone."""
        raise NotImplementedError

    def loss(self, model, batch, generator):
        """(scalar loss, {name: float or scalar tensor}) of a batch on the model's device; `generator` is one of that
        device."""
        raise NotImplementedError

    def validate(self, model, cache):
        """{name: float} of the averaged weights; called a few times a run, without gradients."""
        return {}

    def error(self, values):
        """What `validate` gave as one number, lower is better: the averaged weights with the lowest are what is
        exported. None where the last weights are, as in adversarial trainings, whose distances grow while their sound
        gets better."""
        return values.get("loss")

    def export(self, state):
        """(config dict, state dict) of a released checkpoint from the averaged weights; drop what only training
        needs."""
        return dataclasses.asdict(self.config), state


def make_task(system, part, config="release", overrides=None):
    """The Task of `models/<system>/train.py`. overrides: {field: value} of its config. Raises BadInput on unknown
    names."""
    try:
        module = importlib.import_module(f"models.{system}.train")
    except ModuleNotFoundError as error:
        if error.name not in (f"models.{system}", f"models.{system}.train"):
            raise
        raise BadInput(f"There is no system {system!r} to train; see the folders of models/.") from error
    return module.task(part, config, **(overrides or {}))


def pick_config(configs, part, name, overrides):
    """configs[part][name] with fields replaced. Raises BadInput naming what exists. For use in `task` functions."""
    if part not in configs:
        raise BadInput(f"No part {part!r}; the parts are {', '.join(configs)}.")
    if name not in configs[part]:
        raise BadInput(f"No configuration {name!r} of {part}; there are {', '.join(configs[part])}.")
    config = configs[part][name]
    unknown = set(overrides) - {field.name for field in dataclasses.fields(config)}
    if unknown:
        raise BadInput(f"{part} has no setting {', '.join(sorted(unknown))}.")
    return dataclasses.replace(config, **overrides)


def parse_overrides(pairs):
    """["width=64", "vae=runs/vae"] -> {"width": 64, "vae": "runs/vae"}; values are JSON where they parse."""
    result = {}
    for pair in pairs or []:
        name, equals, value = pair.partition("=")
        if not equals:
            raise BadInput(f"--set takes NAME=VALUE, not {pair!r}.")
        try:
            result[name] = json.loads(value)
        except ValueError:
            result[name] = value
    return result
