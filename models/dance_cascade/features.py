"""What the cascade is told of a frame: the music's embedding, the place in beat and bar, the energy asked for."""
import numpy as np
import torch
import torch.nn.functional as F

from core.rhythm.beats import BUMP_SECONDS
from models.dance_cascade.config import MEL_FPS, RATIO, RHYTHM_SIZE, STYLES
from models.layers.placed import constant
from models.motion import losses as geometry

MEL_LEVELS = 127.0                          # of core.audio.frames.to_bytes; the networks see 0..1
ENERGY_SECONDS = 4.0                        # energy is an average over so long
ENERGY_SPAN = 3.0  # standard deviations between the calmest and the wildest that can be asked for
# What is drawn is calmer than what is asked: the released base moves half as fast as its corpus at 0, about as fast at
# this.
ENERGY_MIDDLE = 0.75
CAPTURED = {"break": "breakdance", "rokoko": "freestyle"}     # names of captures' styles where they differ from STYLES


def style_index(name, captured=False):
    """Index into STYLES of a style or genre, -1 where it is unknown. captured: the name is that of a recording's
    style."""
    name = CAPTURED.get(name, name) if captured else name
    return STYLES.index(name) if name in STYLES else -1


def mel_of(audio, rows=None):
    """`core.audio.Audio` -> (M, 64) float32 in 0..1 at 30 Hz, row i centred on i / 30 s; rows: its `frame_log_mel`."""
    from core.audio.frames import frame_log_mel, to_bytes
    return to_bytes(frame_log_mel(audio) if rows is None else rows).astype(np.float32) / MEL_LEVELS


def pad_beats(rows):
    """[[(seconds, position), ...], ...] -> times (I, K) float32 padded with inf, positions (I, K) long, counts (I,)."""
    most = max([2, *(len(row) for row in rows)])
    times = torch.full((len(rows), most), float("inf"))
    positions = torch.zeros(len(rows), most, dtype=torch.long)
    for number, row in enumerate(rows):
        if len(row):
            values = torch.as_tensor(np.asarray(row, dtype=np.float64))
            times[number, :len(row)], positions[number, :len(row)] = values[:, 0].float(), values[:, 1].long()
    return times, positions, torch.tensor([len(row) for row in rows])


def rhythm_features(times, positions, count, metre, seconds, known=None, bars=None):
    """(B, W, 8) on the tensors' device: the five channels of `rhythm_curve`, then cos, sin, known-flag of the bar.

    times (B, K) ascending, padded with inf; positions (B, K); count, metre (B,); seconds (B, W) of the frames. known
    (B,): rows without are all zero; bars (B,): rows without know no downbeats. Rows of fewer than two beats are
    unknown.
    """
    rows, width = seconds.shape
    fine = count >= 2
    known = fine if known is None else known & fine
    safe = torch.where(times.isfinite(), times, constant(1e6, times.device, times.dtype))
    last = (count - 1).clamp(min=1)[:, None]
    first_gap = safe[:, 1:2] - safe[:, :1]
    end, before = safe.gather(1, last), safe.gather(1, last - 1)
    grid = torch.cat([safe[:, :1] - first_gap, safe, safe.new_full((rows, 1), 1e6)], dim=1)
    grid = grid.scatter(1, last + 2, 2 * end - before)  # (B, K + 2): one more period at both ends
    place = torch.searchsorted(grid.contiguous(), seconds.contiguous(), right=True) - 1
    place = torch.minimum(place.clamp(min=0), last + 1)
    left, right = grid.gather(1, place), grid.gather(1, place + 1)
    inside = (seconds >= grid[:, :1]) & (seconds <= grid.gather(1, last + 2)) & known[:, None]
    phase = ((seconds - left) / (right - left).clamp(min=1e-3)).clamp(0, 1)
    edged = torch.cat([positions[:, :1] - 1, positions, positions[:, -1:]], dim=1)
    edged = edged.scatter(1, last + 2, positions.gather(1, last) + 1)
    at_left, at_right = edged.gather(1, place), edged.gather(1, place + 1)
    bump = lambda distance: torch.exp(-0.5 * (distance / BUMP_SECONDS) ** 2)           # noqa: E731
    near_left, near_right = bump(seconds - left) * (place >= 1), bump(right - seconds) * (place <= last)
    told = (positions > 0).sum(1) >= count if bars is None else bars & ((positions > 0).sum(1) >= count)
    one_left, one_right = at_left == 1, at_right == 1
    down = torch.maximum(near_left * one_left, near_right * one_right) * told[:, None]
    bar = 2 * np.pi * (at_left - 1 + phase) / metre.clamp(min=1)[:, None]
    channels = [torch.maximum(near_left, near_right), down, (2 * np.pi * phase).cos(), (2 * np.pi * phase).sin(),
                torch.ones_like(phase), bar.cos() * told[:, None], bar.sin() * told[:, None],
                told[:, None].expand(-1, width).to(phase)]
    return torch.stack(channels, dim=-1) * inside[..., None]


