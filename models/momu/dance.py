"""The motion side: a `Motion` <-> latents on a canvas; ranges of a take; loops that come round."""
import numpy as np
import torch

from core.audio.mel import FRAME_RATE
from core.body.kinematics import FPS
from core.body.motion import Motion
from core.errors import BadInput
from models.momu.clock import motion_to_clock, resample, resampled
from models.momu.config import DOWNSAMPLE
from models.motion import representation
from models.motion.contacts import clean
from models.motion.smoothing import joined, looped, minimum_jerk


def checked(motion):
    """The motion. Raises BadInput where nothing can be made of it."""
    if len(motion) < 2:
        raise BadInput("The motion has fewer than two frames; choose a longer range.")
    if not (np.isfinite(motion.rotations).all() and np.isfinite(motion.root).all()):
        raise BadInput("The motion holds values that are not numbers (NaN); remove the broken keys.")
    return motion


def read(vae, motion, canvas):
    """Latents (64, length) of a `Motion` on a canvas; its last frame is held beyond its end."""
    device = next(vae.parameters()).device
    motion = checked(motion)
    vectors = motion_to_clock(Motion(motion.rotations, motion.root, motion.fps * canvas.stretch),
                              canvas.length * DOWNSAMPLE)
    return vae.encode_long(vectors.to(device))


def write(vae, latents, canvas, tidy=True):
    """Latents (64, sampled) -> (`Motion` at 30 fps, vectors (4 sampled, 152) on the clock) from where the sampled
    part begins.

    It starts at xy = 0 facing -y; on a loop it comes round to there. tidy: planted feet stay, nothing sinks into
    the floor.
    """
    vectors = vae.decode_long(latents, loop=canvas.loop).float().cpu()
    turn, place = representation.trajectory(vectors, FRAME_RATE)
    if canvas.loop:
        turn, place = come_round(vectors, turn)
    rotations, root = representation.decode(vectors, FRAME_RATE, turn, place)
    whole = canvas.sampled == canvas.length
    seconds = canvas.duration if whole else len(vectors) / FRAME_RATE
    times = np.arange(max(2, round(seconds * FPS))) / FPS
    clock = FRAME_RATE / canvas.stretch
    motion = resampled(Motion(rotations.numpy(), root.numpy(), clock), times, FPS)
    if tidy:
        contact = resample(vectors[:, representation.CONTACTS], clock, torch.from_numpy(times)).clamp(0, 1).numpy()
        motion = clean(motion, contact)
    return looped(motion) if canvas.loop else motion


def come_round(vectors, turn):
    """Headings and places of a ring of vectors, bent evenly so that its end is its beginning (whole turns stay)."""
    count = len(vectors)
    last = float(turn[-1] + vectors[0, 2] / FRAME_RATE)
    along = torch.arange(count) / count
    turn = turn - along * (last - 2 * np.pi * round(last / (2 * np.pi)))
    step = representation.rotated(torch.roll(vectors[:, :2], -1, 0) / FRAME_RATE, turn)
    end = step.sum(0)
    place = torch.cumsum(step, 0) - step - along[:, None] * end
    return turn, place


def spliced(take, made, start, stop, offset):
    """The take (`Motion` at 30 fps) with seconds start..stop replaced by those of `made`, which begins at second
    `offset` of it.

    The new part sets out from where the take stands at `start` and is bent so that it comes to where the take goes
    on at `stop`; all frames outside the range are the take's own.
    """
    frames = np.arange(len(take))
    mask = (frames / FPS < start) | (frames / FPS >= stop)
    inside = np.flatnonzero(~mask)
    if not len(inside):
        return take
    low, high = inside[0], inside[-1] + 1
    index = np.clip(np.arange(low, high) - round(offset * FPS), 0, len(made) - 1)
    piece = Motion(made.rotations[index], made.root[index], FPS)
    if low > 0:
        piece = standing_at(piece, 0, take, low)
        if high < len(take):
            piece = bent_to(piece, take, high - 1)
    elif high < len(take):
        piece = standing_at(piece, len(piece) - 1, take, high)
    rotations, root = take.rotations.copy(), take.root.copy()
    rotations[low:high], root[low:high] = piece.rotations, piece.root
    return joined(Motion(rotations, root, FPS), take, mask)


def standing_at(piece, frame, take, at):
    """`piece` moved so that its `frame` stands and faces as frame `at` of the take."""
    wanted, here = representation.headings(np.stack([take.rotations[at, 0], piece.rotations[frame, 0]]))
    turn = wanted - here
    return piece.moved(float(turn), before=-piece.root[frame, :2], after=take.root[at, :2])


def bent_to(piece, take, at):
    """`piece` turned and shifted little by little so that its last frame stands and faces as frame `at` of the take."""
    count = len(piece)
    along = minimum_jerk(np.arange(count) / max(1, count - 1))
    heading = representation.headings(np.concatenate([piece.rotations[:, 0], take.rotations[at:at + 1, 0]]))
    gap = (heading[-1] - heading[-2] + np.pi) % (2 * np.pi) - np.pi
    turn = representation.about_z(torch.from_numpy(gap * along)).numpy()
    step = np.diff(piece.root[:, :2], axis=0, prepend=piece.root[:1, :2])
    place = piece.root[0, :2] + np.cumsum(np.einsum("tij,tj->ti", turn[:, :2, :2], step), axis=0)
    place = place + along[:, None] * (take.root[at, :2] - place[-1])
    rotations = piece.rotations.copy()
    rotations[:, 0] = turn @ rotations[:, 0]
    return Motion(rotations.astype(np.float32), np.column_stack([place, piece.root[:, 2]]).astype(np.float32),
                  piece.fps)
