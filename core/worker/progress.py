"""Progress of one job: phases, fractions that never go back, a measured ETA, and not too many messages."""
import time

from core.contract import load

INTERVAL_SECONDS = 0.05
ETA_FROM_FRACTION = 0.02
ETA_FROM_SECONDS = 0.4


class Progress:
    """progress(phase, fraction, detail="") -> send(phase=, detail=, fraction=, eta=).

    fraction is of the whole job, 0..1, or None when unknown. The ETA (s) is what is left at the speed measured since
    the job's first reported fraction above zero (loading before it does not count),
    or None while there is too little to tell.
    """

    def __init__(self, send, clock=time.monotonic):
        self._send, self._clock = send, clock
        self._last_time, self._last_phase = -1e9, None
        self._fraction, self._anchor = None, None

    def __call__(self, phase, fraction=None, detail=""):
        if phase not in load("phases"):
            raise ValueError(f"phase {phase!r} is not in core/contract/phases.json")
        now = self._clock()
        if fraction is not None:
            fraction = min(1.0, max(float(fraction), self._fraction or 0.0))
            self._fraction = fraction
            if self._anchor is None and fraction > 0:
                self._anchor = (now, fraction)
        done = fraction is not None and fraction >= 1.0
        if phase == self._last_phase and now - self._last_time < INTERVAL_SECONDS and not done:
            return
        self._last_time, self._last_phase = now, phase
        self._send(phase=phase, detail=detail, fraction=self._fraction, eta=self._eta(now))

    def _eta(self, now):
        if self._anchor is None:
            return None
        seconds, gained = now - self._anchor[0], self._fraction - self._anchor[1]
        if gained < ETA_FROM_FRACTION or seconds < ETA_FROM_SECONDS:
            return None
        return round(seconds / gained * (1.0 - self._fraction), 2)
