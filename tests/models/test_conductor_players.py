"""Who plays: where the studio's players sit, what the conductor is told of it, and hearing it."""
import dataclasses

import numpy as np
import pytest
import torch
from conductor_fixtures import conducted_noise

from core.audio import Audio
from core.errors import BadInput
from models.conductor.config import TINY_FEET
from models.conductor.device_data import DevicePlayers, DeviceWindows
from models.conductor.encoder import MusicEncoder
from models.conductor.features import condition_frames, side_frames
from models.conductor.focus import CUE, LEAD, on_clock, packed, unpacked
from models.conductor.network import Denoiser
from models.conductor.performed import perform_corpus
from models.conductor.performed_music import music_features, row_statistics
from models.conductor.pipeline import Conductor
from models.conductor.players import PLAYERS, Players, load_players, who_plays
from models.lab.evaluation.conductor.turning import Case, agreement, conduct_cases, recorded_case, turned
from models.lab.rhythm.panned import told
from models.lab.studio.conducted import conducting_plan
from models.lab.studio.conductor import conduct
from models.lab.studio.plan import plan_from_json
from models.lab.studio.seating import entries, focus, seated, yaw_of
from models.training.flat import FlatWriter
from models.training.loop import main
from models.training.task import make_task

RATE = 22_050


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    """A flat corpus whose music comes from where its players sit: ten heard pieces, a silent one, two valid."""
    folder = tmp_path_factory.mktemp("players")
    conducted_noise(folder / "corpus", (*range(10), 800_000, 800_001), silent=(500_000,))
    perform_corpus(folder / "corpus", folder / "cache", 0.01, lambda fraction, text: None)
    return folder


def test_players_sit_where_they_sound_and_cues_are_of_those_who_play():
    assert yaw_of("violins") > 0.4 > 0 > yaw_of("cellos") and yaw_of("horns") > 0 > yaw_of("trumpets")
    good = []
    for seed in range(12):
        plan = seated(conducting_plan(seed))
        assert all(section.yaw is not None for section in plan.sections)
        assert all(cue.yaw is not None for cue in plan.cues if cue.kind != "cutoff")
        again = plan_from_json(plan.to_json())
        assert seated(again) is again and again.cues == plan.cues and again.sections == plan.sections
        told = focus(plan, 720)
        assert told.shape == (720, 3) and told[:, 1].min() >= LEAD - 1e-3 and told[:, 1].max() <= CUE + 1e-3
        for cue in plan.cues:
            frame = int(plan.times[cue.beat] * 30)
            if cue.yaw is not None and 0 < cue.beat and frame < 720 and told[frame, 1] > 0.99:
                good.append(abs(told[frame, 0] * 0.6 - cue.yaw) < 0.15)
    assert len(good) > 10 and np.mean(good) > 0.85           # two may come so near each other that the later one counts


def test_the_studio_turns_to_who_plays_and_not_to_others():
    plans = [seated(conducting_plan(seed)) for seed in range(14)]
    made = [conduct(plan) for plan in plans]

    class Case:
        def __init__(self, plan):
            self.entries = [(float(plan.times[c.beat]), c.yaw) for c in plan.cues
                            if c.kind in ("entry", "accent") and c.yaw is not None and c.beat]
    row = agreement([turned(motion) for motion, _ in made], [Case(plan) for plan in plans], [lead for _, lead in made])
    assert row["head"] > 0.5 > 0.35 > row["mismatched_95"] and row["entries"] > 15


def test_the_side_of_a_sound():
    t = np.arange(2 * RATE) / RATE
    tone = np.sin(2 * np.pi * 440 * t).astype(np.float32)
    left = side_frames(tone, 0.05 * tone)
    right = side_frames(0.05 * tone, tone)
    assert left.shape == (60, 16) and np.allclose(left, -right, atol=1e-4)
    assert left[5:-5].max() > 0.95 and np.abs(side_frames(tone, tone)).max() < 1e-3
    assert np.abs(side_frames(0 * tone, 0 * tone)).max() == 0


def test_windows_tell_who_plays_or_that_nobody_knows(flat):
    features = music_features(MusicEncoder(TINY_FEET.encoder), flat / "corpus")
    mean, std, _ = row_statistics(flat / "corpus", flat / "cache")
    config = dataclasses.replace(TINY_FEET, batch=64)
    windows = DeviceWindows(config, flat / "corpus", flat / "cache", "train", features, mean, std)
    windows.resident(torch.device("cpu"))
    told = windows.batch(0, torch.Generator().manual_seed(0))["condition"][..., -3:]
    known = told[:, 0, 2] == 1
    assert 0.5 < known.float().mean() < 0.95
    assert told[~known].abs().max() == 0 and (told[known][..., 1] > 0.2).all()
    plain = DeviceWindows(config, flat / "corpus", flat / "cache", "valid", features, mean, std, augment=False)
    plain.resident(torch.device("cpu"))
    assert (plain.batch(0, torch.Generator().manual_seed(0))["condition"][..., -1] == 1).all()


