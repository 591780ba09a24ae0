"""Checkpoint files, their index, and the sentences a wrong one is refused with."""
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core import checkpoints
from core.errors import NoCheckpoint

REPO = Path(__file__).resolve().parents[2]


def write(folder, dtype="float16", name="toy", scale=1.0):
    rng = np.random.default_rng(0)
    state = {"weight": (scale * rng.normal(size=(128, 64))).astype(np.float32),
             "bias": rng.normal(size=128).astype(np.float32), "steps": np.array(7)}
    made = checkpoints.save(folder, name=name, system="toy", part="net", config={"width": 16}, state_dict=state,
                            card_text="# Toy\n", licence="GPL-3.0-or-later", extra={"score": 0.5}, dtype=dtype)
    return state, made


def edit_header(path, **changes):
    from safetensors.numpy import load_file, save_file
    header = checkpoints.read_header(path)
    save_file(load_file(path), path, metadata={**header, **changes})


@pytest.mark.parametrize("dtype, tolerance", [("float16", 1e-3), ("bfloat16", 8e-3), ("float32", 0)])
def test_round_trip_gives_float32_back(tmp_path, dtype, tolerance):
    state, made = write(tmp_path, dtype)
    found = checkpoints.find("toy", "net", tmp_path)
    assert found == made and found.listed and found.config == {"width": 16} and found.extra == {"score": 0.5}
    loaded = checkpoints.load_state(found)
    assert str(loaded["weight"].dtype) == "torch.float32" and int(loaded["steps"]) == 7
    np.testing.assert_allclose(loaded["weight"].numpy(), state["weight"], rtol=tolerance, atol=1e-6)
    np.testing.assert_array_equal(loaded["bias"].numpy(), state["bias"])       # small tensors keep full precision
    assert (tmp_path / "toy.md").read_text() == "# Toy\n" and not list(tmp_path.glob("*.part"))
    entry, = json.loads((tmp_path / "index.json").read_text())["entries"]
    assert set(entry) == {"name", "system", "part", "file", "sha256", "bytes", "licence", "representation_version",
                          "card"}


def test_values_beyond_float16_stay_float32(tmp_path):
    state, made = write(tmp_path, scale=1e6)
    np.testing.assert_array_equal(checkpoints.load_state(made)["weight"].numpy(), state["weight"])


def test_saving_again_replaces_the_entry(tmp_path):
    write(tmp_path)
    write(tmp_path, scale=2.0)
    write(tmp_path, name="other")
    assert [e["name"] for e in json.loads((tmp_path / "index.json").read_text())["entries"]] == ["other", "toy"]


def test_changed_file_is_refused(tmp_path):
    _, made = write(tmp_path)
    data = bytearray(made.path.read_bytes())
    data[-1] ^= 1
    made.path.write_bytes(data)
    with pytest.raises(NoCheckpoint, match="differs from its sha256"):
        checkpoints.find("toy", "net", tmp_path)
    row, = [row for row in checkpoints.listing(tmp_path) if row["name"] == "toy"]
    assert "sha256" in row["problem"]


def test_other_representation_is_refused(tmp_path):
    _, made = write(tmp_path)
    edit_header(made.path, representation_version="999")
    (tmp_path / "index.json").unlink()
    with pytest.raises(NoCheckpoint, match="representation 999"):
        checkpoints.find("toy", "net", tmp_path, warn=lambda sentence: None)


def test_unlisted_file_loads_with_a_warning(tmp_path):
    write(tmp_path)
    (tmp_path / "index.json").unlink()
    heard = []
    found = checkpoints.find("toy", "net", [tmp_path], warn=heard.append)
    assert not found.listed and len(heard) == 1 and "not in the index" in heard[0]
    with pytest.warns(UserWarning, match="not in the index"):
        checkpoints.find("toy", "net", tmp_path)


def test_unlisted_file_in_the_shipped_folder_does_not_count(tmp_path, monkeypatch):
    write(tmp_path)
    (tmp_path / "index.json").unlink()
    monkeypatch.setattr(checkpoints, "FOLDER", tmp_path)
    with pytest.raises(NoCheckpoint):
        checkpoints.find("toy", "net")


