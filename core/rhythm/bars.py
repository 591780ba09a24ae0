"""Bars over beats: which beat is the first of a bar, and how many a bar has. numpy only."""
import numpy as np

from core.contract import PLAIN_METRES
from core.rhythm.decoder_config import CONFIG


def around(activations, fps, times, column, reach=0.04):
    """Largest value (B,) of a column within +-reach seconds of each time."""
    width = max(1, int(round(reach * fps)))
    centre = np.round(np.asarray(times) * fps).astype(int)
    index = np.clip(centre[:, None] + np.arange(-width, width + 1), 0, len(activations) - 1)
    return activations[index, column].max(axis=1)


def find_bars(activations, fps, times, metre=None, evidence=None, config=CONFIG):
    """Positions (B,) 1..metre of beats at `times` (seconds from frame 0) and the metre: if not given, the best of those
    that `evidence` names, or of 2, 3, 4, 6.

    Viterbi over the position in the bar: a beat at 1 scores the log odds of a downbeat there, any other nothing; an
    irregular bar costs `break_cost`. The odds are those of the frames, the share q of the downbeat in the beat's
    activation, or of `evidence`: a function of times (B,) that gives (log odds (B,), {metre: log probability}); then
    `activations` may be None, and are else added with the weight `frame_share`.
    """
    times = np.asarray(times)
    if len(times) == 0:
        return np.zeros(0, dtype=np.int64), metre or 4
    frames = None if activations is None else _frame_odds(activations, fps, times) - config.downbeat_bias
    if evidence is None:
        # Long bars explain weak evidence as well as short ones; a bar of 4 is the commonest.
        reward, prior = frames, dict(zip(PLAIN_METRES, (-1.0, -1.0, 0.0, -2.0)))
    else:
        reward, metres = evidence(times)
        prior = {key: config.metre_weight * value for key, value in metres.items()}
        if frames is not None:
            reward = reward + config.frame_share * frames
    best = None
    for candidate in (metre,) if metre else prior:
        score, positions = _bars(reward, candidate, config.break_cost)
        score += prior.get(candidate, 0.0)
        if best is None or score > best[0]:
            best = (score, positions, candidate)
    return best[1], best[2]


# How bars of five and seven fall into groups.
GROUPINGS = {5: ((3, 2), (2, 3)), 7: ((2, 2, 3), (3, 2, 2), (2, 3, 2))}


def groups_of(odds, positions, metre):
    """The grouping of bars of five or seven whose later groups begin where beats (B,) are likest
    downbeats; None for other metres.

    odds: log odds (B,) of a downbeat, `evidence` of `find_bars`; positions: (B,) in the bar.
    """
    if metre not in GROUPINGS or len(odds) < 2 * metre:
        return None
    mean = np.array([np.asarray(odds)[np.asarray(positions) == place + 1].mean() for place in range(metre)])
    return max(GROUPINGS[metre], key=lambda groups: float(np.mean(mean[np.cumsum(groups)[:-1]])))


def _frame_odds(activations, fps, times):
    """Log odds (B,) that a beat is a downbeat: the downbeat's activation against that of the beat."""
    beat, down = around(activations, fps, times, 0), around(activations, fps, times, 1)
    q = np.clip((down + 0.01) / (np.maximum(beat, down) + 0.04), 0.03, 0.97)
    return np.log(q / (1 - q))


def _bars(reward, metre, break_cost):
    """Best score and positions (B,) for one metre."""
    count = len(reward)
    score = np.zeros(metre)
    back = np.zeros((count, metre), dtype=np.int64)
    regular = (np.arange(metre) - 1) % metre
    for index in range(count):
        if index:
            stay, jump = score[regular], int(score.argmax())
            broken = score[jump] - break_cost
            back[index] = np.where(stay >= broken, regular, jump)
            score = np.maximum(stay, broken)
        score = score.copy()
        score[0] += reward[index]
    positions = np.empty(count, dtype=np.int64)
    here = int(score.argmax())
    best = float(score[here])
    for index in range(count - 1, -1, -1):
        positions[index] = here + 1
        here = back[index, here]
    return best, positions
