"""Vocoders judged by what they were not trained on, side by side, the VAE's share of the error apart.

    python -m models.lab.evaluation.music_ldm.vocoder_judge --corpus DIR [--pieces 40] [--seconds 8] [--judge-steps 200]
        [--vocoder NAME=FOLDER ...] [--json FILE] [--pictures DIR] [--docs FILE]

Rows: Griffin-Lim, then each vocoder, its network alone, with steady tones, with attacks too (where it has them) and
with tones and the two stages, from the true mel and from the mel that the VAE gives back; `another piece` compares real
sound with other real sound of its genre, `the same sound` with itself.
Columns: distances (multi-scale log10 mel summed over seven windows, multi-resolution STFT, log-mel at 22 kHz), error of
the thirds of an octave from 50 Hz to 12.7 kHz (means over all pieces; and per genre the mean over genres of the worst),
tilt in dB per octave, how many dB attacks above 2 kHz and kicks below 300 Hz lose, share of the side, share of harmonic
energy, and the accuracy of a judge trained afterwards (0.5: it cannot tell).
"""
import argparse
import functools
import json
import sys
from pathlib import Path

import numpy as np
import torch

from core.audio import Audio
from core.audio.mel import FLOOR, griffin_lim, levelled, log_mel
from core.contract.files import write_text
from core.errors import BadInput, command
from models.lab.evaluation.music_ldm import vocoder_measures as measures
from models.lab.evaluation.music_ldm.vocoder_scores import MEL_RATE, mel_distance, side_share
from models.lab.evaluation.tables import markdown_table, replace_section
from models.lab.metrics.audio import harmonic_share
from models.music_ldm.vocoder import RATE, load_vocoder, vocode
from models.music_ldm.vocoder_gan import MelLoss
from models.music_ldm.vocoder_tone import through_vae
from models.music_ldm.vocoder_train import multi_resolution
from models.training.shards import AUDIO_RATE, Corpus, unpack_audio

COLUMNS = ("ms_mel", "stft", "log_mel", "band_db", "worst_band_db", "genre_worst_db", "tilt_db", "attack_loss_db",
           "kick_loss_db", "side_share", "harmonic", "judge")
HEAD = 1.0                      # seconds of a piece left out
WAYS = {(False, False, False): "network alone", (True, False, False): "with steady tones",  # tones, attacks, finish
        (True, True, False): "with attacks", (True, False, True): "with the two stages"}


def load_pieces(corpus, count, seconds):
    """[{"id", "genre", "true" (2, N) at 44,100 Hz and the model's level, "mono" at 22,050 Hz, "mel"}] of test
    pieces."""
    items = Corpus(corpus, split="test")
    pieces = []
    for index in np.unique(np.linspace(0, len(items) - 1, min(count, len(items))).astype(int)):
        raw = items.array(int(index), "audio", int(HEAD * AUDIO_RATE), int((HEAD + seconds) * AUDIO_RATE))
        audio = Audio(unpack_audio(raw), AUDIO_RATE)
        mono, gain = levelled(audio.resampled(MEL_RATE).mono())
        if np.abs(mono).max() > 0:
            meta = items.meta(int(index))
            pieces.append({"id": meta["id"], "genre": meta["genre"], "true": audio.resampled(RATE).samples * gain,
                           "mono": mono, "mel": log_mel(mono)})
    if len(pieces) < 4:
        raise BadInput(f"{corpus} holds {len(pieces)} test pieces with sound; at least 4 are needed.")
    return pieces


def makers(vocoders, vae):
    """{row: mel -> (2, N) at 44,100 Hz}. vocoders: {name: folder or None}; vae: a network or None."""
    def decoded(mel):
        return np.maximum(through_vae(vae, mel), np.log(FLOOR))

    def published(mel):
        return Audio(griffin_lim(mel, 32), MEL_RATE).resampled(RATE).stereo().samples
    rows = {"griffin_lim_32": published}
    if vae is not None:
        rows["VAE, griffin_lim_32"] = lambda mel: published(decoded(mel))
    for name, folder in vocoders.items():
        network = load_vocoder(folder)[0]
        for how, words in WAYS.items():
            if how[1] and network.attacks is None:
                continue
            make = functools.partial(vocode, network, rate=RATE, **dict(zip(("tones", "attacks", "finish"), how)))
            rows[f"{name}, {words}"] = make
            if vae is not None:
                rows[f"VAE, {name}, {words}"] = lambda mel, make=make: make(decoded(mel))
    return rows


