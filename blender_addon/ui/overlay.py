"""Beats and downbeats drawn over the timeline and the sequencer: motion's from above, music's from below."""
import bpy

from ...core.contract import recipes
from ..scene import compat
from ..scene.stats import timed
from ..scene.timebase import frame_in, scene_fps

BODY, MUSIC = (0.35, 0.75, 1.0), (1.0, 0.65, 0.2)
_drawn = []  # (space type, handle)
_cache = {}  # text of JSON: what `_events` gives for it


def _events(text):
    """(frame of second 0, [(seconds, is downbeat)]) of the JSON of beats; parsed once."""
    if text not in _cache:
        if len(_cache) > 8:
            _cache.clear()
        try:
            data = recipes.read_beats(text)
            start = float(data.get("frame_start") or 0.0)
        except (recipes.Refused, TypeError, ValueError):
            data, start = {"times": [], "positions": []}, 0.0    # damaged: the list of takes says so
        _cache[text] = (start, list(zip(data["times"], (p == 1 for p in data["positions"]))))
    return _cache[text]


def lines(scene, low, high):
    """[(frame, downbeat, is music)] of the beats whose frames lie in low..high: what is drawn."""
    from ..scene import takes
    out, fps = [], scene_fps(scene.render)
    settings = scene.baton
    take = takes.active(scene)
    shown = [(settings.beats, None, False), (settings.music_beats, None, True)]
    if not settings.beats and take is not None and takes.has_sound(take):
        shown[0] = (take.beats, take.frame_start, False)
    for text, first, music in shown:
        if text:
            start, events = _events(text)
            start = start if first is None else first
            out += [(start + seconds * fps, down, music) for seconds, down in events
                    if low <= start + seconds * fps <= high]
    return out


@timed
def draw():
    context = bpy.context
    scene, region = context.scene, context.region
    if scene is None or region is None or not scene.baton.overlay:
        return
    if not (scene.baton.beats or scene.baton.music_beats or len(scene.baton.takes)):
        return
    if context.area.type == "DOPESHEET_EDITOR" and context.space_data.mode != "TIMELINE":
        return
    import gpu
    from gpu_extras.batch import batch_for_shader
    view = region.view2d
    low, _ = view.region_to_view(0, 0)
    high, _ = view.region_to_view(region.width, 0)
    # The Sequencer may show another scene, whose frames are others.
    place = compat.sequencer_scene(context) if context.area.type == "SEQUENCE_EDITOR" else scene
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    gpu.state.blend_set("ALPHA")
    groups = {}
    for frame, down, music in lines(scene, frame_in(scene, place, low), frame_in(scene, place, high)):
        x, _ = view.view_to_region(frame_in(place, scene, frame), 0, clip=False)
        length = region.height * (0.34 if down else 0.16)
        # Under the row of frame numbers and over the row of markers.
        top, bottom = region.height - 24, 20
        ends = ((x, bottom), (x, bottom + length)) if music else ((x, top), (x, top - length))
        groups.setdefault((music, down), []).extend(ends)
    for (music, down), points in groups.items():
        gpu.state.line_width_set(2.0 if down else 1.0)
        batch = batch_for_shader(shader, "LINES", {"pos": points})
        shader.bind()
        shader.uniform_float("color", (*(MUSIC if music else BODY), 0.9 if down else 0.55))
        batch.draw(shader)
    gpu.state.line_width_set(1.0)
    gpu.state.blend_set("NONE")


def register():
    if bpy.app.background:
        return
    for space in (bpy.types.SpaceDopeSheetEditor, bpy.types.SpaceSequenceEditor):
        _drawn.append((space, space.draw_handler_add(draw, (), "WINDOW", "POST_PIXEL")))


def unregister():
    while _drawn:
        space, handle = _drawn.pop()
        space.draw_handler_remove(handle, "WINDOW")
