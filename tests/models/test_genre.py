"""Genre classifiers: trained -> saved -> loaded -> judging, on shards written here."""
import numpy as np
import pytest
import torch

from core.body.motion import rest_motion
from core.body.rotations import axis_angle_to_matrix
from core.contract import GENRES
from models.genre.features import audio_features
from models.genre.judge import GenreJudge, genre_report
from models.genre.train import task
from models.training.export import export
from models.training.loop import train
from models.training.shards import pack_motion, write_shard


def clip(genre, seed, rate=48_000, seconds=4.0):
    """Two genres apart in timbre and in arm movement."""
    t, rng = np.arange(int(rate * seconds)) / rate, np.random.default_rng(seed)
    tone = 0.3 * np.sin(2 * np.pi * (220 if genre == 0 else 2500) * t) + 0.01 * rng.normal(size=len(t))
    motion = rest_motion(int(seconds * 30))
    swing = (0.9 if genre == 0 else 0.1) * np.sin(np.arange(len(motion)) / 4 + seed)
    rotations = motion.rotations.copy()
    rotations[:, 16] = axis_angle_to_matrix(np.stack([swing * 0, swing * 0, swing], -1))
    return tone, type(motion)(rotations, motion.root)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    for split, count in (("train", 8), ("valid", 4)):
        items = []
        for seed in range(count):
            tone, motion = clip(seed % 2, seed)
            meta = {"id": f"{split}{seed}", "split": split, "kind": "dance", "seed": seed, "genre": GENRES[seed % 2],
                    "source": "studio"}
            audio = np.stack([np.round(tone * 32767).astype(np.int16)] * 2, 1)
            items.append((meta, {"audio": audio, **pack_motion(motion)}))
        write_shard(folder / f"{split}.safetensors", items)
    return folder


@pytest.mark.parametrize("part", ["audio", "motion"])
def test_trained_saved_loaded_judging(part, corpus, tmp_path):
    torch.manual_seed(0)
    torch.set_num_threads(1)
    train(task(part, "tiny"), tmp_path / "run", corpus, tmp_path / "cache", system="genre", part=part,
          config_name="tiny", steps=150, validations=1, report=lambda text: None)
    export(tmp_path / "run", f"genre-{part}", tmp_path / "checkpoints")
    judge = GenreJudge(part, [tmp_path / "checkpoints"])
    found = []
    for seed in (101, 102, 103, 104):
        tone, motion = clip(seed % 2, seed)
        found.append(judge(tone, 48_000) if part == "audio" else judge(motion))
    report = genre_report(found, [GENRES[s % 2] for s in (101, 102, 103, 104)])
    assert report["accuracy"] == 1.0 and report["genre_kld_own"] < 1.5


def test_the_judge_hears_what_it_was_trained_on():
    """Its weights were trained on librosa's log-mel, 64 bands from 30 Hz to 11 kHz."""
    import librosa
    tone, _ = clip(0, 1)
    mel = librosa.feature.melspectrogram(y=tone.astype(np.float32), sr=48_000, n_fft=4096, hop_length=2048, n_mels=64,
                                         fmin=30, fmax=11_000)
    log = np.log(mel + 1e-7 * mel.max()).T
    assert np.abs(audio_features(tone) - (log - log.mean()) / 2).max() < 1e-4


def test_report_of_a_blind_judge_is_at_chance():
    report = genre_report(np.full((20, 10), 0.1), GENRES * 2)
    assert report["accuracy"] <= 0.1 and report["genre_kld_own"] > 1.5
