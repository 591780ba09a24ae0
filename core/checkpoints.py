"""Released weights: safetensors files with a card each and one index (docs/contracts.md, Checkpoint index).

No torch at import. Large float tensors are stored in half precision, small ones (biases, norms, statistics) in
float32; `load_state` gives everything floating back as float32.
"""
import hashlib
import json
import os
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file as save_numpy

from core.contract import REPRESENTATION_VERSION, json_text
from core.contract.files import reason, replacing, write_text
from core.errors import NoCheckpoint

FOLDER = Path(__file__).resolve().parent.parent / "checkpoints"
Folders = str | os.PathLike | Iterable[str | os.PathLike] | None  # further folders, looked into before the shipped one
INDEX = "index.json"
INDEX_FORMAT = 1
MOST_INDEX = 4 << 20
PLAIN_NAME = re.compile(r"[\w][\w .+-]{0,200}\Z")      # no folders in it
HALF_FROM_ELEMENTS = 4096       # smaller tensors cost nothing in float32 and are the sensitive ones
FLOAT16_MAX = 6.0e4


@dataclass(frozen=True)
class Checkpoint:
    """One file of weights: its path, the config dict from its own header, sha256, whether the index lists it."""

    path: Path
    config: dict
    sha256: str
    listed: bool
    name: str = ""
    system: str = ""
    part: str = ""
    licence: str = ""
    extra: dict = field(default_factory=dict)


# ---------------------------------------------------------------------------------------------- writing

def save(folder, *, name, system, part, config, state_dict, card_text, licence, extra=None, dtype="float16"):
    """Write `name`.safetensors, `name`.md and the index entry into `folder`; each file whole or not at all.

    config: JSON-ready dict that rebuilds the network. state_dict: torch tensors or numpy arrays.
    extra: JSON-ready dict kept in the header (scores, training record). dtype: "float16", "bfloat16" (needs torch)
    or "float32" for tensors of 4096 elements and more; a tensor that float16 cannot hold stays float32.
    Returns the `Checkpoint`. Raises ValueError on non-finite weights or an unknown dtype.
    """
    if dtype not in ("float16", "bfloat16", "float32"):
        raise ValueError(f"dtype {dtype!r} is none of float16, bfloat16, float32")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {key: _to_numpy(key, tensor) for key, tensor in state_dict.items()}
    header = {"name": name, "system": system, "part": part, "config": json.dumps(config, sort_keys=True),
              "representation_version": str(REPRESENTATION_VERSION), "licence": licence,
              "extra": json.dumps(extra or {}, sort_keys=True)}
    path = folder / f"{name}.safetensors"
    with replacing(path) as temporary:
        if dtype == "bfloat16":
            _save_bfloat16(arrays, temporary, header)
        else:
            save_numpy({key: _pack(array, dtype) for key, array in arrays.items()}, str(temporary), metadata=header)
    write_text(folder / f"{name}.md", card_text)
    digest = _hash(path)
    entries = [entry for entry in _index_entries(folder) if entry["name"] != name]
    entries.append({"name": name, "system": system, "part": part, "file": path.name, "sha256": digest,
                    "bytes": path.stat().st_size, "licence": licence,
                    "representation_version": REPRESENTATION_VERSION, "card": f"{name}.md"})
    entries.sort(key=lambda entry: (entry["system"], entry["part"], entry["name"]))
    write_text(folder / INDEX, json.dumps({"format": INDEX_FORMAT, "entries": entries}, indent=1) + "\n")
    return Checkpoint(path, config, digest, True, name, system, part, licence, extra or {})


def save_again(checkpoint, folder, state_dict, words, *, config=None, extra=None, dtype="float16"):
    """Write a checkpoint that was changed into `folder`: `words` go on the end of its card; `config` stays as it was
    where none is given, and `extra` joins what it had. Returns the new `Checkpoint`."""
    card = checkpoint.path.with_suffix(".md").read_text(encoding="utf-8")
    return save(folder, name=checkpoint.name, system=checkpoint.system, part=checkpoint.part,
                config=checkpoint.config if config is None else config, state_dict=state_dict,
                card_text=card.rstrip("\n") + "\n" + words, licence=checkpoint.licence,
                extra={**checkpoint.extra, **(extra or {})}, dtype=dtype)


def _to_numpy(key, tensor):
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu()
        tensor = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    array = np.ascontiguousarray(tensor)
    if array.dtype.kind == "f":
        array = array.astype(np.float32)
        if not np.isfinite(array).all():
            raise ValueError(f"weights of {key} are not finite")
    return array


