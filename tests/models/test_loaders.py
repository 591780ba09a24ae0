"""Loaders of public corpora, each on small files written here, read back as any corpus."""
import pickle

import numpy as np
import pytest
import soundfile

from core.body.rotations import ROOT_TO_BLENDER, geodesic, matrix_to_axis_angle
from core.errors import BadInput
from core.motion_files import write_bvh, write_npz
from models.lab.loaders import Options, import_corpus
from models.lab.loaders.__main__ import main
from models.lab.loaders.common import genre_of, split_of_name
from models.training.shards import Corpus, unpack_motion
from tests.core.rigs import stepping

DANCE = stepping(seconds=4.0)[0]


def clicks(path, bpm, first=0.0, seconds=5.0, rate=22_050):
    """A sound with a short burst on every beat."""
    sound = np.random.default_rng(0).normal(0, 1e-3, int(seconds * rate))
    burst = np.sin(2 * np.pi * 900 * np.arange(600) / rate) * np.exp(-np.arange(600) / 120)
    for time in np.arange(first, seconds - 0.05, 60 / bpm):
        at = int(time * rate)
        sound[at:at + 600] += burst
    soundfile.write(path, sound * 0.5, rate)


def aist_pickle(path):
    rotations = DANCE.resampled(60).rotations
    rotations[:, 0] = ROOT_TO_BLENDER.T @ rotations[:, 0]
    data = {"smpl_poses": matrix_to_axis_angle(rotations).reshape(len(rotations), 72),
            "smpl_trans": (DANCE.resampled(60).root @ ROOT_TO_BLENDER) * 90.0, "smpl_scaling": np.array([90.0]),
            "smpl_loss": 0.1}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(data, protocol=4))


@pytest.fixture
def aist(tmp_path):
    folder = tmp_path / "aist"
    names = ["gBR_sBM_cAll_d04_mBR2_ch01", "gHO_sFM_cAll_d20_mHO1_ch11", "gPO_sBM_cAll_d10_mPO0_ch02",
             "gKR_sBM_cAll_d28_mKR0_ch09"]
    for name in names:
        aist_pickle(folder / "motions" / f"{name}.pkl")
    (folder / "splits").mkdir()
    for split, name in zip(("train", "val", "test"), names):
        (folder / "splits" / f"crossmodal_{split}.txt").write_text(f"{name}\ngBR_sBM_cAll_d99_mBR0_ch01\n")
    (folder / "music").mkdir()
    clicks(folder / "music" / "mBR2.wav", 100, first=0.2)
    return folder


def test_aistpp_with_official_splits(aist, tmp_path):
    report = import_corpus("aistpp", aist, tmp_path / "out", progress=False)
    assert report["items"] == 3 and not report["skipped"]
    train = Corpus(tmp_path / "out", split="train", kind="dance")
    meta = train.meta(0)
    assert meta["id"] == "aistpp/gBR_sBM_cAll_d04_mBR2_ch01" and meta["genre"] == "break" and meta["bpm"] == 100
    assert meta["beat_confidence"] == 0.9 and meta["source"] == "aistpp"
    beats = train.array(0, "beats")
    assert np.abs(beats[:, 0] - (0.2 + 0.6 * np.arange(len(beats)))).max() < 0.03
    assert beats[:5, 1].tolist() == [1, 2, 3, 4, 1] and beats[-1, 0] < meta["duration"]
    audio = train.array(0, "audio")
    motion = unpack_motion(train.array(0, "motion_rot6d"), train.array(0, "motion_root"))
    assert audio.dtype == np.int16 and audio.shape == (4 * 48_000, 2) and len(motion) == 120
    assert np.degrees(geodesic(motion.rotations[:119], DANCE.rotations[:119])).max() < 0.3
    valid = Corpus(tmp_path / "out", split="valid")
    assert valid.meta(0)["bpm"] == 115 and valid.meta(0)["genre"] == "house" and "audio" not in valid.names(0)
    assert Corpus(tmp_path / "out", split="test").meta(0)["id"].startswith("aistpp/gPO")


def test_aistpp_without_lists_splits_by_music(aist, tmp_path):
    for file in (aist / "splits").iterdir():
        file.unlink()
    (aist / "ignore_list.txt").write_text("gHO_sFM_cAll_d20_mHO1_ch11\n")
    import_corpus("aistpp", aist, tmp_path / "out", progress=False)
    ids = {item[2]["id"]: item[2]["split"] for item in Corpus(tmp_path / "out").items}
    assert len(ids) == 3 and not any("mHO1" in name for name in ids)
    assert ids["aistpp/gBR_sBM_cAll_d04_mBR2_ch01"] == split_of_name("mBR2")