def rhythm_of(beats, frames, fps, start=0.0):
    """(frames, 8) float32 of a `Beats`, frame i at start + i / fps seconds; None or fewer than two beats: zeros."""
    if beats is None or len(beats) < 2:
        return torch.zeros(frames, RHYTHM_SIZE)
    times, positions, count = pad_beats([list(zip(beats.times - start, beats.positions))])
    seconds = torch.arange(frames)[None] / fps
    return rhythm_features(times, positions, count, torch.tensor([beats.metre]), seconds)[0]


def log_energy(vectors, fps):
    """(T,) log of the mean speed of the key joints over the floor, averaged over `ENERGY_SECONDS`; vectors (T, 152),
    torch."""
    _, positions = geometry.body(vectors[None])
    moves = geometry.steps(vectors[None], positions, fps)[0]
    moves = moves.index_select(1, constant(tuple(geometry.KEY_JOINTS), moves.device))
    speed = moves.norm(dim=-1).mean(1)
    speed = torch.cat([speed[:1], speed])[None, None]
    half = min(int(ENERGY_SECONDS * fps / 2), speed.shape[-1] - 1)
    smooth = F.avg_pool1d(F.pad(speed, (half, half), mode="reflect"), 2 * half + 1, stride=1)[0, 0]
    return smooth.clamp(min=0.01).log()


def asked_energy(energy, frames, middle=ENERGY_MIDDLE):
    """(frames, 2) of an energy 0..1 (0.5 is as lively as the corpus on average), a number or (frames,); middle: what
    0.5 is, in standard deviations."""
    channels = torch.ones(frames, 2)
    channels[:, 0] = (torch.as_tensor(energy, dtype=torch.float32).expand(frames) - 0.5) * ENERGY_SPAN + middle
    return channels


def music_rows(music, frames, fps, start=0.0):
    """(frames, E): rows of a 30 Hz embedding (M, E) at the instants start + i / fps; the edge rows hold beyond the
    ends."""
    index = torch.round((start + torch.arange(frames) / fps) * MEL_FPS).long().clamp(0, max(0, len(music) - 1))
    return music[index.to(music.device)]


def assemble(config, music, rhythm, energy):
    """Condition (..., K) of a stage: what `config` wants of music (..., E), rhythm (..., 8) and energy (..., 2)."""
    wanted = ((config.music != "none", music), (config.rhythm, rhythm), (config.energy, energy))
    return torch.cat([part.float() for used, part in wanted if used], dim=-1)


def without_rhythm(config, frames):
    """The condition (..., K) of a stage with the rhythm unknown; a stage without rhythm has nothing to lose."""
    first = config.music_size * (config.music != "none")
    bare = frames.clone()
    bare[..., first:first + RHYTHM_SIZE * config.rhythm] = 0
    return bare


def smooth_upsampled(low, frames, ratio=RATIO, loop=False):
    """`upsampled` by Catmull-Rom splines through the rows; on a loop the first row follows the last."""
    count = low.shape[-2]
    place = torch.arange(frames, device=low.device) / ratio
    left = place.long()
    u = (place - left)[:, None]
    index = lambda k: (left + k) % count if loop else (left + k).clamp(0, count - 1)           # noqa: E731
    a, b, c, d = (low[..., index(k), :] for k in (-1, 0, 1, 2))
    return b + 0.5 * u * (c - a + u * (2 * a - 5 * b + 4 * c - d + u * (3 * (b - c) + d - a)))


def downsampled(vectors, ratio=RATIO):
    """Motion vectors (..., T, 152) at every `ratio`-th frame: what a base of them is. Velocities of the root are means
    over the frames since the one before, so that both walk the same way."""
    velocity = vectors[..., :3]
    padded = torch.cat([velocity[..., :1, :].expand(*velocity.shape[:-2], ratio - 1, 3), velocity], dim=-2)
    mean = padded.unfold(-2, ratio, ratio).mean(-1)
    rest = vectors[..., ::ratio, 3:]
    return torch.cat([mean[..., :rest.shape[-2], :], rest], dim=-1)


def upsampled(low, frames, ratio=RATIO):
    """(..., ceil(frames / ratio), C) -> (..., frames, C), straight lines in time; the last row is held."""
    place = torch.arange(frames, device=low.device) / ratio
    left = place.long().clamp(max=low.shape[-2] - 1)
    right = (left + 1).clamp(max=low.shape[-2] - 1)
    part = (place - left)[:, None]
    return low[..., left, :] * (1 - part) + low[..., right, :] * part
