"""What is measured on dances: alignment above the circular-shift null, distance to captures, feet, floor, range of
motion."""
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch

from core.audio import Audio
from core.body.motion import Motion
from core.rhythm.beats import Beats
from models.lab.metrics import onset_flags
from models.lab.metrics.beat_align import align_report, kinematic_beats_bailando
from models.lab.metrics.dance import FEATURE_FPS, dance_features, upright
from models.lab.metrics.frechet import diversity, frechet_distance, z_score
from models.lab.metrics.kinetic import kinetic
from models.lab.metrics.motion import below_floor, jerk, pfc
from models.motion.contacts import slide_metres
from models.motion.representation import foot_contacts
from models.training.flat import Flat

SECONDS = 20.0                              # of a studio piece
PASSAGE = 10.0                              # s, of captures and of what is compared with them
HOP = 3.0                                   # s between passages of captures: they overlap, for there are few
SOUNDS = 24                                 # studio songs held in memory; others are rendered again where asked for
FARTHEST = 0.1                              # share of dances without which a distance is told as well
LAGS = np.arange(-0.08, 0.081, 0.01)        # s


@dataclass
class Piece:
    """A studio test piece: its sound, its dance at 30 fps, its true beats and genre."""

    audio: Audio
    motion: Motion
    beats: Beats
    genre: str
    name: str


class StudioPiece:
    """A `Piece` of a test seed that is performed and rendered where it is asked for: hundreds are named at no cost."""

    def __init__(self, seed, seconds):
        from models.lab.studio.build import item_plan
        self.seed, self.seconds = seed, seconds
        self.plan = item_plan("dance", seed, seconds, stratified=True)
        self.beats, self.genre, self.name = self.plan.beats, self.plan.genre, f"dance-{seed:06d}"

    @property
    def audio(self):
        """Its sound, `core.audio.Audio`."""
        return _rendered(self.seed, self.seconds)

    @cached_property
    def motion(self):
        """Its dance, a `Motion` at 30 fps."""
        from models.lab.studio.dancer import dance
        return dance(self.plan)


@lru_cache(maxsize=SOUNDS)
def _rendered(seed, seconds):
    from models.lab.studio.build import item_plan
    from models.lab.studio.music import compose, render
    from models.training.shards import AUDIO_RATE
    plan = item_plan("dance", seed, seconds, stratified=True)
    sound = np.asarray(render(compose(plan), plan, rate=AUDIO_RATE), np.float32)
    return Audio(sound, AUDIO_RATE).slice(0.0, seconds)


def studio_pieces(count, seconds=SECONDS, first=0):
    """`count` `StudioPiece`s of the test seeds, walking through the ten genres."""
    from models.lab.studio.plan import SPLIT_SEEDS
    seeds = range(SPLIT_SEEDS["test"][0] + first, SPLIT_SEEDS["test"][0] + first + count)
    return [StudioPiece(seed, seconds) for seed in seeds]


def captures(folder, splits=("test", "valid"), seconds=PASSAGE, most=40, hop=HOP):
    """[(Motion at 60 fps, style, item)] passages of `seconds`, one every `hop` seconds, from the captured dances of a
    flat folder that nothing was trained on."""
    flat, out = Flat(folder), []
    for item in flat.items:
        if item["split"] not in splits or item.get("kind") != "dance":
            continue
        motion = whole(flat, item)
        step = int(seconds * motion.fps)
        for start in range(0, len(motion) - step + 1, int(hop * motion.fps)):
            out.append((motion.slice(start, start + step).canonical(), item.get("style"), item["id"]))
    order = np.random.default_rng(0).permutation(len(out))[:most]
    return [out[i] for i in sorted(order)]


def whole(flat, item):
    """The `Motion` at 60 fps of an item of a flat folder."""
    from models.training.shards import unpack_motion
    motion = unpack_motion(np.asarray(flat.rows(item, "rot6d60")).reshape(-1, 24, 6),
                           np.array(flat.rows(item, "root60")))
    return Motion(motion.rotations, motion.root, 60.0)


def body_beats(motion):
    """Kinematic beats in seconds: minima of the smoothed mean joint speed (Bailando)."""
    return kinematic_beats_bailando(motion.positions(), motion.fps)


def alignment(motions, beats):
    """Means over pieces of both directions: score, null and lift; the lift of music -> dance at the best lag <= 80
    ms; BCS, BHS and F1 in percent as MoMu counts them, and F1 of mismatched pairs (`second_scores`)."""
    rows = []
    for motion, given in zip(motions, beats):
        body, music, duration = body_beats(motion), given.within(0.0, motion.duration).times, motion.duration
        forth, back = align_report(music, body, duration), align_report(body, music, duration)
        lagged = max(align_report(music, body + lag, duration, shifts=53)["lift"] for lag in LAGS)
        rows.append([forth["score"], forth["null_mean"], forth["lift"], back["score"], back["null_mean"], back["lift"],
                     lagged, forth["reference_per_second"]])
    names = ("music_dance", "null", "lift", "dance_music", "null_back", "lift_back", "lift_lagged",
             "body_beats_per_second")
    means = {name: float(value) for name, value in zip(names, np.mean(rows, axis=0))}
    return {**means, **second_scores(motions, beats)}