def test_missing_is_one_sentence_with_a_remedy(tmp_path):
    with pytest.raises(NoCheckpoint, match="--checkpoints") as caught:
        checkpoints.find("nothing", "net", tmp_path)
    assert caught.value.exit_code == 3 and "\n" not in str(caught.value)
    assert checkpoints.find("nothing", "net", tmp_path, required=False) is None
    with pytest.raises(NoCheckpoint, match="does not exist"):
        checkpoints.find("toy", "net", tmp_path / "absent")


def test_damaged_index_and_listed_but_absent_file(tmp_path):
    _, made = write(tmp_path)
    made.path.unlink()
    with pytest.raises(NoCheckpoint, match="not on disk"):
        checkpoints.find("toy", "net", tmp_path)
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(NoCheckpoint, match="cannot be read"):
        checkpoints.find("toy", "net", tmp_path)


@pytest.mark.parametrize("name", ["../toy.safetensors", "/etc/passwd", "sub/x.safetensors", "..\\\\x.safetensors", 7])
def test_an_index_leads_nowhere_else(tmp_path, name):
    write(tmp_path / "inside")
    index = tmp_path / "inside" / "index.json"
    text = index.read_text().replace('"toy.safetensors"', f'"{name}"' if isinstance(name, str) else "7")
    (tmp_path / "toy.safetensors").write_bytes((tmp_path / "inside" / "toy.safetensors").read_bytes())
    index.write_text(text)
    with pytest.raises(NoCheckpoint, match="does not lie in its folder|damaged"):
        checkpoints.find("toy", "net", tmp_path / "inside")


def test_a_file_that_changes_is_hashed_again(tmp_path):
    _, made = write(tmp_path)
    assert checkpoints.find("toy", "net", tmp_path).sha256 == made.sha256
    status, data = made.path.stat(), bytearray(made.path.read_bytes())
    data[-1] ^= 1
    made.path.write_bytes(data)
    os.utime(made.path, ns=(status.st_atime_ns, status.st_mtime_ns))         # as if nothing had happened
    with pytest.raises(NoCheckpoint, match="differs from its sha256"):
        checkpoints.find("toy", "net", tmp_path)


def test_a_file_that_is_replaced_while_it_is_loaded(tmp_path, monkeypatch):
    """Between the look at its hash and the reading another release is put there; and what was loaded before stays."""
    import safetensors.torch
    _, made = write(tmp_path, "float32")
    before = checkpoints.load_state(made)
    kept = {key: tensor.clone() for key, tensor in before.items()}
    other = tmp_path / "other"
    write(other, "float32", scale=2.0)
    load = safetensors.torch.load_file
    monkeypatch.setattr(safetensors.torch, "load_file", lambda path: (os.replace(other / made.path.name, path),
                                                                       load(path))[1])
    with pytest.raises(NoCheckpoint, match="replaced while it was loaded"):
        checkpoints.load_state(made)
    made.path.write_bytes(bytes(made.path.stat().st_size))
    assert all((before[key] == tensor).all() for key, tensor in kept.items())


def test_a_damaged_unlisted_file_is_said(tmp_path):
    shipped = json.loads((checkpoints.FOLDER / "index.json").read_text())["entries"][0]
    what, heard = (shipped["system"], shipped["part"]), []
    (tmp_path / "mine.safetensors").write_bytes(b"x" * 100)
    assert checkpoints.find(*what, tmp_path, warn=heard.append).listed and "mine.safetensors" in heard[0]
    (tmp_path / shipped["file"]).write_bytes(b"x" * 100)
    with pytest.raises(NoCheckpoint, match="is damaged or none"):
        checkpoints.find(*what, tmp_path, warn=heard.append)


def test_non_finite_weights_are_not_released(tmp_path):
    with pytest.raises(ValueError, match="not finite"):
        write(tmp_path, scale=np.nan)
    assert not list(tmp_path.iterdir())


def test_import_needs_no_torch():
    code = "import sys, core.checkpoints; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPO).returncode == 0
