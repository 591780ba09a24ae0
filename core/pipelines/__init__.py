"""From a condition to a result: one frame per direction, and in it any system of the registry
(core/contract/systems.py).

A system whose code is absent is not offered; one whose weights are absent raises NoCheckpoint when it is used.
"""
import importlib
from collections.abc import Callable
from importlib.util import find_spec

import models
from core import checkpoints
from core.checkpoints import Folders
from core.contract import systems as registry
from core.contract.systems import System
from core.errors import BadInput

_open = {}                      # (name, folders, device) -> pipeline, kept warm


def find(name: str) -> System:
    """The row of a system, or the first of a direction's command. Raises BadInput."""
    try:
        return registry.find(name)
    except registry.Refused as error:
        raise BadInput(str(error)) from error


def module_is_here(system: System) -> bool:
    """True where the code of a system is installed."""
    _add_folders()
    return find_spec(system.module.rpartition(".")[0]) is not None and find_spec(system.module) is not None


def offered() -> dict[str, System]:
    """{name: row} of the systems whose code is here."""
    return {name: system for name, system in registry.systems().items() if module_is_here(system)}


def model_class(system: System) -> type:
    """The class that a row names. Raises BadInput where its code is not here."""
    if not module_is_here(system):
        raise BadInput(f"The code of {system.label} ({system.module}) is not installed here.")
    return getattr(importlib.import_module(system.module), system.model)


def _add_folders():
    """Packages of further systems are found beside those of `models`."""
    for folder in registry.folders():
        if str(folder) not in models.__path__:
            models.__path__.append(str(folder))


def available(folders: Folders = None) -> dict[str, bool]:
    """{name: True when all its checkpoints are there}."""
    return {name: all(checkpoints.has(folder, [part], folders) for folder, part in system.needs.values())
            for name, system in offered().items()}


def open_pipeline(name: str, folders: Folders = None, device: str = "auto",
                  notify: Callable[[str], None] | None = None) -> object:
    """The pipeline of a system, kept warm between calls; networks load on its first use.

    folders: extra checkpoint folders. device: "auto", "cuda", "mps" or "cpu". notify(sentence): warnings for the user.
    """
    system = find(name)
    model = model_class(system)
    key = (system.name, tuple(map(str, checkpoints.as_folders(folders))), device)
    if key not in _open:
        frame = importlib.import_module(f"core.pipelines.{system.direction.name}").Pipeline
        for other in [other for other in _open if other[0] == system.name]:
            del _open[other]                                   # one of each system in memory, not one per setting
        _open[key] = frame(system, model, folders=folders, device=device)
    _open[key].notify = notify or (lambda sentence: None)
    return _open[key]
