"""Speeds and memory, measured, never asserted: `build.py bench [music conductor worker blender rhythm studio] [--json
FILE]`.

Every section runs in a process of its own so that its peak memory is its own. Quote ratios of one run: machines differ.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from core.start import quiet_threads

ROOT = Path(__file__).resolve().parents[1]
SECTIONS = ("rhythm", "draft", "music", "conductor", "dance", "momu", "moves", "studio", "worker", "blender")


def clock(work, repeat=3):
    """Median seconds of `repeat` calls after one warm call."""
    work()
    times = []
    for _ in range(repeat):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def peak_gb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def demo_motion(seconds):
    """The demo's dance, played over and over to the asked length."""
    import numpy as np

    from core.body.motion import Motion
    from core.motion_files import read_motion
    from models.lab.demo import DANCE
    motion = read_motion(DANCE)
    times = int(np.ceil(seconds / motion.duration))
    return Motion(np.concatenate([motion.rotations] * times), np.concatenate([motion.root] * times), motion.fps).slice(
        0, int(seconds * motion.fps))


def demo_piece(seconds):
    import numpy as np

    from core.audio import Audio
    from core.audio.io import read_audio
    from models.lab.demo import PIECE
    piece = read_audio(PIECE)
    times = int(np.ceil(seconds / piece.duration))
    return Audio(np.concatenate([piece.samples] * times, axis=1)[:, :int(seconds * piece.rate)], piece.rate)


def bench_rhythm():
    from models.rhythm.detect import detect_body_beats, detect_music_beats
    motion, piece = demo_motion(60), demo_piece(60)
    return {"body_x_realtime": 60 / clock(lambda: detect_body_beats(motion)),
            "music_x_realtime": 60 / clock(lambda: detect_music_beats(piece.mono(), piece.rate)), "peak_gb": peak_gb()}


def bench_music():
    from core.pipelines import open_pipeline
    pipeline = open_pipeline("music", None, "cpu", lambda text: None)
    motion, long = demo_motion(20), demo_motion(180)
    make = lambda m, steps: pipeline.generate(m, genre="house", steps=steps, seed=1)          # noqa: E731
    normal, draft = clock(lambda: make(motion, "normal")), clock(lambda: make(motion, "draft"))
    fine = clock(lambda: make(motion, "fine"), repeat=1)
    row = {"20s_normal_s": normal, "20s_normal_x_realtime": 20 / normal, "20s_draft_s": draft, "20s_fine_s": fine}
    began = time.perf_counter()
    make(long, "draft")
    row.update({"180s_draft_s": time.perf_counter() - began, "180s_peak_gb": peak_gb()})
    row.update(paper_size(pipeline, motion))
    return row


def bench_draft():
    """A fresh process: its first Draft of 20 s, loading included, then the second; wall time, and CPU time of all
    threads, which other work on the machine changes less. Then the same as Blender has it: a worker started for the
    job."""
    from core.pipelines import open_pipeline
    began, cpu = time.perf_counter(), time.process_time()
    pipeline, motion, times, cpus = open_pipeline("music", None, "cpu", lambda text: None), demo_motion(20), [], []
    for _ in range(2):
        pipeline.generate(motion, genre="house", steps="draft", seed=1)
        times.append(time.perf_counter() - began - sum(times))
        cpus.append(time.process_time() - cpu - sum(cpus))
    row = {"first_draft_s": times[0], "second_draft_s": times[1], "first_draft_cpu_s": cpus[0],
           "second_draft_cpu_s": cpus[1]}
    from tests.bench_worker import draft_seconds
    for name, prepared in (("worker_first_draft_s", 0.0), ("worker_first_draft_after_1s_of_sampling_s", 1.0)):
        row[name] = draft_seconds(prepared)
    return row