def test_it_learns_from_which_side_they_play(flat, tmp_path):
    run = tmp_path / "run"
    assert main(["conductor", "players", "--config", "tiny", "--corpus", str(flat / "corpus"), "--cache",
                 str(flat / "cache"), "--out", str(run), "--steps", "250", "--validations", "1", "--device", "cpu",
                 "--set", "learning_rate=0.01"]) == 0
    network, data = load_players(run=str(run)), DevicePlayers(PLAYERS["tiny"], flat / "corpus", flat / "cache", "valid",
                                                              augment=False)
    data.resident(torch.device("cpu"))
    batch = data.batch(0, torch.Generator().manual_seed(3))
    found, other = [], []
    for mel, side in zip(batch["mel"].numpy(), batch["side"].numpy()):
        found.append(who_plays(network, mel, side))
        other.append(who_plays(network, mel, -side))
    true = batch["target"][..., 0].numpy().ravel()
    heard, swapped = (np.concatenate(values)[:, 0] for values in (found, other))
    assert np.corrcoef(heard, true)[0, 1] > 0.8 and np.corrcoef(swapped, true)[0, 1] < 0
    assert (np.concatenate(found)[:, 1] >= LEAD).all() and (np.concatenate(found)[:, 2] == 1).all()


def test_long_tracks_are_heard_in_pieces_as_if_whole(monkeypatch):
    torch.manual_seed(0)
    network = Players(PLAYERS["tiny"]).eval()
    rng = np.random.default_rng(0)
    mel, side = rng.random((900, 64), dtype=np.float32), rng.uniform(-1, 1, (900, 16)).astype(np.float32)
    whole = who_plays(network, mel, side)
    monkeypatch.setattr("models.conductor.players.CHUNK", 100)
    assert np.abs(who_plays(network, mel, side) - whole).max() < 1e-5
    assert who_plays(network, mel[:0], side[:0]).shape == (0, 3)


def test_shards_do_not_say_who_plays(tmp_path):
    (tmp_path / "shards").mkdir()
    with pytest.raises(BadInput, match="flat corpus"):
        make_task("conductor", "players", "tiny").prepare(tmp_path / "shards", tmp_path / "cache", None)


def test_a_conductor_is_told_who_plays_on_his_clock():
    told = np.zeros((90, 3), np.float32)
    told[30:60], told[:, 2] = (0.8, 1.0, 1.0), 1.0
    early, mirrored = on_clock(told, 0.1), on_clock(told, 0.1, mirrored=True)
    assert early[27, 0] == np.float32(0.8) and early[26, 0] == 0 and mirrored[27, 0] == np.float32(-0.8)
    config = TINY_FEET
    known, nobody = (condition_frames(config, np.zeros((90, 8)), np.zeros((90, 2)), None, 60, 15, focus=value)
                     for value in (told, None))
    assert known.shape == nobody.shape == (60, config.condition_size)
    assert np.array_equal(known[:, -3:], told[15:75]) and not nobody[:, -3:].any()


@pytest.fixture(scope="module")
def conductor():
    """A tiny conductor with random weights that hears who plays."""
    torch.manual_seed(0)
    net = Denoiser(TINY_FEET)
    torch.nn.init.normal_(net.out.weight, std=0.3)
    net.pose.copy_(torch.from_numpy(conduct(conducting_plan(0, 4.0))[0].to_vector()[0]))
    return Conductor(TINY_FEET, net, MusicEncoder(TINY_FEET.encoder), players=Players(PLAYERS["tiny"]))


def test_rows_of_the_turning(conductor):
    rng = np.random.default_rng(0)
    cases = [Case(str(number), Audio(rng.normal(0, 0.2, (2, 4 * RATE)) * [[1.0], [0.1]], RATE), None,
                  [(1.0, 0.5), (2.0, -0.5), (3.0, 0.1)], np.ones((120, 3), np.float32)) for number in range(2)]
    intact = conductor.players
    rows = {told: conduct_cases(conductor, cases, told=told, steps=2)[0][0]
            for told in ("heard", "true", "nothing", "mono", "exchanged", "scrambled")}
    assert conductor.players is intact and all(turns.shape == (120, 3) for turns in rows.values())
    assert all(np.abs(rows["heard"] - rows[told]).max() > 0 for told in rows if told != "heard")
    turns = [np.stack([np.interp(np.arange(120) / 30, *np.array(case.entries).T)] * 2 + [np.zeros(120)], 1)
             for case in cases]
    assert agreement(turns, cases, [0.0, 0.0])["head"] > 0.99


