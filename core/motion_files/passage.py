"""The passage of a long file that is wanted: its rows are chosen before anything is computed of them, and they are
counted."""

from fractions import Fraction
from math import gcd

from core.body.kinematics import FPS
from core.errors import BadInput

MARGIN_S = 2.0  # beside the passage, for what looks at neighbouring frames
LONGEST_S = 3600.0
MOST = 6_000_000  # joints times frames that are read at once, about 2 GB while they are retargeted
THIN_ROWS = 4000  # of a whole clip, where only its way up and its rest are looked for


def rows_of(count, rate, start=0.0, duration=None):
    """(first, last) rows that seconds start..start+duration need, with a margin; the first is an instant of the 30 fps
    grid."""
    period = Fraction(rate).limit_denominator(1000)
    step = period.numerator // gcd(int(FPS) * period.denominator, period.numerator)
    first = max(0, int((start - MARGIN_S) * rate) // step * step)
    last = count if duration is None else min(count, int((start + duration + MARGIN_S) * rate) + 2)
    return (0, count) if last - first < 2 else (first, last)


def check_size(frames, joints, rate, name):
    """Raises BadInput for more than can be retargeted at once."""
    seconds = frames / rate
    if seconds > LONGEST_S + 2 * MARGIN_S + 1:
        raise BadInput(
            f"{name} lasts {seconds / 60:.0f} min; Baton reads {LONGEST_S / 60:.0f} min at once: give a start and a "
            "duration, or cut it."
        )
    if frames * joints > MOST:
        raise BadInput(
            f"{name} holds {frames} frames of {joints} joints, too much to read at once: give a start and a duration "
            f"of at most {MOST / joints / rate:.0f} s, or cut it."
        )
