"""The three entries: motion -> music, music -> motion, both at once. Each loads what it needs and samples on one
canvas.

    sounds = MoMuMusic.load().generate(motion, genre="house")
    motions = MoMuMotion.load().generate(audio, beats=beats)
    takes = MoMuBoth.load().generate(genre="house", beats=beats, duration=20.0)         # [(samples, motion), ...]
"""
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from core import checkpoints
from core.audio import Audio
from core.body.motion import Motion
from core.checkpoints import Folders
from core.errors import BadInput
from core.rhythm.beats import Beats
from models.diffusion import Schedule
from models.diffusion.canvas import Layout, noise, reporting, sample, seeded, stopping
from models.layers.precision import native_weights
from models.momu import dance
from models.momu.config import DiTConfig, MotionVAEConfig, TimingConfig
from models.momu.joint import Side, cross_guided
from models.momu.network import denoiser
from models.momu.passage import Passage
from models.momu.settings import Settings
from models.momu.sound import Music, as_audio
from models.momu.takes import MotionTake, SoundTake, as_passage, free_ranges, make_motion, make_music, mix_of
from models.momu.timing import Readers, print_of
from models.momu.vae import MotionVAE

WINDOWS_AT_ONCE = 16  # rows of one network call: bounds the memory whatever the length and the number of variations
SAMPLING_SHARE = 0.8        # of the progress
SLOWEST = 65.0              # BPM; the dances that were trained on have 80 and more, warped 71
OWN_MIX = 0.95              # least probability that a drawn mix is the style's own: others are heard as another style
FARTHEST = 3.0              # standard deviations that a given sound's mix may lie out


def load_network(part, folders=None):
    """The released network of a part (motion_vae, music_dit, motion_dit) in evaluation mode. Raises NoCheckpoint."""
    found = checkpoints.find("momu", part, folders)
    state = checkpoints.load_state(found)
    if part == "motion_vae":
        network = MotionVAE(MotionVAEConfig(**found.config))
        state = {name: value for name, value in state.items() if not name.startswith("heads.")}
    else:
        network = denoiser(DiTConfig(**found.config))
    network.load_state_dict(state)
    return network.eval().requires_grad_(False)


def load_readers(motion_vae, folders=None):
    """The released `timing.Readers`, or None where they read the latents of another motion VAE than this one."""
    found = checkpoints.find("momu", "timing", folders)
    config = TimingConfig(**found.config)
    if config.belongs != print_of(motion_vae):
        return None
    readers = Readers(config)
    readers.load_state_dict(checkpoints.load_state(found))
    return readers.eval().requires_grad_(False)


def load_music(folders=None, device="cpu", vocoder=True):
    """The music side of music_ldm: its VAE and, where sound is to be made, its vocoder."""
    from models.music_ldm.config import VAEConfig
    from models.music_ldm.vae import VAE
    from models.music_ldm.vocoder import load_vocoder
    found = checkpoints.find("music_ldm", "vae", folders)
    vae = VAE(VAEConfig(**found.config))
    vae.load_state_dict(checkpoints.load_state(found))
    return Music(vae.requires_grad_(False), load_vocoder(folders)[0] if vocoder else None, device)


class Run:
    """Progress and cancelling of one call."""

    def __init__(self, progress, should_cancel):
        self.progress, self.should_cancel = progress or (lambda phase, fraction=None, detail="": None), should_cancel
        self.stop_if_asked, self.on_step = stopping(should_cancel), reporting(progress, should_cancel, SAMPLING_SHARE)

    def each(self, rows):
        """The variations one by one."""
        for number, row in enumerate(rows):
            self.stop_if_asked()
            done = SAMPLING_SHARE + (1 - SAMPLING_SHARE) * number / len(rows)
            self.progress("Decoding", done, f"{number + 1}/{len(rows)}")
            yield row
        self.progress("Decoding", 1.0, "")