def score_row(found, pieces, distance):
    """Means of one row: found is a list of (2, N), a sound a piece."""
    genres = sorted({piece["genre"] for piece in pieces})
    values, gaps = [], []
    for sound, piece in zip(found, pieces):
        count = min(sound.shape[1], piece["true"].shape[1])
        mine, true = (np.ascontiguousarray(x[:, :count]) for x in (sound, piece["true"]))
        mono = Audio(mine, RATE).resampled(MEL_RATE).mono()
        size = min(len(mono), len(piece["mono"]))
        levels = measures.band_levels(mine), measures.band_levels(true)
        gaps.append(levels[0] - levels[1])
        pair = [torch.from_numpy(x) for x in (mine, true)]
        values.append({"ms_mel": float(distance(*pair)), "stft": float(multi_resolution(*pair)[0]),
                       "log_mel": mel_distance(mono[:size], piece["mono"][:size]),
                       "tilt_db": measures.tilt(levels[0]) - measures.tilt(levels[1]),
                       "attack_loss_db": measures.ATTACKS.loss_db(mine, true),
                       "kick_loss_db": measures.KICKS.loss_db(mine, true), "side_share": side_share(mine),
                       "harmonic": harmonic_share(mine, RATE)})
    row = {name: float(np.nanmean([value[name] for value in values])) for name in values[0]}
    mean = np.mean(gaps, axis=0)
    worst = [np.abs(np.mean([g for g, piece in zip(gaps, pieces) if piece["genre"] == genre], axis=0)).max()
             for genre in genres]
    return {**row, "band_db": float(np.abs(mean).mean()), "worst_band_db": float(np.abs(mean).max()),
            "genre_worst_db": float(np.mean(worst)), "bands": np.round(mean, 2).tolist()}


def judge(corpus, vocoders, *, vae=None, count=40, seconds=8.0, judge_steps=200, report=print, pictures=None):
    """{"rows": {row: {column: value}}, "pieces", "seconds"}; one half of the pieces teaches the judges, all are
    scored."""
    pieces, distance, rows = load_pieces(corpus, count, seconds), MelLoss(), {}
    shown = {"the same sound": [piece["true"] for piece in pieces]}
    by_genre = {genre: [p for p in pieces if p["genre"] == genre] for genre in {p["genre"] for p in pieces}}
    others = []
    for piece in pieces:
        own = by_genre[piece["genre"]] if len(by_genre[piece["genre"]]) > 1 else pieces
        others.append(own[([p["id"] for p in own].index(piece["id"]) + 1) % len(own)]["true"])
    shown["another piece"] = others
    makes = makers(vocoders, vae)
    for name in [*shown, *makes]:
        found = shown[name] if name in shown else [makes[name](piece["mel"]) for piece in pieces]
        rows[name] = score_row(found, pieces, distance)
        if judge_steps:
            rows[name]["judge"] = measures.judge_accuracy(found, [piece["true"] for piece in pieces], len(pieces) // 2,
                                                          steps=judge_steps)
        report(f"{name}: " + ", ".join(f"{key} {value:.3f}" for key, value in rows[name].items() if key != "bands"))
        if pictures:
            shown[name] = found[:1] if name not in shown else shown[name]
    if pictures:
        draw(Path(pictures), shown, pieces[0])
    return {"rows": rows, "bands_hz": np.round(measures.BANDS).tolist(), "pieces": len(pieces), "seconds": seconds}


def draw(folder, shown, piece, seconds=2.0):
    """Log-spectral images of the first piece's first seconds, a panel a row."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    folder.mkdir(parents=True, exist_ok=True)
    names = [name for name in shown if name != "another piece"]
    figure = Figure(figsize=(11, 2.1 * len(names)), layout="constrained")
    FigureCanvasAgg(figure)
    for number, name in enumerate(names):
        sound = torch.from_numpy(np.ascontiguousarray(shown[name][0][:, :int(seconds * RATE)].mean(0)))
        z = torch.stft(sound, 1024, 128, window=torch.hann_window(1024), return_complex=True).abs().numpy()
        axes = figure.add_subplot(len(names), 1, number + 1)
        axes.imshow(20 * np.log10(z + 1e-3), origin="lower", aspect="auto", cmap="magma", vmin=-40, vmax=30,
                    extent=(0, seconds, 0, RATE / 2000))
        axes.set_title(f"{name} ({piece['id']}, {piece['genre']})" if number == 0 else name, fontsize=9)
        axes.set_ylabel("kHz", fontsize=8)
        axes.tick_params(labelsize=7)
    figure.savefig(folder / "vocoders.png", dpi=80)


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.lab.evaluation.music_ldm.vocoder_judge",
                                     description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--vocoder", action="append", metavar="NAME=FOLDER", help="default: the shipped one")
    parser.add_argument("--no-vae", action="store_true")
    parser.add_argument("--pieces", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--judge-steps", type=int, default=200)
    parser.add_argument("--json")
    parser.add_argument("--pictures", metavar="DIR")
    parser.add_argument("--docs", metavar="FILE", help="write the table between its markers there")
    options = parser.parse_args(arguments)
    vocoders = dict(word.partition("=")[::2] for word in options.vocoder or ["shipped="])
    vae = None
    if not options.no_vae:
        from core import checkpoints
        from models.music_ldm.vae import load_vae
        vae = load_vae(checkpoints.find("music_ldm", "vae", None).path)[0]
    result = judge(options.corpus, {name: folder or None for name, folder in vocoders.items()}, vae=vae,
                   count=options.pieces, seconds=options.seconds, judge_steps=options.judge_steps,
                   report=lambda text: print(text, flush=True), pictures=options.pictures)
    table = markdown_table(result["rows"], COLUMNS, first=f"{result['pieces']} test pieces of {result['seconds']:g} s")
    print(table)
    if options.json:
        write_text(options.json, json.dumps(result, indent=1) + "\n")
    if options.docs:
        replace_section(options.docs, "vocoders", table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
