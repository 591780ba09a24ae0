"""Scores of the music model with the rows that expose them (issue: `build.py evaluate music_ldm`).

    python -m models.music_ldm.evaluate --corpus DIR [--count 30] [--data DIR] [--out results.json] [--docs docs/results.md]

Beats are heard by librosa's tracker, which is no part of Baton, at the strict metrical level; the ceiling is the same tracker
on the paired real audio. Rows: true / predicted / no rhythm, rolled by half a beat, mismatched pairs, scrambled weights, and the
rule rows (studio composer on the same beats, 2 Hz click track).
"""
import argparse
import copy
import sys
import time
from pathlib import Path

import numpy as np
import torch

from core.beats import Beats
from core.errors import BatonError
from core.metrics import audio as audio_metrics
from core.metrics import onset_flags, pairing
from core.metrics.beat_align import beat_f1_70ms, music_beats_librosa
from core.motion import Motion
from models.data.shards import AUDIO_RATE, Corpus, unpack_motion
from models.evaluation import markdown_table, replace_section, scramble, write_json

TRACKER_RATE = 22_050
COLUMNS = ("beat_f1_70ms", "mismatched", "pulse", "filled", "harmonic", "music", "genre_accuracy", "genre_kld_own", "fd_logmel",
           "clicks", "lufs", "clips")
TEST_DANCES = ("cmu_salsa/05", "cmu_salsa/20", "cmu_salsa/11", "cmu_salsa/26", "cmu_indian/07", "cmu_martial/05")


