"""What was made, to look at: poses on the beats under the mel of the same seconds, one row a style."""
import io

import numpy as np

from core.contract import GENRES
from core.contract.files import replacing
from core.pipelines.base import regular_beats
from models.lab.evaluation.momu.records import FIRST_SEED, asked_style
from models.lab.studio.picture import pose_sheet

POSES, SECONDS, SHEETS = 12, 8.0, 3


def draw_sheets(maker, folder, sheets=SHEETS):
    """`momu-sheet-1.png` ... in the folder, each of ten styles at a tempo and with seeds of its own; returns their
    names."""
    names = []
    for sheet in range(sheets):
        takes = []
        for number in range(sheet * len(GENRES), (sheet + 1) * len(GENRES)):
            genre, bpm = asked_style(number)
            beats = regular_beats(bpm, SECONDS)
            sound, motion = maker.entry("MoMuBoth").generate(duration=SECONDS, genre=genre, beats=beats,
                                                             seed=FIRST_SEED + number)[0]
            takes.append((f"{genre} {bpm:.0f}", sound, motion, beats.times))
        names.append(f"momu-sheet-{sheet + 1}.png")
        draw(takes, folder / names[-1])
    return names


def draw(takes, path):
    """takes: (label, sound (2, N) at 48 kHz, `Motion`, beat times)."""
    import librosa
    from matplotlib.figure import Figure
    from PIL import Image

    from core.audio import Audio
    from core.audio import mel as mels
    figure = Figure(figsize=(14, 2.6 * len(takes)), layout="constrained")
    grid = figure.add_gridspec(2 * len(takes), POSES, height_ratios=[1, 1.6] * len(takes))
    for row, (label, sound, motion, beats) in enumerate(takes):
        axis = figure.add_subplot(grid[2 * row, :])
        mel = mels.log_mel(mels.model_mono(Audio(sound, 48_000)))
        axis.imshow(mel.T, origin="lower", aspect="auto", extent=[0, len(mel) / mels.FRAME_RATE, 0, 256], cmap="magma")
        heard = librosa.beat.beat_track(y=sound.mean(0), sr=48_000, units="time")[1]
        axis.vlines(heard, 200, 256, color="cyan", lw=1)
        axis.vlines(beats, 0, 40, color="white", lw=1)
        axis.set_ylabel(label, fontsize=8)
        axis.set_xticks([])
        axis.set_yticks([])
        times = np.linspace(0.5, motion.duration - 0.2, POSES)
        pose_sheet([figure.add_subplot(grid[2 * row + 1, column]) for column in range(POSES)], motion, times)
    picture = io.BytesIO()
    figure.savefig(picture, dpi=70, format="png")
    with replacing(path) as temporary:          # 128 colours are enough and a third of the size
        Image.open(picture).convert("RGB").quantize(128).save(temporary, format="png", optimize=True)
