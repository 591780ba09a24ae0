"""Losses of MoMu. Motion VAE: L_rec + l3 KL + l4 L_contrast of the paper, with geometric terms; transformers: the
squared error of their target, L_m2a and L_a2m."""
import torch

from core.audio.mel import FRAME_RATE
from models.diffusion.loss import draw, normal, uniform
from models.layers.placed import constant
from models.momu.config import DOWNSAMPLE
from models.momu.contrast import contrast_loss, draw_starts, level_windows, negatives, pool_windows
from models.momu.directogram import front_view, kinematic_amplitude
from models.momu.network import Condition
from models.motion import representation
from models.motion.losses import PLANTED, contact_of, steps
from models.motion.losses import body as posed
from models.music_ldm.losses import kl_divergence

FARTHEST = 4.0              # standard deviations that the code of a piece's mix may lie out


def motion_loss(vae, heads, config, batch, generator):
    """(loss, values) of the motion VAE on a batch of `MotionCrops`; `generator` draws the posterior and the windows."""
    vectors = batch["vectors"]
    output, mean, log_variance, z = vae(vectors, generator)
    with torch.autocast(vectors.device.type, enabled=False):
        rec = (output - vae.standardise(vectors)).square().mean()
        kl = kl_divergence(mean, log_variance)
        positions = body(vectors)
        geometric, values = geometric_losses(vae.restore(output), vectors, positions, config)
        loss = rec + config.kl * kl + geometric
        values.update(rec=rec, kl=kl)
        if config.contrast:
            contrast, hit = rhythmic_contrast(heads, z, batch["music"], over_floor(vectors, positions), config,
                                              generator)
            loss = loss + config.contrast * contrast
            values.update(contrast=contrast, hit=hit)
    return loss, {name: value.detach() for name, value in values.items()}


def body(vectors):
    """Joint positions (B, T, 24, 3) of vectors (B, T, 152) under a root at xy = 0, in the axes of the heading;
    metres."""
    return posed(vectors)[1]


def over_floor(vectors, positions):
    """`positions` of `body` where the root's velocities take them: (B, T, 24, 3) seen from the front of the first
    frame."""
    turn, place = representation.trajectory(vectors, FRAME_RATE)
    cos, sin = turn.cos()[..., None], turn.sin()[..., None]
    x, y, z = positions.unbind(-1)
    return torch.stack([cos * x - sin * y + place[..., :1], sin * x + cos * y + place[..., 1:], z], dim=-1)


def geometric_losses(rebuilt, vectors, positions, config):
    """Weighted sum and parts: distance of joints under the root (m), error of their velocities over the floor
    (m/s), speed along the floor of feet that stand (m/s); and, without weight, the first in cm."""
    places = body(rebuilt)
    distance = (places - positions).square().sum(-1).add(1e-8).sqrt()
    moves, true_moves = steps(rebuilt, places, FRAME_RATE), steps(vectors, positions, FRAME_RATE)
    velocity = (moves - true_moves).square().sum(-1).add(1e-6).sqrt()
    stand = torch.minimum(contact_of(vectors)[:, 1:], contact_of(vectors)[:, :-1]) > PLANTED
    feet = moves.index_select(-2, constant(representation.FEET, moves.device))
    slide = feet[..., :2].square().sum(-1).add(1e-6).sqrt()
    foot = (slide * stand).sum() / stand.sum().clamp(min=1)
    values = {"position": distance.mean(), "velocity": velocity.mean(), "foot": foot}
    loss = sum(getattr(config, name) * value for name, value in values.items())
    return loss, {**values, "joint_cm": 100 * distance.detach().mean()}


def rhythmic_contrast(heads, z, music, positions, config, generator):
    """(loss, share of windows found) between motion latents z and frozen music latents (B, 64, L) of the same
    seconds."""
    device, (count, _, length) = z.device, z.shape
    amplitude = kinematic_amplitude(front_view(positions), config.bins, config.overlap)    # (B, T)
    amplitude = amplitude[:, :length * DOWNSAMPLE].unflatten(-1, (length, DOWNSAMPLE)).amax(-1)
    starts = draw_starts(count, config.windows, length, config.window, generator, generator.device).to(device)

    def pooled(head, latents):
        mapped = head(latents.float().transpose(1, 2)).transpose(1, 2)
        return pool_windows(mapped, starts, config.window).flatten(0, 1)
    sound, moves = pooled(heads.music, music), pooled(heads.motion, z)
    levels = level_windows(amplitude, starts, config.window)
    mask = negatives(starts, levels, config.window, config.rhythm_gap)
    return contrast_loss(sound, moves, mask, config.tau)


def batch_condition(batch, model, side):
    """The `Condition` of a batch of `LatentCrops` for the network of a side."""
    known = torch.ones_like(batch["tempo"][:, :1])
    code = known
    if model.code is not None:
        code = torch.cat([model.code.code(batch["profile"]).clamp(-FARTHEST, FARTHEST), known], dim=1)
    other = model.other(batch["motion" if side == "music" else "music"].transpose(1, 2)).transpose(1, 2)
    return Condition(other, known[:, 0], batch["rhythm"], batch["tempo"], batch["style"], code)


def masked_errors(miss, mask):
    """(B,) mean squared error inside the mask and (B,) squared error of the mean over time; miss (B, C, L), mask
    (B, L)."""
    inside = mask[:, None].to(miss.dtype)
    count = inside.sum(-1).clamp(min=1)                                                    # (B, 1)
    error = (miss.square() * inside).sum(-1) / count
    level = ((miss * inside).sum(-1) / count).square()
    return error.mean(1), level.mean(1)


def diffusion_loss(model, schedule, config, batch, side, generator):
    """L_m2a or L_a2m for one draw of t, noise and dropped conditions per item -> (loss, values)."""
    x0 = model.standardise(batch[side])
    drawn = draw(schedule, x0, generator, config.high_noise)
    device, count = x0.device, len(x0)
    condition = batch_condition(batch, model, side)
    if config.condition_noise:
        # At sampling the other side is an estimate or a made one, never quite what the encoder gives.
        amount = (uniform((count,), generator, device) - 0.5).clamp(min=0) * 2 * config.condition_noise
        condition = condition.given(condition.other + amount[:, None, None] * normal(x0.shape, generator, device))
    code = {"code": config.drop_code} if config.code else {}
    condition = condition.at_random(generator, config.drop_all, other=config.drop_other, rhythm=config.drop_rhythm,
                                    style=config.drop_style, **code)
    mask = batch["mask"]
    output = model(drawn.x * mask[:, None], drawn.t, condition, mask).float()
    error, level = masked_errors(output - drawn.target, mask)
    loss = (error + config.level * level).mean()
    return loss, {"mse": error.detach().mean(), "level": level.detach().mean()}
