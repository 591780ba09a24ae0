"""What tests of the studio's sound share: sound fonts, or the test is skipped; loudness."""

import numpy as np
import pytest

RATE = 48000


@pytest.fixture(scope="module", autouse=True)
def soundfont():
    pytest.importorskip("fluidsynth")
    from models.lab.studio.drum_samples import find_samples
    from models.lab.studio.instruments import find_soundfont

    try:
        return find_soundfont(), find_soundfont(second=True), find_samples()
    except RuntimeError as error:
        pytest.skip(str(error))


def level_db(audio):
    return float(10 * np.log10(np.mean(audio**2) + 1e-12))
