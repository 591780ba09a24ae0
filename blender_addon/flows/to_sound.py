"""Motion to sound: rig -> job -> WAV beside the file -> sound strip on the right frame."""
from collections.abc import Generator, Iterable
from pathlib import Path

import bpy

from ...core.contract.systems import System
from ..errors import UserError
from ..scene import animated, bone_map, compat, playing, rig_sampling, sound_files, takes
from ..scene import settings as scene_settings
from ..scene.refs import Ref
from ..scene.timebase import Passage, scene_fps
from ..scene.whole import whole
from . import ranges
from .base import Flow
from .results import heard_with, place_sound


class ToSound(Flow):
    """The rig's motion in the chosen range, made into sound."""

    kind = "MUSIC"

    def __init__(self, context, system, rig, request=None):
        super().__init__(context, system, rig, request)
        self.place = Ref.of(compat.sequencer_scene(context))
        self.passage = Passage(self.request["first"], self.request["duration"], self.request["fps"])

    @classmethod
    def check(cls, context: bpy.types.Context, system: System):
        passage_of(context.scene, bone_map.find_rig(context), system)
        super().check(context, system)

    def ask(self, context: bpy.types.Context, rig: bpy.types.Object) -> dict:
        """The frames meant: where they begin, how long they last."""
        self.check(context, self.system)
        passage = passage_of(context.scene, rig, self.system)
        return {"first": passage.first, "duration": passage.duration, "fps": passage.fps}

    def watched(self) -> tuple:
        return self.rig, self.scene, self.place

    def read(self, folder: Path) -> Generator:
        """Generator: the rig's motion in the passage."""
        yield from rig_sampling.sample(self.rig, self.scene, self._driven(), self.passage, folder)
        if (yield from rig_sampling.still(folder)):
            self.warnings.append(f"{self.rig.name} does not move in these frames: the music has nothing to follow")
        inputs = {"duration": self.passage.duration,
                  "source": {"rig": self.rig.name, "first_frame": self.passage.first, "fps": self.passage.fps}}
        return {**inputs, "keep": self.request["keep"]} if self.request.get("keep") else inputs

    def works(self, made: list[dict], folder: Path) -> Iterable:
        """The sounds, copied beside their places."""
        return [(str(folder / row["file"]), sound_files.staged(folder / row["file"])) for row in made]

    def write(self, scene: bpy.types.Scene, made: list[dict], folder: Path) -> str:
        """A take with a strip for each row."""
        names, (_, notice) = [], sound_files.output()
        with whole([self.rig.get()]):
            for number, row in enumerate(made):
                take = takes.new(scene, self.title(made), self.kind)
                take.rig = self.rig.get()
                place_sound(self.place.get(), scene, take, folder / row["file"], self.passage, self.ready)
                takes.remember(take, row, takes.one_of(self.request, number, row), self.passage.first)
                names.append(take.name)
            playing.play(scene, scene.baton.takes[names[-1]])
            self.warnings[:] = dict.fromkeys([*self.warnings, *heard_with(scene.baton.takes[names[-1]])])
        placed = f"{', '.join(names)} placed at frame {int(self.passage.first)}"
        return f"{placed}. {notice}" if notice else placed


def passage_of(scene: bpy.types.Scene, rig: bpy.types.Object, system: System) -> Passage:
    """The `Passage` chosen in the settings. Raises UserError where there is none."""
    settings, fps = scene_settings.group(scene, system), scene_fps(scene.render)
    wanted = getattr(settings, "range", "SCENE")
    if wanted == "ACTION":
        first, last = animated.frames(rig)
    elif wanted == "PREVIEW":
        first, last = ranges.preview(scene)
    elif wanted == "CUSTOM":
        first, last = settings.frame_start, settings.frame_end
    else:
        first, last = scene.frame_start, scene.frame_end
    passage, (low, high) = Passage.from_frames(first, last, fps), system.seconds
    if not low <= passage.duration <= high:
        raise UserError(f"The range is {passage.duration:.1f} s long; music needs {low:g} to {high:g} s")
    return passage
