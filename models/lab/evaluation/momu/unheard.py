"""One side under the other without beats, on the pieces of a flat corpus that no training saw: with the beat read in
the other's latents (models/momu/timing.py), without that, and what the readers themselves say. Nothing is rendered."""
import numpy as np
import torch
from scipy.signal import find_peaks

from core.audio import DELIVERY_RATE
from core.audio.resample import resample
from core.rhythm.alignment import beat_f1_70ms
from models.diffusion.canvas import seeded
from models.lab.evaluation.momu.figures import mean
from models.lab.evaluation.momu.records import FIRST_SEED, TRACKER_RATE
from models.lab.metrics.beat_align import beat_f1_any_level, music_beats_librosa
from models.momu import dance
from models.momu.config import DOWNSAMPLE, FRAME_RATE, RHYTHM_CHANNELS
from models.momu.data import Pieces, encode_motion
from models.momu.joint import Side, single
from models.momu.passage import Passage
from models.momu.pipeline import Run
from models.momu.settings import Settings
from models.rhythm.detect import detect_body_beats
from models.training.flat import Flat

APART = 3                       # places on: the piece that a piece is mixed up with
PEAK, CLOSEST = 0.3, 10         # of a beat in a read curve: least height, least distance in frames


class Unheard:
    """The first `count` validation pieces of a corpus under the entry `MoMuBoth`."""

    def __init__(self, entry, corpus, count, seconds):
        self.entry, self.asked = entry, Settings(duration=seconds)
        self.canvas = Passage(entry.config, seconds)
        pieces = Pieces(Flat(corpus), "valid", 0.35, "cpu")
        moves, music, self.beats = encode_motion(pieces, entry.motion_vae)[0].float(), [], []
        rows = [row for row, (_, held) in enumerate(pieces.spans) if held >= self.canvas.length][:count]
        for row in rows:
            times = np.array(pieces.items[row]["beats"])[:, 0]
            self.beats.append(times[times < seconds])
        place = torch.tensor(rows)
        music = pieces.music(place, torch.zeros_like(place), self.canvas.length)
        motion = torch.stack([moves[first:first + self.canvas.length] for first, _ in
                              (pieces.spans[row] for row in rows)])
        self.latents = {"music": music, "motion": motion}                                    # (N, length, 64)

    def figures(self, found):
        """F1 of beat lists against the pieces' own, at any level too, and against another piece's."""
        pairs = list(zip(found, self.beats))
        others = [self.beats[(index + APART) % len(self.beats)] for index in range(len(found))]
        return {"pieces": len(found), "F1": mean(beat_f1_70ms(x, y) for x, y in pairs),
                "any level": mean(beat_f1_any_level(x, y)[0] if len(x) > 1 else 0.0 for x, y in pairs),
                "mixed": mean(beat_f1_70ms(x, y) for x, y in zip(found, others))}

    def read(self, name):
        """Beats that a reader finds in a modality's latents."""
        curve = self.entry.readers[name](self.latents[name].transpose(1, 2))[0]
        bumps = curve.unflatten(1, (RHYTHM_CHANNELS, DOWNSAMPLE))[:, 0].transpose(1, 2).flatten(1).numpy()
        return [find_peaks(row, height=PEAK, distance=CLOSEST)[0] / FRAME_RATE for row in bumps]

    def made(self, side, other, reads):
        """Restored latents of a side under the other's, with the beat read in them or not."""
        entry = self.entry
        network = entry.music_dit if side == "music" else entry.motion_dit
        generators = seeded(FIRST_SEED, len(self.beats))
        codes = entry.codes(self.canvas.genre, generators) if side == "music" else None
        under = network.other(self.latents[other]).transpose(1, 2)
        walker = Side(network, entry.schedule, self.canvas, codes, under, entry.readers[other] if reads else None)
        x = entry.sample(single(walker, self.asked.guidance_scale), entry.config.latent, self.canvas, generators,
                         self.asked, None, Run(None, lambda: False))
        return network.restore(x)

    def dances(self, reads):
        """Beats of the bodies that dance to the music."""
        rows = self.made("motion", "music", reads)
        return [detect_body_beats(dance.write(self.entry.motion_vae, row, self.canvas)).times for row in rows]

    def songs(self, reads):
        """Beats of the music made to the bodies."""
        sounds = (self.entry.music.write(row, self.canvas) for row in self.made("music", "motion", reads))
        return [music_beats_librosa(resample(sound.mean(0), DELIVERY_RATE, TRACKER_RATE), TRACKER_RATE)
                for sound in sounds]


@torch.inference_mode()
def unheard_section(entry, corpus, count, seconds, report):
    """{row: figures}."""
    pieces, out = Unheard(entry, corpus, count, seconds), {}
    for name, find in (("beats read in the music", lambda: pieces.read("music")),
                       ("beats read in the motion", lambda: pieces.read("motion")),
                       ("dance to music, beat read", lambda: pieces.dances(True)),
                       ("dance to music, not read", lambda: pieces.dances(False)),
                       ("music to motion, beat read", lambda: pieces.songs(True)),
                       ("music to motion, not read", lambda: pieces.songs(False))):
        out[name] = pieces.figures(find())
        report(f"{name}: {out[name]}")
    return out
