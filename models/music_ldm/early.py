"""The first seconds of a long take, made before the rest so that they can be heard meanwhile.

A canvas is sampled as one, so nothing of it is finished before all of it is. Here the windows under the first seconds
are sampled to the end by themselves; the rest is then sampled on the whole canvas with them kept, as a range is made
anew: what was heard is what the take begins with, up to the loudness of delivery.
"""
import torch

from models.music_ldm.passage import Passage

HEARD_SECONDS = 10.0            # what can be heard early
LONG_SECONDS = 30.0             # takes longer than this are worth it
FADE_LATENTS = 4                # over which the kept beginning gives way to what is made with it in view


def is_early(asked, duration):
    """Whether the first seconds of a take are to be made before the rest."""
    return asked.on_first is not None and asked.keep is None and not asked.loop and duration > LONG_SECONDS


def head_of(passage, asked, motion):
    """The passage cut to the windows under its first seconds, and the share of the sampling that they are."""
    head = Passage(passage.config, passage.duration, motion, asked.beats, asked.genre)
    head.cut(0.0, HEARD_SECONDS)
    return head, head.canvas / (head.canvas + passage.canvas)


def kept_beginning(latents, passage):
    """{"latent" (V, C, ..., canvas), "mask" (canvas,)} for sampling the rest: 1 where the beginning stays."""
    count = round(HEARD_SECONDS / passage.config.seconds_per_latent)
    whole = torch.zeros(*latents.shape[:-1], passage.canvas, device=latents.device, dtype=latents.dtype)
    length = min(latents.shape[-1], passage.canvas)
    whole[..., :length] = latents[..., :length]
    place = torch.arange(passage.canvas, device=latents.device, dtype=latents.dtype)
    return {"latent": whole, "mask": ((count - place) / FADE_LATENTS + 0.5).clamp(0, 1)}
