"""Which takes play: at most one of those that overlap in time on the same rig;
takes of separate passages play side by side.

The motion that is worked on is the rig's active action; the others lie on NLA tracks below it, above all that the rig
did before. What a take silences it gives back when it goes. A kept motion is not silenced: it lies lower and shows
where nothing covers it.
"""
import json
import uuid

from ...core.contract import recipes
from . import actions, nla, noted, stacking, strips

SLACK = 2.0         # frames by which two passages may overlap and yet follow one another: sounds are rounded to frames


def has_sound(take):
    """True for a take with a strip."""
    return take.kind in ("MUSIC", "BOTH")


def has_motion(take):
    """True for a take with an action."""
    return take.kind in ("MOTION", "BOTH")


def key_of(take):
    """What tells a take from any other, whatever it is called."""
    if not take.key:
        take.key = uuid.uuid4().hex
    return take.key


def state(take):
    """What Remove restores, as a dict; None where the take has none or it is damaged."""
    if not take.state or recipes.damage("", "", "", take.state):
        return None
    return recipes.read_state(take.state)


def _on(scene, rig):
    """The takes with a motion on a rig whose state can be read."""
    return [take for take in scene.baton.takes if has_motion(take) and take.rig == rig and state(take) is not None]


def sound_span(take):
    """(name of the strip's scene, first frame, last frame), or None where there is no strip."""
    strip = strips.of_take(take) or noted.of_take(take) if has_sound(take) else None
    return (strip.id_data.name, strip.frame_final_start, strip.frame_final_end - 1) if strip is not None else None


def motion_span(take):
    """(rig's name, first frame, last frame) of the take's keys, or None."""
    if not has_motion(take) or take.rig is None or take.action is None:
        return None
    return take.rig.name, *take.action.frame_range


def _meet(one, other, slack):
    return (one is not None and other is not None and one[0] == other[0]
            and min(one[2], other[2]) - max(one[1], other[1]) >= slack)


def faces(take, other):
    """(sound, motion) in which two takes of one rig stand for the same thing at the same time."""
    if take.rig != other.rig:
        return False, False
    return _meet(sound_span(take), sound_span(other), SLACK), _meet(motion_span(take), motion_span(other), 0.0)


def rivals(scene, take):
    """[(other take, sound, motion)]: what cannot play while this take does. A kept motion lies below and can."""
    found = [(other, *faces(take, other)) for other in scene.baton.takes if other.name != take.name]
    return [(other, sound, motion and not other.kept) for other, sound, motion in found
            if sound or motion and not other.kept]


def moves(take):
    """True where the take's motion is to be seen."""
    return has_motion(take) and (take.audible if take.kind == "MOTION" else take.moves)


def sounds(take):
    """True where the take's sound is to be heard."""
    strip = strips.of_take(take) if has_sound(take) else None
    return strip is not None and not strip.mute


def play(scene, take):
    """Let a take play alone of those it overlaps. Raises UserError where its sound is missing."""
    met = rivals(scene, take)
    stacking.swap(take, [other for other, sound, _ in met if sound and not other.kept])
    for other, sound, motion in met:
        silence(other, sound, motion)
        other.silenced_by = key_of(take)
    _set(take, True)
    take.silenced_by = take.heard = ""
    if has_motion(take):
        arrange(scene, take.rig, take)


def solo(scene, take):
    """Play a take and silence what it overlaps; pressed again, what played before plays again."""
    if take.heard and (sounds(take) or moves(take)):
        _end_solo(scene, take)
        return
    before = [(take, *_playing(take)), *((other, *_playing(other)) for other, _, _ in rivals(scene, take))]
    play(scene, take)
    if [_playing(thing) for thing, _, _ in before] != [tuple(faces) for _, *faces in before]:
        take.heard = json.dumps({"heard": [(key_of(thing), *faces) for thing, *faces in before]})


def _playing(take):
    return sounds(take), moves(take)


def _end_solo(scene, take):
    rows = {key: faces for key, *faces in recipes.read_heard(take.heard)}
    found = [other for other in scene.baton.takes if other.key in rows]
    found.sort(key=lambda other: other.name != take.name)
    silence(take)
    for other in found:
        sound, motion = rows[other.key]
        if sound or motion:
            play(scene, other)
            silence(other, has_sound(other) and not sound, has_motion(other) and not motion)
    take.heard = ""


def mute(scene, take):
    """Silence a take; a kept one that it had silenced is heard again."""
    silence(take)
    give_back(scene, key_of(take), kept=True)


def silence(take, sound=True, motion=True):
    """Mute a take, or one face of it."""
    take.heard = ""
    _set(take, False, sound, motion)
    if motion and has_motion(take):
        arrange(take.id_data, take.rig)


def _set(take, on, sound=True, motion=True):
    strip = strips.of_take(take) if sound and has_sound(take) else None
    if strip is not None:
        strip.mute = not on
    if motion:
        take.moves = on
    whole = (sound or not has_sound(take)) and (motion or not has_motion(take))
    take.audible = on or not whole and take.audible


