"""Motion -> dance music: conditions of windows, guided sampling on one canvas, mel, sound.

    model = MusicLDM.load()                                     # released checkpoints
    takes = model.generate(motion, genre="house", duration=20.0, variations=2)
"""
import math
from collections.abc import Callable

import numpy as np
import torch

from core.audio import DELIVERY_RATE, Audio
from core.audio import mel as mels
from core.audio.resample import resample_ring
from core.body.motion import Motion
from core.checkpoints import Folders
from core.errors import BadInput
from models.diffusion import SAMPLERS, Schedule, canvas
from models.layers import replay
from models.layers.precision import native_autocast, native_weights
from models.music_ldm import early
from models.music_ldm.config import DenoiserConfig, VAEConfig
from models.music_ldm.network import UNet
from models.music_ldm.passage import Passage
from models.music_ldm.settings import Settings
from models.music_ldm.timbre import timbre_profile
from models.music_ldm.vae import VAE
from models.music_ldm.vocoder import load_vocoder, one_turn, vocode

WINDOWS_AT_ONCE = 16  # rows of one network call: bounds the memory whatever the length and the number of variations
EDGE_SECONDS = 0.06         # blend where a regenerated range meets the kept take
CONTEXT_FRAMES = 64         # mel frames vocoded on either side of what is used, on loops and ranges
SAMPLING_SHARE = 0.75       # of the progress
FARTHEST = 3.0  # standard deviations a given sound's timbre may lie out: of a second of sound much is chance
VOCODERS = ("learned", "griffin_lim")
LEAST_LIKE = 1.0            # seconds of a sound to go by