class Entry:
    """What the three entries share: networks on a device, the codes and the noise of variations, the walk of the
    sampler."""

    def __init__(self, music, motion_vae, music_dit=None, motion_dit=None, device="cpu", readers=None):
        """music: `sound.Music`; motion_vae: `MotionVAE`; the transformers that the entry needs; readers:
        `timing.Readers`, or None: without beats the other modality's timing is left to the transformers."""
        self.device, self.music = torch.device(device), music
        self.motion_vae = motion_vae.eval().to(self.device)
        self.music_dit, self.motion_dit = (None if network is None else self._ready(network)
                                           for network in (music_dit, motion_dit))
        self.readers = None if readers is None else readers.eval().to(self.device)
        config = (music_dit or motion_dit).config
        if {config.latent} != {self.motion_vae.config.latent, self.music.vae.config.latent}:
            raise BadInput("The VAEs and the transformers do not belong together; install the checkpoints of one "
                           "release.")
        self.config, self.schedule = config, Schedule(config.schedule, config.prediction)

    def _ready(self, network):
        """A transformer on the device, in the type that its products are computed in; FiLM adds to its biases."""
        return native_weights(network.eval().to(self.device), self.device, biases=False)

    def reader(self, name):
        """The reader of the beat in a modality's latents, or None."""
        return None if self.readers is None else self.readers[name]

    def codes(self, genre, generators, profile=None):
        """(V, K + 1) codes of the variations' mixes: of a given sound's profile, else drawn from the genre; None
        without codes."""
        timbre = self.music_dit.code
        if timbre is None:
            return None
        if profile is not None:
            codes = timbre.code(profile.to(self.device)).clamp(-FARTHEST, FARTHEST).expand(len(generators), -1)
        else:
            codes = torch.stack([timbre.draw(genre, generator.initial_seed(), OWN_MIX)
                                 for generator in generators]).to(self.device)
        return torch.cat([codes, torch.ones_like(codes[:, :1])], dim=1)

    def sample(self, denoise_windows, channels, canvas, generators, asked, take, run):
        """(V, channels, sampled) standardised latents. take: None or (values, mask), each (channels, length)."""
        layout = Layout(canvas.sampled, canvas.window, canvas.overlap, canvas.loop, asked.batch or WINDOWS_AT_ONCE)
        x = noise(generators, (channels, canvas.sampled), self.device)
        kept = None if take is None else [part[:, canvas.first:canvas.last] for part in take]
        return sample(layout.denoiser(denoise_windows), x, self.schedule, asked.steps, sampler=asked.sampler,
                      generators=generators, kept=kept, on_step=run.on_step)

    def seen(self, motion, canvas):
        """The motion as the music's transformer is given it, (64, length)."""
        return self.music_dit.other(dance.read(self.motion_vae, motion, canvas).T).T

    def heard(self, audio, canvas):
        """The sound as the motion's transformer is given it, (64, length)."""
        return self.motion_dit.other(self.music.read(audio, canvas)[0].T).T


class MoMuMusic(Entry):
    """Motion -> dance music."""

    @classmethod
    def load(cls, folders: Folders = None, device: str = "cpu") -> "MoMuMusic":
        """From checkpoints: `folders` before the shipped ones. Raises NoCheckpoint."""
        vae = load_network("motion_vae", folders)
        return cls(load_music(folders, device), vae, load_network("music_dit", folders), device=device,
                   readers=load_readers(vae, folders))

    @torch.inference_mode()
    def generate(self, motion: Motion | None = None, settings: Settings | None = None, *, progress: Callable
                 | None = None, should_cancel: Callable[[], bool] | None = None, **changes) -> list[np.ndarray]:
        """A list of `variations` arrays (2, N) float32 at 48 kHz, N = round(48000 duration), of seeds seed, seed +
        1, ...

        motion: `Motion` or None. settings, changes: of `models.momu.settings.Settings`. Raises BadInput, Cancelled.
        """
        asked, run = Settings.of(settings, **changes), Run(progress, should_cancel)
        if motion is None and asked.duration is None:
            raise BadInput("Without a motion the length of the music must be given.")
        duration = motion.duration if asked.duration is None else asked.duration
        canvas = Passage(self.config, duration, asked.beats, asked.genre, asked.loop)
        other = None if motion is None else self.seen(motion, canvas)
        return make_music(self, canvas, other, seeded(asked.seed, asked.variations), asked, run)


def danceable(beats, turn=None):
    """The `Beats`, in double time where they are slower than any dance that was trained on: asked for 57 BPM, the
    dancer would keep 113 and step between the beats. turn: seconds of a loop, whose last beat its first one follows."""
    if beats is None or not 0 < beats.tempo_bpm < SLOWEST:
        return beats
    if turn is not None and len(beats.within(0.0, turn)):
        beats = beats.within(0.0, turn)
        times, positions = np.append(beats.times, beats.times[0] + turn), np.append(beats.positions, beats.positions[0])
        beats = Beats(times, positions, beats.metre, beats.confidence, beats.extra)
    return beats.double_time()


class MoMuMotion(Entry):
    """Music -> dance."""

    @classmethod
    def load(cls, folders: Folders = None, device: str = "cpu") -> "MoMuMotion":
        """From checkpoints: `folders` before the shipped ones. Raises NoCheckpoint."""
        vae = load_network("motion_vae", folders)
        return cls(load_music(folders, device, vocoder=False), vae, motion_dit=load_network("motion_dit", folders),
                   device=device, readers=load_readers(vae, folders))

    @torch.inference_mode()
    def generate(self, audio: Audio | None = None, settings: Settings | None = None, *, progress: Callable
                 | None = None, should_cancel: Callable[[], bool] | None = None, **changes) -> list[Motion]:
        """A list of `variations` motions at 30 fps, of seeds seed, seed + 1, ...; anew they start at xy = 0 facing -y.

        audio: `Audio`, or None: beats and genre alone. settings, changes: of `models.momu.settings.Settings`.
        Raises BadInput, Cancelled.
        """
        asked, run = Settings.of(settings, **changes), Run(progress, should_cancel)
        if audio is None and asked.duration is None:
            raise BadInput("Without music the length of the dance must be given.")
        duration = audio.duration - asked.start if asked.duration is None else asked.duration
        beats = danceable(asked.beats, duration if asked.loop else None)
        canvas = Passage(self.config, duration, beats, asked.genre, asked.loop)
        other = None if audio is None else self.heard(as_passage(audio, asked.start, duration), canvas)
        return make_motion(self, canvas, other, seeded(asked.seed, asked.variations), asked, run)


