"""Training of the vocoder: `python -m models.training.loop music_ldm vocoder --corpus DIR --out RUN`."""
import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from core.audio.spectra import htk_filters
from models.music_ldm.vocoder import MEL_HOP, RATE, SILENCE, Vocoder, VocoderConfig
from models.training.cache import Recipe, shards_of
from models.training.shards import AUDIO_RATE, unpack_audio
from models.training.task import Task, pick_config

STORED_SCALE = 8192.0            # levelled sound is stored as int16 at full scale 4
RESOLUTIONS = ((2048, 512), (1024, 256), (512, 128))
FLOOR = 1e-2                    # of STFT magnitudes in the logarithm, about 80 dB below a full sine
MEL_BANDS = 128                 # of the loss, 0..22 kHz


def multi_resolution(found, true, resolutions=RESOLUTIONS):
    """Spectral convergence plus mean absolute log-magnitude difference, averaged over resolutions (Yamamoto et al.
    2020, "Parallel WaveGAN", eq. 4-6): sounds (N, samples) -> scalar; also the magnitudes (N, bins, T) of the first
    resolution."""
    total, first = 0.0, None
    for n_fft, hop in resolutions:
        window = torch.hann_window(n_fft, device=found.device)
        a, b = (torch.stft(x, n_fft, hop, window=window, return_complex=True).abs() for x in (found, true))
        convergence = torch.linalg.vector_norm(a - b) / torch.linalg.vector_norm(b).clamp_min(1e-3)
        total = total + convergence + F.l1_loss(torch.log(a + FLOOR), torch.log(b + FLOOR))
        first = first or (a, b)
    return total / len(resolutions), first


def vocoder_loss(output, sound, side_choice, mel_matrix):
    """output, sound (N, 2, samples) mid and side; side_choice (N,) +-1 picks left or right, which is compared beside
    mid.
    mel_matrix (bands, bins) for the first resolution. Returns (loss, parts)."""
    output, sound = output.float(), sound.float()

    def pair(x):
        return torch.cat([x[:, 0], x[:, 0] + side_choice[:, None] * x[:, 1]])
    distance, (a, b) = multi_resolution(pair(output), pair(sound))
    mel = F.l1_loss(torch.log(mel_matrix @ a + FLOOR), torch.log(mel_matrix @ b + FLOOR))
    return distance + mel, {"stft": distance.detach(), "mel": mel.detach()}


def loss_mel(bands=MEL_BANDS):
    """Mel matrix (bands, 1025) of the loss at 44,100 Hz."""
    return torch.from_numpy(htk_filters(bands, RATE, RESOLUTIONS[0][0], 30.0, 20_000.0))


class VocoderTask(Task):
    """The vocoder for `models.training.loop`.

    The corpus may be any folder of shards with audio; its dance and orchestra both count.
    """

    ema = 0.998
    betas = (0.8, 0.99)
    weight_decay = 1e-3

    def __init__(self, config):
        super().__init__(config)
        self.lr = config.learning_rate
        self._mel = self.features = None

    def prepare(self, corpus, cache, progress=lambda fraction, text: None):
        """Cache levelled 44,100 Hz sound and log-mels: about `hours` for training, a tenth of it for validation."""
        self.features = features_of(corpus, self.config.hours)
        self.features.prepare(corpus, cache, progress)

    def build(self):
        """A fresh vocoder."""
        return Vocoder(self.config)

    def dataset(self, cache, split):
        """Random-access batches: mel (N, T, 256), sound (N, 2, samples) mid and side, side_choice (N,)."""
        return SoundCrops(self.config, self.features.open(cache, split, self._long_enough), split)

    def _long_enough(self, piece):
        return piece.count("mel") > self.config.crop

    def loss(self, model, batch, generator=None):
        """Multi-resolution STFT and mel distance of mid and of one of left and right."""
        if self._mel is None or self._mel.device != batch["mel"].device:
            self._mel = loss_mel().to(batch["mel"].device)
        margin = self.config.margin * MEL_HOP
        output = model(batch["mel"])[..., margin:-margin]
        with torch.autocast(batch["mel"].device.type, enabled=False):
            return vocoder_loss(output, batch["sound"], batch["side_choice"], self._mel)

    def validate(self, model, cache, batches=6):
        """The same distances on sound of the valid split."""
        crops = self.dataset(cache, "valid")
        device = next(model.parameters()).device
        parts = []
        for index in range(batches):
            batch = {key: value.to(device) for key, value in crops[index].items()}
            parts.append(self.loss(model, batch)[1])
        return {name: float(np.mean([float(part[name]) for part in parts])) for name in parts[0]}

    def error(self, values):
        """The sum of both distances."""
        return values["stft"] + values["mel"]


