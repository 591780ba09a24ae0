"""The three entries: motion -> music, music -> motion, both at once. Each loads what it needs and samples on one
canvas.

    sounds = MoMuMusic.load().generate(motion, genre="house")
    motions = MoMuMotion.load().generate(audio, beats=beats)
    takes = MoMuBoth.load().generate(genre="house", beats=beats, duration=20.0)         # [(samples, motion), ...]
"""
import torch

from core import checkpoints
from core.errors import BadInput, Cancelled
from models.diffusion import SAMPLERS, Inpaint, Schedule, windowed
from models.momu import dance
from models.momu.canvas import Canvas
from models.momu.config import LATENT_RATE, DiTConfig, MotionVAEConfig
from models.momu.joint import Side, cross_guided
from models.momu.network import DiT
from models.momu.sound import Music, as_audio
from models.momu.takes import as_passage, at_rate, checked_take, mix_of, motion_takes, music_takes
from models.momu.vae import MotionVAE
from models.music_ldm.pipeline import splice

WINDOWS_AT_ONCE = 16        # rows of one network call: bounds the memory whatever the length and the number of variations
SAMPLING_SHARE = 0.8        # of the progress
FARTHEST = 3.0              # standard deviations that a given sound's mix may lie out
SIDES = ("both", "sound", "motion")


def load_network(part, folders=None):
    """The released network of a part (motion_vae, music_dit, motion_dit) in evaluation mode. Raises NoCheckpoint."""
    found = checkpoints.find("momu", part, folders)
    state = checkpoints.load_state(found)
    if part == "motion_vae":
        network = MotionVAE(MotionVAEConfig(**found.config))
        state = {name: value for name, value in state.items() if not name.startswith("heads.")}
    else:
        network = DiT(DiTConfig(**found.config))
    network.load_state_dict(state)
    return network.eval().requires_grad_(False)


def load_music(folders=None, device="cpu", vocoder=True):
    """The music side of music_ldm: its VAE and, where sound is to be made, its vocoder."""
    from models.music_ldm.config import VAEConfig
    from models.music_ldm.vae import VAE
    from models.music_ldm.vocoder import load_vocoder
    found = checkpoints.find("music_ldm", "vae", folders)
    vae = VAE(VAEConfig(**found.config))
    vae.load_state_dict(checkpoints.load_state(found))
    return Music(vae.requires_grad_(False), load_vocoder(folders)[0] if vocoder else None, device)


class Entry:
    """What the three entries share: networks on a device, noise of the variations, the walk of the sampler."""

    guidance_scale = 1.5

    def __init__(self, music, motion_vae, music_dit=None, motion_dit=None, device="cpu"):
        """music: `sound.Music`; motion_vae: `MotionVAE`; the transformers that the entry needs."""
        self.device, self.music = torch.device(device), music
        self.motion_vae = motion_vae.eval().to(self.device)
        self.music_dit = None if music_dit is None else music_dit.eval().to(self.device)
        self.motion_dit = None if motion_dit is None else motion_dit.eval().to(self.device)
        config = (music_dit or motion_dit).config
        if {config.latent} != {self.motion_vae.config.latent, self.music.vae.config.latent}:
            raise BadInput("The VAEs and the transformers do not belong together; install the checkpoints of one release.")
        self.config, self.schedule = config, Schedule(config.schedule, config.prediction)

    def codes(self, genre, generators, profile=None):
        """(V, K + 1) codes of the variations' mixes: of a given sound's profile, else drawn from the genre; None
        without codes."""
        timbre = self.music_dit.code
        if timbre is None:
            return None
        if profile is not None:
            codes = timbre.code(profile.to(self.device)).clamp(-FARTHEST, FARTHEST).expand(len(generators), -1)
        else:
            codes = torch.stack([timbre.draw(genre, generator.initial_seed()) for generator in generators]).to(self.device)
        return torch.cat([codes, torch.ones_like(codes[:, :1])], dim=1)

    def sample(self, denoise_windows, channels, canvas, generators, sampler, steps, take, progress, should_cancel):
        """(V, channels, sampled) standardised latents. take: None or (values (channels, length), mask (channels or
        1, length))."""
        if sampler not in SAMPLERS:
            raise BadInput(f"There is no sampler {sampler!r}; choose one of {', '.join(SAMPLERS)}.")
        denoise = windowed(denoise_windows, canvas.sampled, canvas.window, canvas.overlap, canvas.loop, WINDOWS_AT_ONCE)
        shape = (channels, canvas.sampled)
        x = torch.stack([torch.randn(shape, generator=generator) for generator in generators]).to(self.device)
        project = None
        if take is not None:
            values, mask = (part[:, canvas.first:canvas.last].to(self.device) for part in take)
            inpaint = Inpaint(values.expand(len(generators), *shape), mask, self.schedule, generators)
            denoise, project = inpaint.wrap(denoise), inpaint.project

        def on_step(number, total):
            if should_cancel():
                raise Cancelled()
            progress("Sampling", SAMPLING_SHARE * number / total, f"{number}/{total}")
        return SAMPLERS[sampler](denoise, x, self.schedule, self.schedule.timesteps(steps), generator=generators, project=project,
                                 on_step=on_step)

    def each(self, rows, canvas, progress, should_cancel):
        """The variations' latents one by one, with progress."""
        for number, row in enumerate(rows):
            if should_cancel():
                raise Cancelled()
            progress("Decoding", SAMPLING_SHARE + (1 - SAMPLING_SHARE) * number / len(rows), f"{number + 1}/{len(rows)}")
            yield row
        progress("Decoding", 1.0, "")

    @staticmethod
    def stop(should_cancel):
        """A function that raises Cancelled once it is asked for."""
        def on_window():
            if should_cancel():
                raise Cancelled()
        return on_window


