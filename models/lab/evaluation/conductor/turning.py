"""Does the conductor turn to who plays? `python -m models.lab.evaluation.conductor.turning --scores DIR --tracks DIR`.

Three kinds of music whose players have a side: pieces of the studio, whose seats are known; string quartets (real
scores of composers of no training), performed and rendered with the four players from left to right; recordings, in
which the side is that from which sound becomes louder. A row is the correlation of that side with how far the head and
the chest are turned, at the strokes where somebody comes in; *mismatched* with the strokes of other pieces.
"""
import argparse
import copy
import dataclasses
import json
import sys
from pathlib import Path

import numpy as np

from core.audio import Audio
from core.audio.io import read_audio
from core.body.kinematics import forward_kinematics
from core.rhythm.beats import Beats
from models.conductor.config import FPS
from models.conductor.features import SIDE_BANDS, mel_frames_30, mono, side_frames
from models.conductor.pipeline import Conductor, conducted, default_lead
from models.lab.evaluation.tables import scramble
from models.lab.studio.seating import YAW_OF_PAN, entries

HEAD, CHEST, FREE_WRIST = 15, 9, 20
PREPARED, BEFORE_THAT = (-0.9, 0.1), (-2.6, -1.2)       # s about an entry in which the free hand rises, and before that
QUARTET, GAINS = (40, 40, 41, 42), (1.0, 1.0, 1.0, 1.0)        # General MIDI's programs
RATE = 22_050
WINDOW, BEFORE = 0.4, 1.6               # s in which recorded sound becomes louder than it was before


@dataclasses.dataclass
class Case:
    """Music to be conducted: sound, beats that get a stroke (None: as found), entries [(seconds, yaw in rad)]."""

    name: str
    audio: Audio
    beats: Beats | None
    entries: list
    focus: np.ndarray | None = None     # who really plays, on the sound's clock


def turned(motion):
    """(T, 3): head and chest of a `Motion`, rad to the left from where they mostly are; height of the free wrist, m."""
    places, frames = forward_kinematics(motion.rotations, motion.root)
    ahead = frames[:, [HEAD, CHEST]] @ np.array([0.0, 0.0, 1.0])
    yaw = np.arctan2(ahead[..., 0], -ahead[..., 1])
    return np.concatenate([yaw - np.median(yaw, axis=0), places[:, FREE_WRIST, 2:]], axis=1)


def risen(height, frame):
    """m by which the free hand (T,) is higher as an entry at `frame` is prepared than before; None at the edges."""
    ranges = [[int(round(frame + second * FPS)) for second in pair] for pair in (PREPARED, BEFORE_THAT)]
    if ranges[1][0] < 0 or ranges[0][1] > len(height):
        return None
    now, past = (height[first:last] for first, last in ranges)
    return float(now.max() - past.max())


def agreement(turns, cases, leads):
    """{"head", "chest": correlation over all entries, "mismatched": mean and 95th percentile of the head's with entries
    of other pieces, "entries", "degrees": spread of the head, "hand": m by which the free hand rises to them, and to
    those of other pieces}."""
    rises = []

    def pairs(shift):
        found = []
        for number, (yaw, lead) in enumerate(zip(turns, leads)):
            for seconds, side in cases[(number + shift) % len(cases)].entries:
                frame = int(round((seconds - lead) * FPS))
                if 0 <= frame < len(yaw):
                    found.append((side, *yaw[frame, :2]))
                    rises.append((shift == 0, risen(yaw[:, 2], frame)))
        return np.array(found)
    true, others = pairs(0), [pairs(shift) for shift in range(1, len(cases))]
    null = [_correlation(pair[:, 0], pair[:, 1]) for pair in others if len(pair) > 3]
    return {"head": _correlation(true[:, 0], true[:, 1]), "chest": _correlation(true[:, 0], true[:, 2]),
            "mismatched": float(np.mean(null)) if null else float("nan"),
            "mismatched_95": float(np.percentile(null, 95)) if null else float("nan"), "entries": len(true),
            "degrees": float(np.degrees(np.concatenate(turns)[:, 0].std())),
            **{name: float(np.mean([rise for own, rise in rises if own == wanted and rise is not None] or [np.nan]))
               for name, wanted in (("hand", True), ("hand_mismatched", False))}}


