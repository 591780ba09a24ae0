"""What differs between Blender 4.2 LTS and current, in one place (tried on 4.2.23, 4.3.2, 4.5, 5.0.1)."""
import bpy

SLOTTED = bpy.app.version >= (4, 4)


def action_curves(action, owner):
    """(bag, fcurves, slot) of `action` for `owner`; the slot is None before 4.4. Made where missing."""
    if not SLOTTED:
        return action, action.fcurves, None
    slot = next(iter(action.slots), None) or action.slots.new(id_type="OBJECT", name=owner.name)
    return _channelbag(action, slot)


def _channelbag(action, slot):
    layer = action.layers[0] if action.layers else action.layers.new("Layer")
    strip = layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")
    bag = strip.channelbag(slot, ensure=True)
    return bag, bag.fcurves, slot


def read_curves(animation_data):
    """F-curves that the active action gives the owner of `animation_data`, as a list; makes nothing."""
    if animation_data is None or animation_data.action is None:
        return []
    return curves_of(animation_data.action, animation_data.action_slot if SLOTTED else None)


def curves_of(action, slot):
    """F-curves of `action` for `slot` (None before 4.4, where an action has but one owner), as a list."""
    if not SLOTTED:
        return list(action.fcurves)
    if slot is None:
        return []
    curves = []
    for layer in action.layers:
        for strip in layer.strips:
            bag = strip.channelbag(slot)
            if bag is not None:
                curves.extend(bag.fcurves)
    return curves


def all_curves(action):
    """F-curves of every slot of `action`, one after the other."""
    if not SLOTTED:
        yield from action.fcurves
        return
    for layer in action.layers:
        for strip in layer.strips:
            for bag in strip.channelbags:
                yield from bag.fcurves


def new_curve(bag, fcurves, path, index, group):
    """A new f-curve in the channel group `group`;
    that comes first, so that whoever tries again finds no curve without it."""
    place = bag.groups.get(group) or bag.groups.new(group)
    curve = fcurves.new(path, index=index)
    curve.group = place
    return curve


def assign_action(animation_data, action, slot_identifier=None):
    """Make `action` active; in 4.4+ also its slot (by identifier, else the first), without which nothing moves."""
    animation_data.action = action
    if SLOTTED and action is not None:
        slots = {slot.identifier: slot for slot in action.slots}
        slot = slots.get(slot_identifier) or next(iter(action.slots), None)
        if slot is not None:
            animation_data.action_slot = slot


def slot_identifier(animation_data):
    """Identifier of the active slot, or None."""
    slot = animation_data.action_slot if SLOTTED and animation_data.action else None
    return slot.identifier if slot else None


def colour_icon(colour):
    """Icon of a strip's colour, such as "COLOR_03"."""
    return f"{'STRIP' if SLOTTED else 'SEQUENCE'}_{colour}"


def colour_items():
    """Items of an enum for the colours of strips: none and nine, with their icons."""
    return [("NONE", "None", "No colour", "BLANK1", 0), *(
        (f"COLOR_0{n}", f"Colour {n}", f"Colour {n} of the theme's strips", colour_icon(f"COLOR_0{n}"), n)
        for n in range(1, 10))]


def sequences(editor):
    """All strips of a sequence editor; an empty collection is false, so None is tested for."""
    strips = getattr(editor, "strips", None)
    return editor.sequences if strips is None else strips


def all_strips(editor):
    """The strips of a sequence editor, those inside metastrips included."""
    strips = getattr(editor, "strips_all", None)
    return editor.sequences_all if strips is None else strips


def metas_of(editor, strip):
    """The metastrips that a strip lies in, the outermost first; [] for one that lies on the timeline itself."""
    def search(collection):
        for other in collection:
            if other == strip:
                return []
            if other.type == "META":
                found = search(sequences(other))
                if found is not None:
                    return [other, *found]
        return None
    return search(sequences(editor)) or []


def sequencer_scene(context):
    """The scene whose sequencer is shown: 5.0 lets the workspace name one, else the active scene."""
    workspace = getattr(context, "workspace", None)
    return getattr(workspace, "sequencer_scene", None) or context.scene


def active_strip(scene):
    """The active sound strip of `scene`, or a selected one, or None. A movie strip stands for the sound strip of the
    same file that lies with it."""
    editor = scene.sequence_editor
    if editor is None:
        return None
    active = editor.active_strip
    if active is not None and active.type == "MOVIE" and active.select:
        heard = _sound_of(editor, active)
        if heard is not None:
            return heard
    if active is not None and active.type == "SOUND" and active.select:
        return active
    selected = [strip for strip in sequences(editor) if strip.select and strip.type == "SOUND"]
    if selected:
        return selected[0]
    return active if active is not None and active.type == "SOUND" else None


def _sound_of(editor, movie):
    """The sound strip of a movie's own file, the one that begins nearest to it; None where there is none."""
    path = bpy.path.abspath(movie.filepath)
    heard = [strip for strip in sequences(editor) if strip.type == "SOUND" and strip.sound is not None
             and bpy.path.abspath(strip.sound.filepath) == path]
    return min(heard, key=lambda strip: abs(strip.frame_final_start - movie.frame_final_start), default=None)


def uid(datablock):
    """Session uid, which survives renaming and tells a deleted datablock from a new one of the same name."""
    return datablock.session_uid


def tag_redraw_sidebars():
    """Redraw where a job's progress is shown, and not the views beside it:
    drawing these can cost more than the job."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "PREFERENCES":
                area.tag_redraw()
            elif area.type in {"VIEW_3D", "SEQUENCE_EDITOR"}:
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()


def tag_redraw_all():
    """Redraw the areas that show Baton; cheap, no effect in background."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in {"VIEW_3D", "SEQUENCE_EDITOR", "DOPESHEET_EDITOR", "PREFERENCES"}:
                area.tag_redraw()
