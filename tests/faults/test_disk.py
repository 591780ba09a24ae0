"""The short run of the campaign on disks and folders."""
from tests.faults.__main__ import apart

TRIALS = 50                                                     # twice each of five acts under five conditions


def test_a_disk_in_trouble_is_one_sentence_and_loses_nothing(tmp_path):
    outcomes = apart("disk", 1, TRIALS, tmp_path / "disk.jsonl")
    bad = [f"{outcome.trial}: {outcome.kind}: {outcome.detail}" for outcome in outcomes if not outcome.ok]
    assert len(outcomes) == TRIALS and not bad, "\n".join(bad[:10])
    assert sum(outcome.kind == "saved elsewhere" for outcome in outcomes) >= 10
