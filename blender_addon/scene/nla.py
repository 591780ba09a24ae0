"""NLA strips that let an action play as it does when it is active."""
from . import compat
from .whole import later

BESIDE = "Baton: beside "   # tracks of takes that play beside the active action
GOING = "Baton: going"
REACH = 100000  # frames to either side for which an action that answers everywhere answers as a strip


def lay(data, name, action, slot, extrapolation, blend="REPLACE", influence=1.0):
    """A new topmost track called `name` with the action on a strip of its own, unscaled, on its own frames."""
    track = data.nla_tracks.new()
    track.name = name
    strip = track.strips.new(action.name, 0, action)
    if slot is not None:
        strip.action_slot = slot
    strip.use_sync_length = False
    first, last = tuple(action.frame_range)
    # Far beyond its ends where it answers there, so that extrapolation, cycles and modifiers answer as before.
    first = -REACH if extrapolation == "HOLD" else first
    last = REACH if extrapolation != "NOTHING" else last
    strip.action_frame_start, strip.action_frame_end = first, last
    strip.frame_start_raw, strip.frame_end_raw = first, last
    strip.scale = 1.0
    strip.blend_type, strip.influence, strip.extrapolation = blend, influence, extrapolation
    strip.use_auto_blend, strip.blend_in, strip.blend_out = False, 0.0, 0.0
    return track


def drop(track):
    """Silence a track and delete it after all else has been done."""
    rig, pointer = track.id_data, track.as_pointer()

    def goes():
        tracks = rig.animation_data.nla_tracks if rig.animation_data is not None else ()
        for found in [found for found in tracks if found.as_pointer() == pointer]:
            tracks.remove(found)
    track.mute, track.name = True, GOING
    later(goes)


def first_slot(action):
    """The slot of a take's action; None before 4.4."""
    return next(iter(action.slots), None) if compat.SLOTTED else None


def holding(data, action):
    """The tracks on whose strips an action lies, those left out that are to be deleted."""
    return [track for track in data.nla_tracks if not track.name.startswith(GOING)
            and any(strip.action == action for strip in track.strips)]
