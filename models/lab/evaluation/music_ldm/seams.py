"""Do minutes of music show where their windows meet, and loops where they close?

    python -m models.lab.evaluation.music_ldm.seams [--pieces 4 --seconds 180 --steps 20] [--docs docs/results.md]

Long pieces follow dances that the studio makes for the purpose (seeds of its test split), with their true beats. At the
edges of the sampling windows the log-mel flux (what changes from one frame to the next) and the step of the spectrum
(half a second before against half a second after) are compared with those of all other instants; so is the flux where
neighbours overlap and are averaged, which might blur it. Beats cluster both, so the edges are also shifted round the
piece together: a seam is a ratio outside of what shifted edges give. The composer's own sound, which has no windows, is
measured at the same instants.
"""
import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch

from core import checkpoints
from core.audio import DELIVERY_RATE
from core.audio.mel import FRAME_RATE, log_mel
from core.contract import GENRES
from core.errors import command
from core.pipelines.base import regular_beats
from core.rhythm.alignment import beat_f1_70ms
from models.lab.evaluation.music_ldm.rows import deliver
from models.lab.evaluation.music_ldm.scoring import TRACKER_RATE, to_tracker
from models.lab.evaluation.tables import markdown_table, replace_section, write_json
from models.lab.metrics.audio import clicks, loudness_lufs
from models.lab.metrics.beat_align import music_beats_librosa
from models.music_ldm.passage import Passage
from models.music_ldm.pipeline import MusicLDM

FIRST_SEED = 960_000            # of the studio's test split, above the evaluation's
NEAR_FRAMES = 3                 # mel frames on either side of an edge that belong to it: 70 ms
STEP_FRAMES = 22                # half a second
BLOCK_SECONDS = 10.0            # of the loudness over time
DRAWS = 2000
LOOP_BPM, LOOP_BARS = 120.0, 8


def flux(mel):
    """(T,) root mean square change of log-mel (T, 256) from the frame before; the first is its neighbour's."""
    change = np.sqrt(np.square(np.diff(mel, axis=0)).mean(1))
    return np.concatenate([change[:1], change])


def spectral_step(mel, frames=STEP_FRAMES):
    """(T,) distance of the mean log-mel of the `frames` before and after each frame; held within `frames` of the
    ends."""
    total = np.concatenate([np.zeros_like(mel[:1]), np.cumsum(mel, axis=0, dtype=np.float64)])
    at = np.clip(np.arange(len(mel)), frames, max(frames, len(mel) - frames))
    before, after = total[at] - total[at - frames], total[np.minimum(at + frames, len(mel))] - total[at]
    return np.sqrt(np.square((after - before) / frames).mean(1))


def at_edges(curve, edges, reach, rng):
    """How `curve` (T,) near the frames `edges` compares with the rest of it.

    ratio: mean within `reach` frames of the edges over the mean elsewhere; low, high: its 95 % range over edges drawn
    anew; null_low, null_high: the 95 % range of the ratio of edges shifted round the piece together, where no seam is.
    """
    around = np.arange(-reach, reach + 1)

    def values(places):
        return curve[(places[:, None] + around) % len(curve)].mean(1)
    def ratio(near):
        part = len(edges) * len(around) / len(curve)           # of the piece; places do not overlap
        return near * (1 - part) / (curve.mean() - near * part)
    own = values(edges)
    drawn = ratio(own[rng.integers(0, len(own), (DRAWS, len(own)))].mean(1))
    shifted = [ratio(values(edges + shift).mean()) for shift in range(reach + 1, len(curve), 3)]
    low, high, null_low, null_high = *np.percentile(drawn, (2.5, 97.5)), *np.percentile(shifted, (2.5, 97.5))
    return {"ratio": float(ratio(own.mean())), "low": float(low), "high": float(high), "null_low": float(null_low),
            "null_high": float(null_high)}


def edge_frames(passage):
    """(mel frames at which a window begins or ends, the ends of the piece left out; the middles of the overlaps; half
    the length of the shortest overlap)."""
    starts, per_latent = np.array(passage.starts), passage.config.downsample
    begin, end = starts[1:], starts[:-1] + passage.config.window
    edges = np.unique(np.concatenate([begin, end])) * per_latent
    return edges, (begin + end) * per_latent // 2, int((end - begin).min()) * per_latent // 2


