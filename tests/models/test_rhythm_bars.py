"""The bar network: rows in any key, and bars that only the harmony tells, from shards to detected downbeats."""
import numpy as np
import pytest
import torch

from core.rhythm.alignment import beat_f1_70ms
from core.rhythm.bars import find_bars
from models.rhythm.bars import (
    BAR_CHANNELS,
    FIRST_CHANNELS,
    PITCHED,
    SECOND_CHANNELS,
    BarNetwork,
    BarsConfig,
    bar_evidence,
    bar_features,
    chroma,
    compound_bars,
)
from models.rhythm.bars_train import BarCrops, BarsTask, augment_rows, bars_of_rows, load_rows
from models.rhythm.detect import load_network
from models.rhythm.features import log_mel
from models.rhythm.train import task
from models.training.shards import write_shard

RATE = 22_050
CHORDS = ((0, 4, 7), (5, 9, 12), (7, 11, 14), (9, 12, 16), (2, 5, 9))


def chorale(times, positions, seconds, seed, key=0):
    """Even chords on every beat, all alike in attack and loudness: only a new chord tells a new bar."""
    rng, sound = np.random.default_rng(seed), np.zeros(int(seconds * RATE))
    chord, ends = CHORDS[int(rng.integers(5))], np.append(times[1:], 2 * times[-1] - times[-2])
    for time, end, position in zip(times, ends, positions):
        if position == 1:
            chord = CHORDS[(CHORDS.index(chord) + int(rng.integers(1, 5))) % 5]
        first, last = int(time * RATE), min(len(sound), int(end * RATE))
        t = np.arange(last - first) / RATE
        for note in (chord[0] - 24, *chord):
            pitch = 261.63 * 2 ** ((note + key) / 12)
            sound[first:last] += sum(np.sin(2 * np.pi * k * pitch * t) / k ** 2 for k in (1, 2, 3)) * np.exp(-3 * t)
    return 0.1 * sound + 0.002 * rng.normal(size=len(sound))


def grid(bpm, metre, seconds, first=0.2, upbeat=0):
    times = np.arange(first, seconds - 0.3, 60 / bpm)
    return times, (np.arange(len(times)) + upbeat) % metre + 1


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus") / "conducting"
    rng, items = np.random.default_rng(0), []
    for number in range(26):
        metre = (3, 4)[number % 2]
        times, positions = grid(rng.uniform(90, 170), metre, 10, upbeat=int(rng.integers(metre)))
        sound = np.clip(chorale(times, positions, 10, number, int(rng.integers(-5, 6))), -1, 1)
        stereo = np.repeat((np.interp(np.arange(480_000) / 48_000, np.arange(len(sound)) / RATE, sound) * 32767)
                           .astype(np.int16)[:, None], 2, axis=1)
        items.append(({"id": str(number), "kind": "conducting", "split": "train" if number < 22 else "valid",
                       "seed": number, "source": "studio", "metre": metre},
                      {"audio": stereo, "beats": np.stack([times, positions], 1).astype(np.float32)}))
    write_shard(folder / "a.safetensors", items)
    return folder.parent


def test_chroma_names_the_notes():
    t = np.arange(3 * RATE) / RATE
    tones = chroma(np.sin(2 * np.pi * 440 * t) + np.sin(2 * np.pi * 110 * 2 ** (3 / 12) * t))
    assert tones.shape == (31, 24)
    assert tones[15, :12].argmax() == 0 and tones[15, 12:].argmax() == 9        # bass C, above it an A
    assert np.isfinite(chroma(np.zeros(RATE))).all() and chroma(np.zeros(10)).shape == (1, 24)


