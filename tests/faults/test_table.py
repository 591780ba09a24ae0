"""The frame of the campaigns: what counts as a sentence, and a table that hides no failure."""
import pytest

from tests import faults
from tests.faults import Outcome


@pytest.mark.parametrize("text, good", [
    ("The disk is full: the take's sound cannot be written to //baton", True), ("Cancelled", True), ("", False),
    ("Baton failed: KeyError: 'takes'. The traceback is in the console", False), ("KeyError: 'takes'", False),
    ("zipfile.BadZipFile: File is not a zip file", False), ("[Errno 28] No space left on device", False),
    ("The file dance.npz cannot be read: [Errno 21] Is a directory", False)])
def test_a_python_message_is_no_sentence(text, good):
    assert faults.is_sentence(text) is good


def test_the_table_counts_and_shows_every_kind_of_failure():
    text = faults.table({"some": [Outcome("a", True, "whole"), Outcome("b", False, "half done", "one strip more"),
                                  Outcome("c", False, "half done"), Outcome("d", False, "hang", "60 s")], "more": []},
                        7)
    rows = text.splitlines()
    assert rows[1].split() == ["some", "7", "4", "3", "whole", "1"] and rows[2].split()[:4] == ["more", "7", "0", "0"]
    assert "some: 2 x half done, such as b: one strip more" in text and "some: 1 x hang, such as d: 60 s" in text


def test_an_unknown_campaign_is_named():
    with pytest.raises(ValueError, match="no campaign nothing"):
        faults.load("nothing")
