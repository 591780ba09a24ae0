"""Scores with the rows that expose them: `build.py evaluate NAME ...`.

A system is evaluated by `evaluate.py` of `models/lab/evaluation/<folder>/`, or of its own folder, under the names of
its rows and of the folder. What no row names (beats, the studio, people against dancers) is found as a file with a
`main` here, or as `evaluate.py` of another folder of `models/lab`.
"""
import importlib
import importlib.util
import sys
from pathlib import Path

from core.pipelines import offered

HERE = Path(__file__).resolve().parent
LAB = HERE.parent


def evaluations():
    """{name: module whose `main(arguments)` gives the exit code}."""
    found = {path.parent.name: f"models.lab.{'.'.join(path.relative_to(LAB).with_suffix('').parts)}"
             for path in sorted(LAB.rglob("evaluate.py"))}
    found |= {path.stem.replace("_", "-"): f"models.lab.evaluation.{path.stem}"
              for path in sorted(HERE.glob("*.py"))
              if not path.stem.startswith("__") and "\ndef main(" in path.read_text(encoding="utf-8")}
    for name, system in offered().items():
        own = f"models.{system.folder}.evaluate"
        if system.folder in found:
            found[name] = found[system.folder]
        elif importlib.util.find_spec(own) is not None:
            found[name] = found[system.folder] = own
    return found


def main(arguments=None):
    """The command line; returns the exit code."""
    names, (name, *rest) = evaluations(), (sys.argv[1:] if arguments is None else arguments) or [""]
    if name not in names:
        print(f"name what to evaluate: {', '.join(sorted(names))}", file=sys.stderr)
        return 2
    return importlib.import_module(names[name]).main(rest)


if __name__ == "__main__":
    sys.exit(main())