def features_of(corpus, hours):
    """The `Recipe` of a corpus of which about so many hours are kept, the same share of every shard."""
    seconds = round(hours * 3600 / len(shards_of(corpus)), 3)
    return Recipe("vocoder", functools.partial(_pieces, seconds), settings={"seconds_a_shard": seconds})


def _pieces(seconds, corpus, indices):
    """Items of a shard until `seconds` of training sound (and a tenth of that for validation) are there."""
    from core.audio import Audio
    from core.audio.mel import levelled, log_mel
    used = {"train": 0.0, "valid": 0.0}
    for index in indices:
        meta = corpus.meta(index)
        split = meta["split"]
        limit = seconds if split == "train" else seconds / 10 + 20
        if split not in used or used[split] >= limit or "audio" not in corpus.names(index):
            continue
        audio = Audio(unpack_audio(corpus.array(index, "audio")), AUDIO_RATE)
        mono, gain = levelled(audio.resampled(22_050).mono())
        mel = log_mel(mono)
        stereo = audio.resampled(RATE).samples * gain
        samples = np.zeros((len(mel) * MEL_HOP, 2), dtype=np.int16)
        count = min(len(samples), stereo.shape[1])
        samples[:count] = np.clip(np.round(stereo[:, :count].T * STORED_SCALE), -32767, 32767)
        used[split] += len(mel) * MEL_HOP / RATE
        yield {"id": meta["id"], "split": split}, {"mel": mel.astype(np.float16), "sound": samples}


class SoundCrops:
    """Random crops of the cached sound; `crops[index]` depends on the index alone."""

    def __init__(self, config, pieces, split):
        self.config, self.pieces, self.split = config, pieces, split
        length = np.array([piece.count("mel") for piece in pieces], dtype=float)
        self.shares = length / length.sum()

    def __getitem__(self, index):
        rng = np.random.default_rng([3, 1 if self.split == "train" else 2, int(index)])
        drawn = rng.choice(len(self.pieces), self.config.batch, p=self.shares)
        crops = [self._crop(self.pieces[piece], rng) for piece in drawn]
        batch = {key: torch.from_numpy(np.stack([crop[key] for crop in crops])) for key in ("mel", "sound")}
        batch["side_choice"] = torch.from_numpy(rng.choice([-1.0, 1.0], self.config.batch).astype(np.float32))
        return batch

    def _crop(self, piece, rng):
        crop, margin, frames = self.config.crop, self.config.margin, piece.count("mel")
        first = int(rng.integers(0, frames - crop))
        low, high = max(0, first - margin), min(frames, first + crop + margin + 1)
        inside = piece.array("mel", low, high).astype(np.float32)
        sound = piece.array("sound", first * MEL_HOP, (first + crop) * MEL_HOP)
        mel = np.full((crop + 2 * margin + 1, self.config.bands), SILENCE, dtype=np.float32)
        at = low - (first - margin)
        mel[at:at + len(inside)] = inside
        sound = sound.astype(np.float32) / STORED_SCALE
        gain = float(np.exp(rng.uniform(-0.7, 0.3))) if self.split == "train" else 1.0
        mel = np.maximum(mel + np.log(gain), SILENCE)
        mid, side = (sound[:, 0] + sound[:, 1]) / 2, (sound[:, 0] - sound[:, 1]) / 2
        return {"mel": mel.astype(np.float32), "sound": np.stack([mid, side]).astype(np.float32) * np.float32(gain)}


SHIPPED = Path(__file__).resolve().parents[2] / "checkpoints"
TINY = VocoderConfig(width=32, blocks=1, upper_width=32, upper_blocks=1, crop=12, margin=3, batch=2, hours=0.05)
CONFIGS = {"vocoder": {"release": VocoderConfig(), "paper": VocoderConfig(),
                       "adversarial": VocoderConfig(blocks=8, upper_blocks=8, margin=16, batch=16, learning_rate=2e-4,
                                                    adversarial=1.0,
                                                    sharpen=str(SHIPPED / "music_ldm-vocoder.safetensors"),
                                                    vae=str(SHIPPED / "music_ldm-vae.safetensors")),
                       "tiny": TINY,
                       "tiny-adversarial": replace(TINY, adversarial=1.0, alone=1, judges=4, periods=(2, 3))}}


def vocoder_task(config="release", **overrides):
    """The task `vocoder` of `models.music_ldm.train`."""
    chosen = pick_config(CONFIGS, "vocoder", config, overrides)
    if chosen.adversarial:
        from models.music_ldm.vocoder_gan import VocoderGanTask
        return VocoderGanTask(chosen)
    return VocoderTask(chosen)
