"""Pictures of a studio piece: contact sheet of poses, hand paths, mel with beats. Needs matplotlib (development only)."""
import numpy as np

from core.contract import PARENTS

LEFT = {1, 4, 7, 10, 13, 16, 18, 20, 22}
RIGHT = {2, 5, 8, 11, 14, 17, 19, 21, 23}


def _figure(axis, points, x, y, depth=None):
    """One stick figure (24,3): `x`, `y` pick and sign the world axes that are drawn."""
    for joint, parent in enumerate(PARENTS):
        if parent < 0:
            continue
        colour = "#c0392b" if joint in LEFT else "#2471a3" if joint in RIGHT else "#333333"
        axis.plot([points[parent] @ x, points[joint] @ x], [points[parent] @ y, points[joint] @ y], color=colour, lw=1.6,
                  solid_capstyle="round")
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
