"""From nothing but settings to sound and motion: one job -> WAV and channels -> one take with a strip and an action."""
from collections.abc import Generator, Iterable
from pathlib import Path

import bpy

from ...core.contract.systems import System
from ..errors import UserError
from ..scene import compat, playing, sound_files, takes
from ..scene import settings as scene_settings
from ..scene.refs import Ref
from ..scene.timebase import Passage, scene_fps
from ..scene.whole import whole
from . import ranges
from .base import Flow
from .results import draft_motion, heard_with, key, place_sound, write_motion


class ToBoth(Flow):
    """A dance and its music on the rig, from the current frame on, for the seconds of the setting `duration`."""

    kind = "BOTH"

    def __init__(self, context, system, rig, request=None):
        super().__init__(context, system, rig, request)
        self.place = Ref.of(compat.sequencer_scene(context))
        self.passage = Passage(self.request["first"], self.request["params"]["duration"], self.request["fps"])

    @classmethod
    def check(cls, context: bpy.types.Context, system: System):
        low, high = system.seconds
        seconds = scene_settings.group(context.scene, system).duration
        if not low <= seconds <= high:
            raise UserError(f"The length is {seconds:.1f} s; {system.short} makes {low:g} to {high:g} s")
        super().check(context, system)

    def ask(self, context: bpy.types.Context, rig: bpy.types.Object) -> dict:
        """It begins at the current frame."""
        self.check(context, self.system)
        return {"first": float(context.scene.frame_current), "fps": scene_fps(context.scene.render)}

    def watched(self) -> tuple:
        return self.rig, self.scene, self.place

    def read(self, folder: Path) -> Generator:
        """Generator: the rig's pose; over the whole passage, with the take's sound, where a part of the take stays."""
        inputs = {"place": "rig", "source": {"rig": self.rig.name, "first_frame": self.passage.first}}
        keep = self.request.get("keep")
        if not keep:
            yield from self.sample_pose(folder)
            return {**inputs, **self.steps_in()}
        start, stop = ranges.seconds(keep["frames"], self.passage)
        if not Path(keep["file"]).is_file():
            raise UserError(f"The sound file of the take is missing: {keep['file']}")
        yield from self.sample_passage(folder)
        return {**inputs, "keep": {"file": keep["file"], "start": start, "stop": stop, "side": keep["side"]}}

    def works(self, made: list[dict], folder: Path) -> Iterable:
        """The drafts of all rows, and the sounds, copied beside their places."""
        own = self.how()
        for row in made:
            file = folder / row["channels"]
            yield key(self.rig, file), draft_motion(self.scene, self.rig, self.mapped, file, self.passage,
                                                    self.title(made), **own)
            yield str(folder / row["file"]), sound_files.staged(folder / row["file"])

    def write(self, scene: bpy.types.Scene, made: list[dict], folder: Path) -> str:
        """A take with two faces for each row, a strip and an action; whole or not at all. The last one plays."""
        names, (_, notice), rig = [], sound_files.output(), self.rig.get()
        own = {**self.how(), "ready": self.ready}
        with whole([rig]):
            for number, row in enumerate(made):
                take = takes.new(scene, self.title(made), self.kind)
                take.rig = rig
                first, last = write_motion(scene, rig, self.mapped, take, folder / row["channels"], self.passage, **own)
                place_sound(self.place.get(), scene, take, folder / row["file"], self.passage, self.ready)
                takes.remember(take, row, takes.one_of(self.request, number, row), self.passage.first)
                names.append(take.name)
            playing.play(scene, scene.baton.takes[names[-1]])
            self.warnings[:] = dict.fromkeys([*self.warnings, *heard_with(scene.baton.takes[names[-1]])])
        placed = f"{', '.join(names)} on {rig.name}, frames {first} to {last}"
        return f"{placed}. {notice}" if notice else placed
