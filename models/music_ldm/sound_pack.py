"""Sound that travels: short stereo excerpts in one small file, for training the vocoder on a rented card.

Each excerpt has the level that the model hears (`core.audio.mel.levelled`) and is coded as Opus at about 140 kbit/s.
`models.lab.packs.sound` makes such a file from the studio. Reading needs numpy, scipy and `soundfile`.
"""
import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np

from core.contract.files import replacing
from core.errors import BadInput
from models.music_ldm.vocoder import RATE

CODED_RATE = 48_000             # what Opus is defined at
COMPRESSION = 0.75              # libsndfile's scale: 17.5 kB/s; bands within 0.05 dB to 14 kHz, 0.3 dB to 20 kHz
PEAK = 0.7                      # of the coded samples
TRIM = 0.03                     # seconds left out at both ends: the codec's and the resampler's edges
INDEX = "items.json"


def encode(samples):
    """(2, N) float at 48 kHz -> Opus in Ogg."""
    import soundfile
    buffer = io.BytesIO()
    soundfile.write(buffer, np.asarray(samples, np.float32).T, CODED_RATE, format="OGG", subtype="OPUS",
                    compression_level=COMPRESSION)
    return buffer.getvalue()


def decode(data):
    """Inverse of `encode`, at 44,100 Hz: (2, M) float32, ends trimmed. By FFT, as the device has no resampler."""
    import soundfile
    from scipy.fft import irfft, rfft
    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    count = len(samples) // 160 * 160
    spectrum = rfft(samples[:count].T, axis=1)
    wanted = count * RATE // rate
    out = irfft(spectrum[:, :wanted // 2 + 1] * np.float32(wanted / count), wanted, axis=1)
    edge = int(TRIM * RATE)
    return out[:, edge:-edge].astype(np.float32)


def write_pack(path, items):
    """Write [(meta, Opus bytes)] as one file, whole or not at all; returns its bytes."""
    items = list(items)
    if not items:
        raise BadInput("A pack of no sound is of no use; ask for some excerpts.")
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for meta, data in items:
            archive.writestr(meta["id"] + ".ogg", data)
        archive.writestr(INDEX, json.dumps([meta for meta, _ in items]))
    return Path(path).stat().st_size


def read_pack(path, split):
    """[(meta, (2, N) float32 left and right at 44,100 Hz, at the model's level)] of one split. Raises BadInput."""
    try:
        with zipfile.ZipFile(path) as archive:
            metas = [meta for meta in json.loads(archive.read(INDEX)) if meta["split"] == split]
            coded = [archive.read(meta["id"] + ".ogg") for meta in metas]
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        raise BadInput(f"{path} is no pack of sound ({error}); make one with models.lab.packs.sound.") from error
    if not metas:
        raise BadInput(f"{path} holds no sound of split {split}; make it anew.")
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        sounds = list(pool.map(decode, coded))
    return [(meta, sound * np.float32(meta["scale"])) for meta, sound in zip(metas, sounds)]
