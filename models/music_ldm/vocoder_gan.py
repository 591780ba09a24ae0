"""The trained vocoder trained on against discriminators, on a device that holds the sound:

    python -m models.training.loop music_ldm vocoder --config adversarial --corpus SOUNDS.zip --out RUN --minutes M

SOUNDS.zip: `models.music_ldm.sound_pack`. It starts from `sharpen`, the released vocoder, deeper by blocks that begin
as nothing. Mels are made on the device of what is heard; towards the end they pass through the VAE first, as they do in
use.
"""
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from core.audio.mel import FLOOR, filters
from core.audio.spectra import slaney_filters
from core.errors import BadInput
from models.music_ldm.discriminators import Discriminators, critic_loss, generator_losses
from models.music_ldm.sound_pack import read_pack
from models.music_ldm.vocoder import MEL_HOP, RATE, Vocoder
from models.training.task import Task

WINDOWS = (32, 64, 128, 256, 512, 1024, 2048)               # of the mel loss (Kumar et al. 2023, "DAC", section 3.4)
MEL_BANDS = (5, 10, 20, 40, 80, 160, 320)
LOSS_FLOOR = 1e-5
EDGE = 3 * MEL_HOP      # samples beside the mel's frames: half a window and the resampler's edge
SPEEDS = (0.94, 1.06, 1.12)                                 # half of the batches are played a little slower or faster
MIXED, MIX_DB = 0.25, (-12.0, 0.0)                          # share of crops with a second one under them, and its level
GAIN = (-0.7, 0.3)                                          # natural log of the level jitter
LONGEST_ALONE = 0.12                                        # of the budget, however few steps it is
# Below half the mel's rate the resampler in front of `core.audio.mel` (soxr, HQ) falls like this: Hz and dB.
ROLL_OFF = ((10_100, 0.0), (10_200, -0.016), (10_300, -0.214), (10_400, -1.159), (10_500, -3.785), (10_600, -9.108),
            (10_700, -18.18), (10_800, -32.45), (10_900, -54.96), (11_000, -99.5))


class DeviceMel(nn.Module):
    """`core.audio.mel.log_mel` of sound at 44,100 Hz without resampling: (N, samples) -> (N, frames, 256), frame i
    centred on sample EDGE + 1024 i. A window twice as long sees the same bins; the resampler's own edge is put on
    them."""

    def __init__(self):
        super().__init__()
        hertz = np.arange(1025) * RATE / 4096
        edge = 10 ** (np.interp(hertz, *zip(*ROLL_OFF)) / 20) / 2
        self.register_buffer("weights", torch.from_numpy((filters() * edge[None]).astype(np.float32)))
        self.register_buffer("window", torch.hann_window(4096))

    def forward(self, mono, frames):
        first = EDGE - 2048
        mono = mono[:, first:first + (frames - 1) * MEL_HOP + 4096]
        spectrum = torch.stft(mono, 4096, MEL_HOP, window=self.window, center=False, return_complex=True)
        return torch.log((self.weights @ spectrum[:, :1025].abs()).clamp_min(FLOOR)).transpose(1, 2)


