"""Training data of the music model: what is read from shards once, and kept on disk.

A piece in the cache holds mel (frames, 256) float16 and, where a body is known, rot6d (F, 144) int16 and root (F, 3)
float32 at 30 fps; further `latent-<fingerprint>` (floor(frames / d), 2 latent[, height]) float16 of a VAE.
"""
import numpy as np
import torch

from core.audio import Audio
from core.audio.mel import FRAME_RATE, log_mel, model_mono
from core.rhythm.beats import rhythm_curve
from models.layers.precision import native_autocast
from models.music_ldm.features import to_image
from models.training.cache import QUIET, Piece, Recipe
from models.training.shards import AUDIO_RATE, unpack_audio, unpack_rot6d


def _pieces(corpus, indices):
    """Features of every item that has sound."""
    for index in indices:
        names, meta = corpus.names(index), corpus.meta(index)
        if "audio" not in names:
            continue
        mel = log_mel(model_mono(Audio(unpack_audio(corpus.array(index, "audio")), AUDIO_RATE)))
        arrays = {"mel": mel.astype(np.float16)}
        if "motion_rot6d" in names:
            arrays["rot6d"] = corpus.array(index, "motion_rot6d").reshape(-1, 144)
            arrays["root"] = corpus.array(index, "motion_root")
        beats = corpus.array(index, "beats") if "beats" in names else np.zeros((0, 2), np.float32)
        kept = {key: meta.get(key) for key in ("id", "split", "genre", "metre", "source", "duration")}
        yield {**kept, "beats": beats.round(4).tolist(), "confidence": meta.get("beat_confidence", 1.0)}, arrays


FEATURES = Recipe("music_ldm", _pieces)


def latent_name(fingerprint, config):
    """The array of a piece that holds its latents for a `DenoiserConfig`."""
    return f"latent-{fingerprint}" + (f"-{config.mel_frames}" if config.sliced else "")


@torch.no_grad()
def encode_latents(vae, fingerprint, cache, config, progress=QUIET, device="cpu"):
    """`latent_name` of every piece, made on a device: mean and log-variance; of one that is cut, those of its slices
    end to end."""
    device = torch.device(device)
    vae = vae.to(device)

    def picture(mel):
        mel = np.asarray(mel, dtype=np.float32)
        return torch.from_numpy(to_image(mel) if vae.config.mel == "image" else mel)

    def moments(mels):
        with native_autocast(device):
            return torch.cat(vae.encode(mels.to(device)), dim=1).movedim(-1, 1).half().cpu().numpy()

    def encode(piece):
        if config.sliced:
            starts = range(0, piece.count("mel") - config.mel_frames + 1, config.mel_frames)
            slices = [moments(picture(piece.array("mel", start, start + config.mel_frames))[None])[0]
                      for start in starts]
            return np.concatenate(slices) if slices else np.zeros((0, 2 * vae.config.latent), np.float16)
        whole = piece.count("mel") // vae.config.downsample * vae.config.downsample
        return moments(picture(piece.array("mel", 0, whole))[None])[0]
    FEATURES.derive(cache, latent_name(fingerprint, config), encode, progress)


def mel_of(piece: Piece, start=0, count=None):
    """(count, 256) float32 log-mel rows from frame `start` of a piece."""
    return np.asarray(piece.array("mel", start, None if count is None else start + count), dtype=np.float32)


def motion_of(piece: Piece, start, count):
    """rot6d (count, 24, 6) and root (count, 3) from frame `start` (30 fps); frames outside repeat the first or last."""
    rows = np.clip(np.arange(start, start + count), 0, piece.count("rot6d") - 1)
    rotation = np.asarray(piece.array("rot6d", rows[0], rows[-1] + 1))[rows - rows[0]]
    root = np.asarray(piece.array("root", rows[0], rows[-1] + 1))[rows - rows[0]]
    return unpack_rot6d(rotation), root.astype(np.float32)


def rhythm_of(piece: Piece, start, frames, rate=FRAME_RATE):
    """Rhythm curve (frames, 5) at `rate` Hz from second `start`."""
    beats = np.asarray(piece.meta["beats"], dtype=np.float64).reshape(-1, 2)
    return rhythm_curve(beats[:, 0], beats[beats[:, 1] == 1, 0], frames, rate, start)
