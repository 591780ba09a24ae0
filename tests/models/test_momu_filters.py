"""The linear filter beside the ablations: its loss is the closed form of its covariance."""
import numpy as np

from models.diffusion import Schedule
from models.lab.evaluation.momu.filters import filter_losses, standardised, windows

V = Schedule("cosine", "v")


def walks(count, keep, seed):
    """Latents of two channels: noise with memory `keep`, of unit spread."""
    rng, out = np.random.default_rng(seed), []
    for _ in range(count):
        noise, piece = rng.standard_normal((400, 2)), np.zeros((400, 2))
        for row in range(1, 400):
            piece[row] = keep * piece[row - 1] + (1 - keep**2) ** 0.5 * noise[row]
        out.append(piece[50:])
    return out


def test_windows_hold_the_latents_in_their_order():
    piece = np.arange(10.0).reshape(5, 2)
    assert windows([piece, piece[:2]], 3).tolist()[1] == [2, 3, 4, 5, 6, 7]


def test_white_latents_tell_nothing_and_steady_ones_do():
    for keep, width in ((0.0, 3), (0.95, 1)):                # without memory, and alone: v is uncorrelated with x
        loss, zero = filter_losses(*standardised(walks(40, keep, 0), walks(10, keep, 1)), width, V)
        assert abs(loss / zero - 1) < 0.03, (keep, width, loss, zero)
    train, valid = standardised(walks(40, 0.95, 0), walks(10, 0.95, 1))
    losses = [filter_losses(train, valid, width, V)[0] for width in (3, 9)]
    assert losses[1] < losses[0] < 0.85
