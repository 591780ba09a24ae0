"""Seconds and frames at the edges of Baton: scene rates, strips with trim, offset and speed. Inside, time is seconds."""
from dataclasses import dataclass

from core.errors import BadInput


@dataclass(frozen=True)
class Timebase:
    """A scene's clock: fps / fps_base frames a second; frame `start` is 0 s."""

    fps: float
    fps_base: float = 1.0
    start: float = 1.0

    def __post_init__(self):
        if not self.fps > 0 or not self.fps_base > 0:
            raise BadInput(f"A frame rate of {self.fps} / {self.fps_base} is not usable; set it in Output Properties.")

    @property
    def rate(self):
        """Frames per second."""
        return self.fps / self.fps_base

    def seconds(self, frame):
        """Scene frame (may be fractional) -> seconds."""
        return (frame - self.start) / self.rate

    def frame(self, seconds):
        """Seconds -> scene frame, fractional."""
        return self.start + seconds * self.rate

    def nearest_frame(self, seconds):
        """Seconds -> whole scene frame."""
        return int(round(self.frame(seconds)))


@dataclass(frozen=True)
class Strip:
    """A sound strip in scene frames: `origin` is where the untrimmed sound's second `sound_offset` lies, `first` and
    `last` the visible part (last is exclusive), `speed` seconds of sound per second of scene."""

    origin: float
    first: float
    last: float
    speed: float = 1.0
    sound_offset: float = 0.0

    def __post_init__(self):
        if not self.speed > 0:
            raise BadInput(f"A strip speed of {self.speed} is not usable; reversed or frozen sound has no beats.")
        if self.last <= self.first:
            raise BadInput("The strip's visible part is empty; undo the trim.")

    def passage(self, time):
        """(start, duration) in seconds of the sound file that the visible part plays."""
        start = self.sound_offset + (self.first - self.origin) / time.rate * self.speed
        length = (self.last - self.first) / time.rate * self.speed
        # A strip may reach before its sound; what is heard starts with the sound.
        return max(0.0, start), length + min(0.0, start)

    def file_seconds(self, frame, time):
        """Seconds in the sound file heard at a scene frame."""
        return self.sound_offset + (frame - self.origin) / time.rate * self.speed

    def scene_frame(self, seconds, time):
        """Scene frame at which a second of the sound file is heard."""
        return self.origin + (seconds - self.sound_offset) / self.speed * time.rate