def give_back(scene, key, kept=False):
    """What the take of this key had silenced plays again, the newest first, unless something else plays there now.
    Returns sentences on what lacks its sound for that."""
    lacking = []
    for other in reversed(list(scene.baton.takes)):
        if other.silenced_by != key or kept and not other.kept:
            continue
        above = [rival for rival, sound, motion in rivals(scene, other)
                 if sound and sounds(rival) or motion and moves(rival)]
        if above:
            other.silenced_by = key_of(above[0])
        elif stacking.lacks(other):
            other.silenced_by = ""
            lacking.append(stacking.lacks(other))
        else:
            play(scene, other)
    return lacking


# --- motions on one rig ----------------------------------------------------------------------------------------------

def group(scene, rig, base):
    """The takes on a rig that stand on the same state below."""
    return [take for take in _on(scene, rig) if take.action is not None and state(take)["base"] == base]


def top_base(scene, rig):
    """The state below the takes that play on `rig` now, or would;
    None where the rig does something else, or nothing yet."""
    data = rig.animation_data
    if data is None:
        return None
    stacks = {}
    for take in _on(scene, rig):
        if take.action is not None:
            stacks.setdefault(state(take)["base"], []).append(take)
    for members in reversed(list(stacks.values())):
        if data.action is None or any(take.action == data.action for take in members):
            return state(members[-1])
    return None


def make_room(scene, take, rig, first, last):
    """Before a motion of the frames first..last is written: what it overlaps is silenced, the rest goes to NLA tracks,
    so that the rig shows what it does without the new take.
    Returns the state below, or None for a rig without takes."""
    base = top_base(scene, rig)
    if base is None:
        return None
    for other in group(scene, rig, base["base"]):
        if other.name != take.name and not other.kept and _meet(motion_span(other), (rig.name, first, last), 0.0):
            _set(other, False, sound=False)
            other.silenced_by = key_of(take)
    _arrange(scene, rig, base["base"], aside=True)
    return base


def share(scene, rig, new):
    """What the take of the state `new` has laid below all of them, the others know too."""
    for other in group(scene, rig, new["base"]):
        rest = {"rest_action": new["rest_action"], "rest_track": new["rest_track"]}
        other.state = json.dumps({**state(other), **rest})


def arrange(scene, rig, top=None):
    """Every motion that plays where it belongs: `top`, or the last one, is the active action,
    the others lie below it."""
    if rig is None or rig.animation_data is None:
        return
    for base in dict.fromkeys(state(take)["base"] for take in _on(scene, rig)):
        _arrange(scene, rig, base, top)


def _arrange(scene, rig, base, top=None, aside=False):
    data, members = rig.animation_data, group(scene, rig, base)
    if not members:
        return
    own, below = [take.action for take in members], state(members[-1])
    beside = [track for track in data.nla_tracks if track.name.startswith(nla.BESIDE)
              and all(strip.action in own for strip in track.strips)]
    free = data.action is None or data.action in own          # else the user's action, or a newer stack, stands above
    shown = _order([take for take in members if moves(take)
                    and all(track in beside for track in nla.holding(data, take.action))])
    if free:
        data.action = None
    lead = None
    if free and shown and not aside:
        bare = not below["had_action"] and not below["tracks"]
        lead = shown[-1] if bare or top is None or top not in shown or top.kept else top
    extrapolations = _extrapolations(shown, below)
    wanted = [(take.name, take.action, extrapolations[take.name]) for take in shown if take != lead]
    present = [(track.name.removeprefix(nla.BESIDE), track.strips[0].action, track.strips[0].extrapolation)
               for track in beside if len(track.strips)]
    if present != wanted:
        for track in beside:
            nla.drop(track)
        for name, action, extrapolation in wanted:
            nla.lay(data, nla.BESIDE + name, action, nla.first_slot(action), extrapolation)
    if lead is not None:
        actions.lead(data, lead.action, extrapolations[lead.name])
    elif free and not shown:
        actions.rest(rig, below)


def _order(takes):
    """From the lowest to the topmost: by time, and what is not kept above what is kept and overlaps it."""
    ordered = sorted(takes, key=lambda take: (motion_span(take)[1], not take.kept))
    for take in [take for take in ordered if not take.kept]:
        later = [i for i, other in enumerate(ordered)
                 if other.kept and _meet(motion_span(take), motion_span(other), 0.0)]
        if later and later[-1] > ordered.index(take):
            ordered.remove(take)
            ordered.insert(later[-1], take)
    return ordered


def _extrapolations(ordered, below):
    """{name: extrapolation}. Where nothing lies below, the first take is held before it,
    each one after it until the next."""
    if below["had_action"] or below["tracks"]:
        return {take.name: "NOTHING" for take in ordered}
    out, start = {}, min((motion_span(take)[1] for take in ordered), default=0.0)
    for number, take in enumerate(ordered):
        _, first, last = motion_span(take)
        covered = any(motion_span(other)[1] <= last + 1 <= motion_span(other)[2] for other in ordered[:number])
        out[take.name] = "HOLD" if first == start and number == 0 else "NOTHING" if covered else "HOLD_FORWARD"
    return out
