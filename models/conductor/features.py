"""What the networks see: mel and loudness of the music, the rhythm of its beats, and the body as a vector.

Mel: the recipe of the published system (90 Hz, 128 bands, dB re the track's maximum, high bands first), or its
reduction to the motion's own 30 Hz and 64 bands.
"""
import numpy as np

from core.audio.mel import filters
from core.audio.resample import resample
from core.audio.spectra import mel_spectrum
from core.body.ik import two_bone
from core.body.kinematics import OFFSETS, forward_kinematics
from core.body.motion import Motion
from core.body.rotations import matrix_to_6d, sixd_to_matrix
from core.rhythm.beats import rhythm_curve
from models.conductor.config import FPS, MEL_RATE, METRES, MOVING
from models.conductor.focus import unknown
from models.conductor.legs import feet_of

RATE = 22_050
N_FFT, HOP, BANDS = 2048, 256, 128
SILENT_POWER = 1e-4         # mel power of about -77 dBFS: a track below it is silent, not to be scaled up
SILENT_RMS = 3e-4           # -70 dBFS, the same for the level
FLOOR_DB = 60.0             # range of the level
SIDE_BANDS = 16             # of where sound comes from
SIDE_FLOOR = 1e-7           # of a track's loudest band: below it sound comes from nowhere

# ------------------------------------------------------------------------------------------------ sound


def mono(samples, rate):
    """(N,) or (channels, N) samples at `rate` -> (N',) float32 at 22,050 Hz."""
    samples = np.asarray(samples, dtype=np.float32)
    if samples.ndim == 2:
        samples = samples.mean(0)
    return resample(samples, rate, RATE)


def mel_frames(sound, bands=BANDS):
    """(N,) at 22,050 Hz -> (floor(90 s), bands) float32 in [0, 1], column 0 the highest band.

    librosa's mel power (n_fft 2048, hop 256, Slaney), dB re the track's maximum with a floor of -80, (dB + 80) / 80,
    then linear interpolation in time from 86.13 to 90 Hz (pixel centres).
    """
    power = mel_spectrum(sound, filters(RATE, N_FFT, bands), HOP, power=2.0)
    reference = max(float(power.max()), SILENT_POWER)
    decibel = np.maximum(10 * np.log10(np.maximum(power, 1e-14) / reference), -80.0)
    return _resize((decibel[:, ::-1] + 80) / 80, int(len(sound) / RATE * MEL_RATE + 1e-6)).astype(np.float32)


