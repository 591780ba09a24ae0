"""Drums and bass of the dance composer: grooves, fills, rolls, kits, and bass lines that know the kick."""
import numpy as np

from models.lab.studio import drum_samples, drums, synths
from models.lab.studio.groove_templates import template
from models.lab.studio.harmony import SCALES, nearest
from models.lab.studio.layers import SECOND_FONT
from models.lab.studio.players import pick, read_steps
from models.lab.studio.score import Part, rng_of

KEY_LEVEL = {
    drums.HAT: 0.62,
    drums.PEDAL: 0.6,
    drums.OPEN: 0.5,
    drums.RIDE: 0.6,
    drums.SHAKER: 0.6,
    drums.TAMB: 0.55,
    drums.COWBELL: 0.6,
    drums.CRASH: 0.75,
    drums.ZAP: 0.5,
    drums.RISER: 0.6,
    drums.CLAP: 0.9,
    drums.SNAP: 0.8,
    drums.RIM: 0.65,
    60: 0.6,
    62: 0.65,
    64: 0.65,
}
SAMPLED = 0.3                       # share of pieces with recorded one-shots
GM_KEYS = {drums.SNAP: drums.CLAP, drums.ZAP: 78, drums.RISER: 0}


def _trap_hats(rng, bar, eighths):
    """Eighths or 16ths with rolls in 32nds and triplets: (step, velocity)."""
    out = []
    for half in range(2 * bar.beats):
        step = 2.0 * half
        roll = rng.random()
        if roll < 0.12:
            out += [(step + 0.5 * k, 0.5 + 0.1 * k) for k in range(4)]
        elif roll < 0.2:
            out += [(step + 2 * k / 3, 0.6) for k in range(3)]
        elif eighths or roll < 0.45:
            out.append((step, 0.85))
        else:
            out += [(step, 0.85), (step + 1, 0.55)]
    return out


def write_drums(plan, genre, bars, writer):
    rng = rng_of(plan.seed, "drums")
    kit = pick(rng, genre.kits)
    machine = not kit.startswith("gm")
    choice = {}
    for key, patterns in genre.drums.items():
        draw = rng_of(plan.seed, f"drum {key}")
        plays = draw.random() < genre.options.get(key, 1.0)
        pair = [patterns[int(draw.integers(len(patterns)))] for _ in range(2)]
        if plays:
            choice[key] = pair
    groove, share = _groove(plan, machine)
    player = writer.player("drums", 0.9 if machine else 0.7)        # a live drummer's scatter is in the template
    snare_late = float(rng.uniform(0, genre.lag_ms / 1000)) if genre.lag_ms else 0.0
    notes, kicks = [], {}
    break_style = str(rng.choice(["no kick", "drums only", "half"]))
    for bar in bars:
        fill_from = 99
        if bar.last_of_section and bar.beats == plan.metre and rng.random() < 0.75 and bar.kind != "idle":
            fill_from = 4 * bar.beats - int(rng.choice([2, 4, 8], p=[0.3, 0.5, 0.2]))
        for key, pair in choice.items():
            if not _plays(key, bar, break_style):
                continue
            pattern = pair[1] if bar.energy > 0.62 or bar.kind == "build" else pair[0]
            trap = pattern.startswith("trap")
            for step, velocity in _trap_hats(rng, bar, pattern == "trap8") if trap else read_steps(pattern, bar, rng):
                if step >= fill_from and key not in (drums.KICK, drums.RIDE):
                    continue
                strength = (
                    velocity * KEY_LEVEL.get(key, 1.0 if key == drums.KICK else 0.92) * (0.72 + 0.28 * bar.energy)
                )
                if key in (drums.HAT, drums.SHAKER, drums.RIDE) and step % 4 == 0:
                    strength *= 1.12
                late = snare_late if key in (drums.SNARE, drums.CLAP, drums.SNAP) else 0.0
                played = _played(groove, share, writer, bar, step, key, strength, late)
                note = writer.note(player, bar, step, 1.0, key, *played)
                if note:
                    notes.append(note)
                    if key == drums.KICK:
                        kicks.setdefault(bar.index, []).append(step)
        notes += _fill(rng, writer, player, bar, fill_from)
        if bar.kind == "build" and bar.bars_left <= 2:
            notes += _roll(writer, player, bar)
        if bar.first_of_section and bar.index > 0 and rng.random() < 0.6 and bar.kind not in ("idle", "break"):
            notes.append(writer.note(player, bar, 0, 4, drums.CRASH, 0.75))
        if bar.last_of_section and machine and rng.random() < 0.35:
            notes.append(writer.note(player, bar, max(0, 4 * bar.beats - 8), 8, drums.RISER, 0.5))
    notes = [note for note in notes if note]
    return _drum_parts(plan, genre, kit, notes), kicks


