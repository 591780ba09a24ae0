"""The toy systems in a Blender of their own (property groups are made at import): prints what it found as JSON."""
import json
import os
import sys
from pathlib import Path

ROOT, FOLDER = Path(__file__).resolve().parents[2], Path(sys.argv[1])
sys.path.insert(0, str(ROOT))
import bpy  # noqa: E402

from models.lab.mount import mount  # noqa: E402

mount()
from baton import blender_addon  # noqa: E402
from baton.blender_addon.scene import compat, takes  # noqa: E402
from baton.blender_addon.scene import settings as scene_settings  # noqa: E402
from baton.blender_addon.ui import panels, presets  # noqa: E402
from tests.blender import recorder, scenes  # noqa: E402

report = {}


def drawn(name):
    """What a panel class draws: names of properties and operators."""
    layout = recorder.draw(next(cls for cls in panels.CLASSES if cls.__name__ == name))
    assert layout is not None, f"{name} is not drawn"
    return layout.names("prop", "operator")


def look():
    """Panels, presets, tooltips."""
    baton = bpy.context.scene.baton
    report["model"] = [item.identifier for item in baton.bl_rna.properties["model_to_sound"].enum_items]
    report["choices"] = {direction.name: [len(rows), hasattr(baton, f"model_{direction.name}")]
                         for direction, rows in scene_settings.registry.by_direction().items()}
    if hasattr(baton, "model_to_both"):
        baton.model_to_both = "toy_both"
    report["before"] = drawn("BATON_PT_view3d_to_sound")
    baton.model_to_sound = "toy_hum"
    report["section"] = drawn("BATON_PT_view3d_to_sound")
    report["further"] = drawn("BATON_PT_sequencer_toy_hum_0")
    report["both"] = drawn("BATON_PT_view3d_to_both")
    report["presets"] = presets.kept(scene_settings.registry.find("toy_hum"))
    report["tip"] = bpy.ops.baton.generate_toy_hum.get_rna_type().description
    baton.toy_hum.pitch = 333.0
    assert bpy.ops.baton.add_toy_hum_preset(name="High") == {"FINISHED"}
    baton.toy_hum.pitch = 220.0
    path = next(path for folder in bpy.utils.preset_paths("baton/toy_hum") for path in Path(folder).glob("*.py"))
    bpy.ops.script.execute_preset(filepath=str(path), menu_idname="BATON_PT_toy_hum_presets")
    report["pitch"] = baton.toy_hum.pitch


def curve():
    """A straight path of 2 m ahead of the rig."""
    data = bpy.data.curves.new("Way", "CURVE")
    data.dimensions = "3D"
    spline = data.splines.new("POLY")
    spline.points.add(2)
    for number, point in enumerate(spline.points):
        point.co = (0.0, -number, 0.0, 1.0)
    thing = bpy.data.objects.new("Way", data)
    bpy.context.scene.collection.objects.link(thing)
    return thing


def state(rig):
    """What one undo step must bring back."""
    scene, data = bpy.context.scene, rig.animation_data
    editor = scene.sequence_editor
    return {"takes": len(scene.baton.takes), "action": data.action.name if data and data.action else None,
            "tracks": len(data.nla_tracks) if data else 0, "strips": len(compat.sequences(editor)) if editor else 0}


