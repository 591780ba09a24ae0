"""Beats, downbeats, tempo and confidence of a motion or a sound."""
import json
import time

from core.cli import common
from core.contract import METRES, MOTION_SUFFIXES, SCENE_FILES


def add_arguments(parser):
    """The flags of `beats`."""
    parser.add_argument("file", metavar="FILE", help="motion (BVH, npz, pkl, pt) or sound")
    common.passage_arguments(parser)
    common.motion_arguments(parser)
    parser.add_argument("--metre", default="auto", choices=["auto", *map(str, METRES)], help="beats in a bar")
    common.beat_arguments(parser)
    common.shared_arguments(parser, seed=False)


def run(options):
    """Find the beats and print them, in seconds from the start of the passage, as `--beats` reads them. Returns 0."""
    from core.pipelines import device
    from core.pipelines.beats import find_beats
    common.hush_libraries()
    began = time.perf_counter()
    if options.file.lower().endswith((*MOTION_SUFFIXES, *SCENE_FILES)):
        condition = common.read_motion_of(options, options.file)
    else:
        from core.audio.io import read_audio
        condition = read_audio(options.file, start=options.start, duration=options.duration, minimum=0.5,
                               notify=common.say)
    if options.device not in ("auto", "cpu"):
        device.resolve(options.device)  # a wrong name is still an error; the networks use the CPU
    beats = find_beats(condition, bpm=options.bpm, tempo=options.tempo, metre=options.metre, level=options.level,
                       folders=options.checkpoints, notify=common.say)
    wall = time.perf_counter() - began
    if options.json:
        data = beats.to_json()
        print(json.dumps({"out": None, "seconds": round(condition.duration, 3), "wall": round(wall, 3),
                          "realtime_factor": round(condition.duration / wall, 3), "device": "cpu",
                          "beats": data["times"], "downbeats": [round(float(t), 4) for t in beats.downbeats], **data,
                          "recipe": {"source": {"file": str(options.file), "start": options.start,
                                                "duration": options.duration}}}), flush=True)
        return 0
    for seconds, position in zip(beats.times, beats.positions):
        print(f"{seconds:.3f} {position}")
    print(f"# {len(beats)} beats, {len(beats.downbeats)} downbeats, {beats.tempo_bpm:.1f} BPM, metre {beats.metre}, "
          f"confidence {beats.confidence:.2f}, tempo {beats.extra['tempo']['chosen']}", flush=True)
    return 0
