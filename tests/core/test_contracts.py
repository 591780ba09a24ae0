"""Sections 1 to 3 and the shared lists of docs/contracts.md."""
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from core import contract, errors
from core.body.rotations import geodesic
from core.contract import JOINTS, PARENTS, SKELETON
from core.errors import BadInput
from models.training.shards import (
    Corpus,
    pack_audio,
    pack_motion,
    read_header,
    unpack_audio,
    unpack_motion,
    write_shard,
)
from tests.core.rigs import stepping

ROOT = Path(__file__).resolve().parents[2]


def test_representation_is_that_of_the_document():
    assert SKELETON["representation_version"] == 1 and SKELETON["fps"] == 30
    assert JOINTS[:4] == ["pelvis", "left_hip", "right_hip", "spine1"] and len(JOINTS) == 24
    assert PARENTS == [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21]
    assert len(SKELETON["offsets_m"]) == 24 and SKELETON["hip_height_m"] == 0.95


def test_joints_are_smplx_names_but_for_the_hands():
    names = pytest.importorskip("smplx.joint_names").JOINT_NAMES
    assert names[:22] == JOINTS[:22]


def test_genres_and_errors():
    genres = contract.load("genres")
    assert [genre["slug"] for genre in genres] == ["break", "pop", "lock", "middle-hip-hop", "la-hip-hop", "house",
                                                   "waack", "krump", "street-jazz", "ballet-jazz"]
    assert all(genre["bpm"] == ([110, 135] if genre["slug"] == "house" else [80, 130]) for genre in genres)
    exits = {name: data["exit"] for name, data in contract.load("errors").items()}
    kinds = [value for value in vars(errors).values() if isinstance(value, type)
             and issubclass(value, errors.BatonError)]
    assert {kind.code for kind in kinds} <= set(exits)
    assert errors.BadInput("x").exit_code == 2 and errors.NoCheckpoint("x").exit_code == 3
    assert errors.Cancelled().exit_code == 130


def test_every_json_of_the_contract_is_valid():
    for path in (ROOT / "core" / "contract").rglob("*.json"):
        json.loads(path.read_text(encoding="utf-8"))


def test_metres_stand_once():
    """What the panel offers is what networks can name."""
    offered = [item["value"] for item in contract.load("settings")["metre"]["items"] if item["id"] != "auto"]
    assert tuple(offered) == contract.METRES


@pytest.fixture
def item():
    motion, _ = stepping(seconds=2.0)
    audio = np.random.default_rng(0).integers(-3000, 3000, (9600, 2)).astype(np.int16)
    beats = np.array([[0.5, 1], [1.0, 2]], dtype=np.float32)
    return motion, {"audio": audio, "beats": beats, **pack_motion(motion)}


def test_shard_there_and_back(tmp_path, item):
    motion, arrays = item
    metas = [{"id": f"a{number}", "split": split, "kind": "dance"} for number, split in enumerate(("train", "test"))]
    write_shard(tmp_path / "one.safetensors", [(meta, arrays) for meta in metas])
    assert [path.name for path in tmp_path.iterdir()] == ["one.safetensors"]
    assert read_header(tmp_path / "one.safetensors") == metas
    corpus = Corpus(tmp_path, split="test")
    assert len(corpus) == 1 and corpus.meta(0)["id"] == "a1"
    assert np.array_equal(corpus.array(0, "audio"), arrays["audio"])
    assert np.array_equal(corpus.array(0, "audio", 100, 200), arrays["audio"][100:200])
    assert corpus.names(0) == sorted(arrays)
    back = unpack_motion(corpus.array(0, "motion_rot6d"), corpus.array(0, "motion_root"))
    assert np.degrees(geodesic(back.rotations, motion.rotations)).max() < 0.1
    assert np.array_equal(back.root, motion.root) and corpus.array(0, "motion_rot6d").dtype == np.int16


def test_sound_there_and_back():
    """One scale in both directions: what was written comes back, full scale included, and loud sound is scaled, not
    clipped."""
    samples = np.array([[1.0, -1.0, 0.5, 0.0], [0.25, -0.5, 1.0, -1.0]], dtype=np.float32)
    back = unpack_audio(pack_audio(samples))
    assert back.dtype == np.float32 and back.shape == (2, 4) and pack_audio(samples).shape == (4, 2)
    np.testing.assert_allclose(back, samples, atol=0.5 / 32767)
    assert back.max() == 1.0 and back.min() == -1.0
    np.testing.assert_allclose(unpack_audio(pack_audio(4 * samples)), samples, atol=0.5 / 32767)
    assert unpack_audio(pack_audio(samples)[:, 0]).shape == (4,)


def test_foreign_shards_are_refused(tmp_path):
    (tmp_path / "noise.safetensors").write_bytes(b"nothing")
    with pytest.raises(BadInput, match="not a readable shard"):
        Corpus(tmp_path)
    save_file({"0/x": np.zeros(1)}, str(tmp_path / "noise.safetensors"),
              {"format": "1", "representation_version": "99"})
    with pytest.raises(BadInput, match="representation 99"):
        Corpus(tmp_path)
    with pytest.raises(BadInput, match="make the corpus first"):
        Corpus(tmp_path / "empty")
