"""The motion VAE's reconstructions, and what the rhythmic contrast is worth: retrieval of the right window among
sixteen."""
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from core.audio import DELIVERY_RATE, Audio
from core.body.motion import Motion
from models.lab.evaluation.momu.records import studio_piece
from models.lab.loaders.captures import TEST_CLIPS, clip_of
from models.lab.metrics.dance import dance_report
from models.momu import dance
from models.momu.clock import motion_to_clock
from models.momu.config import DOWNSAMPLE, RELEASE, MotionVAEConfig
from models.momu.contrast import pool_windows
from models.momu.losses import body
from models.momu.passage import Passage
from models.momu.vae import ContrastHeads, MotionVAE
from models.motion.contacts import slide_metres

CHOICES = 16                    # windows that the right one is found among
SHORT_SECONDS = 9.0             # of a passage of a recording; the shortest lasts hardly longer


def load_vae(path):
    """(`MotionVAE`, `ContrastHeads`) of an exported file."""
    import json

    from safetensors.torch import load_file

    from core.checkpoints import read_header
    config = MotionVAEConfig(**json.loads(read_header(path)["config"]))
    state = {name: value.float() for name, value in load_file(str(path)).items()}
    vae, heads = MotionVAE(config).eval(), ContrastHeads(config).eval()
    vae.load_state_dict({name: value for name, value in state.items() if not name.startswith("heads.")})
    heads.load_state_dict({name[6:]: value for name, value in state.items() if name.startswith("heads.")})
    return vae, heads


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


def left_out_pieces(data, count, seconds):
    """`count` passages of the recordings that no training saw, each with music of the studio's made to it; [] without
    the folder. They are mirrored and warped as those of the trainings are."""
    from models.lab.studio.music import compose, render
    from models.lab.studio.real import passage, real_plan
    paths = [str(path) for path in sorted(Path(data or "", "motion").rglob("*.bvh.gz")) if clip_of(path) in TEST_CLIPS]
    found = []
    for number in range(count if paths else 0):
        motion, beats, _ = passage(paths[number % len(paths)], number, seconds)
        plan = real_plan(motion, beats, number)
        sound = np.asarray(render(compose(plan), plan, rate=DELIVERY_RATE), np.float32)
        found.append({"genre": plan.genre, "motion": motion, "beats": beats, "sound": sound})
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


def slide_of(motion, contact):
    """Slides in metres of planted feet; contact (T', 4) on the clock."""
    place = np.minimum((np.arange(len(motion)) / 30.0 * 22_050 / 512).round().astype(int), len(contact) - 1)
    return slide_metres(motion.positions(), contact[place], 30.0).tolist() or [0.0]


@torch.no_grad()
def pooled_windows(vae, music, pieces, seconds, seed=0):
    """Max-pooled windows of music and motion (P, N, 64): N windows apart in time of every piece, the same of both
    sides."""
    rng, sound, moves = np.random.default_rng(seed), [], []
    for piece in pieces:
        canvas = Passage(RELEASE, seconds)
        heard = music.read(Audio(piece["sound"], DELIVERY_RATE), canvas)[0]
        seen = dance.read(vae, piece["motion"], canvas)
        slots = np.arange(0, canvas.length - vae.config.window, vae.config.window)
        starts = torch.from_numpy(np.sort(rng.choice(slots, CHOICES, replace=False)))[None]
        sound.append((heard[None], starts))
        moves.append((seen[None], starts))
    return sound, moves


def retrieval(sound, moves, heads, window):
    """Share of windows found among 16: of the same piece and of as many pieces, motion to music and back. Chance is
    1/16."""
    def pooled(head, items):
        return torch.cat([pool_windows(head(z.transpose(1, 2)).transpose(1, 2), starts, window) for z, starts in items])
    # (P, N, 64)
    a, m = F.normalize(pooled(heads.music, sound), dim=-1), F.normalize(pooled(heads.motion, moves), dim=-1)
    within = torch.einsum("pid,pjd->pij", m, a)
    groups = [slice(first, first + CHOICES) for first in range(0, len(a) - CHOICES + 1, CHOICES)]
    across = torch.cat([torch.einsum("pid,qid->ipq", m[g], a[g]) for g in groups]) if groups else None
    out = {"chance": 1 / CHOICES, "windows": int(within.shape[0] * within.shape[1])}
    for name, score in (("same_piece", within), ("other_pieces", across)):
        if score is not None:
            right = torch.arange(CHOICES)
            out[name] = {"motion_to_music": float((score.argmax(2) == right).float().mean()),
                         "music_to_motion": float((score.argmax(1) == right).float().mean())}
    out["sd_of_chance"] = float(np.sqrt(1 / CHOICES * (1 - 1 / CHOICES) / out["windows"]))
    return out


def fitted_heads(sound, moves, window, steps=300):
    """Linear maps fitted to frozen latents by the contrast itself: what is in latents that were trained without it."""
    from models.momu.contrast import contrast_loss
    with torch.enable_grad(), torch.inference_mode(False):
        heads = ContrastHeads(MotionVAEConfig())
        items = [[(z.clone(), starts.clone()) for z, starts in side] for side in (sound, moves)]
        optimizer = torch.optim.AdamW(heads.parameters(), lr=1e-3, weight_decay=0.1)
        for _ in range(steps):
            a, m = (torch.cat([pool_windows(head(z.transpose(1, 2)).transpose(1, 2), s, window)[0] for z, s in side])
                    for head, side in zip((heads.music, heads.motion), items))
            loss = contrast_loss(a, m, torch.ones(len(a), len(a), dtype=torch.bool))[0]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return heads.eval()


def contrast_section(vaes, music, count, seconds, report, data=None):
    """{name of a VAE: retrieval}, on studio test pieces and on passages of left-out recordings; for each also without
    heads, and with linear maps fitted to its frozen latents on other pieces."""
    pieces = [studio_piece(number, seconds) for number in range(2 * count)]
    recorded = left_out_pieces(data, count, SHORT_SECONDS)
    out = {}
    for name, (vae, heads) in vaes.items():
        sides = [pooled_windows(vae, music, part, seconds) for part in (pieces[:count], pieces[count:])]
        window, bare = vae.config.window, ContrastHeads(MotionVAEConfig(heads=False))
        out[name] = retrieval(*sides[0], heads, window)
        out[f"{name}, latents themselves"] = retrieval(*sides[0], bare, window)
        out[f"{name}, maps fitted afterwards"] = retrieval(*sides[0], fitted_heads(*sides[1], window), window)
        if recorded:
            moved = pooled_windows(vae, music, recorded, SHORT_SECONDS)
            out[f"{name}, left-out recordings"] = retrieval(*moved, heads, window)
        report(f"contrast, {name}: {out[name]}")
    return out


def vae_section(vae, data, count, seconds, report):
    """Reconstruction of studio test dances and of left-out recordings."""
    out = {"studio": reconstruction(vae, [studio_piece(number, seconds, sound=False)["motion"]
                                          for number in range(count)])}
    clips = left_out_clips(data, seconds)
    if clips:
        out["left-out recordings"] = reconstruction(vae, [motion for _, motion in clips])
    report(f"motion VAE: {out}")
    return out
