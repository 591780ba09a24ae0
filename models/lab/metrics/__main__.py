"""Metrics on files: `python -m models.lab.metrics beats|audio|motion|pairs ...` prints JSON.

    beats FOUND TRUE [--duration S]          two beats files: F1 at 70 ms, metrical level, alignment, chance, null
    pairs MUSIC BODY [MUSIC BODY ...]        pairing matrix of beats files: paired, mismatched, permutation test, rank
    audio FILE [FILE ...]                    pulse, filled, longest gap, harmonic share, clicks, loudness, true peak, DC
    motion FILE [FILE ...]                   PFC, foot slide, jerk, bone-length deviation, floor
    dance GENERATED REAL [...]               FID_k, FID_g, Div_k, Div_g, PFC of motion files
    flags REFERENCE GENERATED [...]          BCS/BHS/CSD/HSD/F1, both definitions, with the rows mismatched, click
                                             track and studio composer (dance pieces of the studio that know nothing of
                                             the reference)
"""
import argparse
import json
import sys

import numpy as np

from core.audio.resample import resample
from core.errors import BadInput, command


def beats_command(options):
    from core.rhythm.alignment import beat_f1_70ms
    from core.rhythm.beats import read_beats
    from models.lab.metrics.beat_align import align_report, beat_f1_any_level
    found, true = (read_beats(path).times for path in options.files)
    duration = options.duration or float(max(found.max(initial=0), true.max(initial=0)) + 0.5)
    best, level = beat_f1_any_level(found, true)
    return {"beat_f1_70ms": beat_f1_70ms(found, true), "best_level_f1": best, "level": level,
            "found_to_true": align_report(found, true, duration), "true_to_found": align_report(true, found, duration)}


def pairs_command(options):
    from core.rhythm.beats import read_beats
    from models.lab.metrics.pairing import pairing_matrix, pairing_report
    if len(options.files) < 4 or len(options.files) % 2:
        raise BadInput("pairs takes beats files of two or more pairs: MUSIC BODY, then the next pair.")
    times = [read_beats(path).times for path in options.files]
    matrix = pairing_matrix(times[0::2], times[1::2])
    return {**pairing_report(matrix), "matrix": matrix.round(4).tolist()}


def dance_command(options):
    from core.motion_files import read_motion
    from models.lab.metrics.dance import dance_report
    if len(options.files) < 4 or len(options.files) % 2:
        raise BadInput("dance takes two or more pairs of motion files: GENERATED REAL, then the next pair.")
    clips = [read_motion(path) for path in options.files]
    return dance_report(clips[0::2], clips[1::2])


def audio_command(options):
    from core.audio.io import read_audio
    from models.lab.metrics import audio
    rows = {}
    for path in options.files:
        sound = read_audio(path)
        rows[path] = {**audio.is_music(sound.samples, sound.rate),
                      "longest_gap_s": audio.longest_gap(sound.samples, sound.rate),
                      "clicks": len(audio.clicks(sound.samples, sound.rate)),
                      "lufs": audio.loudness_lufs(sound.samples, sound.rate),
                      "true_peak_dbtp": audio.true_peak_dbtp(sound.samples), "dc": audio.dc_offset(sound.samples)}
    return rows


def motion_command(options):
    from core.motion_files import read_motion
    from models.lab.metrics import motion
    rows = {}
    for path in options.files:
        clip = read_motion(path)
        positions = clip.positions()
        slide, mean = motion.foot_slide(positions, clip.fps)
        rows[path] = {"pfc": motion.pfc([clip.resampled(30.0).positions()]),        # which depends on the rate
                      "foot_slide_max_m": slide, "foot_slide_mean_m": mean,
                      "jerk": motion.jerk(positions, clip.fps),
                      "bone_length_deviation": motion.bone_length_deviation(positions),
                      "below_floor_m": motion.below_floor(positions)}
    return rows


def flags_command(options):
    from core.audio.io import read_audio
    from models.lab.metrics import onset_flags as f
    if len(options.files) % 2:
        raise BadInput("flags takes pairs: REFERENCE GENERATED, then the next pair.")
    clips = [read_audio(path).resampled(f.RATE).mono() for path in options.files]
    out = {}
    for style in ("loris", "cdcd"):
        flags = [f.second_flags(f.onset_times(y, style), len(y) / f.RATE) for y in clips]
        references, generated = flags[0::2], flags[1::2]
        clicks = [f.second_flags(f.onset_times(f.click_track(len(r)), style), len(r)) for r in references]
        composed = [f.second_flags(f.onset_times(_studio_piece(k, len(r)), style), len(r))
                    for k, r in enumerate(references)]
        rolled = references[1:] + references[:1]
        out[style] = {"paired": f.summary([f.bcs_bhs(r, g, style) for r, g in zip(references, generated)]),
                      "mismatched": f.summary([f.bcs_bhs(r, g, style) for r, g in zip(rolled, generated)]),
                      "click_track": f.summary([f.bcs_bhs(r, c, style) for r, c in zip(references, clicks)]),
                      "studio_composer": f.summary([f.bcs_bhs(r, c, style) for r, c in zip(references, composed)])}
    return out


def _studio_piece(number, seconds):
    """Mono sound at 22,050 Hz of a dance piece of the studio's test split, drawn without regard to anything."""
    from models.lab.studio.music import compose, render
    from models.lab.studio.plan import make_plan
    plan = make_plan("dance", 900_000 + number, duration=float(max(2, seconds)))
    return resample(render(compose(plan), plan).mean(0), 48_000, 22_050)


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.lab.metrics", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("beats", "pairs", "audio", "motion", "dance", "flags"))
    parser.add_argument("files", nargs="+")
    parser.add_argument("--duration", type=float)
    options = parser.parse_args(arguments)
    if options.what == "beats" and len(options.files) != 2:
        raise BadInput("beats takes two files: FOUND TRUE.")
    result = globals()[f"{options.what}_command"](options)
    print(json.dumps(result, indent=1, default=lambda value: float(np.asarray(value))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
