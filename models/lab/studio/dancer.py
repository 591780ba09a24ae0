"""The studio's dancer: a parametric full-body performer of ten genres whose accents fall on the plan's beats."""
import numpy as np

from core.body.kinematics import FPS
from models.lab.studio.alive import Life, gaze
from models.lab.studio.body import SIDE, Curves, rotvec, solve, yaw
from models.lab.studio.choreography import PHRASE, Clock, amount, choreograph, draw_dancer, steps_of
from models.lab.studio.dancer_feet import kept_near, place_feet
from models.lab.studio.figures import ARM_POSES, GENRE_FIGURES
from models.lab.studio.floor_work import floor_curves, lay_down
from models.lab.studio.ik import interpolate_keys, quintic, smooth, smooth_noise

AHEAD = 0.04  # s: the body's clock runs this much ahead, so that its stop lies round the count, not behind it
MOST_BENT = 1.1           # rad, of a standing dancer's spine
EARLY = 0.03              # s: a pose is there just before its count, so that the body is slowest on it


def dance(plan):
    """Motion (30 fps, plan.duration) of a plan of kind "dance"; the same plan gives the same motion."""
    genre = GENRE_FIGURES[plan.genre]
    rng = np.random.default_rng([plan.seed, *b"dancer", *plan.genre.encode()])
    dancer = draw_dancer(rng)
    clock = Clock(plan, dancer.late)
    frames = int(round(plan.duration * FPS))
    phrases = choreograph(plan, genre, rng)
    plain = np.arange(frames) / FPS + AHEAD
    t = clock.groove(plain, _stops(phrases, genre, dancer))
    facing, centre = _way(phrases, genre, dancer, clock, rng)
    steps = _steps(phrases, genre, dancer, clock, rng, plain, facing, centre)
    curves = Curves.standing(frames)
    curves.ball, curves.foot_yaw, curves.foot_pitch, share, over = place_feet(
        steps, plain, t, facing, centre, genre.stance * dancer.stance, genre.free_heel, genre.turn_out)
    # ---- strength of each phrase, smoothly joined
    energy = interpolate_keys(t, np.array([clock.seconds(p.first) for p in phrases]),
                              np.array([amount(p) for p in phrases]), dwell=0.85)
    depth, still = _bounce(phrases, genre, dancer, plan, clock.count(t))
    drop = _drops(phrases, genre, clock, t)
    face = smooth(facing(0.5 * (t + plain)), 4)
    floor = floor_curves(phrases, clock, plain, facing, centre)
    up = np.ones(frames) if floor is None else 1 - floor.share
    life = Life(plan.seed, genre, clock, plain, plan.bpm, np.clip(0.45 + 0.6 * energy, 0, 1.1) * still, up)
    side = 0.6 * (1 if dancer.mirror else -1) * np.cos(np.pi * clock.count(t)) * dancer.size * energy * still
    curves.pelvis = _pelvis(genre, dancer, over, face, side * genre.sway, energy, depth, drop)
    # ---- trunk, head and arms
    torso = _torso(phrases, genre, dancer, clock, t, rng) * still[:, None]
    pops = _pops(phrases, genre, dancer, clock, t)
    noise = smooth_noise(rng, frames, 8, 1.1)
    tilt = _trunk(curves, genre, torso, pops, side, genre.jack * depth * energy, drop, noise, share, face, life)
    nod = genre.nod * dancer.nod * energy * np.roll(depth, 1)
    _head(curves, genre, nod, tilt, pops, noise, _spotting(face, phrases, clock, t))
    arms = _arms(phrases, genre, dancer, clock, t, rng, life.habit)
    arms[..., 1] += (0.05 * depth * energy)[:, None]
    arms[..., :2] += 0.03 * noise[:, 4:8].reshape(frames, 2, 2)
    _shoulders(curves, genre, arms)
    look = gaze(life.habit, face, arms)
    curves.neck += 0.4 * look
    curves.head += 0.6 * look
    life.add(curves, face)
    curves.knee_out = np.tile(SIDE * (0.12 + 0.4 * max(genre.stance - 0.15, 0)),
                              (frames, 1)) + SIDE * 0.5 * drop[:, None]
    if floor is not None:
        lay_down(curves, floor, face)
    return solve(curves)