def _correlation(a, b):
    return float(np.corrcoef(a, b)[0, 1]) if len(a) > 3 and a.std() > 0 and b.std() > 0 else 0.0


def studio_cases(count, first=900_000, seconds=24.0):
    """`Case`s of the studio: test seeds in which somebody comes in, rendered."""
    from models.lab.studio.build import item_plan
    from models.lab.studio.conducted import PATTERNS_STYLE
    from models.lab.studio.music import compose, render
    from models.lab.studio.seating import focus, seated
    cases, seed = [], first
    while len(cases) < count:
        plan = seated(item_plan("conducting", seed, seconds, style=PATTERNS_STYLE))
        found = [(float(plan.times[cue.beat]), cue.yaw) for cue in plan.cues
                 if cue.kind in ("entry", "look") and cue.yaw is not None and 0 < cue.beat < len(plan.times)]
        if found:
            sound = Audio(render(compose(plan), plan, rate=RATE), RATE)
            cases.append(Case(str(seed), sound, conducted(plan.beats), found, focus(plan, int(plan.duration * FPS))))
        seed += 1
    return cases


def true_turns(cases, seconds=24.0):
    """(turns, leads) of the studio's own conductors of its cases."""
    from models.lab.studio.build import item_plan
    from models.lab.studio.conducted import PATTERNS_STYLE
    from models.lab.studio.conductor import conduct
    made = [conduct(item_plan("conducting", int(case.name), seconds, style=PATTERNS_STYLE)) for case in cases]
    return [turned(motion) for motion, _ in made], [lead for _, lead in made]


def quartet_cases(data, count):
    """`Case`s of real scores: quartets of held-out composers, four players from left to right in a room."""
    from models.lab.rhythm.corpus import score_files
    from models.lab.rhythm.musicxml import read_score
    from models.lab.rhythm.panned import SEATS, placed, told
    from models.lab.rhythm.perform import perform_score
    cases, number, paths = [], 0, score_files(data, "test")
    while len(cases) < count and number < 4 * count:
        rng = np.random.default_rng([number, *b"turning"])
        score = read_score(paths[number % len(paths)])
        number += 1
        played = perform_score(score, int(rng.integers(0, len(score.bars))), rng)
        if played is None or len(played.parts) != len(SEATS):
            continue
        found = entries(list(zip(YAW_OF_PAN * np.array(SEATS), GAINS, played.parts)))
        if len(found) >= 2:
            sound = placed(played.parts, GAINS, SEATS, QUARTET, played.duration, rng, room_db=-9.0)
            beats = conducted(Beats(played.beats[:, 0], played.beats[:, 1].astype(int), played.metre))
            cases.append(Case(f"{paths[(number - 1) % len(paths)].stem} {number - 1}", Audio(sound, RATE), beats,
                              [(start, yaw) for start, yaw, _ in found],
                              told(played.parts, GAINS, SEATS, played.duration)))
    return cases


