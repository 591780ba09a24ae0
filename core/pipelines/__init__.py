"""From a condition to a result, one class per direction, registered by its entry in `core/contract/systems.json`.

A system whose code is absent is not offered; one whose weights are absent raises NoCheckpoint when opened.
"""
import importlib
from importlib.util import find_spec

from core import checkpoints
from core.contract import load
from core.errors import BadInput


def entries():
    """{entry: its record in systems.json} of the systems whose code is here."""
    return {record["entry"]: record for record in load("systems")
            if find_spec(f"models.{record['system']}") and find_spec(f"models.{record['system']}.pipeline")}


def record(entry):
    """The record of one entry. Raises BadInput when it is not offered."""
    found = entries()
    if entry not in found:
        raise BadInput(f"Baton has no system {entry!r} here; it has {', '.join(found) or 'none'}.")
    return found[entry]


def available(folders=None):
    """{entry: True when all its checkpoints are there} for what a panel or the doctor shows."""
    return {entry: checkpoints.has(found["system"], found["parts"], folders)
            and checkpoints.has("rhythm", [found["rhythm"]], folders) for entry, found in entries().items()}


_open = {}                      # (entry, folders, device) -> pipeline, kept warm


def open_pipeline(entry, folders=None, device="auto", notify=None):
    """The pipeline of an entry, kept warm between calls; networks load on its first use.

    folders: extra checkpoint folders. device: "auto", "cuda", "mps" or "cpu". notify(sentence): warnings for the user.
    """
    found = record(entry)
    key = (entry, tuple(map(str, checkpoints.as_folders(folders))), device)
    if key not in _open:
        module = importlib.import_module(found["module"])
        for other in [other for other in _open if other[0] == entry]:
            del _open[other]                                   # one of each entry in memory, not one per setting
        _open[key] = module.Pipeline(folders=folders, device=device)
    _open[key].notify = notify or (lambda sentence: None)
    return _open[key]
