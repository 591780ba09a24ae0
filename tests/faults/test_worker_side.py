"""Short runs of the campaigns on what comes from the worker and from the file; the long ones are `python3 build.py
faults`."""
import pytest

from tests.faults.__main__ import apart


@pytest.mark.parametrize(("name", "trials"), [("replies", 40), ("takes", 30), ("hangs", 25), ("moments", 30),
                                              ("links", 4), ("pairs", 2)])
def test_no_damage_ends_in_a_python_message_or_a_hang(tmp_path, name, trials):
    outcomes = apart(name, 11, trials, tmp_path / "out.jsonl")
    bad = [f"{outcome.trial}: {outcome.kind}: {outcome.detail}" for outcome in outcomes if not outcome.ok]
    assert len(outcomes) == trials and not bad, "\n".join(bad[:10])
