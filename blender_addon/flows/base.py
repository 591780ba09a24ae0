"""A generation from scene to scene: what is asked, what is read, what is written.
One class per direction, any system in it."""
import json
from collections.abc import Generator, Iterable
from pathlib import Path

import bpy
import numpy as np

from ...core.contract.systems import System
from ..errors import UserError
from ..scene import beat_markers, bone_map, curves, mixdown, moves, rig_sampling, stamp, takes, usable
from ..scene import settings as scene_settings
from ..scene.refs import Ref
from ..scene.timebase import Passage
from ..scene.whole import whole
from ..worker.manager import Job
from . import again as again_flow
from . import results
from .results import blending


def doubts_of(*rigs) -> list[str]:
    """A sentence for each rig whose bone map has unsure rows: said before a job on them starts."""
    return [text for text in map(bone_map.unsure_sentence, rigs) if text]


class Flow:
    """One job: it holds names and session uids, never bpy references.

    request, JSON-ready, is what Redo asks again: system, rig, params (settings for the worker), own (those of Blender
    alone), and what the direction adds. A direction has `check`, `ask`, `read` (a generator that gives the job's
    inputs) and `write`.
    """

    kind = "MOTION"                                             # of its takes

    def __init__(self, context, system: System, rig, request: dict | None = None):
        self.system, self.rig, self.scene = system, Ref.of(rig), Ref.of(context.scene)
        usable.check(rig, context.scene, system.direction.name != "to_sound")
        self.mapped = bone_map.require(rig)
        self.request = request or {
            "system": system.name, "rig": rig.name, "params": scene_settings.params_of(context.scene, system),
            "own": scene_settings.own_of(context.scene, system), **self.ask(context, rig)}
        self.passage: Passage | None = None
        # What Redo asks besides: whether nothing may be as it was, and what was read when the take was made.
        self.again, self.follows = self.request.pop("again", False), self.request.pop("follows", False)
        self.before, self.seed = self.request.get("inputs"), self.request["params"].get("seed")
        self.notes, self.warnings = [], []                      # what to say with the result
        self.ready = {}                                         # drafts and copies that were made in slices
        self.others = []                                        # `Ref`s of further rigs that perform too

    @classmethod
    def check(cls, context: bpy.types.Context, system: System):
        """Raises UserError where scene and settings as they stand cannot give a result;
        cheap, for the button's tooltip."""
        scene_settings.check_files(context.scene, system)
        if getattr(scene_settings.group(context.scene, system), "tempo", None) == "markers":
            beat_markers.require_markers(context.scene)

    def watched(self) -> tuple:
        """`Ref`s that must live on while the job runs."""
        return self.rig, self.scene

    def stamp(self) -> list:
        """How what the job works on stands: an undo that leaves it so does not end the job."""
        return [stamp.of_scene(self.scene.get()), *(stamp.of_rig(ref.get()) for ref in (self.rig, *self.others))]

    def job(self) -> Job:
        """The `Job` for the manager."""
        params = {"system": self.system.name, "settings": dict(self.request["params"])}
        self.warnings += doubts_of(self.rig.get(), *(ref.get() for ref in self.others))
        return Job("generate", self.system.button, params, self.prepare, self.apply, self.watched(), build=self.build,
                   warnings=self.warnings, stamp=self.stamp)

    def prepare(self, folder: Path) -> Generator:
        """Generator: read the scene into the job's folder, yielding fractions; returns what joins the job's params."""
        yield 0.0
        inputs = yield from self.read(folder)
        media = yield from self._media(folder)
        beats, asked = self._beats(), self.request
        sent = {**inputs, "settings": {**asked["params"], **media}, "beats": beats}
        asked["inputs"] = yield from again_flow.inputs_of(folder, sent, self.kind, self.mapped["pelvis"])
        self.notes.clear()                                      # an undo lets the scene be read once more
        if self.follows:
            self.notes.append("it follows the markers as they stand")
        if self.again and self.seed is not None and again_flow.same(self.before, asked["inputs"]):
            sent["settings"]["seed"] = asked["params"]["seed"] = again_flow.another_seed(self.scene.get())
            self.notes.append(f"nothing had changed, so the seed is {asked['params']['seed']} instead of {self.seed}")
        return sent

    def build(self, result: dict, folder: Path) -> Generator:
        """Generator: what of the result takes long, in slices that change nothing of the scene; yields fractions."""
        works = list(self.works(takes.rows(result), Path(folder)))
        yield from results.make_ready(self.ready, works)

    def works(self, made: list[dict], folder: Path) -> Iterable:
        """(key, generator) of the drafts and copies that `write` will find ready."""
        return ()

    def apply(self, result: dict, folder: Path) -> str:
        """Write the takes; returns a sentence."""
        made, scene = takes.rows(result), self.scene.get()
        with whole(ref.get() for ref in self.watched()):
            sentence = self.write(scene, made, Path(folder))
            if made[-1].get("beats"):
                scene.baton.music_beats = json.dumps({**made[-1]["beats"], "frame_start": self.passage.first,
                                                      "fps": self.passage.fps})
        return "; ".join([sentence, *self.notes]) + takes.account(result)

    def _beats(self):
        """The beats that markers give now; those of the earlier request where they have been cleared since."""
        if self.request["params"].get("tempo") != "markers":
            return None
        scene, before = self.scene.get(), self.request.get("beats")
        if before is None:
            beat_markers.require_markers(scene)
        self.request["beats"] = beat_markers.read(scene, self.passage.first, self.passage.fps) or before
        return self.request["beats"]

    def _media(self, folder):
        """Generator: motions and paths that settings name, into the folder under the setting's name;
        what is sent for them."""
        sent = {}
        for name, setting in self.system.shown.items():
            value, there = self.request["params"].get(name), Path(folder) / name
            if value and setting.type == "file" and setting.reads == "sound":
                sent[name] = yield from mixdown.file(value, folder)
            if not value or setting.type not in ("object", "motion", "actions"):
                continue
            sent[name] = None                                   # the worker takes what lies in the folder
            if setting.type == "actions":
                yield from moves.sample(value, self.rig, self.scene, self._driven(), there)
                continue
            if setting.type == "motion":
                seconds = float(setting.raw["seconds"])
                before = Passage(self.passage.first - round(seconds * self.passage.fps), seconds, self.passage.fps)
                yield from rig_sampling.sample(self.rig, self.scene, self._driven(), before, there)
            elif setting.raw.get("object", "ARMATURE") == "CURVE":
                np.save(there.with_suffix(".npy"), curves.world_points(self._object(value)))
            else:
                other = self._object(value)
                mapped = bone_map.reading_map(other, bone_map.require(other))
                yield from rig_sampling.sample(Ref.of(other), self.scene, mapped, self.passage, there)
        return sent

    def _driven(self):
        return bone_map.reading_map(self.rig.get(), self.mapped)

    def _object(self, name):
        found = self.scene.get().objects.get(name)
        if found is None:
            raise UserError(f"The object {name} is no longer in the scene; choose another")
        return found

    def steps(self) -> bool:
        """Whether the take begins by steps from the pose of the rig (core/retarget/step_in.py). What the controls of a
        control rig show is known here only, so there the keys are mixed here (flows/results.py)."""
        return not self.request.get("keep") and blending(self.request)["blend_seconds"] > 0

    def steps_in(self) -> dict:
        """What the worker is told of it."""
        return {"blend_in": blending(self.request)["blend_seconds"]} if self.steps() else {}

    def how(self) -> dict:
        """How the channels are written."""
        return {**blending(self.request), "keep": self.request.get("keep"), "stepped": self.steps()}

    def sample_pose(self, folder: Path, rig: bpy.types.Object | None = None,
                    mapped: dict[str, str] | None = None) -> Generator:
        """Generator: the pose of the rig, or of another, where the passage begins: of the bones that are keyed and of
        those that show it."""
        here = Passage(float(int(self.passage.first)), 0.5 / self.passage.fps, self.passage.fps)
        rig, mapped = rig or self.rig, mapped or self.mapped
        driven = bone_map.reading_map(rig.get(), mapped).values()
        yield from rig_sampling.sample(rig, self.scene, mapped, here, folder, also=driven)
        yield from rig_sampling.sample_own(rig, self.scene, mapped, self.passage.fps, folder)

    def sample_passage(self, folder: Path) -> Generator:
        """Generator: the controls and the bones they drive over the whole passage,
        and the local poses of what stays."""
        legs = blending(self.request)["legs"]
        local = rig_sampling.Local(bone_map.switches(self.rig.get(), self.mapped, legs))
        yield from rig_sampling.sample(self.rig, self.scene, self.mapped, self.passage, folder,
                                       also=self._driven().values(), local=local)
        yield from rig_sampling.sample_own(self.rig, self.scene, self.mapped, self.passage.fps, folder)

    def title(self, made: list[dict]) -> str:
        """Start of the name of the takes of these rows: after what was asked, or what the model chose."""
        told = (made[0].get("recipe") or {}).get("settings") or {}
        return self.system.title(self.request["params"], told)
