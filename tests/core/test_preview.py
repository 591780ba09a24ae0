"""The demo's picture, and that it shows the beats which the alignment has heard already."""
import numpy as np
import pytest
from rigs import stepping

from core.rhythm.beats import Beats
from models.lab.preview import draw_preview

pytest.importorskip("matplotlib")
BEATS = Beats(np.arange(6) * 0.5, np.arange(6) % 4 + 1)


def row(**changes):
    noise = np.random.default_rng(0).normal(0, 0.1, (2, 3 * 22_050)).astype(np.float32)
    return {"title": "A take", "audio": noise, "rate": 22_050, "motion": stepping(3.0)[0], "body_beats": BEATS,
            "music_beats": BEATS, "alignment": {"score": 0.8, "chance": 0.3, "f1": 0.9, "f1_chance": 0.3}, **changes}


def test_a_picture_with_and_without_beats(tmp_path):
    draw_preview(tmp_path / "a.png", [row(), row(body_beats=None, music_beats=None, alignment=None)])
    assert (tmp_path / "a.png").stat().st_size > 20_000 and not list(tmp_path.glob("*.part"))


def test_the_demo_hears_each_beat_once(tiny_checkpoints, tmp_path, monkeypatch):
    """The beats of the music are found once, for alignment and picture alike."""
    import core.cli.common as common
    from core import pipelines
    from models.lab import demo
    from models.rhythm import detect
    heard, true, opened = [], detect.detect_music_beats, pipelines.open_pipeline

    def listening(samples, rate, **options):
        heard.append(rate)
        return true(samples, rate, **options)
    monkeypatch.setattr(detect, "detect_music_beats", listening)
    monkeypatch.setattr(pipelines, "open_pipeline", lambda name, _folders, *rest: opened(name, tiny_checkpoints, *rest))
    monkeypatch.setattr(common, "Bar", _Silent)
    monkeypatch.setattr(demo, "MAX_SECONDS", 3.0)
    here = pipelines.available(tiny_checkpoints)
    both = ("music_ldm", "conductor")
    monkeypatch.setattr(pipelines, "available", lambda: {name: name in both and here[name] for name in here})
    summary = demo.run_demo(tmp_path, device="cpu")
    assert len(heard) == 2, "once the music made, once the piece conducted"
    assert (tmp_path / "preview.png").is_file() and [r["file"] for r in summary["rows"]] == ["music_ldm.wav",
                                                                                             "conductor.bvh"]
    assert [(part["motion"], part["sound"], part["figure"]) for part in summary["parts"]] == [
        ("dance.npz", "music_ldm.wav", "dancer"), ("conductor.npz", "piece.ogg", "conductor")]
    assert all((tmp_path / part[key]).is_file() for part in summary["parts"] for key in ("motion", "sound"))


class _Silent:
    def __call__(self, *progress):
        pass

    def close(self):
        pass


def test_the_demo_asks_each_system_what_it_has():
    """A genre of music is no style of every dancer, and none is refused what it is asked."""
    from core.contract import systems as registry
    from models.lab.demo import understood
    asked = {name: understood(row, {"genre": "house"}) for name, row in registry.systems().items()}
    for name, settings in asked.items():
        needed = {setting: value.default for setting, value in registry.find(name).settings.items() if value.required}
        registry.check(registry.find(name), {**needed, **settings})
    assert asked["music_ldm"] == {"genre": "house"} and asked["conductor"] == {} and asked["my_moves"] == {}