def test_another_key_is_the_same_rows_rolled():
    times, positions = grid(120, 4, 8)
    rows = []
    for key in (0, 2):
        sound = chorale(times, positions, 8, 3, key)
        rows.append(bar_features(log_mel(sound, RATE), chroma(sound), times))
    plain, moved = rows
    assert plain.shape == (len(times), BAR_CHANNELS)
    turned = np.roll(plain[:, PITCHED].reshape(-1, 4, 12), 2, axis=-1)
    other = moved[:, PITCHED].reshape(-1, 4, 12)
    assert np.corrcoef(turned.ravel(), other.ravel())[0, 1] > 0.9 > np.corrcoef(
        plain[:, PITCHED].ravel(), other.ravel())[0, 1] + 0.2
    assert np.abs(plain[:, SECOND_CHANNELS:] - moved[:, SECOND_CHANNELS:]).mean() < 0.15     # likeness has no key
    assert bar_features(log_mel(sound, RATE), chroma(sound), times[:1]).shape == (1, BAR_CHANNELS)


def test_augmented_rows_keep_their_shape():
    rows = torch.randn(3, 20, BAR_CHANNELS)
    out = augment_rows(rows, torch.Generator().manual_seed(1))
    assert out.shape == rows.shape and out.isfinite().all() and not torch.equal(out, rows)


def test_a_network_of_fewer_channels_is_adopted_as_it_was():
    """The first checkpoints see neither tempo, thirds nor phrases, and name four metres."""
    torch.manual_seed(0)
    old = BarNetwork(BarsConfig(in_channels=FIRST_CHANNELS)).eval()
    job = task("bars", "release")
    new = job.build().eval()
    job.adopt(new, old.state_dict())
    rows, known = torch.randn(2, 20, BAR_CHANNELS), torch.ones(2, 20)
    assert job.config.in_channels == BAR_CHANNELS > FIRST_CHANNELS
    assert torch.allclose(new(rows, known)[..., 0], old(rows, known)[..., 0], atol=1e-5)


def test_a_network_that_names_six_metres_is_adopted_and_learns_nine_and_twelve():
    torch.manual_seed(0)
    old = BarNetwork(BarsConfig(metres=(2, 3, 4, 5, 6, 7))).eval()
    job = task("bars", "release")
    new = job.build().eval()
    job.adopt(new, old.state_dict())
    rows, known = torch.randn(2, 20, BAR_CHANNELS), torch.ones(2, 20)
    assert job.config.metres == (2, 3, 4, 5, 6, 7, 9, 12)
    assert torch.allclose(new(rows, known)[..., :7], old(rows, known), atol=1e-5)
    assert (new(rows, known)[..., 7:] == -3.0).all()


def test_rows_tell_the_tempo_and_a_beat_in_three_parts():
    rows = {}
    for parts in (2, 3):
        times, _ = grid(60, 4, 12)
        clicks, t = np.zeros(12 * RATE), np.arange(400) / RATE
        for time in times:
            for part in range(parts):
                at = int((time + part / parts) * RATE)
                clicks[at:at + 400] += np.sin(2 * np.pi * 900 * t)[:len(clicks) - at]
        rows[parts] = bar_features(log_mel(clicks, RATE), chroma(clicks), times)
    assert np.allclose(rows[2][:, SECOND_CHANNELS - 1], 1.0, atol=0.01)        # an octave slow
    thirds = {parts: found[2:-2, SECOND_CHANNELS - 9:SECOND_CHANNELS - 1].mean() for parts, found in rows.items()}
    assert thirds[3] > 3 * max(thirds[2], 0.01)


def test_rows_tell_bars_of_five_seven_and_nine_that_come_again():
    for metre, lag in ((5, 0), (7, 1), (9, 2)):
        times, positions = grid(140, metre, 30)
        sound = chorale(times, positions, 30, 5)
        rhythm = np.zeros(len(sound))                       # one loud beat a bar: its timbre comes again
        for time in times[positions == 1]:
            rhythm[int(time * RATE):int(time * RATE) + 2000] += 0.5
        rhythm *= np.random.default_rng(1).normal(size=len(sound))
        found = bar_features(log_mel(sound + rhythm, RATE), chroma(sound), times)[20:, SECOND_CHANNELS:]
        assert found[:, :3].mean(0).argmax() == lag