class MusicLDM:
    """The three networks and everything between a motion and samples at 48 kHz. Use from one thread."""

    def __init__(self, vae, denoiser, vocoder=None, device="cpu"):
        """vae, denoiser: networks with `.config`; vocoder: `models.music_ldm.vocoder.Vocoder`, or None for
        Griffin-Lim."""
        self.device = torch.device(device)
        self.vae, self.denoiser = vae.eval().to(self.device), denoiser.eval().to(self.device)
        self.vocoder = vocoder if vocoder is None else vocoder.eval().to(self.device)
        config = denoiser.config
        if vae.config.latent != config.latent or vae.config.downsample != config.downsample:
            raise BadInput("The VAE and the denoiser do not belong together; install the checkpoints of one release.")
        for network in (self.vae, self.denoiser):
            native_weights(network, self.device)
        self.schedule = Schedule(config.schedule, config.prediction, zero_snr=config.zero_snr)

    @classmethod
    def load(cls, folders: Folders = None, device: str = "cpu", vocoder: str = "learned") -> "MusicLDM":
        """From checkpoints: `folders` before the shipped ones. vocoder: "learned" or "griffin_lim". Raises
        NoCheckpoint."""
        from core import checkpoints
        networks = []
        for part, network, kind in (("vae", VAE, VAEConfig), ("denoiser", UNet, DenoiserConfig)):
            found = checkpoints.find("music_ldm", part, folders)
            built = network(kind(**found.config))
            built.load_state_dict(checkpoints.load_state(found))
            networks.append(built)
        if vocoder == "griffin_lim":
            return cls(*networks, None, device)
        if vocoder not in VOCODERS:
            raise BadInput(f"There is no vocoder {vocoder!r}; choose {' or '.join(VOCODERS)}.")
        return cls(*networks, load_vocoder(folders)[0], device)

    @torch.inference_mode()
    def generate(self, motion: Motion | None = None, settings: Settings | None = None, *,
                 progress: Callable = lambda phase, fraction=None, detail="": None,
                 should_cancel: Callable[[], bool] = lambda: False, **changes) -> list[np.ndarray]:
        """A list of `variations` arrays (2, N) float32, N = round(48000 duration), of seeds seed, seed + 1, ...

        motion: `Motion` or None. settings, changes: of `models.music_ldm.settings.Settings`. Raises BadInput,
        Cancelled.
        """
        asked = Settings.of(settings, **changes)
        if motion is None and asked.duration is None:
            raise BadInput("Without a motion the length of the music must be given.")
        if asked.vocoder not in VOCODERS:
            raise BadInput(f"There is no vocoder {asked.vocoder!r}; choose {' or '.join(VOCODERS)}.")
        if asked.sampler not in SAMPLERS:
            raise BadInput(f"There is no sampler {asked.sampler!r}; choose one of {', '.join(SAMPLERS)}.")
        duration = motion.duration if asked.duration is None else asked.duration
        passage = Passage(self.denoiser.config, duration, motion, asked.beats, asked.genre, asked.loop)
        profile = None if asked.like is None else self._read_like(asked.like)
        take = None if asked.keep is None else self._read_take(passage, *asked.keep)
        if take is not None:
            profile = take["profile"]
        stop_if_asked = canvas.stopping(should_cancel)
        stays, sampled, beginning = take, progress, None
        if early.is_early(asked, duration):
            head = early.head_of(passage, asked, motion)
            early.cut_to_rest(passage)
            part = head.canvas / (head.canvas + passage.canvas)
            beginning = self._first(head, asked, profile, shared(progress, 0.0, part), should_cancel)
            stays, sampled = early.kept_beginning(beginning[0], passage), shared(progress, part, 1.0)
        latents = self._sample(passage, asked, stays, profile,
                               canvas.reporting(sampled, should_cancel, SAMPLING_SHARE), stop_if_asked)
        takes = []
        for number, latent in enumerate(latents):
            stop_if_asked()
            progress("Decoding", SAMPLING_SHARE + (1 - SAMPLING_SHARE) * number / len(latents),
                     f"{number + 1}/{len(latents)}")
            seed, vocoder = int(asked.seed) + number, asked.vocoder
            samples = (self._sound(passage, latent, seed, should_cancel, vocoder) if beginning is None else
                       self._continued(passage, beginning, number, latent, seed, should_cancel, vocoder))
            takes.append(samples if take is None else splice(*asked.keep, samples / take["gain"], passage))
        progress("Decoding", 1.0, "")
        return takes

    def _first(self, head, asked, profile, progress, should_cancel):
        """Make the first seconds and let them be heard: (latents of all variations, sound of the first one)."""
        latents = self._sample(head, asked, None, profile, canvas.reporting(progress, should_cancel, SAMPLING_SHARE),
                               canvas.stopping(should_cancel))
        sound = self._sound(head, latents[0], int(asked.seed), should_cancel, asked.vocoder)
        asked.on_first(sound[:, :round(early.HEARD_SECONDS * DELIVERY_RATE)])
        return latents, sound

    def _continued(self, passage, beginning, number, latent, *how):
        """The whole sound of variation `number`, whose rest has this latent. What has been heard is not made again."""
        latents, sound = beginning
        if number > 0:
            made = self._sound(passage, torch.cat([latents[number][..., :passage.first], latent], dim=-1), *how)
        else:
            begin = early.decoded_from(passage)
            rest = self._sound(passage, latent[..., begin - passage.first:], *how)
            start = round(begin * passage.config.seconds_per_latent * DELIVERY_RATE)
            made = early.joined(sound, rest, start, DELIVERY_RATE)
        return fit(made, round(passage.duration * DELIVERY_RATE))

    # ------------------------------------------------------------------------------------------ sampling

    def _encode(self, passage, batch, stop_if_asked):
        """Encoded conditions of all windows; the last row is an unconditional window."""
        parts, count = [], len(passage.starts)
        with native_autocast(self.device):
            for first in range(0, count, batch):
                stop_if_asked()
                condition = passage.conditions(range(first, min(count, first + batch)))
                parts.append(self.denoiser.encode(condition.to(self.device)))
            parts.append(self.denoiser.encode(passage.conditions([0]).none().to(self.device)))
        return type(parts[0])(*(None if value is None else torch.cat([vars(part)[name] for part in parts])
                                for name, value in vars(parts[0]).items()))

    def _sample(self, passage, asked, take, profile, on_step, stop_if_asked):
        """Latents (V, latent, ..., canvas) in the VAE's units; asked: `Settings`; profile: (96,) of the timbre, or
        None."""
        config, batch = self.denoiser.config, asked.batch or WINDOWS_AT_ONCE
        generators = canvas.seeded(asked.seed, asked.variations)
        encoded, nothing = self._encode(passage, batch, stop_if_asked), len(passage.starts)
        height = (config.latent_height,) if config.dims == 2 else ()
        x = canvas.noise(generators, (config.latent, *height, passage.canvas), self.device)
        timbre = self._timbre(passage, generators, profile)

        def network(x, t, variations, numbers, null):
            stop_if_asked()
            rows = encoded.rows(numbers.masked_fill(null, nothing))
            if timbre is not None:
                rows = rows.with_vector(timbre[variations])
            return replay.call(self.denoiser, x, t, rows)
        layout = canvas.Layout(passage.canvas, config.window, passage.overlap, passage.loop, batch)
        denoise = canvas.guided_windows(network, layout, self.schedule, asked.guidance_scale,
                                        interval=asked.guidance_interval, rescale=asked.guidance_rescale)
        kept = None if take is None else (self.denoiser.standardise(take["latent"]), take["mask"])
        x = canvas.sample(denoise, x, self.schedule, asked.steps, sampler=asked.sampler, generators=generators,
                          kept=kept, on_step=on_step)
        return self.denoiser.restore(x)

    def _timbre(self, passage, generators, profile):
        """(V, E) what each variation's timbre adds to the embedding: the profile's, else drawn from its genre; or
        None."""
        space = self.denoiser.condition.timbre
        if space is None:
            return None
        if profile is not None:
            codes = space.code(profile).clamp(-FARTHEST, FARTHEST).expand(len(generators), -1)
        else:
            codes = torch.stack([space.draw(passage.genre, generator.initial_seed()) for generator in generators])
        with native_autocast(self.device):
            return space(torch.cat([codes, torch.ones_like(codes[:, :1])], dim=1)).float()

    def _read_like(self, sound):
        """The timbre profile (96,) of an `Audio`."""
        if self.denoiser.condition.timbre is None:
            raise BadInput("The installed music model cannot go by another sound; install the checkpoints of this "
                           "release.")
        if sound.duration < LEAST_LIKE or not np.isfinite(sound.samples).all():
            raise BadInput(f"The sound to go by lasts {sound.duration:.2f} s or holds NaN; give at least "
                           f"{LEAST_LIKE:g} s of it.")
        mono = mels.model_mono(sound)
        if not np.abs(mono).max() > 0:
            raise BadInput("The sound to go by is silent; give one with music in it.")
        return torch.from_numpy(timbre_profile(mels.log_mel(mono))).to(self.device)

    # ------------------------------------------------------------------------------------------ a range of a take

    def _read_take(self, passage, samples, start, stop):
        """Latents of the kept take on the passage's canvas, the mask of what stays, and the gain of the model's
        level."""
        samples = np.atleast_2d(np.asarray(samples, dtype=np.float32))
        if not 0 <= start < stop <= passage.duration + 1e-3:
            raise BadInput(f"The range {start:g} to {stop:g} s does not lie in the take of {passage.duration:.2f} s.")
        if abs(samples.shape[1] / DELIVERY_RATE - passage.duration) > 0.05:
            raise BadInput(f"The take lasts {samples.shape[1] / DELIVERY_RATE:.2f} s and the passage "
                           f"{passage.duration:.2f} s; use the take's own passage.")
        if not np.isfinite(samples).all():
            raise BadInput("The take holds samples that are not numbers (NaN); make it anew.")
        passage.cut(start, stop)
        mono, gain = mels.levelled(Audio(samples, DELIVERY_RATE).resampled(mels.RATE).mono())
        if passage.loop:                                         # the canvas is the passage stretched to whole latents
            mono = np.interp(np.arange(passage.length * self.denoiser.config.downsample * mels.HOP) * passage.stretch,
                             np.arange(len(mono)), mono).astype(np.float32)
        frames = passage.length * self.denoiser.config.downsample
        mel = np.full((frames, mels.BANDS), np.log(mels.FLOOR), np.float32)
        found = mels.log_mel(mono)[:frames]
        mel[:len(found)] = found
        profile = torch.from_numpy(timbre_profile(mel[:max(2, len(found))])).to(self.device)
        d = self.denoiser.config.downsample
        mel = torch.from_numpy(mel[passage.first * d:passage.last * d])[None].to(self.device)
        with native_autocast(self.device):
            latent = self.vae.encode(mel)[0]
        seconds = self.denoiser.config.seconds_per_latent * passage.stretch
        centres = (passage.first + np.arange(passage.canvas) + 0.5) * seconds
        mask = torch.from_numpy(((centres < start) | (centres > stop)).astype(np.float32)).to(self.device)
        return {"latent": latent, "mask": mask, "gain": gain, "profile": profile}

    # ------------------------------------------------------------------------------------------ sound

    def _sound(self, passage, latent, seed, should_cancel, vocoder="learned"):
        """One variation's latents (latent, ..., canvas) -> (2, N) at 48 kHz, from where the passage's canvas begins."""
        with native_autocast(self.device):
            chunk = {"chunk": self.denoiser.config.window} if self.denoiser.config.sliced else {}
            mel = self.vae.decode_long(latent[None], loop=passage.loop, **chunk)[0].cpu().numpy()
        if self.vae.config.mel == "image":
            mel = image_to_log_mel(mel)
        mel = np.maximum(mel, np.log(mels.FLOOR))
        if not passage.loop:
            sound = self._vocode(mel, seed, should_cancel, DELIVERY_RATE, vocoder)
            whole = passage.canvas == passage.length
            return fit(sound, round(passage.duration * DELIVERY_RATE)) if whole else sound
        frames = len(mel)  # a ring: vocode it with its own ends as context, cut one turn
        around = mel[np.arange(-CONTEXT_FRAMES, frames + CONTEXT_FRAMES + 1) % frames]
        rate = 2 * mels.RATE                                     # one mel frame is exactly 1024 samples
        sound = one_turn(self._vocode(around, seed, should_cancel, rate, vocoder), frames, CONTEXT_FRAMES)
        return resample_ring(sound, round(passage.duration * DELIVERY_RATE))

    def _vocode(self, mel, seed, should_cancel, rate, vocoder="learned"):
        if self.vocoder is not None and vocoder != "griffin_lim":
            return vocode(self.vocoder, mel, rate=rate, should_cancel=should_cancel)
        mono = mels.griffin_lim(mel, seed=seed)
        return Audio(np.stack([mono, mono]), mels.RATE).resampled(rate).samples