class MelLoss(nn.Module):
    """Mean L1 of log10 mel magnitudes over seven windows: the shortest hears attacks, the longest partials."""

    def __init__(self, windows=WINDOWS, bands=MEL_BANDS):
        super().__init__()
        self.windows = windows
        for n_fft, count in zip(windows, bands):
            self.register_buffer(f"window_{n_fft}", torch.hann_window(n_fft))
            weights = slaney_filters(count, RATE, n_fft)[1].astype(np.float32)
            self.register_buffer(f"mel_{n_fft}", torch.from_numpy(weights))

    def forward(self, found, true):
        """Sounds (N, samples) -> scalar, summed over the windows."""
        total = 0.0
        for n_fft in self.windows:
            window, matrix = getattr(self, f"window_{n_fft}"), getattr(self, f"mel_{n_fft}")
            a, b = (torch.log10((matrix @ torch.stft(x, n_fft, n_fft // 4, window=window, return_complex=True).abs())
                                .clamp_min(LOSS_FLOOR)) for x in (found, true))
            total = total + F.l1_loss(a, b)
        return total


class ResidentSounds:
    """Random crops of a sound pack, made on the device: {"mel": (N, T, 256), "sound": (N, 2, samples) mid and side of
    the middle `crop` frames, "side_choice": (N,)}, T = crop + 2 margin. `step` is the number of the last batch."""

    def __init__(self, config, pack, split):
        self.config, self.split, self.step = config, split, 0
        sounds = [sound for _, sound in read_pack(pack, split)]
        self.sound = torch.from_numpy(np.concatenate(sounds, axis=1))               # (2, samples) left and right
        self.need = (config.crop + 2 * config.margin - 1) * MEL_HOP + 2 * EDGE      # samples of one example
        lengths = torch.tensor([sound.shape[1] for sound in sounds])
        self.room = lengths - int(self.need * max(SPEEDS)) - 8
        self.first = lengths.cumsum(0) - lengths
        if int(self.room.min()) <= 0:
            raise BadInput(f"The excerpts of {pack} are shorter than a training crop; make them longer.")

    def resident(self, device):
        """Copy the sound to the device, once."""
        self.sound, self.room, self.first = (x.to(device) for x in (self.sound, self.room, self.first))
        self.mel = DeviceMel().to(device)

    def batch(self, index, generator):
        """The batch of a number; the same index and generator, the same batch."""
        self.step, config = index, self.config
        rng, train = np.random.default_rng([7, index]), self.split == "train"
        speed = float(rng.choice(SPEEDS)) if train and rng.random() < 0.5 else 1.0
        left_right = self._cut(config.batch, round(self.need * speed), generator)
        if train:
            under = self._cut(config.batch, left_right.shape[-1], generator)
            level = 10 ** (self._uniform(*MIX_DB, generator) / 20) * (self._uniform(0, 1, generator) < MIXED)
            left_right = left_right + level[:, None, None] * under
            left_right = left_right * torch.exp(self._uniform(*GAIN, generator))[:, None, None]
            swap = self._uniform(0, 1, generator) < 0.5
            left_right = torch.where(swap[:, None, None], left_right.flip(1), left_right)
        if left_right.shape[-1] != self.need:                                       # played at another speed: by FFT
            spectrum = torch.fft.rfft(left_right)
            left_right = torch.fft.irfft(spectrum, self.need) * (self.need / left_right.shape[-1])
        sound = torch.stack([left_right.mean(1), (left_right[:, 0] - left_right[:, 1]) / 2], dim=1)
        start = EDGE + config.margin * MEL_HOP
        return {"mel": self.mel(sound[:, 0], config.crop + 2 * config.margin),
                "sound": sound[..., start:start + config.crop * MEL_HOP],
                "side_choice": self._uniform(0, 1, generator).round() * 2 - 1}

    def _uniform(self, low, high, generator):
        return low + (high - low) * torch.rand(self.config.batch, generator=generator, device=self.sound.device)

    def _cut(self, count, length, generator):
        """(count, 2, length) from random places of random excerpts."""
        clips = torch.randint(len(self.room), (count,), generator=generator, device=self.sound.device)
        place = torch.rand(count, generator=generator, device=self.sound.device) * self.room[clips]
        places = (self.first[clips] + place.long())[:, None] + torch.arange(length, device=self.sound.device)
        return self.sound[:, places].transpose(0, 1)


class VocoderGanTask(Task):
    """The vocoder against discriminators. One optimiser serves both sides: each loss leaves the other's weights
    alone."""

    betas, weight_decay, clip, ema = (0.8, 0.9), 1e-3, 1e3, 0.999

    def __init__(self, config):
        super().__init__(config)
        self.lr, self.pack, self.sounds, self.helpers = config.learning_rate, None, None, None

    def prepare(self, corpus, cache, progress=lambda fraction, text: None):
        """Nothing to write: the pack is read into memory."""
        self.pack = Path(corpus)
        for name in ("sharpen", "vae"):
            if not getattr(self.config, name):
                what = name.replace("sharpen", "vocoder")
                raise BadInput(f"The adversarial training needs --set {name}=FILE, the trained {what}.")
        read_pack(self.pack, "valid")

    def build(self):
        """The trained vocoder, deeper where the configuration says so, and new discriminators."""
        torch.backends.cudnn.benchmark = True               # every step has the same shapes
        vocoder = Vocoder(self.config)
        grow(vocoder, load_weights(self.config.sharpen))
        return nn.ModuleDict({"vocoder": vocoder, "judges": Discriminators(self.config.judges, self.config.periods)})

    def dataset(self, cache, split):
        sounds = ResidentSounds(self.config, self.pack, split)
        if split == "train":
            self.sounds = sounds
        return sounds

    def loss(self, model, batch, generator):
        """Discriminators alone at first; then both sides. Returns the sum and its parts."""
        config, values = self.config, {}
        alone = self.sounds.step < config.alone and self.fraction < LONGEST_ALONE
        with torch.no_grad():
            mel = self.heard(batch["mel"], generator) if self.fraction >= config.decoded_from else batch["mel"]
        with torch.set_grad_enabled(not alone):
            output = self.middle(model["vocoder"](mel))
        found, true = stereo(output), stereo(batch["sound"])
        critic, values["judges_right"] = critic_loss(model["judges"], found, true)
        loss = critic
        if not alone:
            fooled, matching = generator_losses(model["judges"], found, true)
            with torch.autocast(mel.device.type, enabled=False):
                distance = self.distance(output, batch["sound"], batch["side_choice"])
            loss = loss + config.adversarial * fooled + config.matching * matching + config.mel_weight * distance
            values.update(mel=distance, fooled=fooled, matching=matching)
        return loss, {"critic": critic.detach(), **{name: value.detach() for name, value in values.items()}}

    def middle(self, output):
        """The crop's samples of the network's output (N, 2, samples)."""
        start = self.config.margin * MEL_HOP
        return output[..., start:start + self.config.crop * MEL_HOP].float()

    def distance(self, output, sound, side_choice):
        """`MelLoss` of mid and of one of left and right."""
        def pair(x):
            return torch.cat([x[:, 0], x[:, 0] + side_choice[:, None] * x[:, 1]])
        return self._helpers(output.device)[0](pair(output), pair(sound))

    def heard(self, mel, generator):
        """The mel as the VAE gives it back, of one draw of its latents: what the vocoder hears in use."""
        vae = self._helpers(mel.device)[1]
        mean, log_variance = vae.encode(mel)
        noise = torch.randn(mean.shape, generator=generator, device=mean.device)
        return vae.decode(mean + (0.5 * log_variance).exp() * noise).clamp_min(float(np.log(FLOOR)))

    def _helpers(self, device):
        if self.helpers is None or self.helpers[0].window_32.device != device:
            from models.music_ldm.vae import load_vae
            self.helpers = MelLoss().to(device), load_vae(self.config.vae)[0].to(device)
        return self.helpers

    def validate(self, model, cache, batches=4):
        """The mel distance on sound of the valid split, from its own mel and from the VAE's; the judges' rightness
        there."""
        device, rows = next(model.parameters()).device, []
        if not hasattr(self, "_valid"):
            self._valid = self.dataset(cache, "valid")
            self._valid.resident(device)
        for index in range(batches):
            generator = torch.Generator(device=device).manual_seed(index)
            batch = self._valid.batch(index, generator)
            row = {}
            for name, mel in (("mel", batch["mel"]), ("decoded_mel", self.heard(batch["mel"], generator))):
                output = self.middle(model["vocoder"](mel))
                with torch.autocast(device.type, enabled=False):
                    row[name] = self.distance(output, batch["sound"], batch["side_choice"])
            row["judges_right"] = critic_loss(model["judges"], stereo(output), stereo(batch["sound"]))[1]
            row["side_share"] = share(output)
            rows.append(row)
        return {name: float(np.mean([float(row[name]) for row in rows])) for name in rows[0]}

    def export(self, state):
        """The vocoder alone, without the paths of this run."""
        config, state = super().export(state)
        return ({**config, "sharpen": "", "vae": ""},
                {name[8:]: value for name, value in state.items() if name.startswith("vocoder.")})


def stereo(sound):
    """Mid and side (N, 2, samples) -> left and right."""
    return torch.stack([sound[:, 0] + sound[:, 1], sound[:, 0] - sound[:, 1]], dim=1)


def share(sound):
    """Energy of the side (N, 2, samples) as a share of all."""
    energy = sound.square().sum((0, 2))
    return energy[1] / energy.sum().clamp_min(1e-9)


def load_weights(source):
    """The vocoder's weights from an exported file, or from a run folder of its training; those of its attacks, which
    are learned on what it gives back, are left out. Raises BadInput."""
    source = Path(source).expanduser()
    if source.is_dir():
        from models.training.run_folder import RunFolder
        state = RunFolder(source).average()
    elif source.exists():
        from safetensors.torch import load_file
        state = load_file(str(source))
    else:
        raise BadInput(f"There is no trained vocoder {source}; give the exported file or its run folder.")
    state = {name.removeprefix("vocoder."): value.float() for name, value in state.items()}
    return {name: value for name, value in state.items() if not name.startswith(("judges.", "attacks."))}


def grow(vocoder, state):
    """Load weights into a vocoder that may have more blocks; new blocks begin as the identity. Raises BadInput."""
    try:
        missing, unknown = vocoder.load_state_dict(state, strict=False)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise BadInput(f"The trained vocoder is of other widths than this configuration ({reason}).") from error
    new = {name.rsplit(".", 1)[0] for name in missing}
    known = {f"{stack}.{number}" for stack in ("trunk", "upper") for number in range(len(getattr(vocoder, stack)))}
    if unknown or not all(any(name == block or name.startswith(block + ".") for block in known) for name in new):
        raise BadInput("The trained vocoder does not fit this configuration: only whole blocks may be added.")
    for name in missing:
        if name.endswith(".scale"):
            nn.init.zeros_(vocoder.get_parameter(name))