def mel_frames_30(sound, bands=64):
    """(N,) at 22,050 Hz -> (floor(30 s), bands) float32 in [0, 1], frame i centred on i / 30 s; scale as in
    `mel_frames`.

    n_fft 1024, hop 735: three times fewer frames than the published recipe, and a window that keeps attacks apart.
    """
    count = int(len(sound) / RATE * FPS + 1e-6)
    if count == 0:
        return np.zeros((0, bands), dtype=np.float32)
    power = mel_spectrum(sound, filters(RATE, 1024, bands), RATE // FPS, power=2.0)[:count]
    decibel = 10 * np.log10(np.maximum(power, 1e-14) / max(float(power.max()), SILENT_POWER))
    return ((np.maximum(decibel, -80.0)[:, ::-1] + 80) / 80).astype(np.float32)


def _resize(values, frames):
    """(T, C) -> (frames, C) by linear interpolation between pixel centres, edges held."""
    if frames == 0:
        return values[:0]
    position = np.clip((np.arange(frames) + 0.5) * len(values) / frames - 0.5, 0, len(values) - 1)
    low = np.minimum(position.astype(int), max(0, len(values) - 2))
    part = (position - low)[:, None].astype(np.float32)
    return values[low] * (1 - part) + values[np.minimum(low + 1, len(values) - 1)] * part


def level_frames(sound):
    """(N,) at 22,050 Hz -> (floor(30 s), 2) float32 in [0, 1]: loudness over 0.1 s and over 1 s.

    dB re the loudest 0.1 s of the track, 60 dB of range: 1 the loudest moment, 0 silence. So strokes can breathe with
    the music whatever its mastering level; the written loudness itself is never an input.
    """
    frames = int(len(sound) / RATE * FPS + 1e-6)
    energy = np.concatenate([[0.0], np.cumsum(np.asarray(sound, dtype=np.float64) ** 2)])
    centre = np.arange(frames) / FPS * RATE
    columns, reference = [], None
    for seconds in (0.1, 1.0):
        half = seconds * RATE / 2
        low = np.clip(centre - half, 0, len(sound)).astype(int)
        high = np.clip(centre + half, 1, max(1, len(sound))).astype(int)
        rms = np.sqrt((energy[high] - energy[low]) / np.maximum(high - low, 1))
        if reference is None:
            reference = max(float(rms.max(initial=0.0)), SILENT_RMS)
        columns.append(np.clip(1 + 20 * np.log10(np.maximum(rms, 1e-9) / reference) / FLOOR_DB, 0, 1))
    return np.stack(columns, axis=1).astype(np.float32)


def side_frames(left, right):
    """(N,), (N,) at 22,050 Hz -> (floor(30 s), 16) float32 in [-1, 1], column 0 the highest band: how far to the left
    sound comes from, (L - R) / (L + R) of mel powers; 0 where it is silent or in the middle."""
    count = int(len(left) / RATE * FPS + 1e-6)
    if count == 0:
        return np.zeros((0, SIDE_BANDS), dtype=np.float32)
    sides = [mel_spectrum(channel, filters(RATE, 1024, 64), RATE // FPS, power=2.0)[:count, ::-1]
             .reshape(count, SIDE_BANDS, -1).sum(-1) for channel in (left, right)]
    total = sides[0] + sides[1]
    return ((sides[0] - sides[1]) / (total + max(SILENT_POWER, SIDE_FLOOR * float(total.max())))).astype(np.float32)


def attack_frames(mel):
    """(T, bands) of `mel_frames_30` -> (T,) float32: what has become louder since two frames before, mean over
    bands."""
    rises = np.zeros(len(mel), dtype=np.float32)
    rises[2:] = np.maximum(np.asarray(mel[2:]) - mel[:-2], 0).mean(1)
    return rises

# ---------------------------------------------------------------------------------------------- rhythm

def rhythm_features(beats, frames, start=0.0, metre_known=True, metres=METRES):
    """Strokes on the *ictus clock* (music beats moved by -lead) -> (frames, 9 + len(metres)) float32.

    The five channels of `rhythm_curve`, then cos, sin and known-flag of the phase within the bar, then the one-hot of
    strokes a bar (`metres`, unknown). None or fewer than two beats: all unknown. metre_known=False hides downbeats, bar
    and metre.
    """
    unknown = 8 + len(metres)
    features = np.zeros((frames, unknown + 1), dtype=np.float32)
    features[:, unknown] = 1.0
    if beats is None or len(beats) < 2 or frames == 0:
        return features
    counts = beats.counts
    positioned = metre_known and bool(np.isin(counts, metres).all()) and bool(np.all(beats.positions > 0))
    features[:, :5] = rhythm_curve(beats.times, beats.downbeats if positioned else [], frames, FPS, start)
    if not positioned:
        return features
    times = start + np.arange(frames) / FPS
    gap = np.diff(beats.times)
    grid = np.concatenate([[beats.times[0] - gap[0]], beats.times, [beats.times[-1] + gap[-1]]])
    place = np.clip(np.searchsorted(grid, times, side="right") - 1, 0, len(grid) - 2)
    position = np.concatenate([[beats.positions[0] - 1], beats.positions, [beats.positions[-1] + 1]])[place]
    bar = np.concatenate([counts[:1], counts, counts[-1:]])[place]
    phase = np.clip((times - grid[place]) / (grid[place + 1] - grid[place]), 0, 1)
    angle = 2 * np.pi * (position - 1 + phase) / bar
    known = features[:, 4]
    features[:, 5], features[:, 6], features[:, 7] = np.cos(angle) * known, np.sin(angle) * known, known
    for column, count in enumerate(metres):
        features[:, 8 + column] = known * (bar == count)
    features[:, unknown] = 1 - known
    return features


def condition_frames(config, music, level, beats, frames, start_frame=0, metre_known=True, focus=None):
    """The condition of frames start_frame .. start_frame + frames: (frames, config.condition_size) float32.

    music (T, 64) and level (T, 2 or more, of which two are heard) are of the whole track (zeros beyond its end); beats
    and focus (T, 3), None where nobody knows who plays, are on the ictus clock.
    """
    def cut(values):
        piece = np.asarray(values[start_frame:start_frame + frames], dtype=np.float32)
        return np.pad(piece, ((0, frames - len(piece)), (0, 0)))
    columns = [cut(music)]
    if config.level:
        columns.append(cut(level)[:, :2])
    if config.rhythm:
        columns.append(rhythm_features(beats, frames, start_frame / FPS, metre_known, config.metres))
    if config.focus:
        columns.append(unknown(frames) if focus is None else cut(focus))
    return np.concatenate(columns, axis=1)


# ------------------------------------------------------------------------------------------------ body

# Face points in the head joint's own axes (x left, y up, z forward), metres: nose, left eye, right eye, ears.
FACE = np.array([[0, 0.05, 0.11], [0.033, 0.09, 0.085], [-0.033, 0.09, 0.085], [0.075, 0.07, 0.0], [-0.075, 0.07, 0.0]],
                dtype=np.float32)
LEGS = ((1, 4, 7), (2, 5, 8))
COCO_JOINTS = (16, 17, 18, 19, 20, 21, 1, 2)            # shoulders, elbows, wrists, hips, left first


def keypoints13(motion):
    """COCO points 0-12 of a `Motion` seen from the front, (T, 13, 2) float32 in picture units (docs/contracts.md).

    x to the right of the picture, y down; mean shoulder width 0.2, mean hips at (0.5, 0.75), orthographic.
    """
    positions, rotations = forward_kinematics(motion.rotations, motion.root)
    face = positions[:, 15:16] + np.einsum("tij,kj->tki", rotations[:, 15], FACE)
    points = np.concatenate([face, positions[:, COCO_JOINTS]], axis=1)
    scale = 0.2 / max(1e-6, float(np.abs(points[:, 5, 0] - points[:, 6, 0]).mean()))
    hips = points[:, 11:].mean((0, 1))
    x = 0.5 + (points[..., 0] - hips[0]) * scale
    y = 0.75 - (points[..., 2] - hips[2]) * scale
    return np.stack([x, y], axis=-1).astype(np.float32)


def motion_vector(motion, representation):
    """(T, C) float32 of a `Motion`: keypoints13 (26), smpl24 (root xyz, 6D of `MOVING`) or smpl24_feet (and the
    feet)."""
    if representation == "keypoints13":
        return keypoints13(motion).reshape(len(motion), -1)
    sixd = matrix_to_6d(motion.rotations[:, list(MOVING)]).reshape(len(motion), -1)
    columns = [motion.root, sixd]
    if representation == "smpl24_feet":
        columns.append(feet_of(motion).reshape(len(motion), -1))
    return np.concatenate(columns, axis=1).astype(np.float32)


def body_from_vector(vector, pose):
    """smpl24 or smpl24_feet vectors (T, C) -> a `Motion` whose legs are still those of `pose` (147,)."""
    vector = np.asarray(vector, dtype=np.float32)
    sixd = np.tile(np.asarray(pose, dtype=np.float32)[3:].reshape(1, 24, 6), (len(vector), 1, 1))
    sixd[:, list(MOVING)] = vector[:, 3:3 + 6 * len(MOVING)].reshape(len(vector), len(MOVING), 6)
    return Motion(sixd_to_matrix(sixd), vector[:, :3].copy())


def motion_from_vector(vector, pose):
    """smpl24 vectors (T, 99) -> a standing `Motion`; `pose` (147,) gives the joints that are not modelled."""
    return stand(body_from_vector(vector, pose), pose)


def stand(motion, pose):
    """Legs by two-bone IK so that ankles and feet stay where `pose` (147,) puts them, knees to the front.

    A pelvis out of the legs' reach is pulled back into it first, so the feet never leave the floor.
    """
    rest = Motion.from_vector(np.asarray(pose, dtype=np.float32)[None])
    places, frames = forward_kinematics(rest.rotations, rest.root)
    rotations, root = motion.rotations.copy(), motion.root.copy()
    pelvis = rotations[:, 0]
    for _ in range(4):                                                 # alternating projections onto both legs' reach
        for hip, knee, ankle in LEGS:
            away = root + pelvis @ OFFSETS[hip] - places[0, ankle]
            distance = np.linalg.norm(away, axis=-1, keepdims=True)
            reach = 0.999 * (np.linalg.norm(OFFSETS[knee]) + np.linalg.norm(OFFSETS[ankle]))
            root += away / np.maximum(distance, 1e-6) * np.minimum(0.0, reach - distance)
    for hip, knee, ankle in LEGS:
        pole = frames[0, hip] @ np.array([0.0, 0.0, 1.0]) * np.ones_like(root)     # the way this knee points at rest
        target = np.broadcast_to(places[0, ankle], root.shape)
        upper, lower, _ = two_bone(root + pelvis @ OFFSETS[hip], target, pole, OFFSETS[knee], OFFSETS[ankle], (1, 0, 0),
                                   closest=0.28, farthest=0.9995)
        rotations[:, hip] = pelvis.transpose(0, 2, 1) @ upper
        rotations[:, knee] = upper.transpose(0, 2, 1) @ lower
        rotations[:, ankle] = lower.transpose(0, 2, 1) @ frames[0, ankle]
    return Motion(rotations.astype(np.float32), root.astype(np.float32), motion.fps)
