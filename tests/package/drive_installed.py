"""Run by test_package.py in a process of its own: installs the zip as a user would and drives it.

    python drive_installed.py ZIP WORKER_PYTHON FOLDER WHAT...
"""
import json
import os
import sys
import traceback
from pathlib import Path

ZIP, PYTHON, FOLDER, *WHAT = sys.argv[1:]
ROOT = Path(__file__).resolve().parents[2]
MODULE = "bl_ext.user_default.baton"
report = {}


def main():
    import bpy  # noqa: I001 - it brings addon_utils
    import addon_utils
    bpy.ops.extensions.package_install_files(filepath=ZIP, repo="user_default", enable_on_install=True)
    assert addon_utils.check(MODULE)[1], "not enabled"
    preferences = bpy.context.preferences.addons[MODULE].preferences
    report["grey_without_runtime"] = not bpy.ops.baton.generate_music.poll()
    preferences.python = PYTHON
    installed = Path(sys.modules[MODULE].__file__).parent
    report["installed"] = str(installed)
    before = files(installed)
    assert bpy.ops.baton.check() == {"FINISHED"}
    report["doctor"] = json.loads(preferences.report)
    sys.path.insert(0, str(ROOT / "tests" / "blender"))
    import scenes
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.context.scene.render.fps = 30
    names = {joint: f"xx_{joint}_jnt".replace("_hip", "_thigh") for joint in scenes.JOINTS}
    rig = scenes.smpl_rig(rename=names)
    assert bpy.ops.baton.detect_bones() == {"FINISHED"}
    report["bones"] = {row.name: row.bone for row in rig.baton.bones}
    bpy.ops.wm.save_as_mainfile(filepath=str(Path(FOLDER) / "a.blend"))
    rig, scene = bpy.data.objects["Dancer"], bpy.context.scene
    scene.baton.music_ldm.steps = scene.baton.conductor.steps = "draft"
    if "music" in WHAT:
        scenes.sway(rig, 121, bones=("xx_left_shoulder_jnt", "xx_spine1_jnt", "xx_right_thigh_jnt"))
        assert bpy.ops.baton.generate_music() == {"FINISHED"}
        report["music"] = scene.baton.takes[-1].path
    if "conduct" in WHAT:
        editor = scene.sequence_editor or scene.sequence_editor_create()
        strips = getattr(editor, "strips", None)
        strips = editor.sequences if strips is None else strips
        strip = strips.new_sound("Piece", str(scenes.write_wav(Path(FOLDER) / "p.wav", 4.0)), 20, 1)
        for other in strips:
            other.select = other == strip
        editor.active_strip = strip
        assert bpy.ops.baton.generate_conducting() == {"FINISHED"}
        report["conduct"] = list(scene.baton.takes[-1].action.frame_range)
    report["written_inside"] = sorted(files(installed) - before)
    bpy.ops.preferences.addon_disable(module=MODULE)
    assert not hasattr(bpy.types.Scene, "baton")
    bpy.ops.preferences.addon_enable(module=MODULE)
    assert hasattr(bpy.types.Scene, "baton")
    repos = [repo.module for repo in bpy.context.preferences.extensions.repos]
    bpy.ops.extensions.package_uninstall(repo_index=repos.index("user_default"), pkg_id="baton")
    report["gone"] = not hasattr(bpy.types.Scene, "baton") and not (installed / "blender_addon").exists()


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()
            and "__pycache__" not in path.parts}


status = 0
try:
    main()
except BaseException:  # noqa: BLE001 - the report goes out whatever happened
    report["error"] = traceback.format_exc()
    status = 1
(Path(FOLDER) / "report.json").write_text(json.dumps(report))
sys.stdout.flush()
os._exit(status)  # left-over classes crash some bpy wheels at exit
