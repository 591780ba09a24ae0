"""The ablation *no mel*: music as latents of a spectrum of bands of one width, by principal components alone.

Fitted in the same way on the same pieces, components of the mel stand beside: the two rows differ in the spectrum and
in nothing else. Either way the vocoder, which hears mels, is given one in the end.
"""
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from core.audio import mel as mels
from models.lab.packs.small import linear_rows, linear_to_mel
from models.momu.config import DOWNSAMPLE, LATENT
from models.momu.sound import Music
from models.training.flat import Flat, FlatWriter, is_flat

SPECTRA = {"mel": ("logmel", mels.log_mel, lambda rows: rows), "linear": ("linear", linear_rows, linear_to_mel)}
STEP = 12.0                     # steps of an 8-bit latent per standard deviation, as `packs.dance`


class Components:
    """Patches of four rows of a spectrum (T, 256) <-> 64 whitened principal components, fitted on a flat corpus of
    `packs.small`."""

    def __init__(self, spectrum, flat):
        self.name, self.rows, self.to_mel = SPECTRA[spectrum]
        total, square, count = 0.0, 0.0, 0
        for item in flat.items:
            patches = self._patches(flat.rows(item, self.name)) if item["split"] == "train" else np.zeros((0, 1))
            if len(patches):
                total, square, count = total + patches.sum(0), square + patches.T @ patches, count + len(patches)
        self.mean = total / count
        values, vectors = np.linalg.eigh(square / count - np.outer(self.mean, self.mean))
        self.scale = np.sqrt(np.maximum(values[::-1][:LATENT], 1e-6))
        self.basis = vectors[:, ::-1][:, :LATENT]

    @staticmethod
    def _patches(rows):
        """(T, 256) -> (T / 4, 1024) float64."""
        rows = np.asarray(rows, dtype=np.float64)
        return rows[:len(rows) // DOWNSAMPLE * DOWNSAMPLE].reshape(-1, DOWNSAMPLE * rows.shape[1])

    def encode(self, rows):
        """(T, 256) -> (T / 4, 64) float32."""
        return ((self._patches(rows) - self.mean) @ self.basis / self.scale).astype(np.float32)

    def decode(self, latents):
        """(L, 64) -> log-mel (4 L, 256) float32."""
        rows = (np.asarray(latents, np.float64) * self.scale) @ self.basis.T + self.mean
        return self.to_mel(np.maximum(rows.reshape(-1, mels.BANDS), np.log(mels.FLOOR))).astype(np.float32)

    def corpus(self, source, out):
        """The flat corpus `source` with these latents in the place of its own, in `out`; made once."""
        if is_flat(out):
            return
        writer = FlatWriter(out)
        writer.scales["latent"] = {"mean": [0.0] * LATENT, "scale": [1 / STEP] * LATENT}
        for item in source.items:
            arrays = {name: source.rows(item, name) for name in ("rot6d", "root", "profile")}
            latent = np.round(self.encode(source.rows(item, self.name)) * STEP)
            writer.add({name: value for name, value in item.items() if name != "arrays"},
                       {**arrays, "latent": np.clip(latent, -127, 127).astype(np.int8)})
        writer.close()


class ComponentMusic(Music):
    """The music side with `Components` in the place of the VAE."""

    def __init__(self, components, vocoder):
        self.components, self.vocoder, self.device = components, vocoder.eval(), torch.device("cpu")
        self.vae = SimpleNamespace(config=SimpleNamespace(latent=LATENT), decode_long=self._decode_long)

    def rows(self, mono):
        """Of sound (N,) at 22,050 Hz."""
        return self.components.rows(mono)

    def _encode(self, rows):
        return torch.from_numpy(self.components.encode(rows.numpy())).T

    def _decode_long(self, latents, loop=False):
        return torch.from_numpy(self.components.decode(latents[0].T.float().numpy()))[None]


def component_music(spectrum, corpus, out):
    """(`ComponentMusic` of a spectrum, the flat corpus with its latents) of a flat corpus of `packs.small`."""
    from models.music_ldm.vocoder import load_vocoder
    flat, place = Flat(corpus), Path(out) / f"{spectrum}-corpus"
    components = Components(spectrum, flat)
    components.corpus(flat, place)
    return ComponentMusic(components, load_vocoder()[0]), place
