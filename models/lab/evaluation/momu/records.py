"""What is made of which piece, and what is heard and seen in it: one JSON-ready record a piece."""
import copy
import re
import time
from contextlib import nullcontext
from functools import lru_cache
from pathlib import Path

import numpy as np

from core.audio import DELIVERY_RATE
from core.audio.resample import resample
from core.contract import GENRES, load
from core.pipelines.base import regular_beats
from core.rhythm.beats import Beats
from models.lab.evaluation import tables
from models.lab.metrics import audio as audio_metrics
from models.lab.metrics import onset_flags
from models.lab.metrics.beat_align import kinematic_beats_bailando, music_beats_librosa
from models.lab.metrics.dance import dance_features
from models.lab.metrics.motion import foot_slide

TRACKER_RATE = 22_050
FIRST_SEED = 1000               # of the noise


def peak_mib():
    """Largest resident memory of this process so far, in MiB (Linux). `getrusage` would give at least that of the
    process that started it."""
    return int(re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))[1]) / 1024


@lru_cache(maxsize=16)          # rows are made of the same pieces; a piece of 20 s is some 8 MB of sound
def studio_piece(number, seconds, sound=True):
    """Test piece `number` of the studio, performed and rendered anew: dict genre, motion, beats, sound (2, N) or
    None. It is read, never changed."""
    from models.lab.studio.build import item_plan
    from models.lab.studio.dancer import dance
    from models.lab.studio.music import compose, render
    from models.lab.studio.plan import SPLIT_SEEDS
    plan = item_plan("dance", SPLIT_SEEDS["test"][0] + number, seconds, True)
    motion = dance(plan)
    made = np.asarray(render(compose(plan), plan, rate=DELIVERY_RATE), np.float32) if sound else None
    beats = Beats(plan.times, plan.positions, plan.metre).within(0.0, seconds)
    return {"genre": plan.genre, "motion": motion.slice(0, round(seconds * 30)), "beats": beats,
            "sound": None if made is None else made[:, :round(seconds * DELIVERY_RATE)]}


