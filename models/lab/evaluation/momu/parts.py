"""The reconstructions of both VAEs."""
from pathlib import Path

import numpy as np
import torch

from core.audio import DELIVERY_RATE, Audio
from core.audio.mel import FLOOR, RATE, levelled
from core.body.motion import Motion
from models.lab.evaluation.momu.records import studio_piece
from models.lab.loaders.captures import TEST_CLIPS, clip_of
from models.lab.metrics.dance import dance_report
from models.momu import dance
from models.momu.clock import motion_to_clock
from models.momu.config import DOWNSAMPLE, RELEASE
from models.momu.losses import body
from models.momu.passage import Passage
from models.motion.contacts import slide_metres

NEPER = 20 / np.log(10)         # dB of a natural logarithm of amplitudes


def left_out_clips(data, seconds):
    """[(name, `Motion`)] of the recordings that no training saw; [] without the folder."""
    from core.motion_files import read_motion
    found = []
    for path in sorted(Path(data or "", "motion").rglob("*.bvh.gz")) if data else []:
        if clip_of(path) in TEST_CLIPS:
            key = "/".join(clip_of(path))
            motion = read_motion(path, fps=60.0 if "salsa" in key else None).resampled(30.0)
            found.append((key, motion.slice(3, min(len(motion), 3 + round(seconds * 30)))))
    return found


@torch.no_grad()
def reconstruction(vae, motions):
    """Joint error under the root and over the floor (cm), slide of planted feet (cm) of both, FID_k of the
    reconstructions."""
    errors, floor, slides, true_slides, rebuilt, real = [], [], [], [], [], []
    for motion in motions:
        canvas = Passage(RELEASE, motion.duration)
        back = dance.write(vae, dance.read(vae, motion, canvas), canvas, tidy=False)
        start = motion.canonical()
        count = min(len(back), len(start))
        vectors = motion_to_clock(motion, canvas.length * DOWNSAMPLE)
        again = vae.decode_long(vae.encode_long(vectors))
        errors.append(100 * float((body(again[None]) - body(vectors[None])).norm(dim=-1).mean()))
        floor.append(100 * float(np.linalg.norm(back.positions()[:count] - start.positions()[:count], axis=-1).mean()))
        contact = vectors[:, 148:].numpy()
        slides += slide_of(back.slice(0, count), contact)
        true_slides += slide_of(start.slice(0, count), contact)
        rebuilt.append(Motion(back.rotations[:count], back.root[:count], 30.0))
        real.append(start.slice(0, count))
    out = {"clips": len(motions), "joint_cm": float(np.mean(errors)), "over_floor_cm": float(np.mean(floor)),
           "slide_cm": 100 * float(np.mean(slides)), "slide_cm_real": 100 * float(np.mean(true_slides))}
    if len(motions) > 2:
        out["fid_k"] = dance_report(rebuilt, real)["fid_k"]
    return out


@torch.no_grad()
def standing(motions):
    """The joint error (cm) of who stands in the mean pose of each clip: what a reconstruction without a time has."""
    errors = []
    for motion in motions:
        vectors = motion_to_clock(motion)
        errors.append(100 * float((body(vectors.mean(0)[None, None]) - body(vectors[None])).norm(dim=-1).mean()))
    return {"clips": len(motions), "joint_cm": float(np.mean(errors))}


def slide_of(motion, contact):
    """Slides in metres of planted feet; contact (T', 4) on the clock."""
    place = np.minimum((np.arange(len(motion)) / 30.0 * 22_050 / 512).round().astype(int), len(contact) - 1)
    return slide_metres(motion.positions(), contact[place], 30.0).tolist() or [0.0]


def mels_through(music, sound):
    """(log-mel rows of an `Audio`, the same through a `momu.sound.Music`), both (T, 256)."""
    canvas = Passage(RELEASE, sound.duration)
    latents = music.read(sound, canvas)[0]
    true = music.rows(levelled(sound.resampled(RATE).mono())[0])
    back = music.vae.decode_long(latents[None])[0].float().cpu().numpy()
    count = min(len(true), len(back))
    return true[:count], np.maximum(back[:count], np.log(FLOOR))


def mel_row(pairs):
    """Figures of [(true, found) log-mel rows]: mean distance in natural logarithms and in dB, and the spread of frame
    differences over the true one's (1 is ideal, less is blurred)."""
    cut = [(true[:len(found)], found[:len(true)]) for true, found in pairs]
    distance = float(np.mean([np.abs(true - found).mean() for true, found in cut]))
    sharp = [np.diff(found, axis=0).std() / np.diff(true, axis=0).std() for true, found in cut]
    return {"clips": len(cut), "log_mel": distance, "db": NEPER * distance, "sharpness": float(np.mean(sharp))}


@torch.no_grad()
def music_section(music, data, count, seconds, report):
    """The music VAE's reconstruction of studio test pieces and recorded tracks, beside another piece and each piece's
    mean spectrum, standing."""
    from models.lab.evaluation.momu.recorded import tracks
    found = [mels_through(music, Audio(studio_piece(number, seconds)["sound"], DELIVERY_RATE))
             for number in range(count)]
    real = [true for true, _ in found]
    out = {"studio": mel_row(found),
           "another studio piece": mel_row(list(zip(real, real[1:] + real[:1]))),
           "the piece's mean spectrum": mel_row([(mel, np.repeat(mel.mean(0)[None], len(mel), 0)) for mel in real])}
    if data:
        out["recorded tracks"] = mel_row([mels_through(music, track["sound"]) for track in tracks(data)])
    report(f"music VAE: {out}")
    return out


def vae_section(vae, data, count, seconds, report):
    """Reconstruction of studio test dances and of left-out recordings, beside their mean poses."""
    sets = {"studio": [studio_piece(number, seconds, sound=False)["motion"] for number in range(count)],
            "left-out recordings": [motion for _, motion in left_out_clips(data, seconds)]}
    out = {name: reconstruction(vae, motions) for name, motions in sets.items() if motions}
    out |= {f"{name}, mean pose": standing(motions) for name, motions in sets.items() if motions}
    report(f"motion VAE: {out}")
    return out
