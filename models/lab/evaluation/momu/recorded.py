"""MoMu on what nobody here made: dances to recorded tracks, music to captured dances that no training saw.

Tracks have beats on which two trackers agree (sparse), couples the grid of the song that they danced to
(`*.beats.txt`). Beats are found as the panels find them, from the music or from the body, or are not given at all.
"""
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from core.audio.io import read_audio
from core.errors import BadInput
from core.rhythm.alignment import align_score, beat_f1_70ms, shift_null
from models.lab.evaluation import tables
from models.lab.evaluation.momu.figures import SHIFTS, mean
from models.lab.evaluation.momu.records import FIRST_SEED, hear, see
from models.lab.loaders.captures import TEST_CLIPS, clip_of
from models.lab.metrics.beat_align import beat_f1_any_level
from models.rhythm.detect import detect_body_beats, detect_music_beats

SECONDS = 20.0                  # of a passage of a track
CLIP_SECONDS = 14.0             # of a passage of a capture


def folder_of(data, name):
    """A folder of the data. Raises BadInput where it is not there."""
    found = Path(data or "", name)
    if not data or not found.is_dir():
        raise BadInput(f"Recorded material needs --data, a folder that holds {name}/.")
    return found


def told_beats(path):
    """Times (s) of the beats beside a recording; [] where there are none."""
    found = path.with_name(path.name.split(".")[0] + ".beats.txt")
    return np.loadtxt(found, ndmin=1) if found.is_file() else np.zeros(0)


def tracks(data):
    """[{"name", "sound" `Audio`, "times"}]: passages of the recorded tracks, side by side."""
    found = []
    for path in sorted(folder_of(data, "music").glob("*.ogg")):
        audio, times = read_audio(path), told_beats(path)
        for start in np.arange(0.0, audio.duration - SECONDS + 0.5, SECONDS):
            here = times[(times >= start) & (times < start + SECONDS)] - start
            found.append({"name": f"{path.stem} {start:.0f} s", "sound": audio.slice(start, start + SECONDS),
                          "times": here})
    return found


def clips(data):
    """[{"name", "motion", "times" of the song that was danced to}]: passages of the left-out captures."""
    from models.lab.studio.real import read_clip
    found = []
    for path in sorted(folder_of(data, "motion").rglob("*.bvh.gz")):
        if clip_of(path) not in TEST_CLIPS:
            continue
        motion, times = read_clip(str(path)), told_beats(path)
        for start in np.arange(0.2, motion.duration - CLIP_SECONDS, CLIP_SECONDS):
            low = round(start * 30)
            here = times[(times >= start) & (times < start + CLIP_SECONDS)] - low / 30
            found.append({"name": f"{'/'.join(clip_of(path))} {start:.0f} s",
                          "motion": motion.slice(low, low + round(CLIP_SECONDS * 30)).canonical(), "times": here})
    return found