def silent(phase, fraction=None, detail=""):
    """A progress callback that tells nobody."""


def never():
    """A should_cancel that never does."""
    return False


def seeded(seed, variations):
    """One CPU generator a variation: seeds seed, seed + 1, ..."""
    return [torch.Generator().manual_seed(int(seed) + number) for number in range(variations)]


class MoMuMusic(Entry):
    """Motion -> dance music."""

    @classmethod
    def load(cls, folders=None, device="cpu"):
        """From checkpoints: `folders` before the shipped ones. Raises NoCheckpoint."""
        return cls(load_music(folders, device), load_network("motion_vae", folders), load_network("music_dit", folders),
                   device=device)

    @torch.inference_mode()
    def generate(self, motion=None, *, genre=None, guidance_scale=None, steps=16, seed=0, duration=None, beats=None, variations=1,
                 loop=False, keep=None, like=None, sampler="dpmpp_2m", progress=silent, should_cancel=never):
        """A list of `variations` arrays (2, N) float32 at 48 kHz, N = round(48000 duration), of seeds seed, seed +
        1, ...

        motion: `Motion` or None; duration in seconds (the motion's when None); beats: `Beats` in seconds, or None:
        left to the model. loop: the end joins the beginning. keep: (samples (2, M) at 48 kHz, start, stop): that
        take, made anew between the two seconds only. like: `Audio` whose mix the music is to have. Raises BadInput,
        Cancelled.
        """
        if motion is None and duration is None:
            raise BadInput("Without a motion the length of the music must be given.")
        duration = motion.duration if duration is None else duration
        canvas = Canvas(self.config, duration, beats, genre, loop)
        other = None
        if motion is not None:
            other = self.music_dit.other(dance.read(self.motion_vae, motion, canvas).T).T
        return music_takes(self, canvas, other, seeded(seed, variations), guidance_scale, steps, keep, like, sampler, progress,
                           should_cancel)


class MoMuMotion(Entry):
    """Music -> dance."""

    @classmethod
    def load(cls, folders=None, device="cpu"):
        """From checkpoints: `folders` before the shipped ones. Raises NoCheckpoint."""
        return cls(load_music(folders, device, vocoder=False), load_network("motion_vae", folders),
                   motion_dit=load_network("motion_dit", folders), device=device)

    @torch.inference_mode()
    def generate(self, audio=None, *, genre=None, guidance_scale=None, steps=16, seed=0, duration=None, start=0.0, beats=None,
                 variations=1, loop=False, keep=None, tidy=True, sampler="dpmpp_2m", progress=silent, should_cancel=never):
        """A list of `variations` motions at 30 fps from xy = 0 facing -y, of seeds seed, seed + 1, ...

        audio: `Audio` of the whole track, or None: beats and genre alone; the motion covers seconds start .. start
        + duration of it. beats: `Beats` in seconds of the passage. keep: (`Motion` of the passage, [(from, to),
        ...] seconds that stay): the range between the first and the last kept second that is free, is made anew.
        tidy: clean up planted feet. Raises BadInput, Cancelled.
        """
        if audio is None and duration is None:
            raise BadInput("Without music the length of the dance must be given.")
        duration = audio.duration - start if duration is None else duration
        canvas = Canvas(self.config, duration, beats, genre, loop)
        other = None
        if audio is not None:
            passage = as_passage(audio, start, duration)
            other = self.motion_dit.other(self.music.read(passage, canvas)[0].T).T
        return motion_takes(self, canvas, other, seeded(seed, variations), guidance_scale, steps, keep, tidy, sampler, progress,
                            should_cancel)


