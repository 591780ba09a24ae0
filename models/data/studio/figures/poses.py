"""Arm poses: azimuth (0 forward, 90 outward, < 0 across the body), elevation, reach (share of the arm), elbow swivel."""
import numpy as np

_DEGREES = {
    "hang": (80, -80, 0.96, 0), "swing_f": (10, -58, 0.90, 0), "swing_b": (165, -66, 0.93, 20),
    "bent": (25, -38, 0.58, 15), "bent_w": (60, -35, 0.62, 30), "guard": (-8, -2, 0.52, 10),
    "chest": (-38, -18, 0.48, 35), "cross": (-58, -28, 0.62, 20), "cross_hi": (-56, -12, 0.70, 25),
    "cross_lo": (-54, -36, 0.62, 15), "belly": (-40, -50, 0.58, 30),
    "side": (90, 2, 0.995, 0), "side_low": (88, -40, 0.985, 0), "side_up": (84, 42, 0.99, 0),
    "up": (55, 82, 0.985, 0), "front": (4, 3, 0.99, 0), "front_up": (10, 46, 0.985, 0),
    "front_low": (6, -45, 0.97, 0), "diag": (48, 30, 0.99, 0), "diag_low": (48, -40, 0.985, 0),
    "hip": (66, -62, 0.62, 35), "goal_up": (88, 45, 0.71, -36), "goal_down": (88, -44, 0.71, 85),
    "robot_f": (22, -22, 0.71, -5), "robot_u": (24, 38, 0.66, 0), "head": (38, 52, 0.52, 0),
    "point_up": (62, 56, 0.995, 10), "point_dn": (-24, -48, 0.97, 0), "point_x": (-30, 20, 0.93, 0),
    "overhead": (14, 74, 0.88, 0), "first": (-14, -26, 0.78, 40), "second": (82, -4, 0.96, 10),
    "back_low": (150, -48, 0.96, 20), "shoulder": (42, 12, 0.36, 30), "nape": (100, 48, 0.46, -22),
    "jab": (2, -4, 0.985, 10), "jab_low": (6, -30, 0.96, 10), "stab": (34, -56, 0.92, 0),
    "fist_up": (40, 60, 0.72, 0), "floor": (30, -84, 0.985, 0), "wave_hi": (86, 14, 0.93, 25),
    "wave_lo": (86, -16, 0.93, -20), "roll": (-20, -12, 0.40, 45), "roll_lo": (-18, -34, 0.44, 40),
}
ARM_POSES = {name: np.array([np.radians(a), np.radians(e), r, np.radians(s)]) for name, (a, e, r, s) in _DEGREES.items()}
