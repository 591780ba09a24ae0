"""Public data into the flat corpus that the dancer and MoMu train on, and a few steps of both on it."""
import json

import numpy as np
import pytest

from models.lab.loaders import import_corpus
from models.lab.packs.shards import main
from models.training.flat import Flat
from models.training.loop import main as train_main
from models.training.shards import Corpus
from tests.models.music_fixtures import noise_item
from tests.models.test_loaders import aist  # noqa: F401


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    from models.training.shards import write_shard
    root = tmp_path_factory.mktemp("flat")
    for split in ("train", "valid"):
        write_shard(root / "corpus" / f"{split}.safetensors",
                    [noise_item(10 * (split == "valid") + number, split) for number in range(3)])
    assert main([str(root / "corpus"), str(root / "flat")]) == 0
    return root


def test_what_travels_is_what_the_shards_hold(flat):
    found, corpus = Flat(flat / "flat"), Corpus(flat / "corpus")
    assert [item["id"] for item in found.items] == [corpus.meta(index)["id"] for index in range(6)]
    item = found.items[4]
    assert np.array_equal(found.rows(item, "rot6d"), corpus.array(4, "motion_rot6d").reshape(-1, 144))
    assert np.array_equal(found.rows(item, "root"), corpus.array(4, "motion_root"))
    assert item["arrays"]["latent"][1] == int(12 * 22_050 / 512) // 4 and item["split"] == "valid"
    assert np.allclose([beat[0] for beat in item["beats"]], corpus.array(4, "beats")[:, 0], atol=1e-3)


@pytest.mark.parametrize("system, part", [("dance_cascade", "encoder"), ("momu", "motion_vae")])
def test_systems_train_on_it(flat, tmp_path, system, part):
    assert train_main([system, part, "--config", "tiny", "--corpus", str(flat / "flat"), "--out", str(tmp_path / "run"),
                       "--cache", str(tmp_path / "cache"), "--steps", "2", "--validations", "1", "--device",
                       "cpu"]) == 0
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert all(np.isfinite(value) for row in rows for value in row.values() if isinstance(value, float))


def test_aist_with_its_music_goes_the_same_way_and_without_is_refused(aist, tmp_path, capsys):  # noqa: F811
    import_corpus("aistpp", aist, tmp_path / "corpus", progress=False)
    assert main([str(tmp_path / "corpus"), str(tmp_path / "flat")]) == 0
    item, = Flat(tmp_path / "flat").items               # of three clips one came with its music
    assert item["genre"] == "break" and item["source"] == "aistpp"
    for path in (aist / "music").iterdir():
        path.unlink()
    import_corpus("aistpp", aist, tmp_path / "silent", progress=False)
    assert main([str(tmp_path / "silent"), str(tmp_path / "other")]) == 2
    assert "both sound and a body" in capsys.readouterr().err
