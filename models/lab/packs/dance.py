"""Music features of dance pieces, straight into a flat corpus, without keeping the sound.

    python -m models.lab.packs.dance --out FLAT --split train --items 800 [--seconds 40]      studio pieces
    python -m models.lab.packs.dance --out FLAT --captures CLIPS --hours 2                     music to captured clips
    python -m models.lab.packs.dance --out FLAT --moves --items 800                real moves on studio songs' beats

CLIPS is a flat folder of whole captured clips (60 fps, with beats); each passage of them is mirrored, warped by up to
12 % and given music of a drawn genre at its beats, as `studio.real` does. Arrays: `mel`, `latent`, `profile`
(models/training/flat.py). Motion is not stored: it follows from the metas (models/lab/packs/flat.py). Stopped builds go
on where they were.
"""
import argparse
import json
import os
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np

from core.contract.files import replacing
from core.errors import command
from models.training.flat import Flat, FlatWriter

PART = 16
WARP = 0.12
LATENT_STEP = 12.0          # steps of the 8-bit latent per standard deviation: finer than the posterior's own spread


@lru_cache(maxsize=1)
def _vae():
    import torch

    from core import checkpoints
    from models.music_ldm.vae import load_vae
    torch.set_num_threads(1)
    vae, _ = load_vae(checkpoints.find("music_ldm", "vae").path)
    return vae, np.array(checkpoints.find("music_ldm", "denoiser").config["latent_mean"], np.float32)


def music_arrays(audio):
    """(arrays, raw latents): mel uint8, profile, and float latents (L, 64) of the VAE's means. audio:
    `core.audio.Audio`."""
    import torch

    from core.audio.frames import log_mel_rows, to_bytes
    from core.audio.mel import log_mel, model_mono
    from models.music_ldm.timbre import timbre_profile
    mono = model_mono(audio)
    mel, vae = log_mel(mono), _vae()[0]
    frames = len(mel) // vae.config.downsample * vae.config.downsample
    with torch.no_grad():
        latent = vae.encode(torch.from_numpy(mel[None, :frames]))[0][0].T.numpy()
    return {"mel": to_bytes(log_mel_rows(mono)), "profile": timbre_profile(mel)[None]}, latent.astype(np.float16)


def studio_item(seed, seconds, stratified):
    """(meta, arrays) of a studio piece's music; its dance follows from the seed."""
    from models.lab.studio.build import item_plan
    from models.lab.studio.plan import split_of
    plan = item_plan("dance", seed, seconds, stratified)
    meta = {"id": f"dance-{seed:06d}", "kind": "dance", "split": split_of(seed), "seed": seed, "genre": plan.genre,
            "style": plan.genre, "source": "studio", "beat_confidence": 1.0}
    return _with_music(meta, plan)


def capture_item(clips, number, seconds):
    """(meta, arrays) of the music to passage `number` of the clips, drawn from that number."""
    import dataclasses

    from core.rhythm.beats import Beats
    from models.lab.packs.flat import passage_arrays
    from models.lab.studio.real import real_plan
    from models.training.shards import unpack_motion
    rng = np.random.default_rng([number, *b"passage"])
    flat = Flat(clips)
    able = [item for item in flat.items if item["split"] != "test" and item.get("dance", True) and item["duration"] >= 8
            and len(item["beats"]) > 8]
    chance = np.array([min(item["duration"], 90.0) * (0.3 + item["beat_confidence"]) for item in able])
    clip = able[int(rng.choice(len(able), p=chance / chance.sum()))]
    warp, mirror = float(rng.uniform(1 - WARP, 1 + WARP)), bool(rng.random() < 0.5)
    length = min(seconds, np.floor((clip["duration"] / warp - 0.1) * 30) / 30)
    room = clip["duration"] - length * warp - 0.1
    start = round(rng.uniform(0, max(room, 0)) * 60) / 60
    meta = {"id": f"capture-{number:06d}", "kind": "dance", "split": clip["split"], "seed": number,
            "style": clip["style"], "source": clip["source"], "clip": clip["id"],
            "beat_confidence": clip["beat_confidence"], "duration": float(length),
            "passage": {"clip": clip["id"], "start": start, "warp": warp, "mirror": mirror}}
    moved = passage_arrays(meta, flat)
    motion = unpack_motion(moved["rot6d"].reshape(-1, 24, 6), moved["root"])
    beats = np.array(clip["beats"], np.float64)
    found = Beats((beats[:, 0] - start) / warp, beats[:, 1].astype(int), clip.get("metre", 4), clip["beat_confidence"])
    found = found.within(0.0, length)
    plan = dataclasses.replace(real_plan(motion, found, number), duration=float(length))
    return _with_music({**meta, "genre": plan.genre}, plan)