def _way(phrases, genre, dancer, clock, rng):
    """Functions of time (s): the dancer's yaw (rad) and place (x, z) in metres."""
    turn_at, turn_to, heading = [clock.times[0]], [0.0], 0.0
    for phrase in phrases:
        # Within a phrase the dancer turns a little with the steps; a full turn takes counts 4 to 8.
        stops = (4, 8) if phrase.turn else (2, 4, 6, 8)
        roam = 0.0 if phrase.kind == "idle" or phrase.floor else genre.roam
        aside = 0.0
        for stop in stops:
            aside = 0.5 * aside + float(rng.normal(0, roam))
            turn_at.append(clock.seconds(phrase.first + stop))
            turn_to.append(heading + (phrase.turn if phrase.turn and stop == 8 else 0.0) + aside)
        heading += phrase.turn
    turn_at, turn_to = np.array(turn_at), np.array(turn_to)
    spots = np.cumsum(rng.normal(0, dancer.wander, (len(phrases) + 1, 2)), 0)
    spots *= 1.0 / np.maximum(np.linalg.norm(spots, axis=1, keepdims=True), 1.0)
    spot_at = np.array([clock.seconds(p.first) for p in phrases] + [clock.seconds(phrases[-1].first + 8)])

    def facing(time):
        out = interpolate_keys(np.atleast_1d(time), turn_at, turn_to)
        return out if np.ndim(time) else float(out[0])

    def centre(time):
        out = interpolate_keys(np.atleast_1d(time), spot_at, spots)
        return out if np.ndim(time) else out[0]
    return facing, centre


def _steps(phrases, genre, dancer, clock, rng, plain, facing, centre):
    """All steps of a piece, none too far out, no foot left behind."""
    steps = []
    for phrase in phrases:
        steps += steps_of(phrase, genre, dancer, clock, rng)
    down = [(clock.seconds(p.first - 0.5), clock.seconds(p.first + 8.5)) for p in phrases if p.floor]
    counts = [time for time in clock.times if plain[0] < time < plain[-1]]
    return kept_near(steps, counts, facing, centre, genre.stance * dancer.stance,
                     lambda time: not any(a < time < b for a, b in down))


def _pelvis(genre, dancer, over, face, sway, energy, depth, drop):
    """Place (T,3) of the pelvis: over the standing foot (`over`), down with the bounce."""
    back = np.stack([np.sin(face), np.zeros(len(face)), np.cos(face)], 1)
    left = np.stack([np.cos(face), np.zeros(len(face)), -np.sin(face)], 1)
    pelvis = np.stack([over[:, 0], np.zeros(len(face)), over[:, 1]], 1)
    pelvis = smooth(pelvis, 3) - 0.11 * back + left * sway[:, None]
    crouch = genre.crouch * (0.6 + 0.5 * energy)
    bounce = genre.bounce * dancer.depth * (0.45 + 0.7 * energy) * depth
    direction = -1.0 if not genre.bounce_up else 0.6
    pelvis[:, 1] = 0.945 - crouch - drop + direction * bounce
    return pelvis - back * (0.35 * drop + 0.4 * np.maximum(bounce, 0))[:, None] * 0.6


def _trunk(curves, genre, torso, pops, side, jack, drop, noise, share, face, life):
    """Spine and pelvis of the `Curves`, in place; returns the pelvis' tilt (T,)."""
    roll = genre.roll * side * genre.sway / max(genre.sway, 1e-3)
    curves.spine = torso + 0.02 * noise[:, :3] + life.spine()
    curves.spine[:, 0] += genre.lean + jack + 0.45 * drop - pops
    curves.spine[:, 2] -= roll * 0.7
    bent = np.linalg.norm(curves.spine, axis=1, keepdims=True)
    curves.spine *= np.tanh(bent / MOST_BENT) * MOST_BENT / np.maximum(bent, 1e-6)
    tilt = 0.25 * genre.lean + 0.4 * jack + 0.5 * drop + 0.25 * torso[:, 0]
    roll = roll + 0.10 * (share - 0.5)
    hips = rotvec(np.stack([tilt, 0.35 * torso[:, 1], -roll], -1) + life.hips())
    curves.pelvis_rotation = yaw(face) @ hips
    return tilt


def _head(curves, genre, nod, tilt, pops, noise, spotting):
    """Neck and head of the `Curves`, in place: level above the spine, with nods, pops and the spotting of turns."""
    curves.neck[:, 0] = -0.35 * curves.spine[:, 0] + 0.5 * nod - genre.head_up - 0.4 * tilt
    curves.head[:, 0] = -0.35 * curves.spine[:, 0] + 0.5 * nod - genre.head_up + 0.3 * pops + 0.04 * noise[:, 3]
    curves.head[:, 1] = -0.5 * curves.spine[:, 1] + 0.10 * noise[:, 4]
    curves.neck[:, 1] = -0.25 * curves.spine[:, 1]
    curves.head[:, 2] = -0.3 * curves.spine[:, 2]
    curves.head[:, 1] += spotting