def asked_style(number):
    """(genre, bpm) of joint piece `number`: genres in turn, three tempi spread over each genre's usual range."""
    genre = GENRES[number % len(GENRES)]
    low, high = next(row["bpm"] for row in load("genres") if row["slug"] == genre)
    return genre, float(np.linspace(low, high, 5)[1 + (number // len(GENRES)) % 3])


def hear(sound, judge=None):
    """Record of a sound (2, N) at 48 kHz: beats of librosa's tracker, whether it is music, log-mel statistics,
    genre."""
    mono = resample(sound.mean(0), DELIVERY_RATE, TRACKER_RATE)
    flags = onset_flags.second_flags(onset_flags.onset_times(mono, "loris"), sound.shape[1] / DELIVERY_RATE)
    record = {"heard": music_beats_librosa(mono, TRACKER_RATE).round(3).tolist(),
              **audio_metrics.is_music(mono, TRACKER_RATE),
              "features": audio_metrics.clip_features(mono, TRACKER_RATE).round(4).tolist(),
              "loris": "".join("1" if flag else "0" for flag in flags)}
    if judge is not None:
        record["sound_genre"] = GENRES[int(np.argmax(judge(sound, DELIVERY_RATE)))]
    return record


def see(motion, folders=None, judge=None):
    """Record of a `Motion`: beats by the body network and by the minima of speed (Bailando), feet, statistics,
    genre."""
    from models.rhythm.detect import detect_body_beats
    positions = motion.positions()
    found = dance_features(motion)
    record = {"seen": detect_body_beats(motion, folders=folders).times.round(3).tolist(),
              "kinematic": np.round(kinematic_beats_bailando(positions, motion.fps), 3).tolist(),
              "slide_cm": 100 * foot_slide(positions, motion.fps)[1],
              "k": np.round(found["k"], 5).tolist(), "g": np.round(found["g"], 5).tolist()}
    if judge is not None:
        record["motion_genre"] = GENRES[int(np.argmax(judge(motion)))]
    return record


class Maker:
    """Makes and judges; loads an entry of MoMu when it is first wanted. music: a `momu.sound.Music` for its own."""

    def __init__(self, folders=None, music=None):
        from models.genre.judge import GenreJudge
        self.folders, self.entries, self.music = folders, {}, music
        self.sound_judge, self.motion_judge = GenreJudge("audio", folders), GenreJudge("motion", folders)

    def entry(self, name, reads=True):
        """An instance of a class of `models.momu.pipeline`; reads: without beats, it reads them off the other side."""
        if name not in self.entries:
            from models.momu import pipeline
            self.entries[name] = getattr(pipeline, name).load(self.folders)
            self.entries[name].music = self.music or self.entries[name].music
        found = self.entries[name]
        if not reads:
            found = copy.copy(found)
            found.readers = None
        return found

    def other_system(self, by):
        """Who is put beside MoMu, which is an `entry`: "repertoire" (real moves, for which nothing was trained) and
        "dance_cascade" dance to music, "music_ldm" makes music to a dance."""
        if by not in self.entries:
            from models.dance_cascade.pipeline import Dancer
            from models.lab.evaluation.rule_dancer import RuleDancer
            from models.music_ldm.pipeline import MusicLDM
            systems = {"repertoire": RuleDancer, "dance_cascade": Dancer, "music_ldm": MusicLDM}
            self.entries[by] = systems[by].load(self.folders)
        return self.entries[by]

    def joint(self, number, seconds, *, beats=True, scrambled=False, **settings):
        """Record of joint piece `number`; scrambled: the weights of both transformers permuted."""
        genre, bpm = asked_style(number)
        both = self.entry("MoMuBoth")
        grid = regular_beats(bpm, seconds)
        with tables.scrambled(both, number) if scrambled else nullcontext():
            began = time.perf_counter()
            sound, motion = both.generate(duration=seconds, genre=genre, beats=grid if beats else None,
                                          seed=FIRST_SEED + number, **settings)[0]
            wall = time.perf_counter() - began
        return {"genre": genre, "bpm": bpm, "seconds": seconds, "wall": wall, "peak_mib": peak_mib(),
                "times": grid.times.round(3).tolist(), **hear(sound, self.sound_judge),
                **see(motion, self.folders, self.motion_judge)}

    def to_sound(self, number, seconds, *, rhythm="true", reads=True, rolled=False, real=False, click=False,
                 scrambled=False, by="momu", **settings):
        """Record of music to the dance of studio piece `number`. rhythm: true, predicted or none; rolled: the dance
        rolled by half a beat, its beats predicted anew; real: the piece's own sound; click: two clicks a second;
        scrambled: the transformer's weights permuted; by: who makes it, "momu" or "music_ldm"."""
        from models.lab.evaluation.music_ldm.rows import roll
        from models.rhythm.detect import detect_body_beats
        piece = studio_piece(number, seconds, sound=real)
        motion, beats, later = piece["motion"], piece["beats"], 0.0
        if rolled:
            motion, later = roll(motion, beats.times)
        known = {"true": beats, "none": None}.get(rhythm) if rhythm != "predicted" else detect_body_beats(
            motion, folders=self.folders)
        if click:
            sound = np.stack([onset_flags.click_track(seconds, DELIVERY_RATE)] * 2)
        elif real:
            sound = piece["sound"]
        else:
            who = self.entry("MoMuMusic", reads) if by == "momu" else self.other_system(by)
            with tables.scrambled(who, number) if scrambled else nullcontext():
                sound = who.generate(motion, genre=piece["genre"], beats=known, duration=seconds,
                                     seed=FIRST_SEED + number, **settings)[0]
        times = beats.times + later
        return {"genre": piece["genre"], "seconds": seconds, "times": times[times < seconds].round(3).tolist(),
                **hear(sound, self.sound_judge)}

    def to_motion(self, number, seconds, *, rhythm="true", reads=True, real=False, mean=False, scrambled=False,
                  by="momu", **settings):
        """Record of a dance to the music of studio piece `number`; real: the piece's own dance; mean: its mean
        pose, standing; scrambled: the weights permuted; by: who dances, "momu", "repertoire" or "dance_cascade"."""
        from core.audio import Audio
        from core.body.motion import Motion
        piece = studio_piece(number, seconds, sound=not (real or mean))
        if real or mean:
            motion = piece["motion"]
            if mean:
                middle = len(motion) // 2
                motion = Motion(motion.rotations[[middle] * len(motion)], motion.root[[middle] * len(motion)],
                                motion.fps)
        else:
            who = self.entry("MoMuMotion", reads) if by == "momu" else self.other_system(by)
            style = {} if by == "repertoire" else {"genre": piece["genre"]}     # its moves have styles of their own
            with tables.scrambled(who, number) if scrambled else nullcontext():
                motion = who.generate(
                    Audio(piece["sound"], DELIVERY_RATE), beats=piece["beats"] if rhythm == "true" else None,
                    seed=FIRST_SEED + number, duration=seconds, **style, **settings)[0]
        return {"genre": piece["genre"], "seconds": seconds, "times": piece["beats"].times.round(3).tolist(),
                **see(motion, self.folders, self.motion_judge)}