def moves_item(seed, seconds, stratified):
    """(meta, arrays) of a studio song that real moves are danced to (models/lab/packs/choreography.py): any style that
    suits its tempo, beats exact."""
    from models.lab.packs.choreography import choreograph, dancer, style_of
    from models.lab.studio.build import item_plan
    from models.lab.studio.plan import split_of
    plan = item_plan("dance", seed, seconds, stratified)
    meta, arrays, audio = sounding({
        "id": f"moves-{seed:06d}", "kind": "dance", "split": split_of(seed), "seed": seed, "genre": plan.genre,
        "source": "moves", "beat_confidence": 1.0}, plan)
    rows = choreograph(dancer(), audio, plan.beats, plan.duration, seed)
    return {**meta, "style": style_of(dancer(), rows), "moves": rows}, arrays


def _with_music(meta, plan):
    return sounding(meta, plan)[:2]


def sounding(meta, plan):
    """(meta with beats, arrays, `Audio`) of a plan's music."""
    from core.audio import Audio
    from models.lab.studio.music import compose, render
    from models.training.shards import AUDIO_RATE
    audio = Audio(np.asarray(render(compose(plan), plan, rate=AUDIO_RATE), np.float32), AUDIO_RATE)
    arrays, latent = music_arrays(audio)
    beats = [[round(float(t), 4), int(p)] for t, p in zip(plan.times, plan.positions)]
    meta = {**meta, "metre": plan.metre, "bpm": round(plan.bpm, 3), "duration": plan.duration, "lead": 0.0,
            "beats": beats}
    return meta, {**arrays, "raw": latent}, audio.slice(0.0, plan.duration)


def make_part(task):
    """Write one part file: up to PART items."""
    os.environ["OMP_NUM_THREADS"] = "1"
    item = moves_item if task["moves"] else studio_item
    items = [capture_item(task["captures"], seed, task["seconds"]) if task["captures"]
             else item(seed, task["seconds"], task["stratified"]) for seed in task["seeds"]]
    arrays = {f"{number}/{name}": array for number, (_, each) in enumerate(items) for name, array in each.items()}
    with replacing(task["path"]) as temporary, open(temporary, "wb") as handle:
        np.savez(handle, metas=np.array(json.dumps([meta for meta, _ in items])), **arrays)
    return sum(meta["duration"] for meta, _ in items)


def gather(parts, out):
    """All part files as one flat folder; latents become 8-bit numbers with scales measured on them."""
    metas, arrays = [], []
    for path in sorted(Path(parts).glob("*.npz")):
        with np.load(path, allow_pickle=False) as data:
            for number, meta in enumerate(json.loads(str(data["metas"]))):
                metas.append(meta)
                names = [key.partition("/")[2] for key in data.files if key.startswith(f"{number}/")]
                arrays.append({name: data[f"{number}/{name}"] for name in sorted(names)})
    mean = _vae()[1]
    spread = np.concatenate([each["raw"] for each in arrays]).astype(np.float32).std(0)
    scale = np.round(np.maximum(spread, 1e-3) / LATENT_STEP, 6).astype(np.float32)
    fixed = Path(out) / "scales.json"                        # a folder joined with others keeps the first one's scales
    if fixed.is_file():
        kept = json.loads(fixed.read_text())["latent"]
        mean, scale = np.array(kept["mean"], np.float32), np.array(kept["scale"], np.float32)
    writer = FlatWriter(out)
    writer.scales["latent"] = {"mean": mean.tolist(), "scale": scale.tolist()}
    for meta, each in zip(metas, arrays):
        raw = np.round((each.pop("raw").astype(np.float32) - mean) / scale)
        writer.add(meta, {**each, "latent": np.clip(raw, -127, 127).astype(np.int8)})
    writer.close()
    return len(metas)


@command
def main(argv=None):
    """The command line; returns the exit code."""
    from models.lab.studio.build import run_tasks
    from models.lab.studio.plan import SPLIT_SEEDS
    parser = argparse.ArgumentParser(prog="python -m models.lab.packs.dance", description=__doc__.split("\n")[0])
    parser.add_argument("--out", required=True, help="flat folder; parts lie beside it in OUT.parts")
    parser.add_argument("--split", choices=list(SPLIT_SEEDS), default="train")
    parser.add_argument("--items", type=int, default=400)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--captures", help="flat folder of whole captured clips: music to their passages")
    parser.add_argument("--moves", action="store_true", help="the shipped real moves instead of the studio's dancer")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--gather-only", action="store_true")
    options = parser.parse_args(argv)
    parts = Path(options.out + ".parts")
    parts.mkdir(parents=True, exist_ok=True)
    base = options.first_seed + (0 if options.captures else SPLIT_SEEDS[options.split][0])
    name = "capture" if options.captures else f"moves-{options.split}" if options.moves else options.split
    tasks = [{"seeds": list(range(base + first, base + min(first + PART, options.items))), "seconds": options.seconds,
              "stratified": options.split != "train", "captures": options.captures, "moves": options.moves,
              "path": str(parts / f"{name}-{base + first:06d}.npz")} for first in range(0, options.items, PART)]
    if not options.gather_only:
        todo = [task for task in tasks if not Path(task["path"]).exists()]
        run_tasks(make_part, todo, options.jobs, name, sum(len(t["seeds"]) for t in todo) * options.seconds)
    print(f"{gather(parts, options.out)} items in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
