"""The rooms of the house, read from the source: who imports whom, on which floor each room lies, and a picture of it.

    python -m models.lab.rooms --out docs/rooms.png

Standard library only, but for the picture: build.py decides with it what goes into the zip, the tests of the walls read
it.
"""
import argparse
import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("core", "models", "blender_addon")
COLOURS = {"core": "#cfe3f5", "models": "#d9ead3", "blender_addon": "#fce5cd"}


def module_name(path: Path) -> str:
    """`core/body/ik.py` -> `core.body.ik`."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules() -> dict[str, Path]:
    """{dotted name: file} of all our modules."""
    return {module_name(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}


def imports(path: Path, known: dict[str, Path]) -> list[tuple[str, bool]]:
    """[(absolute module name, whether it is written relatively)] of each import in a file, those inside functions
    included.

    `from . import a` names the module a; `from x import name` names x where `name` is no module of `known`.
    """
    package, found = path.relative_to(ROOT).parent.parts, []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            found += [(alias.name, False) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[:len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            found += [(f"{base}.{alias.name}" if f"{base}.{alias.name}" in known else base, bool(node.level))
                      for alias in node.names]
    return found


def graph(known: dict[str, Path] | None = None) -> dict[str, set[str]]:
    """{module: the modules of ours that it imports}. That a module needs its own packages is no arrow."""
    known = modules() if known is None else known
    return {name: {other for other, _ in imports(path, known) if other in known and other != name
                   and not name.startswith(other + ".")} for name, path in known.items()}


def room(name: str) -> str:
    """The room of a module: a folder of core, models or blender_addon; all of models/lab is one."""
    return ".".join(name.split(".")[:2])


def rooms(edges: dict[str, set[str]]) -> dict[str, set[str]]:
    """{room: the rooms that it imports from}."""
    found = {}
    for name, others in edges.items():
        found.setdefault(room(name), set()).update(
            room(other) for other in others if room(other) != room(name))
    return found


def circle(edges: dict[str, set[str]]) -> list[str] | None:
    """A circle of the graph as a list, or None."""
    done, path = set(), []

    def visit(node):
        if node in path:
            return path[path.index(node):] + [node]
        if node in done:
            return None
        path.append(node)
        for other in sorted(edges.get(node, ())):
            found = visit(other)
            if found:
                return found
        path.pop()
        done.add(node)
        return None

    return next(filter(None, map(visit, sorted(edges))), None)


def floors(edges: dict[str, set[str]]) -> dict[str, int]:
    """{room: its floor}: 0 stands on nothing, every other one floor above the highest it imports from. No circles
    allowed."""
    found = {}

    def floor(node):
        if node not in found:
            found[node] = 1 + max((floor(other) for other in edges.get(node, ())), default=-1)
        return found[node]
    for node in edges:
        floor(node)
    return found


def reached(start: list[Path], known: dict[str, Path], stop) -> set[Path]:
    """Files that `start` reach by imports, with the packages they lie in; files for which stop(path) is true are not
    entered."""
    todo, found = list(start), set()
    while todo:
        path = todo.pop()
        if path in found or stop(path):
            continue
        found.add(path)
        names = [name for name, _ in imports(path, known)]
        todo += [known[name] for name in names if name in known]
        todo += [init for folder in path.parents if ROOT in folder.parents
                 and (init := folder / "__init__.py").is_file()]
    return found


def draw(path: Path):
    """The rooms on their floors as a PNG; an arrow goes from a room to one that it imports from, two floors down at
    most."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    edges = {name: others for name, others in rooms(graph()).items() if "." in name}
    high = floors(edges)
    rows = {}
    for name in sorted(edges, key=lambda name: (PACKAGES.index(name.split(".")[0]), name)):
        rows.setdefault(high[name], []).append(name)
    widest = max(map(len, rows.values()))
    place = {name: ((index + 0.5) * widest / len(row), floor) for floor, row in rows.items()
             for index, name in enumerate(row)}
    figure = Figure(figsize=(1.9 * widest, 1.05 * len(rows) + 0.4))
    axes = figure.add_axes((0, 0, 1, 1))
    for name, others in edges.items():
        for other in others:
            if high[name] - high[other] <= 2:
                axes.annotate("", xy=(place[other][0], place[other][1] + 0.2),
                              xytext=(place[name][0], place[name][1] - 0.2),
                              arrowprops={"arrowstyle": "-", "color": "#999999", "linewidth": 0.6})
    for name, (x, y) in place.items():
        package = name.split(".")[0]
        axes.text(x, y, name.replace("blender_addon.", "blender_addon.\n"), ha="center", va="center", fontsize=9,
                  bbox={"boxstyle": "round,pad=0.4", "facecolor": COLOURS[package], "edgecolor": "#666666"})
    axes.set(xlim=(0, widest), ylim=(-0.6, max(rows) + 0.6))
    axes.axis("off")
    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=80)


def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.lab.rooms", description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="docs/rooms.png", help="the picture (default docs/rooms.png)")
    found = circle(rooms(graph()))
    if found is not None:
        print("These rooms import each other, so they lie on no floors: " + " -> ".join(found), file=sys.stderr)
        return 2
    draw(Path(parser.parse_args(arguments).out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