def _is_large(array):
    return array.dtype == np.float32 and array.size >= HALF_FROM_ELEMENTS


def _pack(array, dtype):
    if dtype == "float32" or not _is_large(array) or np.abs(array).max() > FLOAT16_MAX:
        return array
    return array.astype(np.float16)


def _save_bfloat16(arrays, path, header):
    import torch
    from safetensors.torch import save_file
    tensors = {key: torch.from_numpy(array.copy()) for key, array in arrays.items()}
    save_file({key: tensor.bfloat16() if _is_large(arrays[key]) else tensor for key, tensor in tensors.items()},
              str(path), metadata=header)


# ---------------------------------------------------------------------------------------------- finding

def find(system, part, folders=None, *, warn=None, required=True):
    """The checkpoint of a system's part.

    folders: extra folders (one path or several), looked into before the shipped one; in these an unlisted file counts
    too, and `warn(sentence)` (default: `warnings.warn`) is told. Returns None when nothing is there and `required` is
    false. Raises NoCheckpoint when it is missing, its hash differs or it belongs to another representation.
    """
    warn = warn or (lambda sentence: warnings.warn(sentence, stacklevel=3))
    for folder in [*as_folders(folders), FOLDER]:
        extra = folder != FOLDER
        if extra and not folder.is_dir():
            raise NoCheckpoint(f"The checkpoint folder {folder} does not exist; choose another.")
        listed = [entry for entry in _index_entries(folder) if (entry["system"], entry["part"]) == (system, part)]
        if listed:
            return _open_listed(folder, listed[-1])
        for path in _unlisted(folder) if extra else ():
            header = read_header(path)
            if not header:
                _say_damaged(path, system, part, warn)
            if (header.get("system"), header.get("part")) == (system, part):
                warn(f"{path.name} is not in the index of its folder; Baton loads it unchecked.")
                return _from_header(path, header, _hash(path), listed=False)
    if not required:
        return None
    looked = ", ".join(str(folder) for folder in [*as_folders(folders), FOLDER])
    raise NoCheckpoint(f"No checkpoint for {system} ({part}) in {looked}; install the released checkpoints or name "
                       "their folder with --checkpoints (Preferences > Checkpoints in Blender).")


def _say_damaged(path, system, part, warn):
    """An unlisted file that is no checkpoint is said, and where it lies in the place of the one that is looked for, the
    shipped one does not silently stand in for it. Raises NoCheckpoint."""
    shipped = [entry["file"] for entry in _index_entries(FOLDER) if (entry["system"], entry["part"]) == (system, part)]
    if path.name in shipped or path.stem in (f"{system}-{part}", f"{system}_{part}"):
        raise NoCheckpoint(f"The checkpoint {path} is damaged or none; remove it or put a good one there.")
    warn(f"{path} is damaged or no checkpoint of Baton; it is left out.")


def has(system, parts, folders=None):
    """True when every part is listed (or lies unlisted in an extra folder); hashes are not checked."""
    for part in parts:
        found = any((entry["system"], entry["part"]) == (system, part) and (folder / entry["file"]).is_file()
                    for folder in [*as_folders(folders), FOLDER] for entry in _index_entries(folder))
        found = found or any((header.get("system"), header.get("part")) == (system, part)
                             for folder in as_folders(folders) for header in map(read_header, _unlisted(folder)))
        if not found:
            return False
    return True


def listing(folders=None):
    """For the doctor, a dict per checkpoint: name, system, part, path, sha256, bytes, listed, problem (None or why)."""
    rows = []
    for folder in [*as_folders(folders), FOLDER]:
        try:
            entries = _index_entries(folder)
        except NoCheckpoint as error:
            rows.append({"name": INDEX, "system": "", "part": "", "path": str(folder / INDEX), "sha256": "", "bytes": 0,
                         "listed": False, "problem": str(error)})
            continue
        for entry in entries:
            row = {key: entry.get(key) for key in ("name", "system", "part", "sha256", "bytes")}
            row.update(path=str(folder / entry["file"]), listed=True, problem=None)
            try:
                _open_listed(folder, entry)
            except NoCheckpoint as error:
                row["problem"] = str(error)
            rows.append(row)
        for path in _unlisted(folder) if folder != FOLDER else ():
            header = read_header(path)
            rows.append({"name": path.stem, "system": header.get("system", ""), "part": header.get("part", ""),
                         "path": str(path), "sha256": _hash(path), "bytes": path.stat().st_size, "listed": False,
                         "problem": None if header.get("system") else "not a Baton checkpoint"})
    return rows


