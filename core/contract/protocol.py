"""What worker and add-on agree on before the first message: the protocol's number, and a hash of the code."""
import hashlib
from pathlib import Path

from . import ROOT

PROTOCOL = 2


def code_hash(root: Path = ROOT) -> str:
    """sha256 (hex) over paths and contents of every .py and .json of `core` and `models` below root, in path order."""
    digest, root = hashlib.sha256(), Path(root)
    files = [path for folder in ("core", "models") for path in (root / folder).rglob("*")
             if path.suffix in {".py", ".json"} and "__pycache__" not in path.parts and path.is_file()]
    for path in sorted(files, key=lambda path: path.relative_to(root).as_posix()):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def version(root: Path = ROOT) -> str:
    """The version in the extension's manifest; "0" when the code runs without one."""
    import tomllib
    manifest = Path(root) / "blender_manifest.toml"
    return tomllib.loads(manifest.read_text(encoding="utf-8"))["version"] if manifest.is_file() else "0"