class Recorded:
    """Rows of records: of passages of a folder `data`, made by the entries of a `Maker`, kept in a `Store`."""

    def __init__(self, data, maker, store, report):
        self.data, self.maker, self.store, self.report = data, maker, store, report

    def row(self, name, items, make, **settings):
        """One record an item."""
        found = [self.store.kept(f"recorded-{name}", [item["name"], settings],
                                 lambda item=item, number=number: make(item, number, **settings))
                 for number, item in enumerate(items)]
        self.report(f"recorded {name} {settings}: {len(found)} passages")
        return found

    def dance(self, item, number, *, beats=True, scrambled=False):
        """Record of a dance to a passage of a track."""
        who, sound = self.maker.entry("MoMuMotion"), item["sound"]
        found = detect_music_beats(sound.mono(), sound.rate, folders=self.maker.folders) if beats else None
        with tables.scrambled(who, number) if scrambled else nullcontext():
            motion = who.generate(sound, beats=found, seed=FIRST_SEED + number, duration=SECONDS)[0]
        return {"seconds": SECONDS, "times": item["times"].round(3).tolist(),
                "asked": [] if found is None else found.times.round(3).tolist(), **see(motion, self.maker.folders)}

    def song(self, item, number, *, beats="found", scrambled=False):
        """Record of music to a passage of a capture. beats: found in the body, those of the song danced to ("told"), or
        none."""
        who, motion = self.maker.entry("MoMuMusic"), item["motion"]
        found = detect_body_beats(motion, folders=self.maker.folders)
        given = {"found": found, "none": None, "told": as_beats(item["times"])}[beats]
        with tables.scrambled(who, number) if scrambled else nullcontext():
            sound = who.generate(motion, beats=given, seed=FIRST_SEED + number, duration=CLIP_SECONDS)[0]
        return {"seconds": CLIP_SECONDS, "times": item["times"].round(3).tolist(),
                "body": found.times.round(3).tolist(), **hear(sound)}

    def section(self):
        """{"music to motion": {row: figures}, "motion to music": {row: figures}}."""
        rows, songs = {}, {}
        heard, moved = tracks(self.data), clips(self.data)
        for name, settings in (("beats found", {}), ("beats not given", {"beats": False}),
                               ("beats found, weights scrambled", {"scrambled": True})):
            rows[name] = dance_figures(self.row("dance", heard, self.dance, **settings))
        for name, settings in (("beats found in the body", {}), ("beats not given", {"beats": "none"}),
                               ("beats of the song", {"beats": "told"}),
                               ("beats found, weights scrambled", {"scrambled": True})):
            items = [item for item in moved if len(item["times"]) or settings.get("beats") != "told"]
            songs[name] = song_figures(self.row("song", items, self.song, **settings))
        return {"music to motion": rows, "motion to music": songs}


def as_beats(times):
    """`Beats` of a grid without bars, or None of an empty one."""
    from core.rhythm.beats import Beats
    return Beats(times, np.arange(len(times)) % 4 + 1) if len(times) > 1 else None


def lift(times, found, seconds):
    """How far beats of a body lie nearer to those of the music than by chance: 0 chance, 1 on every beat."""
    chance = shift_null(times, found, seconds, shifts=SHIFTS)[0]
    return (align_score(times, found) - chance) / (1 - chance) if chance < 1 else 0.0


def dance_figures(records):
    """Lift over the agreed beats by the body network and by minima of speed, the same with the next passage's dance,
    F1 against the beats that were asked for, feet."""
    turned = records[1:] + records[:1]
    out = {"passages": len(records)}
    for name in ("seen", "kinematic"):
        out[f"lift, {name}"] = mean(lift(a["times"], a[name], a["seconds"]) for a in records if a["times"])
        out[f"lift, {name}, of the next"] = mean(lift(a["times"], b[name], a["seconds"])
                                                 for a, b in zip(records, turned) if a["times"])
    asked = [(a["asked"], a["seen"]) for a in records if a["asked"]]
    return {**out, "F1 asked / body": mean(beat_f1_70ms(x, y) for x, y in asked),
            "slide cm": mean(a["slide_cm"] for a in records)}


def song_figures(records):
    """F1 of the music's beats against the song that was danced to and against the body's beats, with other passages'
    and rolled round, music share."""
    out = {"passages": len(records)}
    for name, key in (("song", "times"), ("body", "body")):
        some = [a for a in records if len(a[key]) > 1]
        turned = some[1:] + some[:1]
        pairs = [(a["heard"], a[key]) for a in some]
        out[f"F1 {name}"] = mean(beat_f1_70ms(x, y) for x, y in pairs)
        out[f"{name}, any level"] = mean(beat_f1_any_level(x, y)[0] if len(x) > 1 else 0.0 for x, y in pairs)
        out[f"{name}, of the next"] = mean(beat_f1_70ms(b["heard"], a[key]) for a, b in zip(some, turned))
        out[f"{name}, shifted"] = mean(shift_null(a["heard"], a[key], a["seconds"], beat_f1_70ms, SHIFTS)[0]
                                       for a in some)
    return {**out, "music": mean(a["music"] for a in records)}