def load_state(checkpoint):
    """{name: torch tensor}; floating tensors as float32 on the CPU, integer ones as stored. Raises NoCheckpoint."""
    import torch
    from safetensors.torch import load_file
    try:
        state = load_file(str(checkpoint.path))
    except (SafetensorError, OSError) as error:
        raise NoCheckpoint(_damaged(checkpoint.path)) from error
    made = {key: tensor.to(torch.float32 if tensor.is_floating_point() else tensor.dtype, copy=True)
            for key, tensor in state.items()}                   # copies: the file is mapped, and may be replaced
    if _hash(checkpoint.path) != checkpoint.sha256:
        raise NoCheckpoint(f"The checkpoint {checkpoint.path} was replaced while it was loaded; try again.")
    return made


def read_header(path):
    """The metadata of a safetensors file as a dict of strings; {} when it has none or is not one."""
    try:
        with safe_open(str(path), framework="np") as handle:
            return handle.metadata() or {}
    except (SafetensorError, OSError):
        return {}


def as_folders(folders):
    """None, one path or several -> list of Path, the shipped folder left out (it always comes last)."""
    if folders is None:
        return []
    if isinstance(folders, (str, os.PathLike)):
        folders = [folders]
    return [path for path in (Path(folder).expanduser().resolve() for folder in folders) if path != FOLDER]


def _index_entries(folder):
    path = folder / INDEX
    if not path.is_file():
        return []
    try:
        index = json_text.read(path, MOST_INDEX)
        entries = index["entries"]
        if index["format"] != INDEX_FORMAT or any({"name", "system", "part", "file", "sha256"} - set(entry)
                                                  for entry in entries):
            raise ValueError("its format is another")
        for entry in entries:
            _check_entry(entry)
    except (KeyError, TypeError, AttributeError) as error:
        raise NoCheckpoint(f"The checkpoint index {path} cannot be read (its entries are damaged); install the "
                           "checkpoints again.") from error
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else error
        raise NoCheckpoint(f"The checkpoint index {path} cannot be read ({why}); install the checkpoints "
                           "again.") from error
    return entries


def _check_entry(entry):
    """Names are texts, and a file lies in the folder itself. Raises ValueError."""
    if not all(isinstance(entry[key], str) for key in ("name", "system", "part", "file", "sha256")):
        raise ValueError("its entries are damaged")
    if not PLAIN_NAME.match(entry["file"]) or not PLAIN_NAME.match(entry["name"]):
        raise ValueError(f"it names the file {entry['file'][:60]!r}, which does not lie in its folder")


def _unlisted(folder):
    listed = {entry["file"] for entry in _index_entries(folder)}
    return [path for path in sorted(folder.glob("*.safetensors")) if path.name not in listed]


def _open_listed(folder, entry):
    path = folder / entry["file"]
    if not path.is_file():
        raise NoCheckpoint(f"The checkpoint {path} is in the index but not on disk; install the checkpoints again.")
    digest = _hash(path)
    if digest != entry["sha256"]:
        raise NoCheckpoint(f"The checkpoint {path} differs from its sha256 in the index; "
                           "install the checkpoints again.")
    return _from_header(path, read_header(path), digest, listed=True)


def _from_header(path, header, digest, listed):
    version = header.get("representation_version")
    if version != str(REPRESENTATION_VERSION):
        raise NoCheckpoint(f"The checkpoint {path} was made for representation {version}, this Baton uses "
                           f"{REPRESENTATION_VERSION}; install the checkpoints of this version.")
    try:
        config, extra = json_text.loads(header["config"]), json_text.loads(header.get("extra", "{}"))
    except (KeyError, ValueError) as error:
        raise NoCheckpoint(_damaged(path)) from error
    if not isinstance(config, dict) or not isinstance(extra, dict):
        raise NoCheckpoint(_damaged(path))
    return Checkpoint(path, config, digest, listed, header.get("name", path.stem), header.get("system", ""),
                      header.get("part", ""), header.get("licence", ""), extra)


def _damaged(path):
    return f"The checkpoint {path} is damaged; install the checkpoints again."


def _hash(path):
    try:
        status = path.stat()
        return _hash_of(str(path), status.st_mtime_ns, status.st_ctime_ns, status.st_size)
    except OSError as error:
        raise NoCheckpoint(f"The checkpoint {path} cannot be read ({reason(error)}); install the checkpoints "
                           "again.") from error


@lru_cache(maxsize=64)
def _hash_of(path, _mtime_ns, _ctime_ns, _size):
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        for block in iter(lambda: handle.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
