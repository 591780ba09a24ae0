"""Half precision by what a device can: bf16 from Ampere on, fp16 before, float32 where neither is fast."""
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from core.pipelines import device as devices  # noqa: E402
from models.layers import precision  # noqa: E402


@pytest.mark.parametrize("capability, wanted", [
    ((9, 0), torch.bfloat16), ((8, 9), torch.bfloat16), ((8, 0), torch.bfloat16), ((7, 5), torch.float16),
    ((7, 0), torch.float16), ((6, 1), None)])
def test_a_card_is_given_what_it_multiplies_fast(monkeypatch, capability, wanted):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: capability)
    assert precision.half(torch.device("cuda")) is wanted
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.LayerNorm(2))
    precision.native_weights(network, torch.device("cuda"))
    assert network[0].weight.dtype == (wanted or torch.float32) and network[1].weight.dtype == torch.float32


def test_the_same_numbers_come_out_of_weights_kept_in_half_precision(monkeypatch):
    """Of FiLM too, whose biases are added to before they are rounded: they stay as they are."""
    from models.layers import FiLM
    monkeypatch.setattr(precision, "half", lambda device: torch.bfloat16)
    torch.manual_seed(0)
    film, x, condition = FiLM(16, 24), torch.randn(2, 5, 24), torch.randn(2, 5, 16)
    torch.nn.init.normal_(film.project[1].weight)
    torch.nn.init.normal_(film.project[1].bias)
    with torch.no_grad(), precision.native_autocast(torch.device("cpu")):
        before = film(x, condition)
        precision.native_weights(film, torch.device("cpu"), biases=False)
        assert torch.equal(film(x, condition), before)
    assert film.project[1].weight.dtype == torch.bfloat16 and film.project[1].bias.dtype == torch.float32


def test_other_devices_stay_in_float32():
    assert precision.half(torch.device("mps")) is None
    assert precision.half(torch.device("cpu")) in (None, torch.bfloat16)


def test_tf32_is_for_cards_alone():
    before = torch.get_float32_matmul_precision()
    try:
        devices.prepare("cpu")
        assert torch.get_float32_matmul_precision() == before
        devices.prepare("cuda:0")
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision(before)


def test_real_sound_goes_through_a_vae_kept_in_half_precision(monkeypatch):
    """The evaluation's ceiling rows use the networks of the pipeline, whose weights are half where that is fast."""
    from models.lab.evaluation.music_ldm.rows import through
    from tests.models.test_unchanged import music_model, noise
    monkeypatch.setattr(precision, "half", lambda device: torch.bfloat16)
    found = np.asarray(through(music_model(), noise(3, 3.0), True))
    assert found.shape[0] == 2 and found.shape[1] > 2.8 * 48_000 and np.isfinite(found).all()