def load_clips(corpus, count, seconds):
    """`count` test pieces, the same number of each genre: dicts of motion, audio (2,N), beats, genre."""
    items, by_genre = Corpus(corpus, split="test", kind="dance"), {}
    for index in range(len(items)):
        if items.meta(index)["source"] == "studio":
            by_genre.setdefault(items.meta(index)["genre"], []).append(index)
    per = max(1, count // max(1, len(by_genre)))
    clips = []
    for genre in sorted(by_genre):
        for index in by_genre[genre][:per]:
            written = items.array(index, "beats").astype(float)
            beats = Beats(written[:, 0], written[:, 1].astype(int), 4).within(0.0, seconds)
            motion = unpack_motion(items.array(index, "motion_rot6d"), items.array(index, "motion_root"))
            sound = items.array(index, "audio", 0, int(seconds * AUDIO_RATE)).T.astype(np.float32) / 32767
            clips.append({"genre": genre, "motion": motion.slice(0, int(seconds * 30)), "audio": sound, "beats": beats,
                          "id": items.meta(index)["id"]})
    return clips


def heard(sound):
    """Beat times librosa hears in (2,N) audio at 48 kHz."""
    import librosa
    return music_beats_librosa(librosa.resample(sound.mean(0), orig_sr=AUDIO_RATE, target_sr=TRACKER_RATE, res_type="soxr_hq"),
                               TRACKER_RATE)


def roll(motion, seconds):
    """The motion rolled later by `seconds`, round the clip."""
    frames = int(round(seconds * motion.fps))
    return Motion(np.roll(motion.rotations, frames, 0), np.roll(motion.root, frames, 0), motion.fps)


def audio_row(sounds, clips, judge, real_features, times=None):
    """Every figure of one row of generated (or real) audio; `times` are the beats it should keep (default: the clip's)."""
    from models.genre.judge import genre_report
    times = times or [clip["beats"].times for clip in clips]
    found = [heard(s) for s in sounds]
    f1 = [beat_f1_70ms(f, t) for f, t in zip(found, times)]
    other = [beat_f1_70ms(f, times[(i + 1 + len(times) // 2) % len(times)]) for i, f in enumerate(found)]
    checks = [audio_metrics.is_music(s, AUDIO_RATE) for s in sounds]
    row = {"beat_f1_70ms": float(np.mean(f1)), "mismatched": float(np.mean(other)), "clips": len(sounds)}
    for name in ("pulse", "filled", "harmonic", "music"):
        row[name] = float(np.mean([c[name] for c in checks]))
    row["clicks"] = float(np.mean([len(audio_metrics.clicks(s, AUDIO_RATE)) for s in sounds]))
    row["lufs"] = float(np.mean([audio_metrics.loudness_lufs(s, AUDIO_RATE) for s in sounds]))
    if judge is not None:
        report = genre_report([judge(s, AUDIO_RATE) for s in sounds], [c["genre"] for c in clips])
        row.update(genre_accuracy=report["accuracy"], genre_kld_own=report["genre_kld_own"], per_genre=report["per_genre"])
    if real_features is not None and len(sounds) > 3:
        row["fd_logmel"] = audio_metrics.fd_logmel([audio_metrics.clip_features(s, AUDIO_RATE) for s in sounds], real_features)
    row["published"] = published_rows(sounds, clips)
    return row


def published_rows(sounds, clips):
    """BCS/BHS/CSD/HSD/F1 in both published definitions against the paired and against mismatched real audio; percent."""
    import librosa
    out = {}
    mono = [librosa.resample(s.mean(0), orig_sr=AUDIO_RATE, target_sr=onset_flags.RATE) for s in sounds]
    real = [librosa.resample(c["audio"].mean(0), orig_sr=AUDIO_RATE, target_sr=onset_flags.RATE) for c in clips]
    for style in ("loris", "cdcd"):
        flags = [onset_flags.second_flags(onset_flags.onset_times(y, style), len(y) / onset_flags.RATE) for y in mono]
        truth = [onset_flags.second_flags(onset_flags.onset_times(y, style), len(y) / onset_flags.RATE) for y in real]
        out[style] = onset_flags.summary([onset_flags.bcs_bhs(t, f, style) for t, f in zip(truth, flags)])
        rolled = truth[1:] + truth[:1]
        out[style + "_mismatched"] = onset_flags.summary([onset_flags.bcs_bhs(t, f, style) for t, f in zip(rolled, flags)])
    return out


class Generator:
    """The shipped model behind the core's delivery; `generate(motion, genre, beats)` -> (2,N)."""

    def __init__(self, folders, steps, guidance, scrambled=False):
        from models.music_ldm.pipeline import MusicLDM
        self.model, self.steps, self.guidance = MusicLDM.load(folders, "cpu"), steps, guidance
        self.intact = self.model.denoiser if scrambled else None

    def __call__(self, motion, genre, beats, seconds, seed=0, **options):
        from core.audio.loudness import default_preset, deliver
        if self.intact is not None:         # a permutation a clip: one alone is still some function of the beat's phase
            self.model.denoiser = scramble(copy.deepcopy(self.intact), seed)
        settings = {"guidance_scale": self.guidance, "steps": self.steps, **options}
        sound = self.model.generate(motion, genre=genre, seed=seed, duration=seconds, beats=beats, progress=lambda *a: None,
                                    should_cancel=lambda: False, **settings)[0]
        return deliver(np.asarray(sound), AUDIO_RATE, default_preset())


def studio_rows(clips, generator, scrambled, folders, judge, seconds, report):
    """All rows on studio test pieces."""
    from models.data.studio.music import compose, render
    from models.data.studio.plan import make_plan
    from models.rhythm.detect import detect_body_beats
    real_features = [audio_metrics.clip_features(c["audio"], AUDIO_RATE) for c in clips]
    half, rows = len(clips) // 2, {}
    rows["real audio (ceiling)"] = audio_row([c["audio"] for c in clips], clips, judge, None)
    rows["real audio (ceiling)"]["fd_logmel"] = audio_metrics.fd_logmel(real_features[0::2][:half], real_features[1::2][:half])

    def generated(name, make, times=None):
        began = time.perf_counter()
        sounds = [make(i, clip) for i, clip in enumerate(clips)]
        rows[name] = audio_row(sounds, clips, judge, real_features, times)
        rows[name]["realtime_factor"] = len(clips) * seconds / (time.perf_counter() - began)
        report(f"{name}: F1 {rows[name]['beat_f1_70ms']:.3f} mismatched {rows[name]['mismatched']:.3f} "
               f"genre {rows[name].get('genre_accuracy', float('nan')):.2f}")

    predicted = [detect_body_beats(c["motion"], folders=folders) for c in clips]
    shift = [float(np.median(np.diff(c["beats"].times)) / 2) for c in clips]
    rolled = [roll(c["motion"], s) for c, s in zip(clips, shift)]
    rolled_beats = [detect_body_beats(m, folders=folders) for m in rolled]
    run = lambda motion, clip, beats, i, make=generator: make(motion, clip["genre"], beats, seconds, seed=i)    # noqa: E731
    generated("true rhythm", lambda i, c: run(c["motion"], c, c["beats"], i))
    generated("predicted rhythm", lambda i, c: run(c["motion"], c, predicted[i], i))
    generated("motion alone", lambda i, c: run(c["motion"], c, None, i))
    generated("genre alone", lambda i, c: run(None, c, None, i))
    generated("body rolled half a beat, scored on rolled beats", lambda i, c: run(rolled[i], c, rolled_beats[i], i),
              [c["beats"].times + s for c, s in zip(clips, shift)])
    rows["the same, scored on unrolled beats"] = {"beat_f1_70ms": float(np.mean([
        beat_f1_70ms(b.times, c["beats"].times) for b, c in zip(rolled_beats, clips)])), "clips": len(clips)}
    generated("scrambled weights", lambda i, c: run(c["motion"], c, c["beats"], i, scrambled))

    def composer(i, clip):
        plan = make_plan("dance", 700_000 + i, genre=clip["genre"], duration=seconds, beats=clip["beats"])
        return np.asarray(render(compose(plan), plan, rate=AUDIO_RATE))

    generated("rule: studio composer on the true beats", composer)
    generated("rule: 2 Hz click track", lambda i, c: np.stack([onset_flags.click_track(seconds, AUDIO_RATE)] * 2))
    return rows


def real_dances(data, generator, folders, seconds, report, genre="house"):
    """Pairing matrix over the real TEST dances (and all other clips, named as seen): does each music fit its own body?"""
    from core.motion_io import read_motion
    from models.rhythm.detect import detect_body_beats
    out = {}
    paths = sorted(Path(data, "motion").rglob("*.bvh.gz"))
    for name, wanted in (("test", True), ("seen", False)):
        music, bodies = [], []
        for path in paths:
            key = f"{path.parent.name}/{path.name.split('.')[0]}"
            if (key in TEST_DANCES) != wanted:
                continue
            motion = read_motion(path, fps=60.0 if "salsa" in key else None)
            motion = motion.slice(0, int(seconds * motion.fps))
            if motion.duration < seconds - 0.5:
                continue
            beats = detect_body_beats(motion, folders=folders)
            sound = generator(motion, genre, beats, motion.duration, seed=len(music))
            music.append(heard(sound))
            bodies.append(beats.times)
        if len(music) > 2:
            out[name] = pairing.pairing_report(pairing.pairing_matrix(music, bodies))
            report(f"real dances, {name}: {out[name]}")
    return out


def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="build.py evaluate music_ldm", description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", required=True, help="folder of dance shards with a test split")
    parser.add_argument("--data", help="folder with real motion/ clips; left out when absent")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=2.0)
    parser.add_argument("--checkpoints")
    parser.add_argument("--out", default="music_ldm_results.json")
    parser.add_argument("--docs", help="Markdown file whose music_ldm section is replaced")
    options = parser.parse_args(arguments)
    report = lambda text: print(text, flush=True)              # noqa: E731
    try:
        from models.genre.judge import GenreJudge
        folders = options.checkpoints
        clips = load_clips(options.corpus, options.count, options.seconds)
        generator = Generator(folders, options.steps, options.guidance)
        scrambled = Generator(folders, options.steps, options.guidance, scrambled=True)
        with torch.inference_mode():
            rows = studio_rows(clips, generator, scrambled, folders, GenreJudge("audio", folders), options.seconds, report)
            dances = real_dances(options.data, generator, folders, options.seconds, report) if options.data else {}
    except BatonError as error:
        print(f"{error}", file=sys.stderr)
        return error.exit_code
    write_json(options.out, {"settings": vars(options), "rows": rows, "real_dances": dances})
    table = markdown_table(rows, COLUMNS)
    print(table)
    if options.docs:
        text = f"## Motion to dance music\n\n{len(clips)} studio test pieces of {options.seconds:g} s, {options.steps} steps, " \
               f"guidance {options.guidance:g}.\n\n{table}\n\n"
        text += markdown_table(dances, ("paired", "mismatched", "p", "mean_rank", "clips"), "real dances") if dances else ""
        replace_section(options.docs, "music_ldm", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
