"""What makes the dancer's body a person's: captured texture under the choreography, a head that looks, arms that lag.

`Life` adds to `Curves` what `texture.py` plays; the functions here shape what the choreography gives.
"""
from dataclasses import dataclass

import numpy as np

from models.lab.studio.body import BALL_HEIGHT, apply, yaw
from models.lab.studio.ik import quintic, smooth, smooth_noise
from models.lab.studio.texture import texture

GROOVED = 0.85              # how much of its speed the texture loses on each count (`Clock.groove`)


@dataclass(frozen=True)
class Habit:
    """How alive one dancer is, drawn once per piece: factors on the texture, seconds of lag, radians."""

    trunk: float
    head: float
    wrists: float
    heels: float
    arm_lag: np.ndarray         # (2,) s of each arm behind the trunk
    elbow_lag: np.ndarray       # (2,) s of each elbow behind its arm
    look: float                 # how far the head turns back to the audience, share
    watch: float                # and how much it follows the higher hand


def draw_habit(rng):
    """A dancer's `Habit`."""
    u = rng.uniform
    return Habit(trunk=u(0.75, 1.35), head=u(0.6, 1.15), wrists=u(0.7, 1.4), heels=u(0.8, 1.3),
                 arm_lag=u(-0.03, 0.04, 2), elbow_lag=u(0.0, 0.05, 2), look=u(0.2, 0.7), watch=u(0.0, 0.35))


class Life:
    """The texture of one piece, and how strongly it is danced at each frame."""

    def __init__(self, seed, genre, clock, plain, bpm, strength, up):
        """strength (T,): 0 frozen .. 1; up (T,): 0 on the floor .. 1 standing; plain (T,): seconds of the frames."""
        rng = np.random.default_rng([seed, *b"alive"])
        self.habit = draw_habit(rng)
        counts = clock.count(clock.groove(plain, lambda count: np.full(np.shape(count), GROOVED)))
        self.parts = texture(rng, counts, bpm, genre.people)
        for name in ("heels", "pivots"):                    # a foot's detail goes through the whole leg
            self.parts[name] = smooth(self.parts[name], 3)
        self.noise = smooth_noise(rng, len(plain), 6, 0.9)
        self.strength, self.up = strength * up * genre.alive, up

    def hips(self):
        """(T,3) to add to the pelvis' tilt, turn and roll, radians."""
        return self.parts["tilt"] * (self.habit.trunk * self.strength)[:, None]

    def spine(self):
        """(T,3) to add to the whole spine, radians."""
        return self.parts["spine"] * (self.habit.trunk * self.strength)[:, None]

    def add(self, curves, face):
        """Head, wrists, hands, feet and the pelvis' place of the `Curves`, in place. face (T,): the dancer's yaw."""
        level = self.strength[:, None]
        head = self.parts["head"] * self.habit.head * (0.35 + 0.65 * level)
        curves.neck = curves.neck + 0.35 * head
        curves.head = curves.head + 0.65 * head
        wrists = self.habit.wrists * self.up * (0.3 + 0.7 * self.strength)
        curves.hand = curves.hand + self.parts["wrists"] * wrists[:, None, None]
        curves.detail = 0.5 * self.parts["hands"] * level[..., None]
        curves.pelvis = curves.pelvis + apply(yaw(face), self.parts["pelvis"]) * level
        down = smooth(1 - quintic((curves.ball[..., 1] - BALL_HEIGHT) / 0.03), 4)   # a foot in the air has its own way
        curves.foot_pitch = curves.foot_pitch + self.parts["heels"] * down * self.habit.heels * level
        curves.foot_yaw = curves.foot_yaw + self.parts["pivots"] * down * self.habit.heels * 0.8 * level


def gaze(habit, face, arms):
    """(T,3) neck-and-head turn towards the audience (the dancer's yaw is 0 there) and towards the higher hand."""
    away = (face + np.pi) % (2 * np.pi) - np.pi
    back = -habit.look * np.clip(away, -1.0, 1.0) * quintic((2.6 - np.abs(away)) / 1.0)
    lead = arms[:, 0, 1] - arms[:, 1, 1]                                            # which hand is higher
    side = np.tanh(lead / 0.5)
    high = np.maximum(arms[..., 1].max(1), 0.0)
    out = np.zeros((len(face), 3))
    out[:, 1] = back + habit.watch * side * np.clip(high + 0.3, 0, 1)
    out[:, 0] = -habit.watch * 0.8 * high
    return smooth(out, 4)