def paper_size(pipeline, motion):
    """The sampling of 20 s: the shipped U-Net at Normal against one of the published size at 50 steps (four windows of
    5 s, no guidance; two network calls are timed and multiplied, random weights cost as much as trained ones)."""
    import torch

    from models.music_ldm.config import PAPER
    from models.music_ldm.network import Condition, UNet
    from models.music_ldm.passage import Passage
    from models.music_ldm.settings import Settings
    model, paper = next(iter(pipeline._models.values())), UNet(PAPER).eval()
    mine = clock(lambda: model._sample(Passage(model.denoiser.config, 20.0, motion, None, "house"),
                                       Settings(guidance_scale=2.0, steps=20, seed=1), None, None,
                                       lambda number, total: None, lambda: None), repeat=1)
    with torch.inference_mode():
        condition = Condition(torch.zeros(4, 157, 360), torch.ones(4), torch.zeros(4), torch.zeros(4, 10),
                              torch.zeros(4, 5, 224), torch.zeros(4, 1))
        encoded, x, t = paper.encode(condition), torch.randn(4, 1, 32, 28), torch.full((4,), 500)
        theirs = 50 * clock(lambda: paper(x, t, encoded), repeat=1)
    return {"sampling_20s_normal_s": mine, "paper_size_50_steps_s": theirs, "paper_size_over_ours": theirs / mine,
            "paper_parameters_m": sum(p.numel() for p in paper.parameters()) / 1e6}


def bench_conductor():
    from core.pipelines import open_pipeline
    pipeline = open_pipeline("conduct", None, "cpu", lambda text: None)
    minute = demo_piece(60)
    normal = clock(lambda: pipeline.generate(minute, steps="normal", seed=1))
    draft = clock(lambda: pipeline.generate(minute.slice(0, 20), steps="draft", seed=1))
    row = {"60s_normal_s": normal, "60s_normal_x_realtime": 60 / normal, "20s_draft_s": draft}
    began = time.perf_counter()
    pipeline.generate(demo_piece(600), steps="draft", seed=1)
    row.update({"600s_draft_s": time.perf_counter() - began, "600s_peak_gb": peak_gb()})
    clip = minute.slice(0, 20)
    ours = clock(lambda: pipeline.generate(clip, steps="normal", seed=1))
    published = published_conductor()
    began = time.perf_counter()
    published.generate(clip, seed=1)
    row.update({"20s_normal_s": ours, "20s_published_s": time.perf_counter() - began})
    row["published_over_ours"] = row["20s_published_s"] / ours
    return row


def bench_dance():
    """The cascade, and its base at the size and the steps of EDGE (width 512, 8 layers, 30 fps, 50 steps) by network
    calls."""
    from core.pipelines import open_pipeline
    pipeline, minute = open_pipeline("dance_cascade", None, "cpu", lambda text: None), demo_piece(60)
    normal = clock(lambda: pipeline.generate(minute, steps="normal", genre="house", seed=1))
    draft = clock(lambda: pipeline.generate(minute.slice(0, 10), steps="draft", genre="house", seed=1))
    theirs = edge_seconds(60.0)
    return {"60s_normal_s": normal, "60s_normal_x_realtime": 60 / normal, "first_10s_draft_s": draft,
            "edge_size_50_steps_60s_s": theirs, "edge_size_over_ours": theirs / normal, "peak_gb": peak_gb()}


def edge_seconds(seconds):
    """Seconds that a decoder of EDGE's published size takes for so much dance: windows of 5 s that overlap by half,
    conditional and not, 50 steps. Random weights cost as much as trained ones; one call is timed and multiplied."""
    import torch
    windows = int(seconds / 2.5) - 1
    layer = torch.nn.TransformerDecoderLayer(512, 8, 1024, batch_first=True)
    decoder = torch.nn.TransformerDecoder(layer, 8).eval()
    x, memory = torch.randn(windows, 150, 512), torch.randn(windows, 152, 512)
    with torch.inference_mode():
        return 50 * 2 * clock(lambda: decoder(x, memory), repeat=1)


def bench_momu():
    from core.pipelines import open_pipeline
    row = {}
    for name, condition, words in (("momu_both", None, {"duration": 20.0}), ("momu_music", demo_motion(20), {}),
                                   ("momu_motion", demo_piece(20), {})):
        pipeline = open_pipeline(name, None, "cpu", lambda text: None)
        took = clock(lambda: pipeline.generate(condition, genre="house", steps="normal", seed=1, **words))  # noqa: B023
        row |= {f"{name}_20s_normal_s": took, f"{name}_20s_normal_x_realtime": 20 / took}
    return {**row, "peak_gb": peak_gb()}


