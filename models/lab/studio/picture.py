"""Pictures of a studio piece: poses, hand paths, mel with beats. Needs matplotlib (development only)."""

import numpy as np

from core.audio.spectra import mel_spectrum, slaney_filters
from core.contract import PARENTS
from core.contract.files import replacing

LEFT = {1, 4, 7, 10, 13, 16, 18, 20, 22}
RIGHT = {2, 5, 8, 11, 14, 17, 19, 21, 23}


def _figure(axis, points, x, y, depth=None):
    """One stick figure (24,3): `x`, `y` pick and sign the world axes that are drawn."""
    for joint, parent in enumerate(PARENTS):
        if parent < 0:
            continue
        colour = "#c0392b" if joint in LEFT else "#2471a3" if joint in RIGHT else "#333333"
        axis.plot([points[parent] @ x, points[joint] @ x], [points[parent] @ y, points[joint] @ y], color=colour,
                  lw=1.6, solid_capstyle="round")
    head = points[15] + 0.55 * (points[15] - points[12]) * np.array([0.3, 0.3, 1.0])
    axis.add_patch(_circle((head @ x, head @ y), 0.09))


def _circle(centre, radius):
    from matplotlib.patches import Circle
    return Circle(centre, radius, fill=False, color="#333333", lw=1.2)


def pose_sheet(axes, motion, times, view="front"):
    """Draw the pose at each of `times` (s) into the matplotlib `axes` (a list as long)."""
    positions = motion.positions()
    up = np.array([0.0, 0.0, 1.0])
    across = {"front": np.array([1.0, 0.0, 0.0]), "side": np.array([0.0, -1.0, 0.0]),
              "three": np.array([0.8, -0.6, 0.0])}[view]
    for axis, time in zip(axes, times):
        points = positions[min(int(round(time * motion.fps)), len(motion) - 1)].copy()
        points[:, :2] -= points[0, :2]
        _figure(axis, points, across, up)
        axis.plot([-0.9, 0.9], [0, 0], color="#bbbbbb", lw=0.8)
        axis.set_xlim(-0.95, 0.95)
        axis.set_ylim(-0.06, 2.05)
        axis.set_aspect("equal")
        axis.axis("off")


def _figure_module():
    import matplotlib
    matplotlib.use("Agg", force=False)
    from matplotlib.figure import Figure
    return Figure


def _save(figure, path, dpi):
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=dpi, format="png", facecolor="white")


def rows_of_poses(path, rows, view="front", paths=False):
    """A contact sheet; rows: list of (label, motion, times). `paths` adds the right hand's path to each row."""
    count = len(rows[0][2])
    width, height, extra = 0.95, 1.12, 1.6 if paths else 0.0  # inches of a pose; of the path's picture
    total = count * width + extra
    figure = _figure_module()(figsize=(total, height * len(rows)))
    for number, (label, motion, times) in enumerate(rows):
        bottom = 1 - (number + 1) / len(rows)
        axes = [figure.add_axes([k * width / total, bottom, width / total, 1 / len(rows)]) for k in range(count)]
        pose_sheet(axes, motion, times, view)
        axes[0].text(-0.93, 2.0, label, fontsize=7, va="top")
        if paths:
            axis = figure.add_axes([(count * width + 0.35) / total, bottom + 0.12 / len(rows),
                                    (extra - 0.45) / total, 0.8 / len(rows)])
            hand_path(axis, motion, times[0], times[-1] + 1e-3)
    _save(figure, path, 100)


def hand_path(axis, motion, start, stop):
    """Right hand (blue) and left hand (red) from the front between two times."""
    positions = motion.positions()[max(0, int(start * motion.fps)): int(stop * motion.fps) + 1]
    for joint, colour in ((22, "#c0392b"), (23, "#2471a3")):
        axis.plot(positions[:, joint, 0], positions[:, joint, 2], color=colour, lw=1.0)
    axis.set_aspect("equal")
    axis.set_xticks([])
    axis.tick_params(labelsize=6)


def draw_piece(path, plan, motion, lead, sound=None, rate=48_000, score=None):
    """The picture of a piece: mel with beats, score roll, heights or speeds of the body with beats, poses, hand
    paths."""
    figure = _figure_module()(figsize=(16, 11))
    grid = figure.add_gridspec(4, 12, height_ratios=[1.2, 1.0, 1.0, 1.5], hspace=0.35)
    axis = figure.add_subplot(grid[0, :])
    if sound is not None:
        bands = slaney_filters(96, rate, 2048, high=12_000)[1]
        mel = 10 * np.log10(np.maximum(mel_spectrum(sound.mean(0), bands, 960, power=2.0).T, 1e-10))
        axis.imshow(mel, origin="lower", aspect="auto", vmin=mel.max() - 70, vmax=mel.max(),
                    extent=[0, plan.duration, 0, 96], cmap="magma")
    _beat_lines(axis, plan, 0.0, "white")
    axis.set_title(f"{plan.kind}  seed {plan.seed}  {plan.genre or ''}  {plan.metre} beats a bar  {plan.bpm:.0f} BPM  "
                   f"lead {lead * 1000:.0f} ms", fontsize=10, loc="left")
    axis.set_ylabel("mel band")
    axis = figure.add_subplot(grid[1, :])
    for number, part in enumerate(score.parts if score is not None else ()):
        for note in part.notes:
            axis.plot([note.onset, note.onset + note.duration], [note.pitch] * 2, lw=1.2, color=f"C{number % 10}")
    axis.set_ylabel("pitch; black: dynamics")
    axis.plot(plan.times, 30 + 60 * plan.dynamics, color="black", lw=1.0)
    _beat_lines(axis, plan, 0.0, "#999999")
    axis.set_xlim(0, plan.duration)
    axis = figure.add_subplot(grid[2, :])
    positions, t = motion.positions(), np.arange(len(motion)) / motion.fps
    shown = ((23, "right hand"), (22, "left hand"))
    if plan.kind == "dance":
        shown = ((0, "pelvis"), (10, "left foot"), (11, "right foot"))
    for joint, label in shown:
        height = positions[:, joint, 2]
        axis.plot(t, height - (0.7 if joint == 0 else 0), lw=1.0, label=label + (" - 0.7 m" if joint == 0 else ""))
    _beat_lines(axis, plan, -lead, "#999999")
    axis.legend(fontsize=7, loc="upper right")
    axis.set_ylabel("height, m")
    axis.set_xlim(0, plan.duration)
    first = int(np.flatnonzero(plan.positions == 1)[min(1, int((plan.positions == 1).sum()) - 1)])
    times = np.interp(first + np.arange(10) * 0.5, np.arange(len(plan.times)), plan.times) - lead
    axes = [figure.add_subplot(grid[3, k]) for k in range(10)]
    pose_sheet(axes, motion, times, "front" if plan.kind == "conducting" else "three")
    hand_path(figure.add_subplot(grid[3, 10:]), motion, times[0], times[-1])
    _save(figure, path, 80)


def _beat_lines(axis, plan, shift, colour):
    for time, position in zip(plan.times, plan.positions):
        axis.axvline(time + shift, color=colour, lw=1.3 if position == 1 else 0.5, alpha=0.8)