def sound_figures(sound, passage, beats, rng):
    """The figures of one long sound (2, N) at 48 kHz: edges, beats in each window, loudness over time."""
    mono = to_tracker(sound)
    mel = log_mel(mono)
    edges, overlaps, half = edge_frames(passage)
    edges = edges[edges < len(mel) - 1]
    found = music_beats_librosa(mono, TRACKER_RATE)
    spans = np.array(passage.starts)[:, None] + [0, passage.config.window]
    scores = []
    for first, last in spans * passage.config.downsample / FRAME_RATE:
        inside = [times[(times >= first) & (times < last)] for times in (found, beats)]
        scores.append(beat_f1_70ms(*inside))
    size = int(BLOCK_SECONDS * DELIVERY_RATE)
    starts = range(0, sound.shape[1] - size + 1, size)
    levels = np.array([loudness_lufs(sound[:, start:start + size], DELIVERY_RATE) for start in starts])
    slope = np.polyfit(np.arange(len(levels)) * BLOCK_SECONDS / 60, levels, 1)[0] if len(levels) > 1 else 0.0
    return {"windows": len(spans), "edges": len(edges), "flux": at_edges(flux(mel), edges, NEAR_FRAMES, rng),
            "step": at_edges(spectral_step(mel), edges, 0, rng),
            "overlap": at_edges(flux(mel), overlaps, half - 1, rng),
            "beat_f1": beat_f1_70ms(found, beats),
            "window_f1": [round(score, 3) for score in scores], "drift_lu_per_minute": float(slope),
            "loudness_spread_lu": float(levels.std()), "clicks": len(clicks(sound, DELIVERY_RATE))}


def long_pieces(model, count, seconds, steps, report):
    """{"generated", "composer"}: figures of each long piece, genres in turns."""
    from models.lab.studio.dancer import dance
    from models.lab.studio.music import compose, render
    from models.lab.studio.plan import make_plan
    out = {"generated": [], "composer": []}
    for number in range(count):
        genre, rng, began = GENRES[number * 3 % len(GENRES)], np.random.default_rng(number), time.perf_counter()
        plan = make_plan("dance", FIRST_SEED + number, genre=genre, duration=seconds)
        motion, times = dance(plan), np.asarray(plan.beats.times)
        made = model.generate(motion, genre=genre, beats=plan.beats, duration=seconds, steps=steps, seed=number)[0]
        passage = Passage(model.denoiser.config, seconds, motion, plan.beats, genre)
        for name, sound in (("generated", made), ("composer", render(compose(plan), plan, rate=DELIVERY_RATE))):
            figures = sound_figures(deliver(sound), passage, times[times < seconds], rng)
            out[name].append({"genre": genre, **figures})
            report(f"{name}, {genre}: {figures}, {time.perf_counter() - began:.0f} s")
    return out