def test_network_ignores_what_is_no_beat():
    torch.manual_seed(0)
    network = BarNetwork(BarsConfig(width=16, blocks=4)).eval()
    for block in network.blocks:
        torch.nn.init.normal_(block.pointwise.weight, std=0.2)
    rows, known = torch.randn(1, 30, BAR_CHANNELS), torch.zeros(1, 30)
    known[:, 5:25] = 1
    a = network(rows, known)
    rows[:, 25:] += 5.0
    assert torch.equal(network(rows, known)[:, 5:25], a[:, 5:25]) and a.shape == (1, 30, 5)


def test_tiny_run_hears_bars_in_the_harmony(corpus, tmp_path):
    from core import checkpoints
    from models.rhythm.detect import load_network
    from models.training.export import export
    from models.training.loop import train
    torch.set_num_threads(1)
    train(task("bars", "tiny", learning_rate=1e-2), tmp_path / "run", corpus, tmp_path / "cache", system="rhythm",
          part="bars", config_name="tiny", steps=100, validations=0, report=lambda text: None)
    crops = BarCrops(BarsConfig(), tmp_path / "cache", "train")
    assert torch.equal(crops[3]["rows"], crops[3]["rows"]) and not torch.equal(crops[3]["rows"], crops[4]["rows"])
    assert len(load_rows(tmp_path / "cache", "train")) == 66 and len(load_rows(tmp_path / "cache", "valid")) == 4
    export(tmp_path / "run", "rhythm-bars", tmp_path / "checkpoints")
    network = load_network("bars", tmp_path / "checkpoints")
    assert checkpoints.find("rhythm", "bars", tmp_path / "checkpoints").config["width"] == 16
    scores, metres = [], []
    for number, metre in enumerate((3, 4, 3, 4)):
        times, positions = grid(100 + 13 * number, metre, 16, upbeat=number % 3)
        sound = chorale(times, positions, 16, 900 + number, key=number)
        evidence = bar_evidence(network, log_mel(sound, RATE), chroma(sound))
        found, heard = find_bars(None, 50, times, evidence=evidence)
        scores.append(beat_f1_70ms(times[found == 1], times[positions == 1]))
        metres.append(heard == metre)
        forced = find_bars(None, 50, times, 2, evidence=evidence)
        assert forced[1] == 2 and set(forced[0]) == {1, 2}
    assert np.mean(scores) > 0.85 and np.mean(metres) >= 0.75, (scores, metres)
    meta, rows, written = load_rows(tmp_path / "cache", "valid")[0]
    down, positions, metre = bars_of_rows(network, rows, written[:, 0])
    assert len(down) == len(positions) == len(written)


