"""The bidirectional rhythmic contrast of BiCoR-VAE: windows of both latents, max-pooled, each to find its partner.

    L = -1/2 log( e^{s(a_i, m_i) / tau} / sum_c e^{s(a_i, m_c) / tau} )
        -1/2 log( e^{s(a_i, m_i) / tau} / sum_c e^{s(a_c, m_i) / tau} )

s is the cosine. The candidates c of a window are its partner and its negatives: windows of the same sequence that
mismatch in time or in rhythm level, and all windows of the other sequences of the batch. Windows are cut in latents
of the common clock, so in seconds.
"""
import torch
from torch.nn import functional as F


def pool_windows(latents, starts, length):
    """Latents (B, C, L), first latents of windows (B, N) -> (B, N, C): the largest value of every channel in each
    window."""
    index = starts[..., None] + torch.arange(length, device=latents.device)             # (B, N, length)
    rows = torch.arange(len(latents), device=latents.device)[:, None, None]
    return latents.transpose(1, 2)[rows, index].amax(dim=2)


def level_windows(amplitude, starts, length):
    """Kinematic amplitude per latent (B, L) -> (B, N), the largest in each window."""
    return pool_windows(amplitude[:, None], starts, length)[..., 0]


def negatives(starts, levels, length, rhythm_gap):
    """bool (B N, B N): True where window c may be told from window i.

    Within a sequence: they do not overlap (mismatch in time) and their levels lie apart by more than `rhythm_gap`,
    or they lie at least four windows apart; two calm windows side by side are no negatives of each other. Across
    sequences: always.
    """
    count, number = starts.shape
    apart = (starts[:, :, None] - starts[:, None, :]).abs()                             # (B, N, N) latents
    other_level = (levels[:, :, None] - levels[:, None, :]).abs() > rhythm_gap
    within = (apart >= length) & (other_level | (apart >= 4 * length))
    mask = torch.ones(count, number, count, number, dtype=torch.bool, device=starts.device)
    here = torch.arange(count, device=starts.device)
    mask[here, :, here, :] = within
    return mask.reshape(count * number, count * number)


def contrast_loss(music, motion, mask, tau=0.07):
    """music, motion (N, C) pooled windows, row i of one belongs to row i of the other; mask (N, N) from `negatives`.

    Returns the loss and the share of windows that find their partner among their candidates (both directions).
    """
    score = F.normalize(music.float(), dim=-1) @ F.normalize(motion.float(), dim=-1).T / tau
    diagonal = torch.eye(len(score), dtype=torch.bool, device=score.device)
    target = torch.arange(len(score), device=score.device)
    loss, hit = 0.0, 0.0
    for logits, allowed in ((score, mask), (score.T, mask.T)):
        logits = logits.masked_fill(~(allowed | diagonal), float("-inf"))
        loss = loss + 0.5 * F.cross_entropy(logits, target)
        hit = hit + 0.5 * (logits.argmax(1) == target).float().mean()
    return loss, hit


def found_among(music, motion):
    """Shares of windows that find their partner: music, motion (P, N, C), window n of piece p belongs to the same.

    Two dicts motion_to_music, music_to_motion: among the N windows of the same piece, and, for every n, among the P
    pieces. Chance is 1 / N and 1 / P.
    """
    music, motion = F.normalize(music.float(), dim=-1), F.normalize(motion.float(), dim=-1)

    def shares(score):
        right = torch.arange(score.shape[-1], device=score.device)
        return {"motion_to_music": float((score.argmax(-1) == right).float().mean()),
                "music_to_motion": float((score.argmax(-2) == right).float().mean())}
    return (shares(torch.einsum("pid,pjd->pij", motion, music)), shares(torch.einsum("pid,qid->ipq", motion, music)))


def draw_starts(batch, number, latents, length, generator=None, device=None):
    """First latents (batch, number) of random windows of `length` in sequences of `latents`."""
    return torch.randint(0, latents - length + 1, (batch, number), generator=generator, device=device)
