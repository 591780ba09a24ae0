"""The feature cache: what is there is kept, other settings and other content are computed anew, nothing half-written is
read."""
import numpy as np
import pytest

from core.errors import BadInput
from models.training.cache import Recipe, fingerprint
from models.training.shards import write_shard


def shard(path, seeds, rows=4):
    write_shard(path, [({"id": f"p{seed}", "kind": "dance", "split": "valid" if seed % 3 == 2 else "train"},
                        {"values": np.random.default_rng(seed).normal(size=(rows, 2)).astype(np.float32)})
                       for seed in seeds])


class Doubled:
    """A recipe's pieces that are counted, so that a test sees what is computed."""

    def __init__(self, factor=2.0):
        self.factor, self.seen = factor, []

    def __call__(self, corpus, indices):
        for index in indices:
            self.seen.append(corpus.meta(index)["id"])
            if corpus.meta(index)["id"] != "p4":                                 # left out
                yield corpus.meta(index), {"doubled": self.factor * corpus.array(index, "values")}

    def recipe(self, version=1):
        return Recipe("toy", self, version, {"factor": self.factor})


@pytest.fixture
def corpus(tmp_path):
    shard(tmp_path / "corpus" / "a.safetensors", range(3))
    shard(tmp_path / "corpus" / "more" / "a.safetensors", range(3, 6))
    return tmp_path / "corpus"


def test_everything_is_computed_once_and_read_back(corpus, tmp_path):
    pieces = Doubled()
    pieces.recipe().prepare(corpus, tmp_path / "cache")
    pieces.recipe().prepare(corpus, tmp_path / "cache")
    assert pieces.seen == [f"p{seed}" for seed in range(6)]
    found = pieces.recipe().open(tmp_path / "cache", "train")
    assert [piece.meta["id"] for piece in found] == ["p0", "p1", "p3"]
    wanted = 2 * np.random.default_rng(3).normal(size=(4, 2)).astype(np.float32)
    assert np.array_equal(found[2].array("doubled"), wanted) and found[2].count("doubled") == 4
    assert np.array_equal(found[2].array("doubled", 1, 3), wanted[1:3]) and found[2].count("none") == 0
    assert isinstance(found[2].array("doubled"), np.memmap)


def test_other_settings_versions_and_content_are_computed_anew(corpus, tmp_path):
    for number, pieces in enumerate((Doubled(), Doubled(3.0))):
        for version in (1, 2):
            pieces.recipe(version).prepare(corpus, tmp_path / "cache")
        assert len(pieces.seen) == 12, number
    again = Doubled()
    shard(corpus / "a.safetensors", [9, 10])                                       # the same name, another corpus
    again.recipe().prepare(corpus, tmp_path / "cache")
    assert again.seen == ["p9", "p10"]
    found = [piece.meta["id"] for piece in again.recipe().open(tmp_path / "cache")]
    assert found == ["p9", "p10", "p3", "p5"], "pieces of the corpus that was replaced are still read"


def test_an_interrupted_shard_is_computed_again(corpus, tmp_path):
    class Stopped(Doubled):
        def __call__(self, corpus, indices):
            for piece in super().__call__(corpus, indices):
                if "p3" in self.seen:
                    raise KeyboardInterrupt
                yield piece

    stopped, pieces = Stopped(), Doubled()
    with pytest.raises(KeyboardInterrupt):
        stopped.recipe().prepare(corpus, tmp_path / "cache")
    with pytest.raises(BadInput, match="prepare them first"):
        pieces.recipe().open(tmp_path / "cache")
    pieces.recipe().prepare(corpus, tmp_path / "cache")
    assert pieces.seen == ["p3", "p4", "p5"], "the first shard was whole"
    assert not list((tmp_path / "cache").rglob("*.part"))


def test_arrays_derived_from_others_are_kept_by_name(corpus, tmp_path):
    pieces, made = Doubled(), []

    def first_rows(piece):
        made.append(piece.meta["id"])
        return piece.array("doubled", 0, 2) + 1

    recipe = pieces.recipe()
    recipe.prepare(corpus, tmp_path / "cache")
    recipe.derive(tmp_path / "cache", "plus-one", first_rows)
    recipe.derive(tmp_path / "cache", "plus-one", first_rows)
    assert made == ["p0", "p1", "p2", "p3", "p5"]
    for piece in recipe.open(tmp_path / "cache", "valid", lambda piece: piece.count("plus-one") == 2):
        assert np.array_equal(piece.array("plus-one", 1), piece.array("doubled", 1, 2) + 1)


def test_sentences_where_nothing_is_left(corpus, tmp_path):
    recipe = Doubled().recipe()
    with pytest.raises(BadInput, match="make the corpus first"):
        recipe.prepare(tmp_path / "none", tmp_path / "cache")
    recipe.prepare(corpus, tmp_path / "cache")
    with pytest.raises(BadInput, match="toy pieces of split test"):
        recipe.open(tmp_path / "cache", "test")


def test_a_fingerprint_sees_a_change_in_the_middle(tmp_path):
    data = bytearray(np.random.default_rng(0).bytes(300_000))
    (tmp_path / "one").write_bytes(data)
    data[160_000] ^= 1
    (tmp_path / "two").write_bytes(data)
    assert fingerprint(tmp_path / "one") != fingerprint(tmp_path / "two")
