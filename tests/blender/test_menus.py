"""The menu search of Blender finds only what is in a menu."""
from types import SimpleNamespace

import bpy
import pytest

from baton.blender_addon.ui import menus
from tests.blender import scenes


class Recorder:
    """A layout that notes its operators and menus."""

    def __init__(self):
        self.names = []

    def operator(self, name, **kw):
        self.names.append(name)
        return SimpleNamespace()

    def menu(self, name, **kw):
        self.names.append(name)

    def separator(self):
        self.names.append("")


def test_every_entry_is_an_operator_with_a_label_of_its_own(blender):
    layout = Recorder()
    menus.BATON_MT_baton.draw(SimpleNamespace(layout=layout), blender.context)
    names = [name for name in layout.names if name]
    kinds = [getattr(bpy.ops.baton, name.removeprefix("baton.")).get_rna_type() for name in names]
    assert {"baton.generate_music", "baton.generate_conducting", "baton.generate_both", "baton.keep_take"} <= set(names)
    assert len({kind.name for kind in kinds}) == len(names) == len(set(names))


@pytest.mark.parametrize("menu", ["VIEW3D_MT_object", "VIEW3D_MT_pose", "SEQUENCER_MT_strip"])
def test_blenders_menus_have_it(blender, menu):
    draws = getattr(bpy.types, menu).draw._draw_funcs
    layout = Recorder()
    for draw in draws:
        if draw.__module__.startswith("baton"):
            draw(SimpleNamespace(layout=layout), blender.context)
    assert layout.names == ["", "BATON_MT_baton"]


def test_the_menu_acts_on_the_active_take(blender):
    rig = scenes.smpl_rig()
    take = blender.context.scene.baton.takes.add()
    take.name, take.kind, take.rig = "One", "MOTION", rig
    blender.context.scene.baton.take_index = 0
    assert blender.ops.baton.remove_take() == {"FINISHED"} and len(blender.context.scene.baton.takes) == 0
