"""The frames over which a rig is animated."""
from ..errors import UserError
from .actions import REST, REST_TRACK
from .nla import REACH


def is_rest(track, strip):
    """True for the strip that holds what lies below a take (scene/actions.py): its one key is no motion."""
    return bool(strip.action.get(REST)) or track.name.startswith(REST_TRACK) and strip.action.name.endswith(" rest")


def frames(rig):
    """First and last keyed frame of the rig's action and playing NLA strips. Raises UserError without keys."""
    data = rig.animation_data
    spans = []
    if data is not None:
        if data.action is not None and data.action.frame_range[1] > data.action.frame_range[0]:
            spans.append(tuple(data.action.frame_range))
        if data.use_nla:
            for track in data.nla_tracks:
                for strip in track.strips:
                    if not track.mute and not strip.mute and strip.action is not None and not is_rest(track, strip):
                        low, high = strip.action.frame_range
                        spans.append((max(strip.frame_start, low), min(strip.frame_end, high))
                                     if strip.frame_end - strip.frame_start > REACH
                                     else (strip.frame_start, strip.frame_end))
    if not spans:
        raise UserError(f"{rig.name} has no animation; choose another range or animate it")
    return int(min(low for low, _ in spans)), int(max(high for _, high in spans))
