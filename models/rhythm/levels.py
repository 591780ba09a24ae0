"""Beats of two networks that hear one piece: their average, but the level of the one trained on recorded music."""
import numpy as np

# Beats followed one by one at half or double the tempo of the grid, which explain so much more than it does, tell the
# level: the grid is looked for near them.
LEVEL_GAIN, LEVEL_WIDTH = 1.05, 1.08
OTHER_LEVEL = 0.5               # octaves between two tempi from which on they are two levels


def of_both(heard, find, bars, options):
    """Beats of "world" and "recorded" averaged, which is the steadier on drums; those of "recorded" where it reads the
    music at another level, which recorded music is where it learned. Validation, by "world", by "recorded", by this
    rule: 36 recorded passages 0.809, 0.903, 0.899; 21 scores 0.561, 0.585, 0.591; 6 songs on drums 0.994, 0.939, 0.994.
    """
    both = find((heard.world + heard.wide) / 2, bars=bars, doubtful=True)
    if options.get("bpm") is not None or options.get("mode", "auto") not in (None, "auto"):
        return both
    explained = heard.explained_wide
    found = find(heard.wide, doubtful=True, explained=explained)
    bpm = followed_level(explained, found.extra["tempo"]["chosen"])
    if bpm is not None:
        found = find(heard.wide, doubtful=True, explained=explained, bpm=bpm)
    tempi = [beats.extra["tempo"]["bpm"] for beats in (found, both)]
    if min(tempi) <= 0 or abs(np.log2(tempi[0] / tempi[1])) <= OTHER_LEVEL:
        return both
    return find(heard.wide, bars=bars, doubtful=True, explained=explained, bpm=bpm)


def followed_level(explained, chosen):
    """Tempo of the free path of `core.rhythm.tempo.Explained` where it is half or double that of the grid `chosen`
    (steady or drifting) and explains more than any grid; None elsewhere."""
    grid = {"steady": explained.one, "drifting": explained.drifting}.get(chosen)
    if grid is None or grid.bpm <= 0 or len(explained.free) < 4:
        return None
    bpm = float(60.0 / np.median(np.diff(explained.free.times)))
    near = any(1 / LEVEL_WIDTH < bpm / grid.bpm / factor < LEVEL_WIDTH for factor in (0.5, 2.0))
    one, many, free = explained.agreements
    return bpm if near and free > LEVEL_GAIN * max(one, many) else None