def recorded_case(name, audio, find_beats):
    """A `Case` of a recording with two channels that differ: entries are where sound becomes louder on one side, one
    for every two seconds at most; None where it is mono or shorter than one takes."""
    left, right = (mono(channel, audio.rate) for channel in audio.stereo().samples)
    if np.abs(left - right).max() < 0.02 * np.abs(left).max():
        return None
    level = mel_frames_30(0.5 * (left + right)).reshape(-1, SIDE_BANDS, 4).mean(-1)
    side, now, past = side_frames(left, right)[:len(level)], int(WINDOW * FPS), int(BEFORE * FPS)
    if len(level) <= past + now:
        return None
    found, last, scores = [], -1e9, []
    for frame in range(past, len(level) - now):
        rise = np.maximum(level[frame:frame + now].mean(0) - level[frame - past:frame].mean(0), 0)
        scores.append((float(rise.sum()), float((rise * side[frame:frame + now].mean(0)).sum() / (rise.sum() + 1e-6))))
    scores = np.array(scores)
    strong = np.percentile(scores[:, 0], 85)
    for index in np.flatnonzero(scores[:, 0] >= strong):
        if index - last >= 2 * FPS and scores[index, 0] == scores[index:index + now, 0].max():
            found.append(((index + past) / FPS, YAW_OF_PAN * float(scores[index, 1])))
            last = index
    return Case(name, audio, find_beats(audio.samples, audio.rate), found)


def conduct_cases(conductor, cases, seed=0, told="heard", steps=10):
    """(turns, leads) of the conductor; told: "heard", "true", "nothing", "mono", "exchanged" (left for right) or
    "scrambled" (by a network whose weights are permuted)."""
    if told == "scrambled":
        intact, conductor.players = conductor.players, scramble(copy.deepcopy(conductor.players))
        try:
            return conduct_cases(conductor, cases, seed, "heard", steps)
        finally:
            conductor.players = intact
    turns, leads = [], []
    for case in cases:
        audio = case.audio
        if told == "mono":
            audio = Audio(audio.mono(), audio.rate)
        elif told == "exchanged":
            audio = Audio(audio.stereo().samples[::-1].copy(), audio.rate)
        music, level, focus = conductor.analyse(audio)
        focus = {"true": case.focus, "nothing": None}.get(told, focus)
        lead = default_lead(case.beats)
        motion, = conductor.generate(None, features=(music, level, focus), beats=case.beats, lead=lead, seed=seed,
                                     steps=steps, duration=min(len(level) / FPS, 60.0))
        turns.append(turned(motion))
        leads.append(lead)
    return turns, leads


def main(argv=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.lab.evaluation.conductor.turning",
                                     description=__doc__.splitlines()[0])
    parser.add_argument("--scores", metavar="DIR", help="folder that holds music/openscore_quartets")
    parser.add_argument("--tracks", metavar="DIR", nargs="*", default=[], help="folders of recordings (.ogg)")
    parser.add_argument("--count", type=int, default=14)
    parser.add_argument("--checkpoints", help="folder of weights (default: the shipped ones)")
    parser.add_argument("--json", help="write the rows there")
    options = parser.parse_args(argv)
    conductor = Conductor.load(options.checkpoints)
    rows = []

    def row(kind, name, cases, turns, leads):
        rows.append({"music": kind, "row": name, **agreement(turns, cases, leads)})
        print(json.dumps(rows[-1]), flush=True)
    cases = studio_cases(options.count)
    row("studio", "studio's conductors", cases, *true_turns(cases))
    for told in ("true", "heard", "mono", "exchanged", "nothing", "scrambled"):
        row("studio", told, cases, *conduct_cases(conductor, cases, told=told))
    row("studio", "heard, another seed", cases, *conduct_cases(conductor, cases, seed=1))
    if options.scores:
        cases = quartet_cases(options.scores, options.count)
        for told in ("true", "heard", "mono", "exchanged", "nothing", "scrambled"):
            row("quartets", told, cases, *conduct_cases(conductor, cases, told=told))
    paths = [path for folder in options.tracks for path in sorted(Path(folder).rglob("*.ogg"))]
    if paths:
        from models.lab.evaluation.conductor.evaluate import music_beats
        find = music_beats(None)
        audios = [(path.stem, read_audio(path, start=10.0, duration=60.0)) for path in paths]
        cases = [case for name, audio in audios if (case := recorded_case(name, audio, find)) is not None]
        for told in ("heard", "mono", "exchanged", "nothing", "scrambled"):
            row("recordings", told, cases, *conduct_cases(conductor, cases, told=told))
    if options.json:
        Path(options.json).write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