def bench_moves():
    from core.pipelines import open_pipeline
    pipeline, minute = open_pipeline("my_moves", None, "cpu", lambda text: None), demo_piece(60)
    took = clock(lambda: pipeline.generate(minute, seed=1))
    return {"60s_s": took, "60s_x_realtime": 60 / took, "peak_gb": peak_gb()}


def bench_studio():
    """Pairs of motion and rendered music, one process: times real time by the clock and by the CPU time of all its
    threads."""
    from models.lab.studio.build import make_item
    row = {}
    for kind in ("dance", "conducting"):
        make_item(kind, 0, 4.0)
        wall, cpu, pieces = time.perf_counter(), time.process_time(), 10
        for seed in range(1, pieces + 1):
            make_item(kind, seed, 24.0)
        row[f"{kind}_x_realtime"] = 24 * pieces / (time.perf_counter() - wall)
        row[f"{kind}_x_realtime_per_core"] = 24 * pieces / (time.process_time() - cpu)
    return {**row, "peak_gb": peak_gb()}


def published_conductor():
    """The published setting: 8 layers, width 128, 26 channels, 1000 DDIM steps, no guidance. Untrained: speed needs no
    skill."""
    import torch

    from models.conductor.config import PAPER
    from models.conductor.encoder import MusicEncoder
    from models.conductor.network import Denoiser
    from models.conductor.pipeline import Conductor
    torch.manual_seed(0)
    return Conductor(PAPER, Denoiser(PAPER), MusicEncoder(PAPER.encoder))


def bench_worker():
    """How soon a worker answers and lets go of a job."""
    from tests.bench_worker import measure
    return measure()


def bench_blender():
    """Key writing, pose sampling and Baton's own callbacks in bpy; the add-on's own measuring module does the work."""
    from tests.blender.bench_blender import measure
    return measure()


def measured(name, root=ROOT):
    """The figures of a section, in a process of its own with the code of a working tree; raises RuntimeError."""
    with tempfile.TemporaryDirectory() as user:
        done = subprocess.run([sys.executable, "-m", "tests.bench", "--one", name], cwd=root, capture_output=True,
                              text=True, env={**os.environ, "BLENDER_USER_RESOURCES": user})
    if done.returncode:
        raise RuntimeError(done.stderr[-1500:])
    return json.loads(done.stdout.strip().splitlines()[-1])


@contextmanager
def tree_of(commit):
    """A working tree of another commit, taken away afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "tree"
        subprocess.run(["git", "worktree", "add", "--detach", "-q", str(place), commit], cwd=ROOT, check=True)
        try:
            yield place
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(place)], cwd=ROOT, check=True)


def side_by_side(names, commit, rounds=3):
    """Print the figures of another commit and of this tree, taken by turns so that both meet the same machine: the
    medians of `rounds` and their ratio. Returns {section: {figure: [then, now]}}."""
    figures = {}
    with tree_of(commit) as old:
        for name in names:
            taken = [[measured(name, root) for root in (old, ROOT)] for _ in range(rounds)]
            then, now = ([one[side] for one in taken] for side in (0, 1))
            figures[name] = {key: [statistics.median(one[key] for one in side) for side in (then, now)]
                             for key in now[0] if key in then[0] and isinstance(now[0][key], (int, float))}
            for key, (before, after) in figures[name].items():
                print(f"{name:10} {key:28} {before:10.3f} {after:10.3f}   x {after / before if before else 0:.2f}")
    return figures


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="build.py bench", description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", default=SECTIONS, help=" ".join(SECTIONS))
    parser.add_argument("--json", help="also write the figures to this file")
    parser.add_argument("--against", metavar="COMMIT", help="the same sections of an older commit, by turns")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        quiet_threads()
        print(json.dumps(globals()[f"bench_{options.one}"]()))
        return 0
    figures, status, names = {}, 0, options.sections or SECTIONS
    if options.against:
        figures = side_by_side(names, options.against)
    for name in names if not options.against else ():
        try:
            figures[name] = measured(name)
        except RuntimeError as error:
            print(f"{name}: failed\n{error}")
            status = 1
            continue
        for key, value in figures[name].items():
            print(f"{name:10} {key:28} {value:.3f}" if isinstance(value, float) else f"{name:10} {key:28} {value}")
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=1))
    return status


if __name__ == "__main__":
    sys.exit(main())
