"""Dance music that fits a motion.

Motion is read from BVH, AMASS-style npz or AIST++ pkl, each also gzipped.
"""
from core.cli import common
from core.contract import GENRES, load

RECORD = next(record for record in load("systems") if record["entry"] == "music")


def add_arguments(parser):
    """The flags of `music`."""
    parser.add_argument("--motion", required=True, metavar="FILE", help="BVH, npz or pkl (.gz accepted)")
    common.motion_arguments(parser)
    parser.add_argument("--genre", required=True, metavar="NAME", help=", ".join(GENRES) + " (or an AIST code such as gBR), any")
    common.sampling_arguments(parser, RECORD)
    parser.add_argument("--loudness", default=None, metavar="PRESET",
                        help=", ".join(preset["slug"] for preset in load("loudness")))
    parser.add_argument("--loop", action="store_true", help="the end joins the beginning without a click")
    parser.add_argument("--sampler", default=None, help="ddpm, ddim or dpmpp_2m (default: the model's own)")
    parser.add_argument("--like", metavar="FILE", default=None,
                        help="a sound file whose timbre the music is to have (default: each seed has its own)")
    common.range_arguments(parser, "WAV")
    parser.add_argument("--out", required=True, metavar="FILE.wav", help="48 kHz stereo 24-bit WAV; its recipe goes beside it")
    common.shared_arguments(parser)


def run(options):
    """Read the motion, generate, write. Returns 0."""
    from core.audio.io import read_like, read_take, write_wav
    from core.pipelines import open_pipeline
    from core.pipelines.base import genre_slug
    from core.rhythm.beats import read_beats
    common.hush_libraries()
    out = common.check_out(options.out, [".wav"])
    genre = genre_slug(options.genre)
    beats = read_beats(options.beats) if options.beats else None
    bar = common.Bar(options.quiet)
    bar("Reading", 0.0)
    motion = common.read_motion_of(options, options.motion)
    keep = (read_take(options.keep), *options.range) if common.check_range(options) else None
    like = read_like(options.like) if options.like else None
    pipeline = open_pipeline("music", options.checkpoints, options.device, common.say)
    results = pipeline.generate_variations(
        motion, genre=genre, guidance_scale=options.guidance, steps=options.steps, seed=options.seed, beats=beats,
        bpm=options.bpm, tempo=options.tempo, level=options.level, variations=options.variations,
        loudness=options.loudness, loop=options.loop, sampler=options.sampler, keep=keep, like=like, progress=bar,
        source={"motion": str(options.motion), "fps": options.fps, "start": options.start, "duration": options.duration,
                "bone_map": options.bone_map, "smpl_models": options.smpl_models, "keep": options.keep,
                "like": options.like})
    bar("Writing", 1.0)
    outs = [write_wav(common.numbered(out, number), result.audio) for number, result in enumerate(results)]
    for path, result in zip(outs, results):
        common.write_recipe(path, result.recipe)
    bar.close()
    common.report(options, results, outs)
    return 0
