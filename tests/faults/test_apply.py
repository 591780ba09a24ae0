"""The short run of the campaign on writing results, and that the campaign sees what it is there to see."""
import subprocess
import sys

import pytest

from tests.faults.__main__ import ROOT, apart

TRIALS = 120


def run(tmp_path, seed, trials, **environment):
    return apart("apply", seed, trials, tmp_path / "apply.jsonl", **environment)


def test_results_and_buttons_are_whole_or_not_at_all(tmp_path):
    outcomes = run(tmp_path, 1, TRIALS)
    bad = [f"{outcome.trial}: {outcome.kind}: {outcome.detail}" for outcome in outcomes if not outcome.ok]
    assert len(outcomes) == TRIALS and not bad, "\n".join(bad[:10])
    assert "undone" in {outcome.kind for outcome in outcomes}


def test_without_the_way_back_the_campaign_finds_half_done_results(tmp_path):
    """What is recorded is not put back: nearly every fault must show."""
    outcomes = run(tmp_path, 1, 30, BATON_FAULTS_WITHOUT="restore", BATON_FAULTS_ONLY="conducting b")
    assert sum(outcome.kind == "half done" for outcome in outcomes) > 10, [outcome.kind for outcome in outcomes]


@pytest.mark.skipif(sys.platform != "linux", reason="the output of Blender is caught by file descriptors")
def test_the_undo_steps_are_seen(tmp_path):
    """Blender has no list of them, only a print."""
    code = ("import bpy\nfrom tests.faults.scene_state import undo_steps\n"
            "bpy.ops.ed.undo_push(message='one'); bpy.ops.ed.undo_push(message='two')\n"
            "assert undo_steps()[-2:] == ['one', '*two'], undo_steps()\n"
            "bpy.ops.ed.undo()\nassert undo_steps()[-2:] == ['*one', 'two'], undo_steps()\n")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          env={"BLENDER_USER_RESOURCES": str(tmp_path), "PYTHONPATH": str(ROOT)}, cwd=ROOT)
    assert done.returncode == 0, done.stderr