def second_scores(motions, beats):
    """{"BCS", "BHS", "F1", "F1_mixed"}, percent: the body's beats against the song's in bins of a second, the precision
    and recall of LORIS; mixed: against the next piece's song. Bins of a second are filled by any dance to any music:
    what tells anything is how far F1 lies above F1_mixed."""
    pairs = []
    for motion, given in zip(motions, beats):
        song = onset_flags.second_flags(given.within(0.0, motion.duration).times, motion.duration)
        pairs.append((song, onset_flags.second_flags(body_beats(motion), motion.duration)))
    found = onset_flags.summary([onset_flags.bcs_bhs(*pair) for pair in pairs])
    mixed = [onset_flags.bcs_bhs(pairs[(n + 1) % len(pairs)][0], body) for n, (_, body) in enumerate(pairs)]
    return {"BCS": found["BCS"], "BHS": found["BHS"], "F1": found["F1"],
            **({"F1_mixed": onset_flags.summary(mixed)["F1"]} if len(pairs) > 1 else {})}


def planted(motion):
    """(T, 4) contacts as measured on the motion itself."""
    return foot_contacts(torch.from_numpy(np.ascontiguousarray(motion.positions())), motion.fps).numpy()


def quality(motions):
    """Feet, floor, jerk, how far and how lively: means over motions (slide in cm: mean and 95th percentile over
    contacts)."""
    slides, floor, jerks, speed, away, turns = [], [], [], [], [], []
    for motion in motions:
        positions = motion.positions()
        slides.append(slide_metres(positions, planted(motion), motion.fps))
        floor.append(below_floor(positions))
        jerks.append(jerk(motion.resampled(30.0).positions(), 30.0))
        still = positions - positions[:, :1]
        speed.append(float(np.linalg.norm(np.diff(still, axis=0), axis=-1).mean() * motion.fps))
        away.append(float(np.linalg.norm(np.diff(motion.root[:, :2], axis=0), axis=-1).mean() * motion.fps))
        heading = np.unwrap([motion.heading(frame) for frame in range(0, len(motion), max(1, int(motion.fps / 10)))])
        turns.append(float(np.abs(np.diff(heading)).sum() / (2 * np.pi) / motion.duration * 60))
    slid = np.concatenate(slides) if any(len(s) for s in slides) else np.zeros(1)
    return {"slide_cm": float(100 * slid.mean()), "slide_p95_cm": float(100 * np.percentile(slid, 95)),
            "below_floor_cm": float(100 * max(floor)), "jerk": float(np.mean(jerks)),
            "joint_speed": float(np.mean(speed)),
            "root_speed": float(np.mean(away)), "turning_per_minute": float(np.mean(turns)),
            "pfc": pfc([motion.resampled(30.0).positions() for motion in motions])}


def passages(motions, seconds=PASSAGE):
    """Passages of `seconds` cut from motions one after the other."""
    out = []
    for motion in motions:
        step = int(seconds * motion.fps)
        out += [motion.slice(start, start + step).canonical() for start in range(0, len(motion) - step + 1, step)]
    return out


def features_of(motion):
    """`dance_features`, and "corrected" (72,): kinetic ones without the published slip, which reads where a joint is.
    """
    positions = upright(motion.resampled(FEATURE_FPS).positions())
    return {**dance_features(motion), "corrected": kinetic(positions, as_published=False)}


def distances(motions, real):
    """FID_k, FID_g, Div_k, Div_g of passages against captured ones, as many of each; z-scored by the captured ones.

    A boolean that is the same in all captured passages has no spread to be z-scored by and is left out ("features").
    fid_k_corrected: of the corrected kinetic features; fid_k_most: without the `FARTHEST` dances, for energies are
    squared and one wild dance can be most of the distance.
    """
    clips = passages(motions)
    count, out = min(len(clips), len(real)), {}
    spread = lambda side: [side[n] for n in np.linspace(0, len(side) - 1, count).round().astype(int)]  # noqa: E731
    sets = [[features_of(motion) for motion in spread(side)] for side in (clips, real)]
    out["clips"] = float(count)
    for kind in ("k", "g"):
        found, true = (np.stack([features[kind] for features in side]) for side in sets)
        varies = true.std(0) > 1e-6
        found, true = z_score(found[:, varies], true[:, varies]), z_score(true[:, varies], true[:, varies])
        out[f"fid_{kind}"], out[f"features_{kind}"] = frechet_distance(found, true), float(varies.sum())
        out[f"div_{kind}"], out[f"div_{kind}_real"] = diversity(found), diversity(true)
        if kind == "k":
            near = np.argsort((found**2).sum(1))[:max(2, count - int(FARTHEST * count))]
            out["fid_k_most"] = frechet_distance(found[near], true)
    corrected = [np.stack([features["corrected"] for features in side]) for side in sets]
    out["fid_k_corrected"] = frechet_distance(*(z_score(side, corrected[1]) for side in corrected))
    return out


def seed_distance(pairs):
    """Mean distance in metres of joints (under the pelvis) between two dances to the same music by two seeds."""
    gaps = []
    for one, two in pairs:
        a, b = one.positions(), two.positions()
        gaps.append(np.linalg.norm((a - a[:, :1]) - (b - b[:, :1]), axis=-1).mean())
    return float(np.mean(gaps))


def seams(motion, window, fps, overlap):
    """(largest jump in the hidden joints' acceleration near window starts, 95th percentile elsewhere), m/s^2."""
    positions = motion.positions()
    change = np.linalg.norm(np.diff(positions, n=2, axis=0), axis=-1).max(axis=1) * motion.fps**2
    from models.diffusion.windows import window_starts
    length = int(np.ceil(len(motion) / motion.fps * fps))
    starts = [s for s in window_starts(length, min(window, length), overlap) if s]
    middles = [int(start / fps * motion.fps) for start in starts]
    near = [n for middle in middles for n in range(middle - 2, middle + 3) if 0 <= n < len(change)]
    rest = np.delete(change, near)
    return (float(change[near].mean()) if near else 0.0), float(rest.mean()), float(np.percentile(rest, 95))