def drums(pattern, bpm, seconds=16):
    """Sound and beats (B,) of a drum kit of sines and noise, two letters a beat: K kick, S snare, H hat, B kick and
    hat, N snare and hat."""
    rng, t, span = np.random.default_rng(0), np.arange(RATE // 4) / RATE, 30 / bpm
    noise, count = rng.normal(size=len(t)), int((seconds - 1) / span)
    kit = {"K": np.sin(2 * np.pi * 50 * t) * np.exp(-18 * t), "H": 0.3 * np.gradient(noise) * np.exp(-60 * t),
           "S": (0.35 * noise + 0.7 * np.sin(2 * np.pi * 190 * t)) * np.exp(-22 * t)}
    kit |= {"B": kit["K"] + kit["H"], "N": kit["S"] + kit["H"], ".": 0 * t}
    sound = np.zeros(seconds * RATE, dtype=np.float32)
    for index in range(count):
        first = int((0.2 + index * span) * RATE)
        sound[first:first + len(t)] += 0.3 * kit[pattern[index % len(pattern)]]
    return sound, 0.2 + np.arange(count // 2) * 2 * span


@pytest.mark.parametrize("pattern, bpm", [("B.H.H.", 140), ("B.H.N.H.", 120), ("B.H.N.B.N.", 140), ("K.S.S.K.S.", 160),
                                          ("B.N.B.H.N.", 150), ("B.N.B.N.B.N.N.", 170), ("K.S.S.K.S.K.S.", 170)])
def test_the_shipped_network_names_bars_of_three_four_five_and_seven(pattern, bpm):
    sound, times = drums(pattern, bpm)
    evidence = bar_evidence(load_network("bars"), log_mel(sound, RATE), chroma(sound))
    assert find_bars(None, 50.0, times, evidence=evidence)[1] == len(pattern) // 2


@pytest.mark.parametrize("sure, named", [(3.0, 9), (-3.0, 4)])
def test_a_second_network_decides_where_it_hears_bars_in_threes(sure, named):
    def says(metres, wanted, size):
        network = BarNetwork(BarsConfig(metres=metres, width=8, blocks=1)).eval()
        torch.nn.init.zeros_(network.head.weight)
        torch.nn.init.constant_(network.head.bias, 0.0)
        with torch.no_grad():
            network.head.bias[1 + metres.index(wanted)] = size
        return network
    plain, threes = says((2, 3, 4, 6), 4, 5.0), says((2, 3, 4, 5, 6, 7, 9, 12), 9, sure)
    times, positions = grid(120, 4, 12)
    sound = chorale(times, positions, 12, 3)
    odds, metres = bar_evidence(plain, log_mel(sound, RATE), chroma(sound), threes)(times)
    assert max(metres, key=metres.get) == named and (9 in metres) == (named == 9) and len(odds) == len(times)
    assert set(bar_evidence(plain, log_mel(sound, RATE), chroma(sound))(times)[1]) == {2, 3, 4, 6}


@pytest.mark.parametrize("first, second, size, believed", [
    (4, 6, 3.0, True), (4, 6, -3.0, False), (3, 6, 9.0, False), (3, 9, 9.0, True), (3, 9, 2.8, False),
    (2, 12, 3.0, True)])
def test_two_bars_of_a_waltz_are_no_six(first, second, size, believed):
    plain, threes = (2, 3, 4, 5, 6, 7), (2, 3, 4, 5, 6, 7, 9, 12)
    heard, other = torch.zeros(20, 1 + len(plain)), torch.zeros(20, 1 + len(threes))
    heard[:, 1 + plain.index(first)], other[:, 1 + threes.index(second)] = 4.0, size
    assert compound_bars(plain, heard, threes, other) is believed


def test_the_second_network_of_bars_ships_beside_the_first(tmp_path):
    from core import checkpoints
    from models.rhythm.detect import threes_beside
    assert tuple(threes_beside().config.metres) == (2, 3, 4, 5, 6, 7, 9, 12)
    own = BarNetwork(BarsConfig(width=8, blocks=1))
    checkpoints.save(tmp_path, name="rhythm-bars", system="rhythm", part="bars", config=vars(own.config),
                     state_dict=own.state_dict(), card_text="", licence="GPL-3.0-or-later", extra={}, dtype="float32")
    assert threes_beside(tmp_path) is None                  # bars of one's own are not spoken over


def test_what_the_released_network_says_is_kept_on_all_but_recorded_pieces():
    config = BarsConfig(keep=1.0, dropout=0.0, width=8, blocks=2)
    mine = BarsTask(config)
    torch.manual_seed(1)
    model = BarNetwork(config).train()
    with torch.no_grad():
        for each in model.parameters():
            each.add_(0.05 * torch.randn_like(each))
    mine.teacher = BarNetwork(config)
    mine.teacher.load_state_dict(model.state_dict())
    batch = {"rows": torch.randn(2, 16, BAR_CHANNELS), "known": torch.ones(2, 16), "metre": torch.tensor([1, 2]),
             "down": torch.tensor([1.0, 0, 0, 0]).repeat(2, 4), "recorded": torch.tensor([False, False])}

    def pull(**changed):
        model.zero_grad()
        mine.loss(model, {**batch, **changed})[0].backward()
        return float(model.head.weight.grad.norm())
    # A network that says what its teacher says has nothing to learn from rendered pieces, whatever is written there.
    assert pull() < 1e-5 < 1e-3 < pull(recorded=torch.tensor([True, True]))
    # ... nor where the metre is one that former networks hardly named: six is the last of the four.
    assert pull(metre=torch.tensor([3, 3])) > 1e-3
