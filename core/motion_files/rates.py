"""Frame rates as files give them: rounded, in milliseconds, or with frame time and rate exchanged."""
import math

from core.errors import BadInput

LOWEST, HIGHEST = 1.0, 1000.0
USUAL = (23.976, 24.0, 25.0, 29.97, 30.0, 48.0, 50.0, 59.94, 60.0, 90.0, 100.0, 119.88, 120.0, 240.0)
NEAR = 0.005                # a rate this near to a usual one is that


def usual(rate):
    """The usual rate that `rate` is within half a percent of, the nearest of them; None where there is none."""
    near = [each for each in USUAL if abs(rate / each - 1) <= NEAR]
    return min(near, key=lambda each: abs(rate - each)) if near else None


def check_rate(rate, name):
    """`rate`, snapped to a usual one. Raises BadInput outside 1..1000 frames a second."""
    if not math.isfinite(rate) or not LOWEST <= rate <= HIGHEST:
        raise BadInput(f"{name} has a rate of {rate:g} frames a second; give the right one, {LOWEST:g} to {HIGHEST:g}.")
    return usual(rate) or float(rate)


def rate_of_time(seconds, name, digits=None, notify=None):
    """Frames a second of a `Frame Time`. digits: decimals it was written with; 0.033 is then 30, which it was rounded
    from.

    A value above 1 is read as the rate itself, or as milliseconds, where just one of both is a usual rate; the user is
    told.
    """
    notify = notify or (lambda sentence: None)
    if not math.isfinite(seconds) or seconds <= 0:
        raise BadInput(f"{name} has a frame time of {seconds:g} s; give the right rate, {LOWEST:g} to {HIGHEST:g} "
                       "frames a second.")
    if seconds >= 1:
        readings = {usual(seconds), usual(1000 / seconds)} - {None}
        if len(readings) == 1 and (seconds > 1 or usual(seconds)):
            rate = readings.pop()
            notify(f"{name} says Frame Time: {seconds:g}, which is read as {rate:g} frames a second.")
            return rate
        return check_rate(1 / seconds, name)
    rate = 1 / seconds
    if usual(rate) is None and digits is not None and digits <= 4:
        rounded = [each for each in USUAL if round(1 / each, digits) == round(seconds, digits)]
        if rounded:
            return min(rounded, key=lambda each: abs(1 / each - seconds))
    return check_rate(rate, name)


def rate_of_rate(rate, name, notify=None):
    """Frames a second of a field that should hold them; a frame time in it is taken as one, and the user is told."""
    if math.isfinite(rate) and 0 < rate < 1 and usual(1 / rate):
        (notify or (lambda sentence: None))(f"{name} holds the time of a frame, {rate:g} s, where its rate belongs; "
                                            f"read as {usual(1 / rate):g} frames a second.")
        return usual(1 / rate)
    return check_rate(rate, name)