class MoMuBoth(Entry):
    """A dance and its song from a style, a tempo and a length."""

    @classmethod
    def load(cls, folders=None, device="cpu"):
        """From checkpoints: `folders` before the shipped ones. Raises NoCheckpoint."""
        return cls(load_music(folders, device), load_network("motion_vae", folders), load_network("music_dit", folders),
                   load_network("motion_dit", folders), device=device)

    def __init__(self, music, motion_vae, music_dit, motion_dit, device="cpu"):
        super().__init__(music, motion_vae, music_dit, motion_dit, device)
        a, m = music_dit.config, motion_dit.config
        if (a.schedule, a.prediction, a.latent) != (m.schedule, m.prediction, m.latent):
            raise BadInput("The two transformers were trained for different chains; install the checkpoints of one release.")

    @torch.inference_mode()
    def generate(self, condition=None, *, duration, genre=None, guidance_scale=None, together_from=0.5, steps=16, seed=0,
                 beats=None, variations=1, loop=False, keep=None, like=None, tidy=True, sampler="dpmpp_2m", progress=silent,
                 should_cancel=never):
        """A list of `variations` pairs (samples (2, N) float32 at 48 kHz, `Motion` at 30 fps), of seeds seed, seed
        + 1, ...

        condition: None, nothing is given. beats: the `Beats` that both keep. together_from: T_c / T, 0 apart .. 1
        together from the first step. keep: (samples, motion, start, stop, side): that take, made anew between the
        two seconds: both sides, or only "sound" under the motion that stays, or only "motion". like: `Audio` whose
        mix the music is to have. Raises BadInput, Cancelled.
        """
        if condition is not None:
            raise BadInput("A dance with music is made from nothing; give a style, a tempo and a length instead.")
        if not 0 <= together_from <= 1:
            raise BadInput(f"Together From is a part from 0 to 1, not {together_from:g}.")
        canvas = Canvas(self.config, duration, beats, genre, loop)
        generators = seeded(seed, variations)
        common = dict(scale=guidance_scale, steps=steps, sampler=sampler, progress=progress, should_cancel=should_cancel)
        if keep is not None and keep[4] not in SIDES:
            raise BadInput(f"What is made anew is one of {', '.join(SIDES)}, not {keep[4]!r}.")
        if keep is not None and keep[4] != "both":
            return self._one_side(canvas, generators, keep, like, tidy, common)
        return self._both(canvas, generators, keep, like, tidy, together_from, **common)

    def _one_side(self, canvas, generators, keep, like, tidy, common):
        """One side of a take between two seconds, under the other, which stays as it is."""
        samples, motion, start, stop, side = keep
        if side == "sound":
            other = self.music_dit.other(dance.read(self.motion_vae, motion, canvas).T).T
            made = music_takes(self, canvas, other, generators, keep=(samples, start, stop), like=like, **common)
            return [(sound, motion) for sound in made]
        other = self.motion_dit.other(self.music.read(as_audio(samples), canvas)[0].T).T
        ranges = [part for part in ((0.0, start), (stop, canvas.duration)) if part[1] > part[0]]
        made = motion_takes(self, canvas, other, generators, keep=(motion, ranges), tidy=tidy, **common)
        return [(samples, dance_) for dance_ in made]

    def _both(self, canvas, generators, keep, like, tidy, together_from, *, scale, steps, sampler, progress, should_cancel):
        take, profile, gain = None, None if like is None else mix_of(like), 1.0
        if keep is not None:
            samples, kept, start, stop = checked_take(keep[0], canvas.duration), at_rate(keep[1], canvas.duration), *keep[2:4]
            canvas.cut(start, stop)
            latents, profile, gain = self.music.read(as_audio(samples), canvas)
            moves = dance.read(self.motion_vae, kept, canvas)
            values = torch.cat([self.music_dit.standardise(latents[None])[0], self.motion_dit.standardise(moves[None])[0]])
            mask = torch.ones(canvas.length)
            mask[canvas.first:canvas.last] = canvas.kept(start, stop)
            take = values, mask[None].expand(len(values), -1).to(self.device)
        music = Side(self.music_dit, self.schedule, canvas, self.codes(canvas.genre, generators, profile))
        motion = Side(self.motion_dit, self.schedule, canvas)
        denoise = cross_guided(music, motion, self.guidance_scale if scale is None else scale, together_from, take,
                               self.stop(should_cancel))
        half = self.config.latent
        x = self.sample(denoise, 2 * half, canvas, generators, sampler, steps, take, progress, should_cancel)
        sounds, moves, made = self.music_dit.restore(x[:, :half]), self.motion_dit.restore(x[:, half:]), []
        for sound, row in self.each(list(zip(sounds, moves)), canvas, progress, should_cancel):
            samples_, motion_ = self.music.write(sound, canvas, should_cancel), dance.write(self.motion_vae, row, canvas, tidy)
            if keep is not None:
                samples_ = splice(samples, start, stop, samples_ / gain, canvas)
                motion_ = dance.spliced(kept, motion_, start, stop, canvas.first / LATENT_RATE)
            made.append((samples_, motion_))
        return made
