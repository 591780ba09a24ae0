"""From the 11 kHz log-mel of the music model straight to full-band stereo: a ConvNeXt network with an inverse-STFT
head.

After Siuzdak 2023, "Vocos" (backbone, ISTFT head), changed in four ways: it runs at 44,100 Hz, where one mel frame is
exactly two hops; the magnitude is predicted as a correction of the mel's own spectrum, carried over to the STFT bins;
the phase is a direction (x, y) / |(x, y)| and so never wraps; and it writes mid and side, so that one mono mel becomes
a stereo image.
The mel is that of `core.audio.mel` (frame i centred on sample i * 1024 at 44,100 Hz).
"""
from dataclasses import asdict, dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from core.audio import mel as mels
from core.audio.resample import Resampler
from core.audio.spectra import slaney_filters
from models.layers.inverse_stft import inverse_stft
from models.layers.memory import give_back
from models.music_ldm.vocoder_attacks import Attacks

RATE = 44_100                   # Hz inside; delivery resamples to 48,000
MEL_HOP = 1024                  # samples at RATE in a mel frame
N_FFT, HOP = 2048, 512          # of the head
BINS = N_FFT // 2 + 1
SILENCE = float(np.log(1e-4))   # the mel's floor


@dataclass(frozen=True)
class VocoderConfig:
    """Sizes of the network and of its training."""

    bands: int = 256            # mel bands
    width: int = 288            # channels at the mel's rate
    blocks: int = 5             # ConvNeXt blocks at the mel's rate
    upper_width: int = 192      # channels at the head's rate, twice as fast
    upper_blocks: int = 3
    expansion: int = 3          # of the pointwise layers
    kernel: int = 7
    crop: int = 32              # mel frames of a training crop whose sound is compared: 0.74 s
    margin: int = 6             # mel frames of context on each side
    batch: int = 6              # crops of a step
    hours: float = 3.0          # of sound to cache for training
    learning_rate: float = 7e-4
    # Of the training against discriminators (`vocoder_gan.py`) alone:
    sharpen: str = ""           # the trained vocoder it starts from
    vae: str = ""               # whose decoded mels it hears from `decoded_from` of the training on
    decoded_from: float = 0.7
    adversarial: float = 0.0    # weight of the hinge term; 0: the first training, without discriminators
    matching: float = 2.0       # of feature matching
    mel_weight: float = 15.0    # of the mel distance
    alone: int = 500            # first steps, in which only the discriminators learn
    judges: int = 24            # width of the STFT discriminators
    periods: tuple = (2, 3, 5, 7, 11)
    attacks: int = 0            # channels of the network that sharpens attacks (`vocoder_attacks.py`); 0: none

    def __post_init__(self):
        object.__setattr__(self, "periods", tuple(self.periods))

    def to_json(self):
        """A JSON-ready dict; `VocoderConfig(**it)` is the inverse."""
        return asdict(self)


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution, norm, two pointwise layers, scaled residual (Liu et al. 2022, one-dimensional): (N, T,
    C)."""

    def __init__(self, width, kernel, expansion, scale):
        super().__init__()
        self.depthwise = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, expansion * width)
        self.contract = nn.Linear(expansion * width, width)
        self.scale = nn.Parameter(torch.full((width,), scale))

    def forward(self, x):
        y = self.depthwise(x.transpose(1, 2)).transpose(1, 2)                   # (N, T, C)
        return x + self.scale * self.contract(F.gelu(self.expand(self.norm(y))))


class StftHead(nn.Module):
    """Features (N, T', C) and a base log-magnitude (N, T', BINS) -> complex spectrum (N, BINS, T')."""

    def __init__(self, width, level):
        super().__init__()
        self.out = nn.Linear(width, 3 * BINS)
        nn.init.normal_(self.out.weight, std=0.02)
        with torch.no_grad():
            self.out.bias.zero_()
            self.out.bias[:BINS] = level

    def forward(self, x, base):
        correction, real, imaginary = self.out(x).float().chunk(3, dim=-1)
        magnitude = torch.exp((base + correction).clamp(max=8.0))               # no explosion early in training
        length = torch.sqrt(real.square() + imaginary.square() + 1e-8)
        return torch.complex(magnitude * real / length, magnitude * imaginary / length).transpose(1, 2)


class Vocoder(nn.Module):
    """Log-mel (N, T, 256) -> mid and side (N, 2, (T - 1) * 1024) at 44,100 Hz. Left = mid + side, right = mid -
    side."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        width, upper = config.width, config.upper_width
        depth = config.blocks + config.upper_blocks
        self.embed = nn.Conv1d(config.bands, width, 3, padding=1)
        self.embed_norm = nn.LayerNorm(width)
        self.trunk = nn.ModuleList(ConvNeXtBlock(width, config.kernel, config.expansion, 1 / depth)
                                   for _ in range(config.blocks))
        self.upsample = nn.Linear(width, 2 * upper)                             # one mel frame -> two head frames
        self.upper = nn.ModuleList(ConvNeXtBlock(upper, config.kernel, config.expansion, 1 / depth)
                                   for _ in range(config.upper_blocks))
        self.norm = nn.LayerNorm(upper)
        self.mid = StftHead(upper, 0.0)
        self.side = StftHead(upper, -1.5)
        self.attacks = Attacks(config.attacks, config.bands) if config.attacks else None
        matrix, offset = _mel_to_bins(config.bands)
        self.register_buffer("base_matrix", torch.from_numpy(matrix), persistent=False)
        self.register_buffer("base_offset", torch.from_numpy(offset), persistent=False)
        self.register_buffer("window", torch.hann_window(N_FFT), persistent=False)

    def forward(self, mel):
        base = mel.float() @ self.base_matrix + self.base_offset                # (N, T, BINS)
        base = F.interpolate(base.transpose(1, 2), scale_factor=2, mode="linear", align_corners=False).transpose(1, 2)
        # Head frame 2i is centred on mel frame i, 2i + 1 half-way to the next.
        base = torch.cat([base[:, 1:], base[:, -1:]], dim=1) * 0.5 + base * 0.5
        x = (mel - SILENCE / 2) / 3.0                                           # about zero mean, unit variance
        x = self.embed_norm(self.embed(x.transpose(1, 2)).transpose(1, 2))      # (N, T, width)
        for block in self.trunk:
            x = block(x)
        x = self.upsample(x).reshape(len(x), -1, self.config.upper_width)       # (N, 2T, upper)
        for block in self.upper:
            x = block(x)
        x = self.norm(x)
        samples = (mel.shape[1] - 1) * MEL_HOP
        with torch.autocast(mel.device.type, enabled=False):
            # One after the other: the spectra and frames of a channel are most of the memory that a piece takes.
            sound = [inverse_stft(head(x.float(), base), self.window, HOP)[:, :samples]
                     for head in (self.mid, self.side)]
        return torch.stack(sound, dim=1)


def _mel_to_bins(bands):
    """(bands, BINS) and (BINS,): log-mel -> rough log-magnitude of the head's bins, linear in frequency between band
    centres.

    A band's value is divided by the sum of its filter; above the mel's 11 kHz the last bands are held and fall 12 dB
    per octave.
    """
    centres, sums = _slaney_bands(bands)
    frequency = np.arange(BINS) * RATE / N_FFT
    place = np.interp(frequency, centres, np.arange(bands))
    low = np.minimum(place.astype(int), bands - 2)
    matrix = np.zeros((bands, BINS), dtype=np.float32)
    matrix[low, np.arange(BINS)] = 1 - (place - low)
    matrix[low + 1, np.arange(BINS)] += place - low
    top = frequency > centres[-1]
    matrix[:, top] = 0.0
    matrix[-16:, top] = 1 / 16                                                  # steadier than the very last band
    offset = -np.log(sums) @ matrix - np.log(4) * np.log2(np.maximum(frequency / centres[-1], 1.0))
    return matrix, offset.astype(np.float32)


def _slaney_bands(bands):
    """Centres (Hz) and sums of the filters."""
    edges, filters = slaney_filters(bands, mels.RATE, mels.N_FFT)
    return edges[1:-1], np.maximum(filters.sum(1), 1e-6)


CHUNK = 900                     # mel frames vocoded at once: 20.9 s, so that 20 s are one piece
OVERLAP = 40                    # mel frames of context on each side: more than the network's reach
TURN_FADE = 8                   # mel frames in which a ring's end gives way to its beginning


@torch.inference_mode()
def vocode(network, log_mel, *, rate=48_000, should_cancel=None, finish=None, tones=True, attacks=True):
    """Log-mel (T, 256) of `core.audio.mel` -> stereo (2, N) float32 at `rate`; N = round((T - 1) * 512 / 22050 * rate).

    Works through 21 s at a time without seams, so memory stays flat. tones: steady tones are kept steady after the
    network (`vocoder_tones.py`). attacks: they are made sharp after that, where the checkpoint has learned it
    (`vocoder_attacks.py`). finish: the two stages of `vocoder_finish.py` at the end; None: where the network was not
    trained against discriminators, which the stages would undo. Raises Cancelled when should_cancel() says so.
    """
    from core.errors import Cancelled
    from models.music_ldm.vocoder_finish import keep_to_mel, widen
    from models.music_ldm.vocoder_tones import Singer
    finish = not network.config.adversarial if finish is None else finish
    mel = torch.as_tensor(np.asarray(log_mel, dtype=np.float32))
    total = (len(mel) - 1) * MEL_HOP
    if total <= 0:
        return np.zeros((2, 0), dtype=np.float32)
    device = network.window.device
    padded = F.pad(mel, (0, 0, OVERLAP, OVERLAP + 1), value=SILENCE)
    singer = Singer(padded.numpy()) if tones else None
    out, done = np.zeros((2, round(total / RATE * rate)), dtype=np.float32), 0
    delivered = Resampler(RATE, rate, 2)        # piece by piece too: of a whole song there is `out` alone
    give_back()                                 # what sampling has left
    for first in range(0, len(mel), CHUNK):
        if should_cancel is not None and should_cancel():
            raise Cancelled()
        count = min(CHUNK, len(mel) - first)
        around = padded[first:first + count + 2 * OVERLAP + 1].to(device)
        sound = network(around[None])[0].float()
        if tones:
            sound = singer(sound, first, sure=first + OVERLAP + count + 3)
        if attacks and network.attacks is not None:
            sound = network.attacks(sound[None], around[None].float())[0]
        if finish:
            sound = widen(keep_to_mel(sound, around))
        stop = min(OVERLAP + count, OVERLAP + len(mel) - 1 - first)             # the last frame has no sound after it
        mid, side = sound[:, OVERLAP * MEL_HOP:stop * MEL_HOP].cpu().numpy()
        made = delivered.more(np.stack([mid + side, mid - side]), last=first + count == len(mel))
        made = made[:, :out.shape[1] - done]
        out[:, done:done + made.shape[1]] = made
        done += made.shape[1]
        del around, sound, mid, side, made
        give_back()
    return out


def one_turn(sound, frames, context):
    """A ring's sound (2, N), vocoded with `context` mel frames of itself on both sides -> one turn (2, frames * 1024).

    Its end gives way to what leads into its beginning: tones longer than the context do not meet themselves in phase.
    """
    first, count = context * MEL_HOP, frames * MEL_HOP
    turn, fade = sound[:, first:first + count].copy(), min(TURN_FADE * MEL_HOP, count, first)
    part = (np.arange(fade, dtype=np.float32) + 0.5) / fade
    turn[:, count - fade:] += part * (sound[:, first - fade:first] - turn[:, count - fade:])
    return turn


_networks = {}                  # sha256 -> network


def load_vocoder(folders=None):
    """(network in evaluation mode on the CPU, `core.checkpoints.Checkpoint`). Raises NoCheckpoint."""
    from core import checkpoints
    checkpoint = checkpoints.find("music_ldm", "vocoder", folders)
    if checkpoint.sha256 not in _networks:
        network = Vocoder(VocoderConfig(**checkpoint.config))
        network.load_state_dict(checkpoints.load_state(checkpoint))
        _networks[checkpoint.sha256] = network.eval()
    return _networks[checkpoint.sha256], checkpoint
