"""What the rhythmic contrast is worth: the right window of half a second found among sixteen.

All rows are of the same windows. None lies so near an end of its piece that a network's padding could tell it.
"""
import copy
from pathlib import Path

import numpy as np
import torch

from core import checkpoints
from core.audio import DELIVERY_RATE, Audio
from models.lab.evaluation.momu.records import studio_piece
from models.lab.evaluation.tables import scramble
from models.lab.loaders.captures import TEST_CLIPS, clip_of
from models.momu import dance
from models.momu.config import RELEASE, ContrastConfig, MotionVAEConfig
from models.momu.contrast import found_among, pool_windows
from models.momu.maps import ContrastMaps, given
from models.momu.passage import Passage
from models.momu.timing import load_readers
from models.momu.vae import ContrastHeads, MotionVAE
from models.momu.weights import weights_of

CHOICES = 16                    # windows that the right one is found among
DRAWS = 4                       # of sixteen windows of every piece
RECORDED_SECONDS = 16.5         # of a passage of a recording; the shortest lasts 17.1 s at the fastest
SIDES = ("music", "motion")


def load_vae(path):
    """(`MotionVAE`, `ContrastHeads`) of a run folder or an exported file."""
    config, state = weights_of(path, "motion VAE", "motion_vae")
    config, state = MotionVAEConfig(**config), {name.removeprefix("vae."): value for name, value in state.items()}
    vae, heads = MotionVAE(config).eval(), ContrastHeads(config).eval()
    vae.load_state_dict({name: value for name, value in state.items() if not name.startswith("heads.")})
    heads.load_state_dict({name[6:]: value for name, value in state.items() if name.startswith("heads.")})
    return vae, heads


def load_maps(path):
    """`ContrastMaps` of a run folder or an exported file, and their configuration."""
    config, state = weights_of(path, "pair of contrast maps", "contrast")
    config = ContrastConfig(**config)
    maps = ContrastMaps(config).eval().requires_grad_(False)
    maps.load_state_dict(state)
    return maps, config


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


class Windows:
    """Latents of both sides of pieces, and `DRAWS` times sixteen windows of each."""

    def __init__(self, vae, music, pieces, seconds, margin, seed=0):
        """margin: latents at either end of a piece where no window lies."""
        canvas, self.window = Passage(RELEASE, seconds), vae.config.window
        with torch.no_grad():
            self.latents = {
                "music": [music.read(Audio(piece["sound"], DELIVERY_RATE), canvas)[0][None] for piece in pieces],
                "motion": [dance.read(vae, piece["motion"], canvas)[None] for piece in pieces]}
        rng, slots = np.random.default_rng(seed), np.arange(margin, canvas.length - margin - self.window, self.window)
        self.starts = torch.from_numpy(np.array([[np.sort(rng.choice(slots, CHOICES, replace=False)) for _ in pieces]
                                                 for _ in range(DRAWS)]))

    @torch.no_grad()
    def retrieval(self, mapped):
        """Shares of windows found among sixteen of the same piece and of other pieces, motion to music and back.

        mapped: function of a side's name and latents (1, 64, L) -> (1, C, L).
        another_moment: the same with the music of each piece half a second to some seconds away from its window: what
        is owed to telling pieces apart, style and tempo, and nothing to the moment.
        """
        made = {side: [mapped(side, latents) for latents in self.latents[side]] for side in SIDES}
        same, others, moved = [], [], []
        for starts in self.starts:
            music, motion = (torch.cat([pool_windows(z, at[None], self.window) for z, at in zip(made[side], starts)])
                             for side in SIDES)
            for first in range(0, len(music) - CHOICES + 1, CHOICES):
                here = slice(first, first + CHOICES)
                found = found_among(music[here], motion[here])
                same.append(found[0])
                others.append(found[1])
                moved.append(found_among(music[here].roll(1, dims=1), motion[here])[1])
        count = len(same) * CHOICES * CHOICES
        return {"windows": count, "chance": 1 / CHOICES, "sd_of_chance": (1 / CHOICES * (1 - 1 / CHOICES) / count)**0.5,
                **{name: {way: float(np.mean([row[way] for row in rows])) for way in rows[0]}
                   for name, rows in (("same_piece", same), ("other_pieces", others), ("another_moment", moved))}}


def linear(heads):
    """`mapped` of a pair of linear maps; of None, the latents themselves."""
    if heads is None:
        return lambda side, z: z
    return lambda side, z: getattr(heads, side)(z.transpose(1, 2)).transpose(1, 2)


def temporal(maps, readers):
    """`mapped` of maps that see some seconds, with or without readers."""
    return lambda side, z: maps[side](given(z, None if readers is None else readers[side]))


def spoken(readers):
    """`mapped` of what the readers say, as it is: a rule, nothing of it was learned from pairs."""
    return lambda side, z: readers[side](z)[0][:, :16]


def released(folders):
    """(vae, linear heads, maps, readers, margin) of the released checkpoints."""
    vae, heads = load_vae(checkpoints.find("momu", "motion_vae", folders).path)
    maps, config = load_maps(checkpoints.find("momu", "contrast", folders).path)
    readers = load_readers(checkpoints.find("momu", "timing", folders).path)
    return vae, heads, maps, readers, config.margin


def contrast_section(music, options, report):
    """{row: retrieval} on studio test pieces and, with options.data, on passages of left-out recordings."""
    vae, heads, maps, readers, margin = released(options.checkpoints)
    count, out = max(CHOICES, min(2 * CHOICES, options.count)), {}
    pieces = [studio_piece(number, 20.0) for number in range(count)]
    material = {"test pieces": (pieces, 20.0)}
    recorded = left_out_pieces(options.data, count, RECORDED_SECONDS)
    if recorded:
        material["left-out recordings"] = recorded, RECORDED_SECONDS
    sets = {place: Windows(vae, music, *found, margin) for place, found in material.items()}
    rows = {"maps that see seconds": temporal(maps, readers),
            "the same, weights scrambled": temporal(scramble(copy.deepcopy(maps), 0), readers),
            "what the readers say": spoken(readers), "linear maps": linear(heads), "latents themselves": linear(None)}
    for place, windows in sets.items():
        for name, mapped in rows.items():
            out[f"{name}, {place}"] = windows.retrieval(mapped)
            report(f"{name}, {place}: {out[f'{name}, {place}']}")
    for name, vae, heads, maps in (beside(text) for text in options.beside or ()):
        rows = {"latents themselves": linear(None)}
        if vae.config.contrast:
            rows["its linear maps"] = linear(heads)
        if maps is not None:
            rows["maps that see seconds"] = temporal(maps, None)
        for place, found in material.items():
            windows = Windows(vae, music, *found, margin)
            for word, mapped in rows.items():
                out[f"{name}: {word}, {place}"] = windows.retrieval(mapped)
                report(f"{name}: {word}, {place}: {out[f'{name}: {word}, {place}']}")
    return out


def beside(text):
    """(name, vae, heads, maps or None) of NAME=VAE or NAME=VAE,MAPS, each a run folder or an exported file."""
    name, _, paths = text.partition("=")
    first, _, second = paths.partition(",")
    return name, *load_vae(first), load_maps(second)[0] if second else None
