"""Seconds and frames: fps_base, scene start, strip trim, offset and speed."""
import pytest

from core.errors import BadInput
from core.timebase import Strip, Timebase


@pytest.mark.parametrize("time", [Timebase(24), Timebase(30, 1.001), Timebase(60, 1.0, 0.0), Timebase(25, 1.0, -10.0)])
def test_there_and_back(time):
    for frame in (-3.0, 0.0, 1.0, 250.5):
        assert time.frame(time.seconds(frame)) == pytest.approx(frame)
    assert time.seconds(time.start) == 0.0


def test_ntsc():
    time = Timebase(30, 1.001)
    assert time.seconds(1 + 30000) == pytest.approx(1001.0)
    assert time.nearest_frame(1.0) == 31


def test_strip_trim_speed_and_offset():
    time = Timebase(24)
    strip = Strip(origin=10, first=34, last=82, speed=2.0, sound_offset=0.5)
    assert strip.passage(time) == pytest.approx((0.5 + 2.0, 4.0))
    assert strip.scene_frame(strip.file_seconds(50, time), time) == pytest.approx(50)
    assert strip.file_seconds(34, time) == pytest.approx(strip.passage(time)[0])


def test_strip_that_starts_before_its_sound():
    start, length = Strip(origin=48, first=24, last=96).passage(Timebase(24))
    assert (start, length) == pytest.approx((0.0, 2.0))


def test_bad_values_are_told():
    with pytest.raises(BadInput, match="frame rate"):
        Timebase(0)
    with pytest.raises(BadInput, match="speed"):
        Strip(0, 0, 10, -1.0)
    with pytest.raises(BadInput, match="empty"):
        Strip(0, 10, 10)
