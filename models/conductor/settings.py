"""What `Conductor.generate` is asked."""
from dataclasses import dataclass

from models.diffusion.settings import SamplingSettings


@dataclass(frozen=True)
class Settings(SamplingSettings):
    """guidance_scale, steps: None takes the checkpoint's.

    start         s, where in the track the passage begins
    metre         2 to 7, 9 or 12; None and "auto" keep the bars of the beats
    beat_pattern  "auto", or "one" ... "nine" strokes a bar, or groups (models.conductor.beat_pattern)
    lead          s of motion before sound, None by tempo of the strokes
    amplitude     1 as generated, 0 still
    left_hand     1 as generated .. 0 mirrors the right
    mirror        baton in the left hand
    legs          "natural" (weight and small steps; a model without feet stands), "stand" (feet never move) or "off"
                  (as natural, for a rig that keeps its own legs)
    keep          (Motion of the passage, [(from, to), ...] in seconds): these ranges stay, the rest is filled in; with
                  keypoints13 the motion is an array (T, 13, 2) at 30 fps, and amplitude, left_hand and mirror do not
                  exist
    centre        the rest is made about the place and facing that what stays has on average, not about xy = 0 and -y
    lift          key points are put onto a body (models.conductor.lift) and all else goes on from there; `keep` is a
                  Motion
    ready         stand ready instead, as where no beat was found in the sound
    features      an earlier `analyse(audio)`
    """

    start: float = 0.0
    metre: int | str | None = None
    beat_pattern: str = "auto"
    lead: float | None = None
    amplitude: float = 1.0
    left_hand: float = 1.0
    mirror: bool = False
    centre: bool = False
    ready: bool = False
    lift: bool = False
    legs: str = "natural"
    sampler: str = "ddim"
    features: tuple | None = None