def nod(rig):
    """Sound to motion with a path and the motion before."""
    scene = bpy.context.scene
    piece = str(scenes.write_wav(FOLDER / "p.wav", 2.0))
    strip = compat.sequences(scene.sequence_editor_create()).new_sound("Piece", piece, 1, 41)
    scene.sequence_editor.active_strip, strip.select = strip, True
    scene.baton.model_to_motion, scene.baton.toy_nod.colour = "toy_nod", "blue"
    scene.baton.toy_nod.path, scene.baton.toy_nod.seed_motion, scene.baton.toy_nod.blend_seconds = curve(), True, 0.0
    assert bpy.ops.baton.generate_toy_nod() == {"FINISHED"}
    take = scene.baton.takes[-1]
    report["nod"] = {"name": take.name, "settings": json.loads(take.recipe)["settings"],
                     "range": list(take.action.frame_range)}
    hips = scenes.evaluated(rig, [41, 99], ["pelvis"])[:, 0, :3, 3]
    report["nod"]["way"] = float(((hips[1] - hips[0]) ** 2).sum() ** 0.5)
    assert bpy.ops.baton.remove_take(name=take.name) == {"FINISHED"}
    other = scenes.smpl_rig("Partner")
    other.location.x, scene.baton.toy_nod.path, scene.baton.toy_nod.formation = 2.0, None, "mirrored"
    rig.select_set(True)
    other.select_set(True)
    bpy.context.view_layer.objects.active = rig
    assert bpy.ops.baton.generate_toy_nod() == {"FINISHED"}
    pair = list(scene.baton.takes)
    report["pair"] = {"rigs": [take.rig.name for take in pair],
                      "actions": [take.rig.animation_data.action == take.action for take in pair]}
    assert bpy.ops.baton.redo_take(name=pair[1].name) == {"FINISHED"}
    report["pair"]["again"] = [take.rig.name for take in scene.baton.takes]
    scene.baton.edit_range, scene.baton.edit_start, scene.baton.edit_end = "CUSTOM", 61, 80
    assert bpy.ops.baton.redo_range(name=scene.baton.takes[-1].name) == {"FINISHED"}
    report["pair"]["range"] = scene.baton.takes[-1].rig.name
    for name in [take.name for take in scene.baton.takes][::-1]:
        assert bpy.ops.baton.remove_take(name=name) == {"FINISHED"}
    bpy.data.objects.remove(other)


def both(rig):
    """Sound and motion at once: one take with two faces, one undo step."""
    scene = bpy.context.scene
    scene.frame_set(11)
    scene.baton.toy_both.duration, scene.baton.toy_both.tempo, scene.baton.toy_both.bpm = 2.0, "fixed", 120.0
    bpy.ops.ed.undo_push(message="before")
    before = state(rig)
    assert bpy.ops.baton.generate_toy_both() == {"FINISHED"}
    scene, rig = bpy.context.scene, bpy.data.objects["Dancer"]
    take, after = scene.baton.takes[-1], state(rig)
    strip = takes.strip_of(take)
    report["take"] = {"kind": take.kind, "name": take.name, "strip_first": strip.frame_final_start,
                      "range": list(take.action.frame_range), "file": Path(take.path).is_file(),
                      "beats": json.loads(take.beats)["times"], "recipe": json.loads(take.recipe)["system"]}
    bpy.ops.baton.mute_take(name=take.name)
    report["muted"] = [strip.mute, rig.animation_data.action != take.action]
    bpy.ops.baton.solo_take(name=take.name)
    report["played"] = [not strip.mute, rig.animation_data.action == take.action]
    scene.baton.edit_range, scene.baton.edit_start, scene.baton.edit_end, scene.baton.edit_side = ("CUSTOM", 31, 50,
                                                                                                   "motion")
    assert bpy.ops.baton.redo_range() == {"FINISHED"}
    again = scene.baton.takes[-1]
    report["again"] = {"keep": json.loads(again.recipe)["settings"]["keep"],
                       "audible": [t.audible for t in scene.baton.takes],
                       "heard": [t.name for t in scene.baton.takes if takes.strip_of(t) and not takes.strip_of(t).mute]}
    assert bpy.ops.baton.keep_take(name=again.name) == {"FINISHED"}
    for name in [t.name for t in scene.baton.takes][::-1]:
        assert bpy.ops.baton.remove_take(name=name) == {"FINISHED"}
    report["removed"] = state(rig) == before
    report["states"] = [before, after]


def main():
    blender_addon.register()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = 30
    look()
    rig = scenes.smpl_rig()
    scenes.sway(rig, 61)
    bpy.ops.wm.save_as_mainfile(filepath=str(FOLDER / "toy.blend"))
    rig = bpy.data.objects["Dancer"]
    assert bpy.ops.baton.generate_toy_hum.poll()
    report["sound"] = sys.argv[2] == "sound"
    if report["sound"]:
        assert bpy.ops.baton.generate_music() == {"FINISHED"}
        take = bpy.context.scene.baton.takes[-1]
        report["hum"] = {"name": take.name, "settings": json.loads(take.recipe)["settings"]}
        bpy.ops.baton.remove_take(name=take.name)
        nod(rig)
        both(rig)
    (FOLDER / "report.json").write_text(json.dumps(report))
    blender_addon.unregister()
    sys.stdout.flush()


if __name__ == "__main__":
    main()
    os._exit(0)