def test_amass_and_bvh(tmp_path):
    folder = tmp_path / "mocap"
    for performer in ("a", "b"):
        (folder / performer).mkdir(parents=True)
        write_npz(folder / performer / "walk_poses.npz", DANCE)
        write_bvh(folder / performer / "walk.bvh.gz", DANCE)
    np.savez(folder / "a" / "shape.npz", betas=np.zeros(10))
    for kind in ("amass", "bvh"):
        report = import_corpus(kind, folder, tmp_path / kind, progress=False)
        assert report["items"] == 2 and report["seconds"] == pytest.approx(8, abs=0.1)
        corpus = Corpus(tmp_path / kind)
        assert corpus.meta(0)["source"] == kind and corpus.array(0, "beats").shape == (0, 2)
        motion = unpack_motion(corpus.array(0, "motion_rot6d"), corpus.array(0, "motion_root"))
        assert np.degrees(geodesic(motion.rotations, DANCE.rotations)).max() < 0.3


def test_conductor_motion(tmp_path):
    rng = np.random.default_rng(0)
    for split in ("train", "val", "test"):
        place = tmp_path / "cm" / split / "0001"
        place.mkdir(parents=True)
        np.save(place / "mel.npy", rng.random((540, 128)))
        np.save(place / "motion.npy", rng.random((180, 13, 2)))
    bad = tmp_path / "cm" / "train" / "0002"
    bad.mkdir()
    np.save(bad / "mel.npy", rng.random((540, 80)))
    np.save(bad / "motion.npy", rng.random((180, 13, 2)))
    report = import_corpus("cm100", tmp_path / "cm", tmp_path / "out", progress=False)
    assert report["items"] == 3 and len(report["skipped"]) == 1 and "(540, 80)" in report["skipped"][0]
    corpus = Corpus(tmp_path / "out", split="valid", kind="conducting")
    assert corpus.array(0, "mel").shape == (540, 128) and corpus.array(0, "keypoints13").shape == (180, 13, 2)
    assert corpus.meta(0)["duration"] == 6


def test_paired(tmp_path):
    folder = tmp_path / "mine"
    (folder / "House").mkdir(parents=True)
    write_bvh(folder / "House" / "one.bvh", DANCE)
    clicks(folder / "House" / "one.wav", 120, seconds=3.5)
    (folder / "House" / "one.beats.txt").write_text("".join(f"{0.5 * k} {k % 4 + 1}\n" for k in range(1, 12)))
    write_npz(folder / "two.npz", DANCE)
    clicks(folder / "two.wav", 120, first=0.1)
    write_npz(folder / "alone.npz", DANCE)
    report = import_corpus("paired", folder, tmp_path / "out", progress=False)
    assert report["items"] == 2
    items = {corpus_item[2]["id"]: number for number, corpus_item in enumerate(Corpus(tmp_path / "out").items)}
    corpus, one, two = Corpus(tmp_path / "out"), items["paired/House/one.bvh"], items["paired/two.npz"]
    assert corpus.meta(one)["genre"] == "house" and corpus.meta(one)["beat_confidence"] == 1.0
    assert corpus.meta(one)["duration"] == 3.5 and len(corpus.array(one, "motion_root")) == 105
    assert corpus.array(one, "beats")[:, 0].tolist() == [0.5, 1, 1.5, 2, 2.5, 3]
    assert corpus.meta(two)["beat_confidence"] == 0.4 and set(corpus.array(two, "beats")[:, 1]) == {0}


def test_conversion_resumes(tmp_path, monkeypatch):
    folder = tmp_path / "mocap"
    folder.mkdir()
    write_bvh(folder / "a.bvh", DANCE)
    first = import_corpus("bvh", folder, tmp_path / "out", progress=False)
    monkeypatch.setattr("models.lab.loaders.clips._read", lambda *args: pytest.fail("read again"))
    assert import_corpus("bvh", folder, tmp_path / "out", progress=False) == first


def test_errors_are_told(tmp_path, capsys):
    with pytest.raises(BadInput, match="no loader"):
        import_corpus("youtube", tmp_path, tmp_path / "out")
    for kind in ("aistpp", "amass", "bvh", "cm100", "paired"):
        with pytest.raises(BadInput, match="lies under"):
            import_corpus(kind, tmp_path, tmp_path / "out")
    (tmp_path / "a.bvh").write_text("nothing")
    with pytest.raises(BadInput, match="No clip.*could be used"):
        import_corpus("bvh", tmp_path, tmp_path / "out", Options(), progress=False)
    assert main([f"bvh:{tmp_path}", "--out", str(tmp_path / "out")]) == 2
    assert "could be used" in capsys.readouterr().err


def test_splits_and_genres():
    shares = [split_of_name(f"song {number}") for number in range(2000)]
    assert 0.77 < shares.count("train") / 2000 < 0.83 and 0.08 < shares.count("test") / 2000 < 0.12
    assert genre_of("gMH") == genre_of("Middle Hip-Hop") == "middle-hip-hop" and genre_of("takes") is None
