"""A conductor's motion for a piece of music.

Sound is read from whatever soundfile or librosa can decode.
"""
from core.cli import common
from core.contract import load

RECORD = next(record for record in load("systems") if record["entry"] == "conduct")


def add_arguments(parser):
    """The flags of `conduct`."""
    parser.add_argument("--audio", required=True, metavar="FILE", help="WAV, FLAC, OGG, MP3 ...")
    common.sampling_arguments(parser, RECORD)
    parser.add_argument("--metre", default="auto", choices=["2", "3", "4", "6", "auto"], help="beats in a bar")
    parser.add_argument("--lead", type=common.number, default=None, metavar="MS",
                        help="milliseconds of stroke ahead of the sound")
    parser.add_argument("--amplitude", type=common.number, default=1.0, help="size of the strokes, 0 to 2")
    parser.add_argument("--left-hand", type=common.number, default=1.0, help="0 mirrors the right hand, 1 is independent")
    parser.add_argument("--mirror", action="store_true", help="baton in the left hand")
    common.range_arguments(parser, "BVH or npz")
    parser.add_argument("--stays", default="outside", choices=["outside", "inside"],
                        help="with --keep: what stays of it, outside the range or inside")
    parser.add_argument("--out", required=True, metavar="FILE", help="FILE.bvh or FILE.npz; its recipe goes beside it")
    common.shared_arguments(parser)


def run(options):
    """Read the sound, generate, write. Returns 0."""
    from core.audio.io import read_audio
    from core.motion_files import read_motion, write_bvh, write_npz
    from core.pipelines import open_pipeline
    from core.rhythm.beats import read_beats
    common.hush_libraries()
    out = common.check_out(options.out, [".bvh", ".npz"])
    beats = read_beats(options.beats) if options.beats else None
    bar = common.Bar(options.quiet)
    bar("Reading", 0.0)
    audio = read_audio(options.audio, start=options.start, duration=options.duration,
                       minimum=RECORD["seconds"]["min"])
    keep = (read_motion(options.keep), *options.range, options.stays) if common.check_range(options) else None
    pipeline = open_pipeline("conduct", options.checkpoints, options.device, common.say)
    results = pipeline.generate_variations(
        audio, guidance_scale=options.guidance, steps=options.steps, seed=options.seed, beats=beats, bpm=options.bpm,
        tempo=options.tempo, level=options.level, metre=options.metre,
        lead=None if options.lead is None else options.lead / 1000.0,
        amplitude=options.amplitude, left_hand=options.left_hand, mirror=options.mirror, variations=options.variations,
        keep=keep, progress=bar, source={"audio": str(options.audio), "start": options.start, "duration": options.duration,
                              "keep": options.keep})
    bar("Writing", 1.0)
    write = write_bvh if out.suffix == ".bvh" else write_npz
    outs = [common.numbered(out, number) for number in range(len(results))]
    for path, result in zip(outs, results):
        write(path, result.motion)
        common.write_recipe(path, result.recipe)
    bar.close()
    common.report(options, results, outs)
    return 0