def shared(progress, low, high):
    """A progress callback for a part of the sampling: its fractions 0..SAMPLING_SHARE become that part's."""
    def part(phase, fraction=None, detail=""):
        progress(phase, None if fraction is None else low * SAMPLING_SHARE + (high - low) * fraction, detail)
    return part


def image_to_log_mel(image, top_db=80.0):
    """Decibels in 0..1 of the paper's VAE -> log-mel with its loudest cell where our passages have it (about ln 2)."""
    return (np.clip(image, 0, 1) - 1) * top_db * np.log(10) / 20 + math.log(2)


def fit(samples, count):
    """(2, N) cut (a view: a song may be long) or padded with silence to `count` samples."""
    if samples.shape[1] >= count:
        return samples[:, :count]
    out = np.zeros((2, count), dtype=np.float32)
    out[:, :min(count, samples.shape[1])] = samples[:, :count]
    return out


def splice(take, start, stop, made, passage):
    """The take (2, M) with seconds start..stop replaced by those of `made`, which begins at the passage's cut;
    equal-power blends of 60 ms inside the range. What lies outside is the take's own samples."""
    take = np.array(np.atleast_2d(take), dtype=np.float32, copy=True)
    begin = round(passage.first * passage.config.seconds_per_latent * DELIVERY_RATE)
    a, b = round(start * DELIVERY_RATE), min(round(stop * DELIVERY_RATE), take.shape[1])
    inside = fit(made[:, a - begin:], b - a)
    edge = min(round(EDGE_SECONDS * DELIVERY_RATE), (b - a) // 2)
    ramp = np.sin(0.5 * np.pi * (np.arange(edge) + 0.5) / max(edge, 1)).astype(np.float32)
    weight_new, weight_old = np.ones(b - a, np.float32), np.zeros(b - a, np.float32)
    if a > 0:
        weight_new[:edge], weight_old[:edge] = ramp, ramp[::-1]
    if b < take.shape[1]:
        weight_new[b - a - edge:], weight_old[b - a - edge:] = ramp[::-1], ramp
    take[:, a:b] = weight_new * inside + weight_old * take[:, a:b]
    return take
