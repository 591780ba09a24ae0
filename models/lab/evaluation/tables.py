"""What every evaluation shares: the scrambled row, tables, results on disk."""
import copy
import json
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from core.contract.files import write_text


@torch.no_grad()
def scramble(network, seed=0):
    """Permute the entries of every weight matrix in place: same statistics, no knowledge. Must fall to chance."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        if parameter.dim() > 1:
            flat = parameter.flatten()
            parameter.copy_(flat[torch.randperm(flat.numel(), generator=generator).to(flat.device)].view_as(parameter))
    return network


# Where a loaded system has the networks that sample.
SAMPLING = ("denoiser", "music_dit", "motion_dit", "base.network", "base.guided")


def sampling_networks(model):
    """[(what holds a network that samples, its name there)] of a loaded system; empty where that is not known."""
    found = []
    for path in SAMPLING:
        place, _, name = path.rpartition(".")
        holder = getattr(model, place, None) if place else model
        if getattr(holder, name, None) is not None:
            found.append((holder, name))
    return found


@contextmanager
def scrambled(model, seed=0):
    """Within the block every network of a loaded system that samples is scrambled; afterwards it is as it was."""
    places = sampling_networks(model)
    intact = [getattr(*place) for place in places]
    try:
        for place, network in zip(places, intact):
            setattr(*place, scramble(copy.deepcopy(network), seed))
        yield model
    finally:
        for place, network in zip(places, intact):
            setattr(*place, network)


def interval(values, draws=2000):
    """(low, high): where 95 % of the means of so many pieces, drawn again from these with replacement, lie."""
    values = np.asarray([value for value in values if np.isfinite(value)])
    if not len(values):
        return float("nan"), float("nan")
    means = values[np.random.default_rng(0).integers(len(values), size=(draws, len(values)))].mean(1)
    return tuple(float(bound) for bound in np.percentile(means, [2.5, 97.5]))


def write_json(path, data):
    """Atomic JSON."""
    write_text(path, json.dumps(data, indent=1) + "\n")


def tell(data, text, section, out, docs=None, say=print):
    """The end of an evaluation: its figures as JSON in `out`, its text said and, with `docs`, put into that page's
    section."""
    write_json(out, data)
    if docs:
        replace_section(docs, section, text)
    say(text)


def markdown_table(rows, columns, first="row"):
    """rows {name: {column: number}} as a Markdown table; missing values stay empty."""
    lines = [f"| {first} | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    for name, values in rows.items():
        cells = ["" if values.get(c) is None else f"{values[c]:.3f}" if isinstance(values[c], float) else str(values[c])
                 for c in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def replace_section(path, name, text):
    """Put `text` between the markers `<!-- name -->` and `<!-- /name -->` of a Markdown file; appended when new."""
    path = Path(path)
    old = path.read_text(encoding="utf-8") if path.exists() else "# Results\n"
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    block = f"{begin}\n{text.strip()}\n{end}"
    if begin in old and end in old:
        head, rest = old.split(begin, 1)
        new = head + block + rest.split(end, 1)[1]
    else:
        new = old.rstrip() + "\n\n" + block + "\n"
    write_text(path, new)
