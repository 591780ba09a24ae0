"""An examination of the runtime: versions, device, checkpoints, and for each problem what to do."""
import importlib.metadata
import platform
import sys

from core import checkpoints
from core.contract import REPRESENTATION_VERSION, ROOT
from core.contract import systems as registry
from core.contract.protocol import PROTOCOL, version
from core.errors import BadInput, NoCheckpoint

NEEDED = ("numpy", "scipy", "torch", "librosa", "soundfile", "soxr", "safetensors")
OPTIONAL = ("smplx",)
PYTHONS = ((3, 11), (3, 14))


def examine(folders=None, device="auto"):
    """A JSON-ready dict: baton, python, versions, device, checkpoints, systems, problems [{what, do}]."""
    problems = []
    versions = {name: _version(name) for name in NEEDED + OPTIONAL}
    for name in NEEDED:
        if versions[name] is None:
            problems.append({"what": f"The Python package {name} is missing.",
                             "do": "Run Set Up Runtime in Baton's preferences, or pip install -r "
                                   "core/contract/runtime-lock.txt."})
    if not PYTHONS[0] <= sys.version_info[:2] < PYTHONS[1]:
        problems.append({"what": f"Python {platform.python_version()} is not one Baton is tested with.",
                         "do": "Use Python 3.11 to 3.13."})
    rows = _checkpoints(folders, problems)
    return {"baton": version(), "protocol": PROTOCOL, "representation_version": REPRESENTATION_VERSION,
            "root": str(ROOT), "python": platform.python_version(), "executable": sys.executable,
            "platform": platform.platform(), "versions": versions, "device": _device(device, versions, problems),
            "checkpoints": rows, "systems": _systems(folders, problems), "problems": problems}


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _device(device, versions, problems):
    if versions["torch"] is None:
        return None
    from core.pipelines import device as devices
    try:
        return devices.describe(devices.resolve(device))
    except BadInput as error:
        problems.append({"what": str(error), "do": "Set the device to auto."})
    except (ImportError, OSError) as error:                   # a broken installation: a missing shared library, say
        problems.append({"what": f"torch cannot be imported ({str(error).splitlines()[0]}).",
                         "do": "Run Set Up Runtime in Baton's preferences again."})
    return None


def _checkpoints(folders, problems):
    rows = checkpoints.listing(folders)
    for row in rows:
        if row["problem"] and row["listed"] or row["name"] == checkpoints.INDEX:
            problems.append({"what": row["problem"], "do": "Install the released checkpoints again."})
    return rows


def _systems(folders, problems):
    from core import pipelines
    out = {}
    for name, system in registry.systems().items():
        lacking = [f"{folder} ({part})" for folder, part in system.needs.values() if not _has(folder, part, folders)]
        here = pipelines.module_is_here(system)
        out[name] = {"label": system.label, "ready": here and not lacking, "missing": lacking if here else ["code"]}
        if here and lacking:
            problems.append({"what": f"{system.label} lacks checkpoints: {', '.join(lacking)}.",
                             "do": "Install the released checkpoints or name their folder (--checkpoints, or the "
                                   "checkpoint folder in Baton's preferences)."})
    return out


def _has(system, part, folders):
    try:
        return checkpoints.find(system, part, folders, warn=lambda sentence: None, required=False) is not None
    except NoCheckpoint:
        return False


def format_report(found):
    """The examination as text for people."""
    lines = [f"Baton {found['baton']}  (protocol {found['protocol']}, representation "
             f"{found['representation_version']})",
             f"Python {found['python']}  {found['executable']}", found["platform"],
             f"Device: {found['device'] or 'none'}", "", "Packages"]
    lines += [f"  {name:<12} {number or 'missing'}" for name, number in found["versions"].items()]
    lines += ["", "Checkpoints"]
    for row in found["checkpoints"]:
        state = row["problem"] or ("ok" if row["listed"] else "ok, not in the index")
        lines.append(f"  {row['name']:<24} {row['system']} {row['part']}  {row['bytes'] / 1e6:.1f} MB  "
                     f"sha256 {row['sha256'][:16]}  {state}")
    lines += ["  none"] if not found["checkpoints"] else []
    lines += ["", "Systems"]
    lines += [f"  {name:<14} {state['label']}: " + ("ready" if state["ready"] else "lacks "
                                                    + ", ".join(state["missing"]))
              for name, state in found["systems"].items()]
    lines.append("")
    lines += [f"! {problem['what']}\n  {problem['do']}" for problem in found["problems"]] or ["Everything is there."]
    return "\n".join(lines)