DRUMMERS = {                        # genre -> styles of the Groove MIDI Dataset whose drummers play it
    "break": ("funk",), "pop": ("funk", "hiphop"), "lock": ("funk", "soul"), "middle-hip-hop": ("hiphop",),
    "la-hip-hop": ("hiphop",), "house": ("dance", "latin"), "waack": ("dance", "soul", "funk"),
    "krump": ("hiphop", "rock"), "street-jazz": ("rock", "soul"), "ballet-jazz": ("jazz", "soul")}
MACHINE_SHARE = (0.0, 0.6)          # how much of a drummer's habits a programmed groove has


def _groove(plan, machine):
    """(Template, share) of the piece: a live kit is a drummer's own, a machine's programmer took over a part of one."""
    rng = rng_of(plan.seed, "groove")
    share = float(rng.uniform(*MACHINE_SHARE)) * (rng.random() < 0.6) if machine else 1.0
    return (template(rng, DRUMMERS[plan.genre]), rng), share


def _played(groove, share, writer, bar, step, key, strength, late):
    """(velocity, lateness in seconds) of a written stroke as the piece's drummer plays it."""
    habits, rng = groove
    offset, weight = habits.stroke(key, step, bar.index, rng)
    sixteenth = writer.grid.beat_length(bar.first + step / 4) / 4
    weight = weight if key in (drums.HAT, drums.RIDE, drums.SHAKER, drums.PEDAL, drums.TAMB) else 0.5 + 0.5 * weight
    return strength * (1 + share * (weight - 1)), late + share * offset * sixteenth


CORE = (drums.KICK, drums.SNARE, drums.CLAP, drums.SNAP, drums.RIM)


def _drum_parts(plan, genre, kit, notes):
    """The kit's parts: one kit, or the core and the rest from two, or a sampled kit with a synthesised layer below."""
    rng = rng_of(plan.seed, "kit")
    gain = 10 ** (genre.drum_gain_db / 20)

    draw = rng_of(plan.seed, "recorded drums")
    recorded, second = draw.random() < SAMPLED, draw.random() < SECOND_FONT

    def part(name, kit, notes, gain):
        live = kit.startswith("gm")
        tone = {"cents": float(np.clip(rng.normal(0, 90), -190, 190))} if live else {"kit": drums.draw_kit(rng, kit)}
        sound = f"{'kit2' if second else 'kit'}:{kit.split(':')[1]}" if live else "drums"
        if recorded and name != "drum layer":
            fallback = drums.draw_kit(draw, "tight") if live else tone["kit"]
            sound, tone = "drums", {"kit": drum_samples.draw_kit(draw, "acoustic" if live else "electronic", fallback)}
        if sound != "drums":
            notes = [n._replace(pitch=GM_KEYS.get(n.pitch, n.pitch)) for n in notes if GM_KEYS.get(n.pitch, n.pitch)]
        return Part(
            name,
            sound,
            notes,
            gain,
            reverb=float(rng.uniform(0.02, 0.2)),
            tone=tone,
            insert={"tilt_db": float(rng.normal(0, 3)), "drive_db": float(rng.uniform(0, 8)) * (rng.random() < 0.25)},
        )

    parts = [part("drums", kit, notes, gain)]
    if rng.random() < 0.4:
        other = pick(rng, genre.kits)
        core, rest = [n for n in notes if n.pitch in CORE], [n for n in notes if n.pitch not in CORE]
        parts = [part("drums", kit, core, gain), part("cymbals", other, rest, 0.42 * gain)]
    elif kit.startswith("gm") and rng.random() < 0.6:
        layered = [n for n in notes if n.pitch in (drums.KICK, drums.SNARE)]
        parts.append(part("drum layer", "tight", layered, 0.55 * gain))
    return parts