def loops(model, count, steps, report):
    """Figures of the joint of each loop: eight bars to a steady beat, played twice."""
    seconds, out = LOOP_BARS * 4 * 60 / LOOP_BPM, []
    for number in range(count):
        genre = GENRES[number % len(GENRES)]
        made = model.generate(None, genre=genre, beats=regular_beats(LOOP_BPM, seconds), duration=seconds, steps=steps,
                              seed=number, loop=True)[0]
        twice = np.concatenate([made, made], axis=1)
        mel = log_mel(to_tracker(twice))[:-1]
        change = np.abs(np.diff(twice, axis=1)).max(0)
        at = made.shape[1] - 1
        near = change[at - DELIVERY_RATE // 100:at + DELIVERY_RATE // 100]
        figures = {"genre": genre, "flux": at_beats(flux(mel), round(seconds * FRAME_RATE)),
                   "step": float(change[at] / np.percentile(near, 95)),
                   "clicks": int((np.abs(clicks(twice, DELIVERY_RATE) - seconds) < 0.05).sum())}
        report(f"loop, {genre}: {figures}")
        out.append(figures)
    return out


def at_beats(curve, joint):
    """Mean of `curve` near the joint over that at the loop's other downbeats, and the share of those that it
    exceeds."""
    bar = 4 * 60 / LOOP_BPM * FRAME_RATE
    around = np.arange(-NEAR_FRAMES, NEAR_FRAMES + 1)
    others = [curve[int(round(k * bar)) + around].mean() for k in range(1, LOOP_BARS)]
    own = curve[joint + around].mean()
    return {"ratio": float(own / np.mean(others)), "rank": float(np.mean([own > value for value in others]))}


MEASURES = {"flux": "log-mel flux at edges", "step": "step of the spectrum at edges", "overlap": "log-mel flux in "
            "overlaps"}
RANGES = ("ratio", "low", "high", "null_low", "null_high")


def average(pieces, *keys):
    """Mean of a figure over pieces; keys lead to it."""
    def value(piece):
        for key in keys:
            piece = piece[key]
        return piece
    return float(np.mean([value(piece) for piece in pieces]))


def markdown(results):
    """The section of docs/results.md."""
    settings, made, joints = results["settings"], results["generated"], results["loops"]
    rows = {f"{name}: {label}": {key: average(results[name], measure, key) for key in RANGES}
            for name in ("generated", "composer") for measure, label in MEASURES.items()}
    columns = ("beat_f1", "drift_lu_per_minute", "loudness_spread_lu", "clicks")
    whole = {name: {key: average(results[name], key) for key in columns} for name in ("generated", "composer")}
    windows = [score for piece in made for score in piece["window_f1"]]
    thirds = [np.array_split(piece["window_f1"], 3) for piece in made]
    first, last = (np.mean(np.concatenate([third[k] for third in thirds])) for k in (0, 2))
    above = sum(piece[measure]["ratio"] > piece[measure]["null_high"] for piece in made for measure in MEASURES)
    ratios = [joint["flux"]["ratio"] for joint in joints]
    return f"""### Minutes of music: seams

{len(made)} pieces of {settings["seconds"]:g} s, {settings["steps"]} steps, {made[0]["windows"]} windows and \
{made[0]["edges"]}
window edges each; denoiser {settings["denoiser"]}, VAE {settings["vae"]}. Ratios compare what lies within 70 ms of an \
edge (or
in an overlap) with the rest; 1: no difference. `low`, `high`: 95 % range over edges drawn anew; `null_low`, \
`null_high`: the
same for edges shifted together to where none are. Means over the pieces.

{markdown_table(rows, RANGES)}

{above} of the {len(MEASURES) * len(made)} ratios of single generated pieces lie above their null range
({0.025 * len(MEASURES) * len(made):.1f} expected by chance). Beat F1 within each of the {len(windows)} windows: median
{np.median(windows):.3f}, tenth percentile {np.percentile(windows, 10):.3f}, lowest {min(windows):.3f}; first third of \
the windows
{first:.3f}, last third {last:.3f}.

{markdown_table(whole, columns)}

Loops of {LOOP_BARS} bars, {len(joints)} genres: flux at the joint over that of the loop's other downbeats \
{np.mean(ratios):.3f}
({min(ratios):.3f} to {max(ratios):.3f}), above {average(joints, "flux", "rank"):.2f} of them; step from the last \
sample to
the first over the 95th percentile of steps around it {average(joints, "step"):.2f}, at most
{max(joint["step"] for joint in joints):.2f}; clicks at the joint: {sum(joint["clicks"] for joint in joints)}.

To repeat: `python -m models.lab.evaluation.music_ldm.seams --docs docs/results.md`."""


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="models.lab.evaluation.music_ldm.seams", description=__doc__.splitlines()[0])
    parser.add_argument("--pieces", type=int, default=4)
    parser.add_argument("--loops", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--checkpoints", help="extra checkpoint folder")
    parser.add_argument("--out", default="music_seams.json")
    parser.add_argument("--docs", help="Markdown file whose music_seams section is replaced")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    report = lambda text: print(text, flush=True)              # noqa: E731
    model = MusicLDM.load(options.checkpoints)
    weights = {part: checkpoints.find("music_ldm", part, options.checkpoints).sha256[:8]
               for part in ("denoiser", "vae")}
    results = {"settings": {"seconds": options.seconds, "steps": options.steps, **weights},
               **long_pieces(model, options.pieces, options.seconds, options.steps, report),
               "loops": loops(model, options.loops, options.steps, report)}
    write_json(options.out, results)
    text = markdown(results)
    print(text)
    if options.docs:
        replace_section(Path(options.docs), "music_seams", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