class MoMuBoth(Entry):
    """A dance and its song from a style, a tempo and a length."""

    @classmethod
    def load(cls, folders: Folders = None, device: str = "cpu") -> "MoMuBoth":
        """From checkpoints: `folders` before the shipped ones. Raises NoCheckpoint."""
        vae = load_network("motion_vae", folders)
        return cls(load_music(folders, device), vae, load_network("music_dit", folders),
                   load_network("motion_dit", folders), device=device, readers=load_readers(vae, folders))

    def __init__(self, music, motion_vae, music_dit, motion_dit, device="cpu", readers=None):
        super().__init__(music, motion_vae, music_dit, motion_dit, device, readers)
        a, m = music_dit.config, motion_dit.config
        if (a.schedule, a.prediction, a.latent) != (m.schedule, m.prediction, m.latent):
            raise BadInput("The two transformers were trained for different chains; install the checkpoints of one "
                           "release.")

    @torch.inference_mode()
    def generate(self, condition: None = None, settings: Settings | None = None, *, progress: Callable | None = None,
                 should_cancel: Callable[[], bool] | None = None, **changes) -> list[tuple[np.ndarray, Motion]]:
        """A list of `variations` pairs (samples (2, N) float32 at 48 kHz, `Motion` at 30 fps), of seeds seed, seed
        + 1, ...

        condition: None, nothing is given. settings, changes: of `models.momu.settings.Settings`; the duration is
        needed. A side of a kept take that stays as a whole is what the other is made to. Raises BadInput,
        Cancelled.
        """
        asked, run = Settings.of(settings, **changes), Run(progress, should_cancel)
        if condition is not None:
            raise BadInput("A dance with music is made from nothing; give a style, a tempo and a length instead.")
        if asked.duration is None:
            raise BadInput("The length of the dance and its music must be given.")
        if not 0 <= asked.together_from <= 1:
            raise BadInput(f"Together From is a part from 0 to 1, not {asked.together_from:g}.")
        beats = danceable(asked.beats, asked.duration if asked.loop else None)
        canvas = Passage(self.config, asked.duration, beats, asked.genre, asked.loop)
        if asked.keep is None:
            return self._both(canvas, asked, run)
        samples, motion, *kept = asked.keep
        sound, moves = (free_ranges(ranges, canvas.duration, required=False) for ranges in kept)
        if not sound and not moves:
            raise BadInput("The kept ranges leave nothing to make anew; keep less.")
        if not moves:
            return [(made, motion) for made in self._sound_under(canvas, asked, run, sound)]
        if not sound:
            other = self.heard(as_audio(samples), canvas)
            only = replace(asked, keep=(motion, kept[1]))
            return [(samples, made) for made in make_motion(self, canvas, other, seeded(asked.seed, asked.variations),
                                                            only, run)]
        return self._both(canvas, asked, run, sound, moves)

    def _sound_under(self, canvas, asked, run, free):
        """Sound of the free range under the motion, which stays."""
        samples, motion = asked.keep[:2]
        only = replace(asked, keep=(samples, free[0][0], free[-1][1]))
        return make_music(self, canvas, self.seen(motion, canvas), seeded(asked.seed, asked.variations), only, run)

    def _both(self, canvas, asked, run, sound=None, moves=None):
        """Both sides by cross-guidance; sound, moves: the free ranges of a kept take."""
        generators, take = seeded(asked.seed, asked.variations), None
        profile = None if asked.like is None else mix_of(asked.like)
        if asked.keep is not None:
            canvas.cut(sound + moves)
            kept = SoundTake(self, canvas, asked.keep[0], sound), MotionTake(self, canvas, asked.keep[1], moves)
            canvas.cut(sound + moves)
            take = tuple(torch.cat(parts) for parts in zip(kept[0].known(), kept[1].known()))
            profile = kept[0].profile
        music = Side(self.music_dit, self.schedule, canvas, self.codes(canvas.genre, generators, profile))
        motion = Side(self.motion_dit, self.schedule, canvas)
        denoise = cross_guided(music, motion, asked.guidance_scale, asked.together_from, take, run.stop_if_asked)
        half, made = self.config.latent, []
        x = self.sample(denoise, 2 * half, canvas, generators, asked, take, run)
        rows = list(zip(self.music_dit.restore(x[:, :half]), self.motion_dit.restore(x[:, half:])))
        for heard, seen in run.each(rows):
            pair = (self.music.write(heard, canvas, run.should_cancel),
                    dance.write(self.motion_vae, seen, canvas, asked.tidy))
            made.append(pair if take is None else tuple(part.joined(new) for part, new in zip(kept, pair)))
        return made
