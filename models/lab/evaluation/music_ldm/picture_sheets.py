"""Pictures of what the model makes: one motion in ten genres, one genre with three seeds; mels with the beats drawn
over them."""
from itertools import combinations
from pathlib import Path

import numpy as np

from core.contract import GENRES
from core.rhythm.alignment import beat_f1_70ms
from models.lab.evaluation.music_ldm.rows import deliver
from models.lab.evaluation.music_ldm.scoring import TRACKER_RATE, to_tracker
from models.lab.metrics.beat_align import music_beats_librosa
from models.training.shards import AUDIO_RATE

SHOWN = 8.0                     # seconds of each picture


def sheet(path, panels, beats, columns):
    """A PNG of mels: panels [(title, mono at the tracker's rate, heard beats)]; dotted: the body's beats, ticks: the
    heard."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from core.audio.mel import log_mel
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(6.2 * columns, 1.7 * lines + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    for number, (title, mono, found) in enumerate(panels):
        axes = figure.add_subplot(lines, columns, number + 1)
        mel = log_mel(mono[:int(SHOWN * TRACKER_RATE)])
        axes.imshow(mel.T, origin="lower", aspect="auto", extent=(0, SHOWN, 0, mel.shape[1]), cmap="magma", vmin=-7,
                    vmax=2)
        axes.vlines([t for t in beats if t < SHOWN], 0, mel.shape[1], colors="white", linestyles=":", linewidth=0.8)
        axes.plot([t for t in found if t < SHOWN], [mel.shape[1] - 8] * sum(t < SHOWN for t in found), "c|",
                  markersize=9)
        axes.set_title(title, fontsize=9)
        axes.set_yticks([])
        axes.tick_params(labelsize=7)
        axes.set_xlim(0, SHOWN)
    figure.supxlabel("seconds; dotted: beats of the body, blue: beats that librosa hears", fontsize=8)
    figure.savefig(Path(path), dpi=80, format="png")


def agreement(found):
    """Mean F1 of the beats heard in every two sounds."""
    return float(np.mean([beat_f1_70ms(a, b) for a, b in combinations(found, 2)]))


def draw_sheets(folder, pieces, folders=None, steps=20, guidance=2.0, number=5):
    """Write music-genres.png and music-seeds.png into `folder`, of test piece `number`; returns how far they agree."""
    from models.genre.judge import GenreJudge
    from models.music_ldm.pipeline import MusicLDM
    model, judge, piece = MusicLDM.load(folders, "cpu"), GenreJudge("audio", folders), pieces[number]

    def made(genre, seed):
        sound = deliver(model.generate(piece["motion"], genre=genre, beats=piece["beats"], duration=pieces.seconds,
                                       seed=seed, steps=steps, guidance_scale=guidance)[0])
        mono = to_tracker(sound)
        return sound, mono, music_beats_librosa(mono, TRACKER_RATE)
    genres = [made(genre, 1) for genre in GENRES]
    verdicts = [GENRES[int(np.argmax(judge(sound, AUDIO_RATE)))] for sound, _, _ in genres]
    titles = [f"{genre}: F1 {beat_f1_70ms(found, piece['beats'].times):.2f}, judged {verdict}"
              for genre, verdict, (_, _, found) in zip(GENRES, verdicts, genres)]
    sheet(Path(folder) / "music-genres.png", [(t, mono, found) for t, (_, mono, found) in zip(titles, genres)],
          piece["beats"].times, 2)
    seeds = [made(piece["genre"], seed) for seed in (1, 2, 3)]
    titles = [f"{piece['genre']}, seed {s + 1}: F1 {beat_f1_70ms(found, piece['beats'].times):.2f}"
              for s, (_, _, found) in enumerate(seeds)]
    sheet(Path(folder) / "music-seeds.png", [(t, mono, found) for t, (_, mono, found) in zip(titles, seeds)],
          piece["beats"].times, 1)
    return {"genres": len(GENRES), "genres_right": sum(a == b for a, b in zip(verdicts, GENRES)),
            "genre_beats_agree": agreement([found for _, _, found in genres]),
            "seed_beats_agree": agreement([found for _, _, found in seeds]), "piece": piece["id"]}
