"""Feet of skeletons whose rest does not stand: how their axes lie to the sole."""
import numpy as np

from core.body.kinematics import OFFSETS
from core.retarget.quarters import ALONG, QUARTERS, between, fit, nearest_axis
from core.retarget.rest import ID, swing, unit
from core.retarget.rig import orthonormal

STILL = np.radians(10.0)            # half of a standing foot's pitches lie as near together
FLAT = np.radians(8.0)              # a foot's axis that stands so is level
TOLD = np.radians(1.0)              # and half of what a foot is pitched against its toes, where those mostly lie still


def foot_axes(mean, along, pitch):
    """Bone axes -> SMPL axes of an ankle that points `along` in its own axes. mean (3,3): bone axes -> shin, on
    average."""
    across = mean.T @ np.array([1.0, 0, 0])
    if np.abs(along).max() > 1 - 1e-9:                      # one of the axes itself
        across = nearest_axis(across - (across @ along) * along)
    return between((along, across), (np.array([0, -np.sin(pitch), np.cos(pitch)]), np.array([1.0, 0, 0])))


def flat_axes(mean, along, other):
    """Bone axes -> SMPL axes of an ankle whose axes are not laid along the foot but flat, as the body's; `other`
    (3,3) where the quarter turn nearest to `mean` (3,3) does not point it (along: where to, in the bone's axes) as
    feet are."""
    turn = QUARTERS[int(np.argmax(fit(mean, QUARTERS)))]
    usual = unit(OFFSETS[ID["left_foot"]] * [0, 1, 1])
    return turn if unit((turn @ along) * [0, 1, 1]) @ usual > ALONG else other


def toed_out(outward, pitch):
    """(3,3) turn of a pitched foot's axes to where feet point. outward (3,3): the same of a level foot.

    Programs turn it about the vertical or by the smallest turn, some 4 degrees of roll apart: what lies between.
    """
    foot = np.array([0.0, -np.sin(pitch), np.cos(pitch)])
    return orthonormal(outward + swing(foot, outward @ foot))


def pitch_of_feet(axes, ways):
    """Angle (radians) of the feet below their sole. axes: `standing._Axes` with legs; ways {side: (3,)} a foot's
    direction in the ankle bone's axes.

    Toes that mostly lie still tell it; else what feet have while they stand, else the canonical one.
    """
    standing = _standing_pitch(axes, ways)
    if axes.free:
        return standing
    toes = [_against_toes(axes, side, along, standing) for side, along in ways.items() if f"{side}_foot" in axes.bones]
    told = _densest(np.sort(np.concatenate(toes))) if len(toes) == 2 else np.zeros(0)
    # Toes whose axes were copied from the foot's lie in line with it, which says nothing of the sole.
    return float(told.mean()) if len(told) and np.ptp(told) < TOLD and abs(told.mean()) > FLAT else standing


def _standing_pitch(axes, ways):
    pitches = [_while_standing(axes, side, along) for side, along in ways.items()]
    pitches = np.sort(np.concatenate(pitches)) if pitches else np.zeros(0)
    if len(pitches) < 8 or np.ptp(np.percentile(pitches, [25, 75])) > STILL:
        usual = OFFSETS[ID["left_foot"]]
        return float(np.arctan2(-usual[1], usual[2]))
    while len(pitches) > 4:                    # again and again
        pitches = _densest(pitches)
    return float(pitches.mean())


def _densest(values):
    """The half of sorted values (n,) that lies closest together."""
    half = (len(values) + 1) // 2
    first = int(np.argmin(values[half - 1:] - values[:len(values) - half + 1]))
    return values[first:first + half]


def _while_standing(axes, side, along):
    """(n,) radians below the horizontal at which a foot is in the frames in which it is low and slow."""
    heel = axes.places[f"{side}_ankle"]
    toe = axes.places.get(f"{side}_foot", heel)
    speed = sum(np.linalg.norm(np.gradient(points, axis=0), axis=-1) for points in (toe, heel))
    low = toe @ axes.up
    still = (speed <= np.percentile(speed, 40)) & (low <= np.percentile(low, 60))
    return np.arcsin(np.clip(-(axes.turns[f"{side}_ankle"][still] @ along) @ axes.up, -1, 1))


def _against_toes(axes, side, along, pitch):
    """(T,) radians by which a foot points below its toes, whose axes are a quarter turn of the body's; pitch: of the
    foot, about."""
    knee, ankle, toes = axes.frames(f"{side}_knee"), axes.turns[f"{side}_ankle"], axes.turns[f"{side}_foot"]
    about = foot_axes(np.mean(np.swapaxes(knee, -1, -2) @ ankle, axis=0), along, pitch)
    mean = np.mean(about @ np.swapaxes(ankle, -1, -2) @ toes, axis=0)
    forward = QUARTERS[int(np.argmax(fit(mean, QUARTERS)))].T @ np.array([0.0, 0, 1])
    foot, toes = ankle @ along, toes @ forward
    return np.arctan2(-(np.cross(foot, toes) * knee[..., 0]).sum(-1), (foot * toes).sum(-1))
