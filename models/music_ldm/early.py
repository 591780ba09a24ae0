"""The first seconds of a long take, made before the rest so that they can be heard meanwhile.

A canvas is sampled as one, so nothing of it is finished before all of it is. Here the first seconds are sampled to the
end by themselves; the rest is then sampled with their end kept in view, as a range is made anew, and their sound is the
take's own. Each second but those of the join is made once: the early beginning costs next to nothing.
"""
import numpy as np
import torch

from models.music_ldm.passage import Passage

HEARD_SECONDS = 10.0            # what can be heard early
LONG_SECONDS = 30.0             # takes longer than this are worth it
FADE_LATENTS = 4                # over which the kept beginning gives way to what is made with it in view
VIEW_PART = 0.75                # of the rest's first window that lies on the beginning
DECODED_LATENTS = 16            # of the beginning that are decoded with the rest, so that the join lies in the middle
JOIN_SECONDS = 0.25             # in which the beginning's sound gives way to the rest's


def is_early(asked, duration):
    """Whether the first seconds of a take are to be made before the rest."""
    return asked.on_first is not None and asked.keep is None and not asked.loop and duration > LONG_SECONDS


def head_of(passage, asked, motion):
    """The passage cut to its first seconds."""
    head = Passage(passage.config, passage.duration, motion, asked.beats, asked.genre)
    head.last = max(head.config.window, _heard(passage) + FADE_LATENTS)
    return head


def _heard(passage):
    return round(HEARD_SECONDS / passage.config.seconds_per_latent)


def cut_to_rest(passage):
    """The passage cut to what follows its first seconds, with the end of these in view."""
    passage.first = max(0, min(_heard(passage) - round(VIEW_PART * passage.config.window),
                               passage.length - passage.config.window))


def kept_beginning(latents, passage):
    """{"latent" (V, C, ..., canvas), "mask" (canvas,)} for sampling the rest: 1 where the beginning stays."""
    count = _heard(passage) - passage.first
    latents = latents[..., passage.first:]
    whole = torch.zeros(*latents.shape[:-1], passage.canvas, device=latents.device, dtype=latents.dtype)
    length = min(latents.shape[-1], passage.canvas)
    whole[..., :length] = latents[..., :length]
    place = torch.arange(passage.canvas, device=latents.device, dtype=latents.dtype)
    return {"latent": whole, "mask": ((count - place) / FADE_LATENTS + 0.5).clamp(0, 1)}


def decoded_from(passage):
    """The latent from which the rest is decoded."""
    return max(passage.first, _heard(passage) - DECODED_LATENTS)


def joined(first, rest, begin, rate):
    """The take's sound (2, N) from that of its first seconds (2, M), and of the rest (2, K), which begins at sample
    `begin`. Where one gives way to the other the level stays, alike as they are or not."""
    length = round(JOIN_SECONDS * rate)
    start = (begin + min(first.shape[1], round(HEARD_SECONDS * rate)) - length) // 2
    a, b = first[:, start:start + length], rest[:, start - begin:start - begin + length]
    alike = float((a * b).sum() / max(np.sqrt(float((a * a).sum()) * float((b * b).sum())), 1e-9))
    new = (np.arange(length, dtype=np.float32) + 0.5) / length
    old = 1 - new
    level = np.sqrt(np.maximum(old * old + new * new + 2 * max(alike, 0.0) * old * new, 1e-9))
    return np.concatenate([first[:, :start], (old * a + new * b) / level, rest[:, start - begin + length:]], axis=1)
