"""A few damaged inputs of each reader; the long campaign is `python3 build.py faults readers`."""
import pytest

from tests.faults import campaign_readers
from tests.faults.reader_kinds import READERS

pytestmark = pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="each trial is a forked process")


def test_damaged_input_ends_in_a_result_or_a_sentence(tmp_path):
    outcomes = campaign_readers.run(7, 12 * len(READERS), tmp_path)
    assert len(outcomes) == 12 * len(READERS)
    bad = [outcome for outcome in outcomes if not outcome.ok]
    assert not bad, bad[:3]
    assert {outcome.kind for outcome in outcomes} == {"result", "sentence"}
