"""Losses of both stages (paper, "Contrastive pre-training" and "Geometric loss"; decisions in
models/conductor/__init__.py)."""
import torch
import torch.nn.functional as F

from core.body.kinematics import OFFSETS, forward_kinematics
from core.body.rotations import sixd_to_matrix
from core.contract import PARENTS
from models.conductor.config import MOVING
from models.diffusion.loss import chance, draw, uniform
from models.layers.placed import constant

HAND_SCALE_M = 0.15                 # spread of a conducting hand: makes the hand loss comparable to standardised units
HANDS = [MOVING.index(joint) for joint in (20, 21, 22, 23)]
REST = tuple(tuple(map(float, OFFSETS[joint])) for joint in MOVING)
MOVING_PARENTS = [-1] + [MOVING.index(PARENTS[joint]) for joint in MOVING[1:]]
ELBOW_KEYPOINTS = slice(14, 22)     # channels of COCO 7-10: elbows and wrists
ELBOW_JOINTS = [3 + 6 * MOVING.index(joint) + i for joint in (16, 17, 18, 19, 20, 21) for i in range(6)]
HEAD_KEYPOINTS = slice(0, 10)


def contrastive_loss(net, mel, keypoints, other_mel, other_keypoints):
    """Sum of the four binary cross-entropies: (a1,m1)=1, (a1,m2)=0, (a2,m2)=1, (a2,m1)=0.

    mel, other_mel (B, T90, bands); keypoints, other_keypoints (B, T30, 13, 2): two passages, each with its own motion.
    Returns (loss, accuracy) with accuracy over the four judgements at threshold 0.5.
    """
    batch = len(mel)
    music = net.music(torch.cat([mel, other_mel]))
    motion = net.motion(torch.cat([keypoints, other_keypoints]))
    music = torch.cat([music, music])                                        # a1 a2 a1 a2
    motion = torch.cat([motion, motion[batch:], motion[:batch]])             # m1 m2 m2 m1
    probability = net.judge(music, motion).clamp(1e-6, 1 - 1e-6)
    label = torch.cat([probability.new_ones(2 * batch), probability.new_zeros(2 * batch)])
    with torch.autocast(probability.device.type, enabled=False):
        loss = 4 * F.binary_cross_entropy(probability, label)                # mean over items, sum over the four
    return loss, ((probability > 0.5) == label.bool()).float().mean()


def masked_mean(values, mask):
    """Mean of (B, T, C) over the frames where mask (B, T) is True; the mask counts frames, never seconds."""
    weight = mask[..., None].to(values)
    return (values * weight).sum() / (weight.sum() * values.shape[-1]).clamp(min=1)


def geometric_losses(config, estimate, x0, mask, mean, std):
    """{name: weighted loss} of an x0 estimate (B, T, C) against x0, both standardised; mask (B, T); mean, std (C,).

    velocity, acceleration: squared error of first and second frame differences. head (keypoints13): squared frame
    differences of the five head points. hands (not keypoints13): wrists and hands by forward kinematics in metres,
    position and velocity, because the ictus is an event of the hand. elbow: the reward -w min(v, cap) with v the mean
    squared frame difference of the arms.
    """
    pair = mask[:, 1:] & mask[:, :-1]
    delta, delta0 = estimate[:, 1:] - estimate[:, :-1], x0[:, 1:] - x0[:, :-1]
    losses = {}
    if config.weight_velocity:
        losses["velocity"] = config.weight_velocity * masked_mean((delta - delta0) ** 2, pair)
    if config.weight_acceleration:
        error = (delta - delta0)[:, 1:] - (delta - delta0)[:, :-1]
        losses["acceleration"] = config.weight_acceleration * masked_mean(error**2, pair[:, 1:] & pair[:, :-1])
    if config.weight_head and config.representation == "keypoints13":
        losses["head"] = config.weight_head * masked_mean(delta[..., HEAD_KEYPOINTS] ** 2, pair)
    if config.weight_elbow:
        arms = ELBOW_KEYPOINTS if config.representation == "keypoints13" else ELBOW_JOINTS
        losses["elbow"] = -config.weight_elbow * masked_mean(delta[..., arms] ** 2, pair).clamp(max=config.elbow_cap)
    if config.weight_hands and config.representation != "keypoints13":
        both = hand_positions(torch.cat([estimate, x0]) * std + mean)
        error = (both[:len(x0)] - both[len(x0):]) / HAND_SCALE_M
        speed = error[:, 1:] - error[:, :-1]
        losses["hands"] = config.weight_hands * (masked_mean(error**2, mask) + 5 * masked_mean(speed**2, pair))
    return losses


def hand_positions(vector):
    """smpl24 or smpl24_feet vectors (B, T, C), un-normalised -> wrists and hands (B, T, 12) in metres."""
    rotations = sixd_to_matrix(vector[..., 3:3 + 6 * len(MOVING)].unflatten(-1, (len(MOVING), 6)))
    positions, _ = forward_kinematics(rotations, vector[..., :3], constant(REST, vector.device), MOVING_PARENTS)
    return positions.index_select(-2, constant(tuple(HANDS), positions.device)).flatten(-2)


def denoiser_loss(config, schedule, network, x0, condition, mask, generator):
    """One training step of stage 2 -> (loss, {name: value}).

    x0 (B, T, C) standardised, condition (B, T, K), mask (B, T). t uniform; single frames of the music zeroed with
    `frame_dropout` (the paper's random mask); the whole condition replaced by the null token with `null_dropout`.
    """
    device = x0.device
    drawn = draw(schedule, x0, generator)
    null = chance(config.null_dropout, len(x0), generator, device)
    seen = uniform(condition.shape[:2], generator, device) >= config.frame_dropout
    music = config.encoder.features
    condition = torch.cat([condition[..., :music] * seen[..., None], condition[..., music:]], dim=-1)
    output = network(drawn.x, drawn.t, condition, null, mask).float()
    with torch.autocast(device.type, enabled=False):
        losses = {"reconstruction": masked_mean((output - drawn.target) ** 2, mask)}
        estimate = schedule.to_x0(output, drawn.x, drawn.t)
        losses.update(geometric_losses(config, estimate, x0, mask, network.mean, network.std))
        loss = sum(losses.values())
    return loss, {name: value.detach() for name, value in losses.items()}