def _shoulders(curves, genre, arms):
    """Arms, collars that follow them and hands that trail, of the `Curves`, in place."""
    curves.arms = arms
    raised = np.clip(arms[..., 1], -0.3, 1.4)
    curves.collar[..., 2] = SIDE * (0.05 + 0.22 * raised)
    curves.collar[..., 1] = SIDE * -0.12 * np.cos(arms[..., 0]) * np.cos(arms[..., 1])
    velocity = np.gradient(arms[..., 1], axis=0) * FPS
    curves.hand[..., 2] = -SIDE * genre.hand * np.clip(smooth(velocity, 2) * 0.12, -0.6, 0.6)


def _stops(phrases, genre, dancer):
    """Function of counts: how decisively the body stops on each (`Clock.groove`)."""
    first = phrases[0].first
    energy = np.array([amount(phrase) for phrase in phrases])
    weight = np.full(PHRASE, genre.stop_between)
    weight[list(genre.accents)] = 1.0

    def hold(counts):
        place = np.asarray(counts).astype(int) - first
        strength = energy[np.clip(place // PHRASE, 0, len(energy) - 1)]
        return np.clip(genre.stop * weight[place % PHRASE] * np.clip(0.5 + 0.6 * strength, 0.5, 1.1) * dancer.stop,
                       0, 0.95)
    return hold


def _bounce(phrases, genre, dancer, plan, b):
    """Depth 0..1+ of the bounce, deepest on the beat and more so on counts 1 and 5; and 0 where a freeze holds."""
    count = np.arange(np.floor(b[0]) - 1, np.ceil(b[-1]) + 2)
    ones = np.flatnonzero(plan.positions == 1)
    first = int(ones[0]) if len(ones) else 0
    strength = np.where((count - first) % 4 == 0, 1.35, np.where((count - first) % 2 == 0, 1.0, 0.85))
    still = np.ones(len(count))
    for phrase in phrases:
        inside = (count >= phrase.first) & (count < phrase.first + PHRASE)
        strength[inside & (count == phrase.first)] *= 1.15
        if phrase.freeze:
            still[(count > phrase.first + 6) & (count < phrase.first + 8)] = 0.0
    rate = genre.bounce_rate
    nearest = np.clip(np.round(b - count[0]).astype(int), 0, len(count) - 1)
    if rate < 1:
        span = 1 / rate
        phase = ((b - first) / span) % 1.0
        wave = (0.5 + 0.5 * np.cos(2 * np.pi * phase)) * 1.1
        on_beat = 0.5 * (0.5 + 0.5 * np.cos(2 * np.pi * b)) ** 0.65 * strength[nearest]
        depth = wave + on_beat
    else:
        # Exponent < 1: the body lingers at the bottom, on the beat, and turns round quickly at the top.
        depth = (0.5 + 0.5 * np.cos(2 * np.pi * rate * b)) ** 0.65 * strength[nearest]
    held = interpolate_keys(b, count, still, dwell=0.0)
    return depth * held, 0.25 + 0.75 * held


def _drops(phrases, genre, clock, t):
    """Level changes: down into a freeze, metres of pelvis height."""
    times, values = [clock.times[0]], [0.0]
    for phrase in phrases:
        if phrase.freeze:
            times += [clock.seconds(phrase.first + 5), clock.seconds(phrase.first + 6),
                      clock.seconds(phrase.first + 7.6)]
            values += [0.0, genre.freeze_drop * (0.6 + 0.5 * phrase.energy),
                       genre.freeze_drop * (0.6 + 0.5 * phrase.energy)]
        times.append(clock.seconds(phrase.first + 8))
        values.append(0.0)
    return interpolate_keys(t, np.array(times), np.array(values), sharpness=1.2)


def _torso(phrases, genre, dancer, clock, t, rng):
    times, values = [clock.times[0]], [np.zeros(3)]
    for phrase in phrases:
        counts, angles = phrase.torso
        strength = amount(phrase) * dancer.size * (0.3 if phrase.kind == "idle" else 1.0)
        for count, angle in zip(counts, angles):
            beat = count / min(phrase.rate, 1.0)
            if beat >= PHRASE or (phrase.freeze and beat > 6.01):
                continue
            times.append(clock.seconds(phrase.first + beat))
            flip = np.array([1, -1, -1]) if phrase.mirror else 1
            values.append(angle * flip * strength + rng.normal(0, dancer.jitter * 0.4, 3))
    return interpolate_keys(t, np.array(times), np.array(values), dwell=min(0.6, genre.dwell),
                            sharpness=genre.sharpness * dancer.snap, shortest=0.2, early=EARLY + 0.1 * genre.dwell,
                            longest=genre.move)


def _pops(phrases, genre, dancer, clock, t):
    """Short chest pops that peak on the accent counts, radians of spine extension."""
    out = np.zeros(len(t))
    if genre.pop == 0:
        return out
    for phrase in phrases:
        if phrase.kind == "idle":
            continue
        for count in genre.accents:
            if phrase.freeze and count > 6:
                continue
            u = t - clock.seconds(phrase.first + count)
            bump = quintic((u + 0.10) / 0.10) * quintic((0.22 - u) / 0.20)
            out += genre.pop * dancer.size * min(1.0, amount(phrase)) * bump
    return out


def _arms(phrases, genre, dancer, clock, t, rng, habit):
    """Arm parameters (T,2,4): poses reached on their counts, with this dancer's size and variation; each arm follows
    the trunk by its own lag, and its elbow the arm."""
    rest = np.stack([ARM_POSES["hang"], ARM_POSES["hang"]])
    times, values = [clock.times[0]], [rest]
    for phrase in phrases:
        if phrase.kind == "idle":
            relaxed = rest.copy()
            relaxed[:, 2] = 0.93
            times += [clock.seconds(phrase.first + c) for c in (1, 4, 7)]
            values += [relaxed + rng.normal(0, 0.05, (2, 4)) * [1, 1, 0.1, 1] for _ in range(3)]
            continue
        size = np.clip(0.55 + 0.5 * amount(phrase) * dancer.size, 0.5, 1.1)
        repeats = 2 if phrase.rate == 2.0 else 1
        for repeat in range(repeats):
            for count, left, right in phrase.arms:
                beat = (count + PHRASE * repeat) / phrase.rate
                if beat >= PHRASE - 0.01 or (phrase.freeze and beat > 6.01):
                    continue
                pair = np.stack([ARM_POSES[left], ARM_POSES[right]])
                if phrase.mirror:
                    pair = pair[::-1].copy()
                # Smaller dancers keep their arms lower and more bent.
                pair[:, 1] = -0.9 + (pair[:, 1] + 0.9) * size
                pair[:, 2] = np.clip(0.45 + (pair[:, 2] - 0.45) * (0.5 + 0.5 * size), 0.3, 0.997)
                pair = pair + rng.normal(0, 1, (2, 4)) * np.array([1, 1, 0.15, 1]) * dancer.jitter
                pair[:, 2] = np.minimum(pair[:, 2], 0.997)
                times.append(clock.seconds(phrase.first + beat))
                values.append(pair)
        if phrase.freeze:
            times.append(clock.seconds(phrase.first + 7.5))
            values.append(values[-1])
    times, values = np.array(times), np.array(values)
    sharpness = genre.sharpness * dancer.snap
    out = np.empty((len(t), 2, 4))
    early = EARLY + 0.1 * genre.dwell
    for side in (0, 1):
        for columns, lag, longest in ((slice(0, 2), 0.0, genre.move), (slice(2, 4), habit.elbow_lag[side],
                                                                       1.3 * genre.move)):
            out[:, side, columns] = interpolate_keys(
                t - habit.arm_lag[side] - lag, times, values[:, side, columns], dwell=genre.dwell, sharpness=sharpness,
                shortest=0.22, early=early, longest=longest)
    # Follow-through: an arm swings a little past its pose and settles.
    index = np.clip(np.searchsorted(times, t, side="right") - 1, 1, len(times) - 1)
    since = t - times[index]
    ringing = (genre.ring + 0.03) * np.exp(-since / 0.12) * np.sin(2 * np.pi * 3.5 * since)
    out[..., :2] += ((values[index] - values[index - 1])[..., :2]) * ringing[:, None, None]
    return smooth(out, 1 if genre.stop > 0.85 else 2)


def _spotting(face, phrases, clock, t):
    """In a turn the head stays with the audience, then whips round."""
    out = np.zeros(len(t))
    for phrase in phrases:
        if not phrase.turn:
            continue
        start, stop = clock.seconds(phrase.first + 4), clock.seconds(phrase.first + 8)
        inside = (t >= start) & (t <= stop)
        turned = face[inside] - face[inside][0] if inside.any() else np.zeros(0)
        out[inside] = np.clip(np.where(np.abs(turned) < np.pi, 0.0, phrase.turn) - turned, -0.7, 0.7)
    return smooth(out, 2)
