"""Seeded faults against Baton: what goes wrong must end whole or not at all, and in one sentence.

A campaign is a file `campaign_<name>.py` of this folder with `WHAT` (one line of what is broken and what must hold) and
`run(seed, trials, folder)`, which gives an `Outcome` a trial; to drop such a file here is all that it takes to join.
`python3 build.py faults --seed N --trials M` runs each campaign in a process of its own and prints a table;
the tests of this folder run a few trials of each.
"""
import importlib
import pkgutil
import re
from collections import Counter
from dataclasses import dataclass

PREFIX = "campaign_"
# A sentence for the user never begins so: it is the manager's last resort, for faults that Baton did not foresee.
UNFORESEEN = re.compile(r"^Baton failed:|^(?:[a-z_]+\.)+[A-Z]\w*: |^(?:[A-Z][a-z]+){2,}\w*: |"
                        r"^[A-Za-z]*(?:Error|Exception|Warning): |"
                        r"Traceback \(most recent call last\)|\[Errno|\b\w+Error\(")


@dataclass(frozen=True)
class Outcome:
    """One trial.

    trial: what was broken, enough to do it again with the same seed; ok: whether what must hold held; kind: of the
    failure ("half done", "python message", "hang", "crash", "left behind", ...) or of the good end ("whole", "refused",
    "undone");
    detail: one line for whoever mends it, such as the sentence shown or the first difference.
    """

    trial: str
    ok: bool
    kind: str
    detail: str = ""


def is_sentence(text: str) -> bool:
    """Whether a message to the user is a sentence, not a Python exception."""
    return bool(text.strip()) and not UNFORESEEN.search(text)


def names() -> list:
    """The campaigns of this folder, sorted."""
    return sorted(found.name.removeprefix(PREFIX) for found in pkgutil.iter_modules(__path__)
                  if found.name.startswith(PREFIX))


def load(name):
    """The module of a campaign. Raises ValueError for a name that is none."""
    if name not in names():
        raise ValueError(f"There is no campaign {name}; there are {', '.join(names())}")
    return importlib.import_module(f"{__name__}.{PREFIX}{name}")


def table(results: dict, seed: int) -> str:
    """{campaign: outcomes} as text: a row a campaign, then the failures by kind with an example each."""
    lines = [f"{'campaign':<14} {'seed':>6} {'trials':>7} {'failed':>7}  good ends"]
    for name, outcomes in results.items():
        good = Counter(outcome.kind for outcome in outcomes if outcome.ok)
        ends = ", ".join(f"{kind} {count}" for kind, count in good.most_common())
        lines.append(f"{name:<14} {seed:>6} {len(outcomes):>7} {sum(not o.ok for o in outcomes):>7}  {ends}")
    for name, outcomes in results.items():
        bad = [outcome for outcome in outcomes if not outcome.ok]
        for kind, count in Counter(outcome.kind for outcome in bad).most_common():
            first = next(outcome for outcome in bad if outcome.kind == kind)
            lines.append(f"  {name}: {count} x {kind}, such as {first.trial}: {first.detail}"[:400])
    return "\n".join(lines)
