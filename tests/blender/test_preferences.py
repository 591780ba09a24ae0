"""The page of preferences: what it says of the runtime is true, and the same as the README says."""
import re
import sys
from types import SimpleNamespace

import pytest

from baton.blender_addon.ui import preferences
from baton.blender_addon.worker import options, runtime
from tests.blender import scenes

CHOSEN = SimpleNamespace(torch="CPU", python="")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv("BATON_WORKER_PYTHON", raising=False)
    return tmp_path


def test_no_not_set_up_beside_a_working_python(blender, folder, monkeypatch):
    """A Python of the user's own, named or by the environment, is what is in use; one that is not there is an error."""
    assert preferences.state(CHOSEN, folder)[0].startswith("Not set up yet")
    monkeypatch.setenv("BATON_WORKER_PYTHON", sys.executable)
    assert preferences.state(CHOSEN, folder) == (f"In use: {sys.executable}", "CHECKMARK")
    monkeypatch.setattr(options, "get", lambda: SimpleNamespace(python=str(folder / "none")))
    text, icon = preferences.state(CHOSEN, folder)
    assert icon == "ERROR" and "no Python" in text


def test_sizes_agree_with_the_readme(blender, folder):
    said = re.sub(r"\s+", " ", (scenes.ROOT / "README.md").read_text(encoding="utf-8"))
    found = re.search(r"Without an NVIDIA card ([\d.]+) GB are downloaded and ([\d.]+) GB stored, with CUDA some "
                      r"([\d.]+) and ([\d.]+) GB", said)
    assert tuple(map(float, found.groups())) == (*runtime.SIZES["cpu"], *runtime.SIZES["cuda"])
    for torch, numbers in (("CPU", found.groups()[:2]), ("CUDA", found.groups()[2:])):
        text = preferences.state(SimpleNamespace(torch=torch), folder)[0]
        assert re.findall(r"[\d.]+(?= GB)", text) == list(numbers), text


def test_numbers_have_units(blender):
    """Seconds are shown as seconds; what Blender has no unit for says it in its label."""
    baton = blender.context.scene.baton
    assert baton.momu_both.bl_rna.properties["duration"].unit == "TIME_ABSOLUTE"
    assert baton.conductor.bl_rna.properties["blend_seconds"].unit == "TIME_ABSOLUTE"
    assert baton.conductor.bl_rna.properties["lead"].name == "Lead (ms)"
    assert baton.conductor.bl_rna.properties["reduce_degrees"].name == "Tolerance (°)"
    assert preferences.BatonPreferences.__annotations__["idle_minutes"].keywords["name"] == "Idle Time (min)"
