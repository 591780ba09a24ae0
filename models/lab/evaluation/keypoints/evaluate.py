"""Scores of a conductor of key points: `build.py evaluate keypoints --corpus DIR` (ConductorMotion100 as imported).

Rows: the corpus itself, another piece's motion, the mean pose, the model, the model's motion for another piece,
scrambled weights. Such a corpus holds no sound: the beats of BC are those that are heard in its mel.
"""
import argparse
import sys
from pathlib import Path

import numpy as np
import torch

from core.errors import BadInput, command
from core.rhythm.alignment import SIGMA_SECONDS, align_score
from models.conductor.config import FPS
from models.conductor.data import MEL_PER_FRAME
from models.conductor.encoder import encode_music, load_stage1
from models.conductor.pipeline import Conductor
from models.lab.evaluation.conductor.scoring import Judge
from models.lab.evaluation.conductor.stage1 import stage1_rows
from models.lab.evaluation.tables import markdown_table, scrambled, tell
from models.lab.metrics import conducting as scores
from models.lab.metrics.beat_align import align_report, bc_as_published, kinematic_beats_fact
from models.lab.metrics.frechet import diversity, diversity_as_published, frechet_distance
from models.lab.metrics.motion import temporal_spread
from models.training.shards import Corpus

COLUMNS = ("mse", "sdp_percent", "fgd", "fgd_as_published", "bc", "bc_mismatched", "bc_chance", "bc_as_published",
           "diversity", "diversity_as_published", "rde", "sce", "clips")
MEL_RATE = FPS * MEL_PER_FRAME


