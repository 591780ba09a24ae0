"""A file with everything in it is the same when it is saved and opened again: sounds, takes, settings, bone map."""
from pathlib import Path

import bpy

from baton.blender_addon.scene import bone_map, strips
from baton.blender_addon.scene import takes as stored
from tests.blender.stand_ins import conducting, music, row
from tests.blender.test_stacking import lying


def _whole():
    """What the file holds, as plain values."""
    scene = bpy.context.scene
    rows = [(take.name, take.kind, take.audible, take.kept, take.note, take.colour, take.path, take.strip, take.part,
             take.rig and take.rig.name, take.action and take.action.name, round(take.score, 6), take.has_alignment,
             stored.damaged(take)) for take in scene.baton.takes]
    placed = sorted((strip.name, strip.channel, strip.frame_final_start, strip.frame_final_end, strip.mute)
                    for strip in lying())
    rigs = [(thing.name, bone_map.require(thing), [track.name for track in thing.animation_data.nla_tracks])
            for thing in scene.objects if thing.type == "ARMATURE"]
    settings = {name: {key: getattr(group, key) for key in group.bl_rna.properties.keys()
                       if isinstance(getattr(group, key), (int, float, str))}
                for name in ("music_ldm", "conductor") for group in (getattr(scene.baton, name),)}
    return {"takes": rows, "strips": placed, "rigs": rigs, "settings": settings, "active": scene.baton.take_index}


def test_everything_is_there_after_save_and_open(blender, sound, tmp_path):
    scene = blender.context.scene
    job, result = music(blender, tmp_path, 2)
    job.apply(result, tmp_path / "job")
    assert blender.ops.baton.apply_preset(system="conductor", label="Choir") == {"FINISHED"}
    rig, job = conducting(blender, tmp_path, "conducting", amplitude=0.7)
    job.apply({"takes": [row("channels.npz")]}, tmp_path / "conducting")
    blender.ops.baton.detect_bones()
    scene.baton.takes[0].note, scene.baton.takes[0].colour = "too loud", "COLOR_05"
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    assert blender.ops.baton.keep_take(name="Music 1") == {"FINISHED"}
    blender.ops.wm.save_mainfile()
    before = _whole()
    assert len(before["takes"]) == 3 and before["settings"]["conductor"]["fingers"] == "relaxed"
    blender.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    assert _whole() == before
    for take in bpy.context.scene.baton.takes[:2]:
        assert blender.ops.baton.solo_take(name=take.name) == {"FINISHED"}
        assert Path(bpy.path.abspath(strips.sound_of(take).filepath)).read_bytes()[:4] == b"RIFF"