def _plays(key, bar, break_style):
    low = key in (drums.KICK, drums.SNARE, drums.CLAP, drums.SNAP)
    if bar.kind == "intro":
        return not low or key == drums.KICK
    if bar.kind == "idle":
        return key in (drums.HAT, drums.SHAKER, drums.RIDE, drums.RIM, drums.KICK, drums.PEDAL)
    if bar.kind == "break":
        return {"no kick": key != drums.KICK, "drums only": True, "half": low or key in (drums.HAT, drums.RIDE)}[
            break_style
        ]
    if bar.energy < 0.3:
        return key not in (drums.OPEN, drums.COWBELL, drums.TAMB, drums.ZAP)
    return True


def _fill(rng, writer, player, bar, fill_from):
    if fill_from >= 4 * bar.beats:
        return []
    drum = [drums.SNARE, drums.TOM_HIGH, drums.TOM_MID, drums.TOM_LOW]
    kind, notes = int(rng.integers(3)), []
    count = 4 * bar.beats - fill_from
    for k in range(count):
        step = fill_from + k
        if kind == 0 or rng.random() < 0.6 or step % 4 == 0:
            key = drum[min(3, 4 * k // count)] if kind != 1 else drums.SNARE
            notes.append(writer.note(player, bar, step, 1, key, 0.55 + 0.4 * k / count + 0.1 * (step % 4 == 0)))
    return notes


def _roll(writer, player, bar):
    """A snare roll: eighths, then 16ths in the last bar of a build."""
    every = 1 if bar.last_of_section else 2
    steps = range(0, 4 * bar.beats, every)
    return [writer.note(player, bar, s, 1, drums.SNARE, 0.35 + 0.45 * s / (4 * bar.beats)) for s in steps]


BASS_PATTERNS = {
    "funk": ("X..xx...X..xx.x.", "X.x...xxX.x.x.xo", "X..xx...x.x.x..x", "X.....xoX..ox.x."),
    "slap": ("X.o.x.oox.o.X.oo", "X..oX.o.x.ooXoo.", "X.oox.oox..xX.oo", "X.o.X..xX.ooX.o."),
    "riff": ("X..xx.......x.x.", "X.....x.X..x....", "X..x....x.x...x."),
    "synth16": ("X.xxx.xxX.xxx.xx", "X.x.xxx.X.x.xx.x", "xxx.xxx.xxx.xx.x", "X..xx.x.X..xx.x."),
    "house": ("X..x..x.x..x..x.", "..x.x.x...x.xx..", "X..x..x...x..x..", "x.xx..x.x.x...x."),
    "pop": ("X.....x.X.x.....", "X..x..x.X..x..x.", "X.......X.x.x..."),
}


def write_bass(plan, genre, bars, writer, scale, root, kicks):
    rng = rng_of(plan.seed, "bass")
    style = pick(rng, genre.bass)
    sound = genre.bass_sounds[int(rng.integers(len(genre.bass_sounds)))]
    synthetic = isinstance(sound, str)
    low = 28 if sound in ("synth:sub", "synth:808", "synth:808drive") else 31
    player = writer.player("bass", 0.9 if synthetic else 0.5)
    patterns = BASS_PATTERNS.get(style)
    pattern = patterns[int(rng.integers(len(patterns)))] if patterns else None
    offsets = [int(rng.choice([0, 0, 7, 12, 10, 5])) for _ in range(16)]
    offsets[0] = 0
    notes = []
    for index, bar in enumerate(bars):
        if bar.kind == "intro" and rng.random() < 0.5:
            continue
        if bar.kind == "break" and rng.random() < 0.4:
            continue
        base = low + (root + bar.tones[0] - low) % 12
        following = bars[min(index + 1, len(bars) - 1)]
        target = low + (root + following.tones[0] - low) % 12
        for step, length, pitch, velocity in _bass_line(
            rng, style, pattern, offsets, bar, base, target, scale, root, kicks
        ):
            notes.append(writer.note(player, bar, step, length, pitch, velocity * (0.75 + 0.25 * bar.energy)))
    gain = 0.9 * 10 ** (genre.bass_gain_db / 20)
    font = "gm2" if rng_of(plan.seed, "bass font").random() < SECOND_FONT else "gm"
    tone = synths.draw_settings(sound.split(":")[1], rng) if synthetic else {}
    return Part(
        "bass",
        sound if synthetic else f"{font}:{sound}",
        [n for n in notes if n],
        gain,
        reverb=0.02,
        duck=0.6 if style in ("offbeat", "house") else 0.25 * (rng.random() < 0.5),
        tone=tone,
        insert={"tilt_db": float(rng.normal(0, 3))},
    )


def _bass_line(rng, style, pattern, offsets, bar, base, target, scale, root, kicks):
    """(step, length in 16ths, pitch, velocity) of one bar."""
    end = 4 * bar.beats
    if style in ("octave", "disco", "root8"):
        for step in range(0, end, 2):
            up = 12 * (step // 2 % 2) if style == "octave" else 0
            pitch = base + up
            if style == "disco" and step >= end - 4:
                pitch = nearest(
                    {(root + s) % 12 for s in SCALES[scale]}, base + int(np.sign(target - base)) * (3 + step - end + 4)
                )
            yield step, 1.7 if style == "root8" else 1.4, pitch, 0.9 if step % 4 == 0 else 0.75
    elif style in ("sub", "808", "stomp"):
        steps = sorted(set(kicks.get(bar.index, [])) | {0})
        for k, step in enumerate(steps):
            length = (steps[k + 1] if k + 1 < len(steps) else end) - step
            pitch = base
            if k and rng.random() < 0.25:
                pitch = base + int(rng.choice([7, 12, -5 if base > 33 else 7]))
            yield step, length * (0.95 if style != "stomp" else 0.8), pitch, 0.95 if step == 0 else 0.85
    elif style == "offbeat":
        for step in range(2, end, 4):
            yield step, 1.7, base + (12 if rng.random() < 0.1 else 0), 0.9
    elif style in ("walk", "two"):
        tones = [t - bar.tones[0] for t in bar.tones]
        for step in range(0, end, 4 if style == "walk" else 8):
            if step == 0:
                pitch = base
            elif style == "walk" and step == end - 4:
                pitch = target + int(rng.choice([-1, 1, 2]))
            else:
                pitch = base + (7 if style == "two" else int(rng.choice(tones)))
            yield step, 3.7 if style == "walk" else 7, pitch, 0.85 if step == 0 else 0.72
    else:
        for step, velocity in read_steps(pattern, bar, rng):
            shift = offsets[step]
            if style == "slap":
                shift = 12 if velocity == 1.0 and step % 8 else offsets[step] % 12
            if style in ("house", "pop", "synth16") and shift not in (0, 12):
                shift = 0 if step % 8 < 4 else shift
            pitch = base + shift
            if shift in (10, 5):
                pitch = nearest({(root + s) % 12 for s in SCALES[scale]}, pitch)
            yield step, {"slap": 0.8, "synth16": 0.9}.get(style, 1.5), pitch, velocity
