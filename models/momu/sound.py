"""The music side: sound <-> latents of `music_ldm`'s VAE, and its vocoder."""
import numpy as np
import torch

from core.audio import DELIVERY_RATE, Audio
from core.audio import mel as mels
from core.audio.resample import resample_ring
from core.errors import BadInput
from models.layers.precision import native_autocast
from models.momu.config import DOWNSAMPLE
from models.music_ldm.pipeline import CONTEXT_FRAMES, fit
from models.music_ldm.timbre import timbre_profile


class Music:
    """The frozen VAE and the vocoder of music_ldm."""

    def __init__(self, vae, vocoder=None, device="cpu"):
        self.vae, self.device = vae.to(device).eval(), torch.device(device)
        self.vocoder = None if vocoder is None else vocoder.to(device).eval()

    def rows(self, mono):
        """What the VAE hears of sound (N,) at 22,050 Hz: log-mel rows (T, 256)."""
        return mels.log_mel(mono)

    def read(self, audio, canvas):
        """(latents (64, length), profile (96,), gain) of an `Audio` on a canvas; silence beyond its end. Raises
        BadInput."""
        if not np.isfinite(audio.samples).all():
            raise BadInput("The sound holds samples that are not numbers (NaN); export it again.")
        mono, gain = mels.levelled(audio.resampled(mels.RATE).mono())
        frames = canvas.length * DOWNSAMPLE
        if canvas.loop:
            mono = np.interp(np.arange(frames * mels.HOP) * canvas.stretch, np.arange(len(mono)),
                             mono).astype(np.float32)
        found = self.rows(mono)[:frames]
        mel = np.full((frames, mels.BANDS), np.log(mels.FLOOR), np.float32)
        mel[:len(found)] = found
        profile = timbre_profile(found[:max(2, len(found))]) if len(found) > 1 else np.zeros(96, np.float32)
        return self._encode(torch.from_numpy(mel).to(self.device)), torch.from_numpy(profile), gain

    @torch.no_grad()
    def _encode(self, mel, chunk=512):
        """(T, 256) -> posterior means (64, T / 4), in pieces with their surroundings."""
        pieces, reach, length = [], self.vae.reach, len(mel) // DOWNSAMPLE
        for start in range(0, length, chunk):
            stop = min(length, start + chunk)
            low, high = max(0, start - reach), min(length, stop + reach)
            with native_autocast(self.device):
                mean = self.vae.encode(mel[None, low * DOWNSAMPLE:high * DOWNSAMPLE])[0][0].float()
            pieces.append(mean[:, start - low:stop - low])
        return torch.cat(pieces, dim=-1)

    def write(self, latents, canvas, should_cancel=lambda: False):
        """Latents (64, sampled) -> stereo (2, N) at 48 kHz from where the canvas's sampled part begins."""
        from models.music_ldm.vocoder import one_turn, vocode
        with native_autocast(self.device):
            mel = self.vae.decode_long(latents[None], loop=canvas.loop)[0].float().cpu().numpy()
        mel = np.maximum(mel, np.log(mels.FLOOR))
        if not canvas.loop:
            sound = vocode(self.vocoder, mel, rate=DELIVERY_RATE, should_cancel=should_cancel)
            return fit(sound, round(canvas.duration * DELIVERY_RATE)) if canvas.sampled == canvas.length else sound
        frames = len(mel)  # a ring: vocoded with its own ends as context, cut one turn
        around = mel[np.arange(-CONTEXT_FRAMES, frames + CONTEXT_FRAMES + 1) % frames]
        sound = vocode(self.vocoder, around, rate=2 * mels.RATE, should_cancel=should_cancel)
        return resample_ring(one_turn(sound, frames, CONTEXT_FRAMES), round(canvas.duration * DELIVERY_RATE))


def as_audio(samples):
    """(2, N) at 48 kHz as an `Audio`."""
    return Audio(np.atleast_2d(np.asarray(samples, dtype=np.float32)), DELIVERY_RATE)
