"""Rebuilding the house changes nothing that is heard or seen: outputs for fixed seeds equal those recorded before.

The networks are tiny and random, with every zero-initialised weight filled in, so that each path of a sampler shows.
The recorded file holds every n-th number. Record again only with a change that is meant to change outputs:
`python tests/models/test_unchanged.py`.
"""
import functools
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

torch = pytest.importorskip("torch")
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from core.audio import Audio  # noqa: E402
from core.body.motion import Motion, rest_motion  # noqa: E402
from core.body.rotations import axis_angle_to_matrix, geodesic  # noqa: E402
from core.rhythm.beats import Beats  # noqa: E402
from models.layers import precision  # noqa: E402

RECORD = HERE / "unchanged.npz"
SECONDS = 9.0
BEATS = Beats(np.arange(0.25, SECONDS, 0.5), np.arange(18) % 4 + 1, 4)
AUDIO_STEP, FRAME_STEP = 401, 9


def filled(network, seed):
    """The network with seeded random weights, none of them zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            spread = 0.05 if parameter.dim() < 2 else 0.5 / parameter[0].numel() ** 0.5
            base = 1.0 if parameter.dim() < 2 and float(parameter.abs().mean()) > 0.5 else 0.0
            parameter.copy_(base + spread * torch.randn(parameter.shape, generator=generator))
    return network


def walk():
    """A motion of SECONDS in which every joint turns."""
    frames = int(SECONDS * 30)
    t = np.arange(frames)[:, None, None] / 30
    phase = np.arange(72).reshape(1, 24, 3)
    rest = rest_motion(frames)
    turn = axis_angle_to_matrix((0.2 * np.sin(2 * np.pi * t + phase)).astype(np.float32))
    root = rest.root + np.stack([0.1 * np.sin(t[:, 0, 0]), 0.05 * t[:, 0, 0], 0 * t[:, 0, 0]], 1).astype(np.float32)
    return Motion(rest.rotations @ turn, root)


def noise(seed, seconds=SECONDS, rate=48_000):
    """Stereo noise, louder on each half second."""
    t = np.arange(int(seconds * rate)) / rate
    return (0.2 * np.random.default_rng(seed).normal(size=(2, len(t))) * np.exp(-8 * (t % 0.5))).astype(np.float32)


def music_model():
    import dataclasses

    from models.music_ldm.config import TINY, VAE_TINY
    from models.music_ldm.network import UNet
    from models.music_ldm.pipeline import MusicLDM
    from models.music_ldm.vae import VAE
    from models.music_ldm.vocoder import Vocoder
    from models.music_ldm.vocoder_train import CONFIGS
    vae = filled(VAE(dataclasses.replace(VAE_TINY, mel_mean=[-5.0] * 256, mel_std=2.0)), 1)
    config = dataclasses.replace(TINY, latent_mean=[0.1] * TINY.latent, latent_std=[0.9] * TINY.latent,
                                 motion_mean=[0.0] * 360, motion_std=[1.0] * 360)
    return MusicLDM(vae, filled(UNet(config), 2), filled(Vocoder(CONFIGS["vocoder"]["tiny"]), 3))


def conductor_model():
    from models.conductor.config import TINY
    from models.conductor.encoder import M2SNet
    from models.conductor.network import Denoiser
    from models.conductor.pipeline import Conductor
    denoiser = filled(Denoiser(TINY), 4)
    denoiser.pose.copy_(torch.from_numpy(rest_motion(1).to_vector()[0])[:len(denoiser.pose)])
    denoiser.std.fill_(0.1)
    return Conductor(TINY, denoiser, filled(M2SNet(TINY.encoder), 5).music)


def music_cases(model):
    """{name: (V, 2, n) every AUDIO_STEP-th sample} of the ways music is made."""
    motion = walk()
    asked = {"plain": dict(genre="house", beats=BEATS, guidance_scale=1.6, variations=2),
             "ddim": dict(beats=BEATS, guidance_scale=2.5, sampler="ddim"),
             "loop": dict(genre="pop", beats=BEATS, guidance_scale=1.0, loop=True),
             "range": dict(beats=BEATS, guidance_scale=1.6, keep=(noise(6), 3.0, 6.0)),
             "like": dict(guidance_scale=1.6, like=Audio(noise(7, 3.0), 48_000))}
    return {f"music {name}": np.stack(model.generate(motion, steps=3, seed=5, **options))[..., ::AUDIO_STEP]
            for name, options in asked.items()}


def conductor_cases(model):
    """{name: (V, n, 24, 3, 3) rotations or (V, n, 3) roots of every FRAME_STEP-th frame}."""
    audio, found = Audio(noise(8), 48_000), {}
    asked = {"plain": dict(guidance_scale=2.0, variations=2), "free": dict(guidance_scale=0.5, left_hand=0.3,
                                                                           amplitude=1.2),
             "range": dict(guidance_scale=2.0, keep=(walk(), [(0.0, 3.0), (6.0, SECONDS)])),
             "mirror": dict(mirror=True)}
    for name, options in asked.items():
        motions = model.generate(audio, steps=3, seed=5, beats=BEATS, metre=4, **options)
        found[f"conductor {name} rotations"] = np.stack([motion.rotations[::FRAME_STEP] for motion in motions])
        found[f"conductor {name} root"] = np.stack([motion.root[::FRAME_STEP] for motion in motions])
    return found


def cases():
    """All of both models, in float32: sums in half precision differ from processor to processor.

    Random arms are half a turn away from the standing pose, where a share of the way has no one direction: their speed
    and height are left as they are, and they are not brought to rest at the end. And the stage for steady tones is left
    out, as it adds small differences up along a tone.
    """
    from models.conductor import pipeline
    from models.music_ldm import pipeline as music
    torch.set_num_threads(1)
    with (mock.patch.object(precision, "half", lambda device: None),
          mock.patch.object(pipeline, "within_speed", lambda motion, *rest: motion),
          mock.patch.object(pipeline, "below_shoulders", lambda motion, *rest: motion),
          mock.patch.object(pipeline, "cut_off", lambda motion, *rest: motion),
          mock.patch.object(music, "vocode", functools.partial(music.vocode, tones=False))):
        return {**music_cases(music_model()), **conductor_cases(conductor_model())}


def test_outputs_equal_those_recorded():
    """Sound to 3e-4 of its peak, as processors that round otherwise differ by 1.2e-4; rotations to 1e-4 rad; places to
    1e-4 m."""
    with np.load(RECORD) as stored:
        recorded = {name: stored[name] for name in stored.files}
    now = cases()
    assert set(now) == set(recorded)
    for name, value in now.items():
        before = recorded[name]
        assert value.shape == before.shape, name
        if name.endswith("rotations"):
            apart = np.linalg.norm(value - before, axis=(-2, -1)) / np.sqrt(2)  # small angles: the angle in radians
            assert np.all(apart < 1e-4) or geodesic(value, before).max() < 1e-4, name
        else:
            scale = 3 * np.abs(before).max() if name.startswith("music") else 1.0
            assert np.abs(value - before).max() < 1e-4 * scale, name
        assert np.ptp(before) > 1e-3, f"{name} says nothing"


def test_the_recorded_file_is_small():
    assert RECORD.stat().st_size < 200_000


if __name__ == "__main__":
    np.savez_compressed(RECORD, **{name: value.astype(np.float32) for name, value in cases().items()})
    print(f"{RECORD}: {RECORD.stat().st_size} bytes")
