"""Beats of a body or of music, found by the trained networks: what the pipelines and the command line call."""
import numpy as np

from core import checkpoints
from core.beat_decoder import decode
from core.errors import BadInput
from models.rhythm.config import BODY_FPS, MUSIC_FPS, RhythmConfig

CHUNK = 6000                    # frames given to a network at once; memory stays flat for any length


def detect_body_beats(motion, *, bpm=None, metre=None, beats=None, level="normal", start=0.0, folders=None):
    """`Beats` of a `core.motion.Motion`, in seconds; frame 0 is the instant `start`.

    bpm, metre, beats, level: what the user fixes, see `core.beat_decoder.decode`. folders: extra checkpoint folders.
    Raises BadInput on an unusable motion, NoCheckpoint without weights.
    """
    return decode(activations_body(motion, folders), BODY_FPS, bpm=bpm, metre=metre, beats=beats, level=level,
                  start=start)


def detect_music_beats(samples, rate, *, bpm=None, metre=None, beats=None, level="normal", start=0.0, folders=None):
    """`Beats` of sound, in seconds; samples (N,), (C, N) or (N, C) at `rate` Hz; options as `detect_body_beats`."""
    return decode(activations_music(samples, rate, folders), MUSIC_FPS, bpm=bpm, metre=metre, beats=beats, level=level,
                  start=start)


def activations_body(motion, folders=None):
    """(T, 4) float32 at 30 fps: probabilities of beat and downbeat, phase cos and sin; for `decode` and for drawing."""
    import torch

    from models.rhythm.features import body_features
    if len(motion) < 2:
        raise BadInput("The motion has fewer than two frames, too few to find a beat; choose a longer range.")
    if not (np.isfinite(motion.rotations).all() and np.isfinite(motion.root).all()):
        raise BadInput("The motion holds NaN or infinite values; repair its keys and try again.")
    motion = motion.resampled(BODY_FPS)
    features = body_features(torch.from_numpy(np.ascontiguousarray(motion.rotations, dtype=np.float32)),
                             torch.from_numpy(np.ascontiguousarray(motion.root, dtype=np.float32)))
    return run_network(load_network("body", folders), features)


def activations_music(samples, rate, folders=None):
    """(T, 4) float32 at 50 fps, as `activations_body`."""
    import torch

    from models.rhythm.features import log_mel
    samples = np.asarray(samples)
    if samples.size == 0 or samples.ndim > 2:
        raise BadInput(f"The sound has no samples to find beats in (shape {samples.shape}).")
    if samples.dtype.kind == "f" and not np.isfinite(samples).all():
        raise BadInput("The sound holds NaN or infinite samples; decode the file again.")
    return run_network(load_network("music", folders), torch.from_numpy(log_mel(samples, rate)))


def run_network(network, features):
    """Activations (T, 4) of features (T, C), in chunks that overlap by the network's reach, so that no seam shows."""
    import torch

    from models.rhythm.network import activations
    pieces, reach, total = [], network.reach, len(features)
    with torch.inference_mode():
        for first in range(0, total, CHUNK):
            low, high = max(0, first - reach), min(total, first + CHUNK + reach)
            output = network(features[None, low:high])[0, first - low: first - low + CHUNK]
            pieces.append(activations(output).numpy())
    return np.concatenate(pieces)


_networks = {}                  # sha256 -> network, kept in memory


def load_network(part, folders=None):
    """The trained `BeatNetwork` of "body" or "music", on the CPU (faster there than a transfer), kept in memory."""
    from models.rhythm.network import BeatNetwork
    checkpoint = checkpoints.find("rhythm", part, folders)
    if checkpoint.sha256 not in _networks:
        network = BeatNetwork(RhythmConfig(**checkpoint.config))
        network.load_state_dict(checkpoints.load_state(checkpoint))
        _networks[checkpoint.sha256] = network.eval()
    return _networks[checkpoint.sha256]
