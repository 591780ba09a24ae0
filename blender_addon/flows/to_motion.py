"""Sound to motion: sound strip -> job -> channels -> a new action on the rig."""
from collections.abc import Generator, Iterable
from pathlib import Path

import bpy
import numpy as np

from ...core.contract.systems import System
from ..errors import UserError
from ..scene import baton_prop, bone_map, stamp, strips, takes
from ..scene import settings as scene_settings
from ..scene.refs import Ref
from ..scene.timebase import Passage, frame_in, scene_fps
from ..scene.whole import whole
from . import ranges
from .base import Flow
from .results import draft_motion, key, write_motion


class ToMotion(Flow):
    """What a sound strip plays, made into motion of the rig."""

    def __init__(self, context, system, rig, request=None, strip=None):
        """strip: (its scene, the strip); None: the one that the user means, or the request's."""
        found = strip or (self._of(request) if request else strips.sound_strip(context))
        if found[1] is None:
            raise UserError("Select a sound strip in the sequencer")
        self.strip_scene, self.strip = Ref.of(found[0]), found[1].name
        self.read_at = None
        super().__init__(context, system, rig, request)
        if self.request.get("others"):
            if self.request.get("keep"):
                raise UserError("A range is kept or made anew for one rig at a time; select one")
            self.request["params"]["variations"] = 1
        self.others = [Ref.of(self._object(name)) for name in self.request.get("others", ())]
        self.maps = [bone_map.require(other.get()) for other in self.others]

    @staticmethod
    def _of(request):
        scene = bpy.data.scenes.get(request["strip_scene"])
        strip = strips.heard_as(scene, request["strip"]) if scene is not None else None
        if strip is None:
            raise UserError(f"The strip {request['strip']} is gone.")
        return scene, strip

    @classmethod
    def check(cls, context: bpy.types.Context, system: System):
        strip_scene, strip = strips.sound_strip(context)
        if strip is None:
            raise UserError("Select a sound strip in the sequencer")
        first, stop = strips.heard(strip_scene, strip)
        check_length(system, (stop - first) / scene_fps(strip_scene.render))
        super().check(context, system)
        if getattr(scene_settings.group(context.scene, system), "keep_range", False):
            ranges.chosen(context.scene)

    def ask(self, context: bpy.types.Context, rig: bpy.types.Object) -> dict:
        """The strip is named, not its file: trims of today count at Redo."""
        asked = {"strip": self.strip, "strip_scene": self.strip_scene.name,
                 "others": bone_map.others(context, rig, self.system.performers - 1)}
        if getattr(scene_settings.group(context.scene, self.system), "keep_range", False):
            asked["keep"] = {"frames": ranges.chosen(context.scene), "stays": "inside"}
        return asked

    def watched(self) -> tuple:
        return self.rig, self.scene, self.strip_scene, *self.others

    def stamp(self) -> list:
        place = self.strip_scene.get()
        strip = strips.heard_as(place, self.strip)
        return [*super().stamp(), stamp.of_scene(place), stamp.of_strip(strip), strips.heard(place, strip)]

    def read(self, folder: Path) -> Generator:
        """Generator: the passage that the strip plays, and the rig's pose;
        over the whole passage where a part of it stays."""
        self.read_at = self._place()
        clip = yield from strips.describe(self.strip_scene, self.strip, folder)
        check_length(self.system, clip.duration)
        scene = self.scene.get()
        self.passage = Passage(frame_in(scene, self.strip_scene.get(), clip.first), clip.duration,
                               scene_fps(scene.render))
        inputs = {"audio": clip.path, "start": clip.start, "duration": clip.duration, "speed": clip.speed,
                  "place": "rig"}
        keep = self.request.get("keep")
        if not keep:
            yield from self.sample_pose(folder)
            for number, (other, mapped) in enumerate(zip(self.others, self.maps), 2):
                yield from self.sample_pose(Path(folder) / f"rig_{number}", other, mapped)
            return {**inputs, **self.steps_in()}
        start, stop = ranges.seconds(keep["frames"], self.passage)
        yield from self.sample_passage(folder)
        return {**inputs, "keep": {"start": start, "stop": stop, "stays": keep["stays"]}}

    def _place(self):
        """How the strip stands now, or None."""
        return stamp.of_strip(strips.find(self.strip_scene.get(), self.strip))

    def works(self, made: list[dict], folder: Path) -> Iterable:
        """The drafts of all rows, and of the other rigs."""
        rows = [(self.rig, self.mapped, row["file"]) for row in made]
        rows += zip(self.others, self.maps, made[0].get("others", ()))
        for rig, mapped, file in rows:
            yield key(rig, folder / file), draft_motion(self.scene, rig, mapped, folder / file, self.passage,
                                                        self.title(made), **self.how())

    def _change_hands(self):
        """The baton that a rig has goes to the hand that leads, of a system that conducts."""
        if self.system.raw.get("figure") != "conductor":
            return
        hand = "left" if self.request["params"].get("mirror") else "right"
        for ref, mapped in ((self.rig, self.mapped), *zip(self.others, self.maps)):
            held = baton_prop.of(ref.get())
            if held is not None and held.get(baton_prop.MARK, "right") != hand:
                baton_prop.add(ref.get(), mapped, hand)

    def _fingers(self, made, folder):
        """What to say where fingers were asked for and the rig has some, yet none that Baton could key."""
        looks = any(part in bone.name.lower() for bone in self.rig.get().data.bones for part in bone_map.FINGERS)
        if not looks or self.request["params"].get("fingers") in (None, "none"):
            return ""
        mapped = set(self.mapped.values())
        with np.load(folder / made[0]["file"], allow_pickle=False) as keyed:
            others = {name.partition("/")[2] for name in keyed.files if name.startswith("rotation/")} - mapped
        fingers = [name for name in others if bone_map.is_finger(name)]
        return "" if fingers else f"; no finger was keyed: Baton does not know the fingers of {self.rig.name} by name"

    def write(self, scene: bpy.types.Scene, made: list[dict], folder: Path) -> str:
        """A take with an action for each row; the last one plays."""
        own = {**self.how(), "ready": self.ready}
        with whole():
            sentence = write_takes(scene, self.rig.get(), self.mapped, made,
                                   [takes.one_of(self.request, number, row) for number, row in enumerate(made)],
                                   self.passage, folder, self.title(made), own)
            for other, mapped, file in zip(self.others, self.maps, made[0].get("others", ())):
                row = {**made[0], "file": file, "alignment": None}
                write_takes(scene, other.get(), mapped, [row], [takes.one_of(self.request, 0)], self.passage, folder,
                            self.title(made), own)
            self._change_hands()
        sentence += f", and {len(self.others)} more" if self.others else ""
        if self._place() not in (self.read_at, None):
            sentence += f"; {self.strip} was changed meanwhile, and the take follows it as it was when the job began"
        return sentence + self._fingers(made, folder)


def write_takes(scene: bpy.types.Scene, rig: bpy.types.Object, mapped: dict[str, str], made: list[dict],
                requests: list[dict], passage: Passage, folder: Path, title: str, own: dict) -> str:
    """Each row of a result (`file` of channels in `folder`) as a take on the rig;
    the last one plays. Returns a sentence."""
    names = []
    with whole([rig]):
        for row, request in zip(made, requests):
            take = takes.new(scene, title, "MOTION")
            first, last = write_motion(scene, rig, mapped, take, folder / row["file"], passage, **own)
            takes.remember(take, row, request, passage.first)
            names.append(take.name)
    return f"{', '.join(names)} on {rig.name}, frames {first} to {last}"


def check_length(system: System, seconds: float):
    """Raises UserError for a strip that is too short or too long."""
    low, high = system.seconds
    if not low <= seconds <= high:
        raise UserError(f"The strip is {seconds:.1f} s long; {system.raw['take'].lower()} needs {low:g} to {high:g} s")