def pieces(corpus, split, seconds, most):
    """(mels [(3T, bands)], key points (N, T, 13, 2)) of the first `seconds` of each piece that is as long."""
    found, frames = Corpus(corpus, split, "conducting"), int(seconds * FPS)
    mels, points = [], []
    for index in range(len(found)):
        if len(points) < most and "keypoints13" in found.names(index):
            mel, seen = found.array(index, "mel"), found.array(index, "keypoints13")
            if min(len(seen), len(mel) // MEL_PER_FRAME) >= frames:
                mels.append(mel[:frames * MEL_PER_FRAME].astype(np.float32))
                points.append(seen[:frames].astype(np.float32))
    if len(points) < 2:
        raise BadInput(f"The {split} split of {corpus} holds {len(points)} pieces of key points of {seconds:g} s; two "
                       "are needed. Give --seconds, --split, or import ConductorMotion100.")
    return mels, np.stack(points)


def heard_beats(mel):
    """Beats (s) that librosa's tracker hears in a published mel (3T, bands), from what rises in it."""
    import librosa
    rise = np.maximum(np.diff(mel, axis=0, prepend=mel[:1]), 0).mean(1)
    _, frames = librosa.beat.beat_track(onset_envelope=rise, sr=MEL_RATE, hop_length=1)
    return frames / MEL_RATE


def consistency(points, beats):
    """BC of key points (N, T, 13, 2) with the beats (s) of their pieces: music to motion, sigma 50 ms; against the next
    piece's beats, by chance (beats shifted), and as published."""
    moves, seconds = [kinematic_beats_fact(x, FPS) for x in points], points.shape[1] / FPS
    reports = [align_report(b, m, seconds) for b, m in zip(beats, moves)]
    return {"bc": np.mean([r["score"] for r in reports]), "bc_chance": np.mean([r["null_mean"] for r in reports]),
            "bc_mismatched": np.mean([align_score(b, m, SIGMA_SECONDS) for b, m in zip(beats[1:] + beats[:1], moves)]),
            "bc_as_published": np.mean([bc_as_published(b, x) for b, x in zip(beats, points)])}


def conducted(conductor, mels, steps, seed=0):
    """Key points (N, T, 13, 2) of a conductor for published mels."""
    out = []
    for number, mel in enumerate(mels):
        with torch.no_grad():
            music = encode_music(conductor.music_encoder, torch.from_numpy(mel).to(conductor.device)).cpu().numpy()
        heard = music, np.zeros((len(music), 2), np.float32)
        out.append(conductor.generate(None, features=heard, steps=steps, seed=seed + number)[0])
    return np.stack(out)


def row(points, real, judge, beats):
    """Figures of key points (N, T, 13, 2) against the real ones and the beats of their pieces."""
    features, features_real = judge.features(points), judge.features(real)
    flat, flat_real = (x.reshape(len(x), x.shape[1], 26) for x in (points, real))
    rows = [f.reshape(-1, f.shape[-1]) for f in (features, features_real)]
    columns = [f.transpose(0, 2, 1).reshape(-1, f.shape[1]) for f in (features, features_real)]
    long = real.shape[1] >= 256                 # frames that RDE's spectrum takes
    return {"mse": scores.conducting_mse(points, real), "sdp_percent": temporal_spread(list(flat), list(flat_real)),
            "fgd": frechet_distance(*rows), "fgd_as_published": frechet_distance(*columns),
            **{name: float(value) for name, value in consistency(points, beats).items()},
            "diversity": diversity(features.mean(1)),
            "diversity_as_published": diversity_as_published(features.transpose(0, 2, 1)),
            "rde": scores.rhythm_density_error(flat, flat_real) if long else None,
            "sce": scores.strength_contour_error(flat, flat_real) if long else None, "clips": len(points)}


def evaluate(conductor, mels, real, judge, steps, say=print):
    """{row: figures}."""
    made = conducted(conductor, mels, steps)
    with scrambled(conductor):
        chance = conducted(conductor, mels, steps)
    rows = {"corpus": real, "corpus, another piece's motion": np.roll(real, 1, axis=0),
            "mean pose": np.broadcast_to(real.mean((0, 1)), real.shape).copy(), "model": made,
            "model, another piece's motion": np.roll(made, 1, axis=0),
            "model, scrambled weights": chance}
    out, beats = {}, [heard_beats(mel) for mel in mels]
    for name, points in rows.items():
        out[name] = row(points, real, judge, beats)
        say(f"{name}: {out[name]}")
    return out


def markdown(results):
    """The section of a results page."""
    stage1, s = results["stage1"], results["settings"]
    accuracies = ", ".join(f"{kind} {stage1[kind]:.3f}" for kind in ("easy", "hard", "super-hard"))
    return (f"## Conducting, key points of {s['corpus']}\n\n{s['split']} split, {s['seconds']:g} s a piece, "
            f"{s['steps'] or 'all'} steps. Stage 1 ({stage1['pairs']} pairs a kind; chance 0.5): {accuracies}. MSE and "
            "RDE reward small motion (mean pose), FGD is in the space of this stage 1: compare rows, not papers. BC: "
            "the mel's heard beats to the motion's, in seconds; `bc_as_published` compares 90 Hz with 30 Hz.\n\n"
            + markdown_table(results["rows"], COLUMNS))


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="build.py evaluate keypoints", description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", required=True, help="folder of shards of `build.py train import cm100:DIR`")
    parser.add_argument("--checkpoints", help="folder of exported checkpoints (encoder and denoiser)")
    parser.add_argument("--run", help="run folder of a denoiser, instead of --checkpoints")
    parser.add_argument("--encoder-run", default="", help="run folder of its stage 1")
    parser.add_argument("--split", default="test", choices=("train", "valid", "test"))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--count", type=int, default=294, help="most pieces")
    parser.add_argument("--steps", type=int, help="sampling steps (default: the model's, published 1000)")
    parser.add_argument("--out", default="keypoints_results.json")
    parser.add_argument("--docs", help="Markdown file whose section keypoints is replaced")
    options = parser.parse_args(arguments)
    folders = [options.checkpoints] if options.checkpoints else None
    conductor = (Conductor.from_run(options.run, options.encoder_run, folders=folders) if options.run
                 else Conductor.load(folders))
    if conductor.config.representation != "keypoints13":
        raise BadInput("The conductor moves a body, not key points; name the checkpoints or the run of one that "
                       "was trained with --config paper.")
    _, net = load_stage1(options.encoder_run, folders)
    mels, real = pieces(options.corpus, options.split, options.seconds, options.count)
    rows = evaluate(conductor, mels, real, Judge(net), options.steps)
    results = {"settings": {"corpus": Path(options.corpus).name, "split": options.split,
                            "seconds": options.seconds, "steps": options.steps},
               "stage1": stage1_rows(net, options.corpus, options.split), "rows": rows}
    tell(results, markdown(results), "keypoints", options.out, options.docs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