def test_a_pipeline_hears_sides_and_takes_less_than_that(conductor):
    rng = np.random.default_rng(0)
    sound = Audio(np.stack([rng.normal(0, 0.2, 4 * RATE), rng.normal(0, 0.02, 4 * RATE)]), RATE)
    swapped = Audio(sound.samples[::-1].copy(), RATE)
    music, level, told = conductor.analyse(sound)
    assert told.shape == (120, 3) and np.abs(told - conductor.analyse(swapped)[2]).max() > 1e-3
    told[:, :2] = 1.0
    known, = conductor.generate(None, features=(music, level, told), seed=1)
    nobody, = conductor.generate(None, features=(music, level), seed=1)
    assert len(known) == 120 and np.abs(known.rotations - nobody.rotations).max() > 1e-4


def test_entries_of_recorded_music():
    rng = np.random.default_rng(0)
    left, right = (0.01 * rng.normal(size=20 * RATE) for _ in range(2))
    left[5 * RATE:8 * RATE] += 0.3 * rng.normal(size=3 * RATE)
    right[12 * RATE:15 * RATE] += 0.3 * rng.normal(size=3 * RATE)
    case = recorded_case("noise", Audio(np.stack([left, right]), RATE), lambda samples, rate: None)
    assert any(4.5 < t < 5.5 and yaw > 0.3 for t, yaw in case.entries)
    assert any(11.5 < t < 12.5 and yaw < -0.3 for t, yaw in case.entries)
    assert recorded_case("mono", Audio(np.stack([left, left]), RATE), lambda samples, rate: None) is None
    short = Audio(np.stack([left, right])[:, :RATE], RATE)
    assert recorded_case("short", short, lambda samples, rate: None) is None


def test_players_of_real_scores_are_told_by_their_notes():
    parts = [[(k, 0.9, 80, 0.5) for k in range(12)], [(6.0, 2.0, 60, 0.5)], [(0.0, 11.0, 40, 0.5)]]
    found = entries([(0.5, 1.0, parts[0]), (-0.4, 1.0, parts[1]), (0.0, 1.0, parts[2])])
    assert len(found) == 1 and found[0][:2] == (6.0, pytest.approx(-0.4)) and found[0][2] == pytest.approx(1 / 3)
    assert entries([(0.5, 1.0, parts[0]), (-0.4, 0.1, parts[1]), (0.0, 1.0, parts[2])]) == []          # too soft
    heard = told(parts, (1.0, 1.0, 1.0), (0.5, -0.4, 0.0), 12.0)
    assert heard.shape == (360, 3) and heard[60, 0] > 0.3 and heard[180, 0] < -0.5 and heard[180, 1] > 0.95
    again = unpacked(packed(heard))
    assert np.abs(again - heard[:, :2]).max() < 0.01


def test_pieces_of_both_kinds_are_learned_from(flat, tmp_path):
    writer = FlatWriter(tmp_path / "scores")
    rng = np.random.default_rng(0)
    for split in ("train", "valid"):
        writer.add({"id": split, "kind": "panned", "split": split, "duration": 4.0},
                   {"mel": rng.integers(0, 255, (120, 64), dtype=np.uint8), "side": np.full((120, 16), 255, np.uint8),
                    "players": packed(np.ones((120, 3), np.float32))})
    writer.close()
    one = DevicePlayers(PLAYERS["tiny"], flat / "corpus", flat / "cache", "train")
    both = DevicePlayers(PLAYERS["tiny"], f"{flat / 'corpus'},{tmp_path / 'scores'}", flat / "cache", "train")
    alone = DevicePlayers(PLAYERS["tiny"], tmp_path / "scores", tmp_path / "none", "valid", augment=False)
    assert len(both.pieces) == len(one.pieces) + 1 == 11
    alone.resident("cpu")
    batch = alone.batch(0, torch.Generator().manual_seed(0))
    assert batch["target"].shape == (4, 60, 2) and (batch["side"] == 1).all()
    assert (batch["target"] - 1).abs().max() < 0.01
    with pytest.raises(BadInput, match="side"):
        DevicePlayers(PLAYERS["tiny"], tmp_path / "scores", tmp_path / "none", "test")
