"""Freed memory goes back to the system; a song that is cut to its length is not held twice."""
import platform
import re
from pathlib import Path

import numpy as np
import pytest

from models.layers import memory
from models.music_ldm.pipeline import fit


def resident_mib():
    """Resident memory of this process in MiB."""
    return int(re.search(r"VmRSS:\s*(\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc alone keeps freed blocks in its heap for long")
def test_holes_in_the_heap_go_back_to_the_system():
    blocks = [np.ones(12_000) for _ in range(600)]          # 94 KiB each: below what is mapped by itself
    kept, freed = blocks[::20], blocks
    del blocks, freed
    before = resident_mib()
    memory.give_back()
    assert before - resident_mib() > 35, (before, len(kept))


def test_without_glibc_nothing_happens(monkeypatch):
    memory._trim.cache_clear()
    monkeypatch.setattr(memory.sys, "platform", "win32")
    try:
        assert memory._trim() is None
        memory.give_back()
    finally:
        memory._trim.cache_clear()


def test_a_song_is_cut_as_a_view_and_filled_with_silence():
    song = np.ones((2, 10), np.float32)
    assert np.shares_memory(fit(song, 7), song) and fit(song, 7).shape == (2, 7)
    longer = fit(song, 12)
    assert longer.shape == (2, 12) and longer[:, :10].min() == 1.0 and not longer[:, 10:].any()
