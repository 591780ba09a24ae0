"""One picture of a result: mel spectrogram with body and music beats, contact sheet of the motion, alignment with
chance.

Needs matplotlib (in the development lock); imported on use.
"""

import numpy as np

from core.audio.mel import filters
from core.audio.spectra import mel_spectrum
from core.contract.files import replacing

MEL_SECONDS = 12.0
POSES = 12


def _mel(axis, mono, rate, start, seconds):
    clip = np.asarray(mono[int(start * rate):int((start + seconds) * rate)], np.float32)
    mel = mel_spectrum(clip, filters(rate, 2048, 128), 512, power=2.0).T
    log = 10 * np.log10(np.maximum(mel, 1e-10))
    axis.imshow(log, origin="lower", aspect="auto", cmap="magma", vmin=log.max() - 70, vmax=log.max(),
                extent=(start, start + seconds, 0, 128))
    axis.set_yticks([])


def _marks(axis, beats, start, seconds, low, high, colour, label):
    if beats is None or len(beats) == 0:
        return
    inside = (beats.times >= start) & (beats.times < start + seconds)
    strong = beats.positions == 1
    axis.vlines(beats.times[inside & ~strong], low, high, color=colour, lw=1.0, label=label)
    axis.vlines(beats.times[inside & strong], low, high, color=colour, lw=2.6)


def _sheet(figure, cells, motion, times):
    from models.lab.studio.picture import pose_sheet
    axes = [figure.add_subplot(cell) for cell in cells]
    pose_sheet(axes, motion, times)
    for axis, time in zip(axes, times):
        axis.set_title(f"{time:.1f} s", fontsize=7, pad=1)


def draw_preview(path, rows):
    """Write a PNG with a band per row.

    rows: dicts with title, audio (C,N) and rate, motion (`Motion`), body_beats, music_beats (`Beats` or None),
    alignment (score, chance, f1, f1_chance; or None). The mel shows the middle 12 s: body beats above, music beats
    below, downbeats thick.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    figure = Figure(figsize=(15, 5.2 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2 * len(rows), POSES, height_ratios=[1.35, 1] * len(rows))
    for number, row in enumerate(rows):
        axis = figure.add_subplot(grid[2 * number, :])
        duration = min(row["audio"].shape[-1] / row["rate"], row["motion"].duration)
        seconds = min(MEL_SECONDS, duration)
        start = max(0.0, (duration - seconds) / 2)
        _mel(axis, row["audio"].mean(0), row["rate"], start, seconds)
        _marks(axis, row["body_beats"], start, seconds, 66, 128, "#35e0ff", "body beats")
        _marks(axis, row["music_beats"], start, seconds, 0, 62, "#7dff5a", "music beats")
        if axis.get_legend_handles_labels()[0]:
            axis.legend(loc="upper right", fontsize=8, framealpha=0.7)
        found = row["alignment"]
        figures = (f"alignment {found['score']:.2f} (chance {found['chance']:.2f}), F1 at 70 ms {found['f1']:.2f} "
                   f"(chance {found['f1_chance']:.2f})") if found else "no beats to align"
        axis.set_title(f"{row['title']}: {figures}", fontsize=11)
        axis.set_xlabel("seconds", fontsize=8)
        times = start + seconds * (np.arange(POSES) + 0.5) / POSES
        _sheet(figure, [grid[2 * number + 1, i] for i in range(POSES)], row["motion"], times)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=85, format="png")
