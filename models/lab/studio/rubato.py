"""Tempo as Romantic dances have it: times of the beats of a whole piece, drawn beat by beat.

`romantic_times`: every phrase has a tempo of its own. `rhapsodic_times`: besides, the tempo lives inside the bar: bars
that are held back alternate with bars in tempo, one beat of the bar is leaned on and the others make up for it or do
not, and a breath is taken before a phrase, as small orchestras play Hungarian dances.
"""
import numpy as np

SHORTEST, LONGEST = 0.3, 1.5            # seconds of a beat


def romantic_times(rng, bpm, metre, duration):
    """Beats of a Romantic dance: each phrase takes a tempo of its own at once, slows into its end or gathers speed from
    its start, and no two beats are quite as long; 40 to 200 beats a minute. Returns times (B,) seconds, positions (B,)
    1..metre."""
    def phrase(first):
        beats = metre * int(rng.choice([2, 4, 4, 8]))
        ratio = np.full(beats, 1.0 if first else np.exp(np.clip(rng.normal(0, 0.22), -0.45, 0.45)))
        if rng.random() < 0.5:                                  # ritardando into the end
            span = int(min(beats, rng.integers(2, 2 * metre + 1)))
            ratio[-span:] *= 1 + rng.uniform(0.15, 0.8) * np.linspace(0.2, 1, span) ** 1.5
        if rng.random() < 0.2:                                  # gathers speed
            ratio[:beats // 2] *= np.linspace(rng.uniform(1.15, 1.5), 1, beats // 2)
        ratio *= np.exp(rng.normal(0, rng.uniform(0.01, 0.04), beats))
        return np.clip(60.0 / bpm * ratio, SHORTEST, LONGEST)
    return _join(rng, metre, duration, phrase)


def rhapsodic_times(rng, bpm, metre, duration):
    """Beats of a dance played with rubato inside the bar; arguments and result as `romantic_times`."""
    fastest = 0.27                                              # 220 beats a minute, the fastest the decoder looks for

    def phrase(first):
        bars = int(rng.choice([2, 4, 4, 8]))
        ratio = np.full((bars, metre), 1.0 if first else np.exp(np.clip(rng.normal(0, 0.18), -0.35, 0.35)))
        if rng.random() < 0.5:                                  # poco ritardando, in tempo, by turns of one or two bars
            turn, slow = int(rng.choice([1, 1, 2])), rng.uniform(1.1, 1.5)
            held = (np.arange(bars) // turn + int(rng.integers(2))) % 2 == 0
            into = np.linspace(1.0, 1.0 if rng.random() < 0.5 else rng.uniform(1.0, 1.25), metre)
            ratio[held] *= slow * into
        if rng.random() < 0.6:                                  # a beat of the bar is leaned on
            beat = int(rng.choice([0, 0, metre - 1, rng.integers(metre)]))
            lean = 1 + rng.uniform(0.05, 0.4) * rng.uniform(0.3, 1.0, bars)
            ratio[:, beat] *= lean
            if rng.random() < 0.7:                              # what is taken is given back
                rest = [k for k in range(metre) if k != beat]
                ratio[:, rest] *= np.clip(1 - (lean - 1) / len(rest), 0.75, 1)[:, None]
        ratio = ratio.ravel()
        draw = rng.random()
        if draw < 0.25:                                         # gathers speed all along
            ratio *= np.linspace(rng.uniform(1.0, 1.35), rng.uniform(0.8, 1.0), len(ratio))
        elif draw < 0.6:                                        # slows into its end
            span = int(min(len(ratio), rng.integers(2, 2 * metre + 1)))
            ratio[-span:] *= 1 + rng.uniform(0.1, 0.6) * np.linspace(0.2, 1, span) ** 1.5
        if rng.random() < 0.25:                                 # a breath before the next phrase
            ratio[-1] *= rng.uniform(1.15, 1.6)
        ratio *= np.exp(rng.normal(0, rng.uniform(0.015, 0.06), len(ratio)))
        # However free, half an octave and a little from the piece's tempo: beyond it players would count otherwise.
        return np.clip(60.0 / bpm * np.clip(ratio, 0.65, 1.8), fastest, LONGEST)
    return _join(rng, metre, duration, phrase)


def _join(rng, metre, duration, phrase):
    """Phrases, `phrase(whether it is the first)` -> seconds of its beats, one after another until the piece is full."""
    periods, length = [], 0.0
    while length < duration:
        periods.append(phrase(not periods))
        length += periods[-1].sum()
    times = rng.uniform(0.05, 0.3) + np.concatenate([[0.0], np.cumsum(np.concatenate(periods))])
    upbeat = int(rng.integers(metre)) if rng.random() < 0.5 else 0
    positions = (np.arange(len(times)) + upbeat) % metre + 1
    keep = times < duration
    return times[keep], positions[keep]
