"""Toy systems in a temporary folder appear in Blender: panel, *Model*, presets, buttons, jobs; nothing else is
touched."""
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.blender import scenes

TOYS = scenes.ROOT / "tests" / "toy_systems"


@pytest.fixture(scope="module")
def report(has_sound, tmp_path_factory):
    folder = tmp_path_factory.mktemp("toys")
    shutil.copytree(TOYS, folder / "toys", ignore=shutil.ignore_patterns("__pycache__"))
    environment = {**os.environ, "BATON_SYSTEMS": str(folder / "toys"), "BLENDER_USER_RESOURCES": str(folder / "user")}
    driver = Path(__file__).with_name("drive_toys.py")
    done = subprocess.run([sys.executable, str(driver), str(folder), "sound" if has_sound else "mute"], env=environment,
                          cwd=scenes.ROOT, capture_output=True, text=True, timeout=300)
    assert (folder / "report.json").is_file(), done.stdout[-2000:] + done.stderr[-3000:]
    return json.loads((folder / "report.json").read_text())


def test_the_panel_has_it(report):
    assert "music_ldm" in report["model"] and report["model"][-1] == "toy_hum"
    assert all(choice == (count > 1) for count, choice in report["choices"].values()), "one system shows no choice"
    assert ("baton.generate_music_ldm" in report["before"] and "genre" in report["before"]
            and "colour" not in report["before"])
    others = ("rig", "model_to_sound", "baton.add_sample_scene")
    assert [name for name in report["section"] if name not in others][:7] == [
        "colour", "seed", "baton.random_seed", "variations", "range", "loudness", "baton.generate_toy_hum"]
    assert report["further"] == ["pitch", "partner"]
    assert "duration" in report["both"] and "bpm" not in report["both"] and "baton.generate_toy_both" in report["both"]
    assert report["tip"] == "Hum as high as the hands are"


def test_presets_keep_it(report):
    assert set(report["presets"]) == {"colour", "variations", "range", "loudness", "pitch"}
    assert report["pitch"] == pytest.approx(333.0)


def test_jobs_run_to_a_result(report):
    if not report["sound"]:
        pytest.skip("this bpy is built without sound (4.2 wheel)")
    assert report["hum"]["name"] == "Hum 1" and report["hum"]["settings"]["pitch"] == pytest.approx(333.0)
    nod = report["nod"]
    assert nod["name"] == "Blue 1" and nod["settings"]["path"] == {"points": 3}
    assert nod["settings"]["seed_motion"]["seconds"] > 0.9
    assert nod["range"][0] == 41 and nod["way"] == pytest.approx(2.0, abs=0.15), "along the curve of 2 m"


def test_several_rigs_perform_together(report):
    if not report["sound"]:
        pytest.skip("this bpy is built without sound (4.2 wheel)")
    pair = report["pair"]
    assert pair["rigs"] == ["Dancer", "Partner"] and pair["actions"] == [True, True]
    assert pair["again"] == ["Dancer", "Partner"] * 2, "asked again, both perform"
    assert pair["range"] == "Partner", "a range is made anew of one"


def test_sound_and_motion_are_one_take(report):
    if not report["sound"]:
        pytest.skip("this bpy is built without sound (4.2 wheel)")
    take = report["take"]
    assert take["kind"] == "BOTH" and take["name"] == "Toy 1" and take["recipe"] == "toy_both" and take["file"]
    assert take["strip_first"] == 11 and take["range"][0] == 11 and take["range"][1] == pytest.approx(70, abs=1.01)
    assert take["beats"] == [0.0, 0.5, 1.0, 1.5]
    assert report["muted"] == [True, True] == report["played"]
    again = report["again"]
    assert again["keep"]["side"] == "motion" and again["keep"]["start"] == pytest.approx(20 / 30, abs=1e-3)
    assert again["audible"] == [False, True] and again["heard"] == ["Toy 2"]
    before, after = report["states"]
    assert after["takes"] == before["takes"] + 1 and after["strips"] == before["strips"] + 1 and report["removed"]
