"""The house stays readable: one concept a file, short functions, hints and a settings object at every public seam, and
lines that fit."""
import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("core", "models", "blender_addon")
LONGEST_FILE, LONGEST_FUNCTION, LONGEST_LINE = 350, 80, 120
REASONS = {}                # "file:function" that must be longer: why
SEAMS = ("core/contract/*.py", "core/pipelines/*.py", "blender_addon/flows/*.py")


def sources(*rooms):
    return [path for room in rooms for path in sorted((ROOT / room).rglob("*.py"))]


def functions(tree, prefix=""):
    """(dotted name, node) of the functions of a module and of its classes."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield from functions(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef):
            yield prefix + node.name, node


def gives_something(function):
    return any(isinstance(node, ast.Return) and node.value is not None or isinstance(node, (ast.Yield, ast.YieldFrom))
               for node in ast.walk(function))


def unhinted(function):
    """Parameters without a hint, and "return" where something comes back unsaid."""
    given = function.args
    names = [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)
             if a.annotation is None and a.arg not in ("self", "cls")]
    return names + ["return"] * (function.returns is None and gives_something(function))


def test_public_seams_carry_hints():
    bare = []
    for pattern in SEAMS:
        for path in sorted(ROOT.glob(pattern)):
            for name, function in functions(ast.parse(path.read_text(encoding="utf-8"))):
                if not any(part.startswith("_") for part in name.split(".")) and unhinted(function):
                    bare.append(f"{path.relative_to(ROOT)}:{name} {unhinted(function)}")
    assert not bare, "\n".join(bare)


@pytest.mark.parametrize("path", sorted((ROOT / "models").glob("*/pipeline.py")), ids=lambda path: path.parent.name)
def test_generators_take_a_settings_object(path):
    """`load(folders, device)` and `generate(condition, settings, *, progress, should_cancel)`, with hints; changes of
    single settings by name may follow."""
    tree, seen = ast.parse(path.read_text(encoding="utf-8")), set()
    for name, function in functions(tree):
        given = function.args
        if name.count(".") != 1 or name.startswith("_") or name.split(".")[1] not in ("load", "generate"):
            continue
        seen.add(name.split(".")[1])
        assert not unhinted(function), f"{name}: {unhinted(function)}"
        if name.endswith(".generate"):
            assert len(given.args) == 3 and given.args[2].arg == "settings", name
            assert {a.arg for a in given.kwonlyargs} == {"progress", "should_cancel"}, name
    assert seen == {"load", "generate"}
    assert (path.parent / "settings.py").is_file()


def test_no_file_is_longer_than_one_concept():
    long = {str(path.relative_to(ROOT)): count for path in sources(*ROOMS)
            if (count := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST_FILE}
    assert not long, f"split these files: {long}"


def test_no_function_is_long_without_a_reason():
    long = {}
    for path in sources(*ROOMS):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= LONGEST_FUNCTION:
                long[f"{path.relative_to(ROOT)}:{node.name}"] = node.end_lineno - node.lineno + 1
    assert set(long) <= set(REASONS), f"split these functions, or say why not: {long}"


def test_lines_fit():
    wide = [f"{path.relative_to(ROOT)}:{number}" for path in sources(*ROOMS, "tests")
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if len(line) > LONGEST_LINE]
    assert not wide, wide
