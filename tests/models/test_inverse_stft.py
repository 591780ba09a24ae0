"""The inverse STFT: what torch's gives, at every overlap in use, and its gradient."""
import pytest

torch = pytest.importorskip("torch")

from models.layers.inverse_stft import inverse_stft  # noqa: E402


@pytest.mark.parametrize("n_fft, hop, frames", [(2048, 512, 40), (4096, 1024, 9), (256, 128, 300), (2048, 512, 2)])
def test_it_is_torchs(n_fft, hop, frames):
    torch.manual_seed(0)
    window = torch.hann_window(n_fft)
    spectrum = torch.randn(2, n_fft // 2 + 1, frames, dtype=torch.complex64)
    found, true = inverse_stft(spectrum, window, hop), torch.istft(spectrum, n_fft, hop, window=window)
    assert found.shape == true.shape and torch.allclose(found, true, atol=1e-5 * float(true.abs().max()))


def test_sound_comes_back():
    sound, window = torch.randn(3, 30 * 256), torch.hann_window(1024)
    spectrum = torch.stft(sound, 1024, 256, window=window, return_complex=True)
    assert torch.allclose(inverse_stft(spectrum, window, 256), sound, atol=1e-5)


def test_it_can_be_trained_through():
    spectrum, window = torch.randn(1, 33, 6, dtype=torch.complex64), torch.hann_window(64)
    gradients = []
    for way in (lambda z: inverse_stft(z, window, 16), lambda z: torch.istft(z, 64, 16, window=window)):
        z = spectrum.clone().requires_grad_()
        way(z).square().sum().backward()
        gradients.append(z.grad)
    assert torch.allclose(*gradients, atol=1e-5)
