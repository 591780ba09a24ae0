"""Fixtures of the core tests."""
import pytest


@pytest.fixture(scope="session")
def tiny_checkpoints(tmp_path_factory):
    """A folder of tiny checkpoints of every released part, listed in its index."""
    import torch
    from tiny import save_all
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("checkpoints")
    save_all(folder)
    return folder
