"""Flat corpora and packs: rows come back, studio motion is performed again, passages are cut again, resident training
learns."""
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from core.audio.frames import FRAME_HZ, from_bytes, log_mel_rows, to_bytes  # noqa: E402
from core.errors import BadInput  # noqa: E402
from core.squeeze import expand, squeeze  # noqa: E402
from models.lab.packs.flat import pack, passage_arrays, unpack  # noqa: E402
from models.lab.studio.build import item_plan  # noqa: E402
from models.lab.studio.dancer import dance  # noqa: E402
from models.training.flat import Flat, FlatWriter, join  # noqa: E402
from models.training.shards import pack_motion  # noqa: E402


def test_mel_rows_are_at_the_frames_of_motion():
    wave = np.zeros(22_050, np.float32)
    wave[735 * 10] = 1.0                                     # a click at frame 10, 1/3 s
    rows = log_mel_rows(wave)
    assert rows.shape == (FRAME_HZ + 1, 64) and rows.mean(1).argmax() == 10
    assert np.abs(from_bytes(to_bytes(rows)) - np.clip(rows, None, 2.0)).max() < 0.05


@pytest.mark.parametrize("dtype,order", [("uint8", 1), ("int8", 0), ("int16", 2), ("int32", 2), ("float32", 1)])
def test_squeezed_arrays_come_back_exactly(dtype, order):
    rng = np.random.default_rng(0)
    array = (rng.normal(0, 1e4, (50, 7))).astype(dtype)
    assert np.array_equal(expand(squeeze(array, order), array.dtype.str, array.shape, order), array)


def test_log_mels_are_packed_band_by_band(tmp_path):
    rows = (20 + np.random.default_rng(0).integers(-1, 2, (400, 80)).cumsum(0)).astype(np.uint8)
    writer = FlatWriter(tmp_path / "flat")
    writer.scales["logmel"] = {"levels": [1, 8]}
    writer.add({"id": "a", "split": "train", "source": "render"}, {"logmel": rows})
    writer.close()
    assert pack(tmp_path / "flat", tmp_path / "one.pack") < rows.size / 3
    unpack(tmp_path / "one.pack", tmp_path / "back", jobs=1)
    back = Flat(tmp_path / "back")
    assert np.array_equal(back.array("logmel"), rows) and back.scales["logmel"]["levels"] == [1, 8]


def test_a_pack_performs_the_studio_again(tmp_path):
    plan = item_plan("dance", 7, 8.0)
    motion = pack_motion(dance(plan))
    mel = np.random.default_rng(1).integers(0, 127, (241, 64)).astype(np.uint8)
    meta = {"id": "dance-7", "kind": "dance", "split": "train", "seed": 7, "duration": 8.0, "source": "studio",
            "beats": [[0.1, 1], [0.6, 2]]}
    writer = FlatWriter(tmp_path / "flat")
    writer.scales["latent"] = {"mean": [0.0], "scale": [1.0]}
    writer.add(meta, {"mel": mel, "rot6d": motion["motion_rot6d"].reshape(-1, 144), "root": motion["motion_root"]})
    writer.close()
    assert pack(tmp_path / "flat", tmp_path / "one.pack") < 30_000       # no motion in it
    unpack(tmp_path / "one.pack", tmp_path / "back", jobs=1)
    back = Flat(tmp_path / "back", split="train")
    item = back.items[0]
    assert np.array_equal(back.rows(item, "mel"), mel) and item["beats"] == meta["beats"]
    assert back.scales["latent"]["mean"] == [0.0]
    assert np.array_equal(back.rows(item, "rot6d").reshape(-1, 24, 6), motion["motion_rot6d"])
    assert np.allclose(back.rows(item, "root"), motion["motion_root"])
    join([tmp_path / "back", tmp_path / "flat"], tmp_path / "both")
    assert len(Flat(tmp_path / "both")) == 2 and not Flat(tmp_path / "both", split="test").items


def test_passages_of_captured_clips_are_cut_warped_and_mirrored(tmp_path):
    motion = dance(item_plan("dance", 3, 12.0)).resampled(60.0)
    packed = pack_motion(motion)
    writer = FlatWriter(tmp_path / "clips")
    writer.add({"id": "a/1", "kind": "dance", "split": "train", "source": "cmu", "duration": motion.duration,
                "beats": []},
               {"rot6d60": packed["motion_rot6d"].reshape(-1, 144), "root60": packed["motion_root"]})
    writer.close()
    pack(tmp_path / "clips", tmp_path / "clips.pack")
    unpack(tmp_path / "clips.pack", tmp_path / "clips2")
    clips = Flat(tmp_path / "clips2")
    # 0.02 degrees
    assert np.abs(clips.array("rot6d60").astype(int) - packed["motion_rot6d"].reshape(-1, 144)).max() <= 12
    assert np.abs(clips.array("root60") - packed["motion_root"]).max() < 2e-4
    item = {"duration": 4.0, "passage": {"clip": "a/1", "start": 2.0, "warp": 1.1, "mirror": False}}
    arrays = passage_arrays(item, clips)
    assert len(arrays["root"]) == 120 and len(arrays["root60"]) == 240
    frame = int(round((2.0 + 1.0 * 1.1) * 60))               # second 1 of the passage
    assert np.abs(arrays["root"][30] - motion.root[frame]).max() < 2e-3
    mirrored = passage_arrays({**item, "passage": {**item["passage"], "mirror": True}}, clips)
    assert np.allclose(mirrored["root"][:, 0], -arrays["root"][:, 0], atol=1e-5)
    with pytest.raises(BadInput, match="--clips"):
        from models.lab.packs.flat import _clips
        _clips(None)


def test_a_damaged_flat_folder_is_a_sentence(tmp_path):
    with pytest.raises(BadInput, match="not a flat corpus"):
        Flat(tmp_path)
