"""Composer of dance music: from a plan (beats, sections, swing, genre) to a score, by the tables of patterns.py."""
import numpy as np

from models.data.studio import drums, synths
from models.data.studio.harmony import SCALES, chord_tones, degree_pitch, nearest, phrase, sing, voice
from models.data.studio.patterns import GENRES
from models.data.studio.score import Grid, Note, Part, Score, bars_of, rng_of

VELOCITY = {"X": 1.0, "x": 0.8, "o": 0.42}
KEY_LEVEL = {drums.HAT: 0.62, drums.PEDAL: 0.6, drums.OPEN: 0.5, drums.RIDE: 0.6, drums.SHAKER: 0.6, drums.TAMB: 0.55,
             drums.COWBELL: 0.6, drums.CRASH: 0.75, drums.ZAP: 0.5, drums.RISER: 0.6, drums.CLAP: 0.9, drums.SNAP: 0.8,
             drums.RIM: 0.65, 60: 0.6, 62: 0.65, 64: 0.65}
GM_KEYS = {drums.SNAP: drums.CLAP, drums.ZAP: 78, drums.RISER: 0}


class _Bar:
    """A bar of the piece: where it is, its section, its chord."""

    def __init__(self, index, first, beats, section, last_of_section, first_of_section):
        self.index, self.first, self.beats, self.section = index, first, beats, section
        self.last_of_section, self.first_of_section = last_of_section, first_of_section
        self.energy, self.kind = section.energy, section.kind
        self.bars_left = 1          # to the end of the section, this one included
        self.degree, self.tones = 0, ()


def compose_dance(plan):
    """Score of a dance plan; raises ValueError on an unknown genre."""
    if plan.genre not in GENRES:
        raise ValueError(f"No such genre: {plan.genre!r}; known: {', '.join(GENRES)}.")
    genre = GENRES[plan.genre]
    swing16 = plan.extra.get("swing16")
    if swing16 is None:
        draw = rng_of(plan.seed, "swing16")
        swing16 = float(draw.uniform(*genre.swing16[1:])) if draw.random() < genre.swing16[0] and plan.swing == 0.5 else 0.5
    grid = Grid(plan, swing16)
    bars = _bars(plan)
    scale, root = _harmony(plan, genre, bars)
    writer = _Writer(plan, grid)
    parts, kicks = _drums(plan, genre, bars, writer)
    parts.append(_bass(plan, genre, bars, writer, scale, root, kicks))
    parts += _layers(plan, genre, bars, writer, scale, root)
    return Score([part for part in parts if part.notes], plan.duration, _mix(plan, genre), "dance")


def _pick(rng, weighted):
    names, weights = zip(*weighted)
    weights = np.array(weights, dtype=float)
    return names[int(rng.choice(len(names), p=weights / weights.sum()))]


def _bars(plan):
    spans = bars_of(plan)
    bars = []
    for index, (first, beats) in enumerate(spans):
        section = plan.section_at(max(first, 0))
        following = plan.section_at(min(first + beats, len(plan.times) - 1))
        before = plan.section_at(max(first - 1, 0))
        bars.append(_Bar(index, first, beats, section, following is not section, before is not section or index == 0))
    for bar, following in zip(bars[-2::-1], bars[:0:-1]):
        bar.bars_left = 1 if bar.last_of_section else following.bars_left + 1
    return bars


def _harmony(plan, genre, bars):
    rng = rng_of(plan.seed, "harmony")
    scale, root = _pick(rng, genre.scales), int(rng.integers(12))
    extension = int(rng.choice(genre.extension))
    first, second = (genre.progressions[int(rng.integers(len(genre.progressions)))] for _ in range(2))
    for bar in bars:
        chords = second if bar.kind in ("break", "build") else first
        bar.degree = chords[bar.index % len(chords)]
        bar.tones = chord_tones(scale, bar.degree, extension)
    return scale, root


class _Writer:
    """Turns bars and steps into notes in seconds with a player's timing."""

    def __init__(self, plan, grid):
        self.plan, self.grid = plan, grid

    def player(self, word, tight):
        """A player: a constant lateness and a spread, in seconds; tight 0 (live) .. 1 (machine)."""
        rng = rng_of(self.plan.seed, "player " + word)
        offset = rng.normal(0, 0.004) * (1.2 - tight)
        spread = rng.uniform(0.003, 0.012) * (1 - tight) + rng.uniform(0, 0.0015)
        return rng, float(np.clip(offset, -0.01, 0.012)), float(spread)

    def note(self, player, bar, step, length, pitch, velocity, late=0.0):
        """A Note, or None outside the piece. step and length in 16ths."""
        rng, offset, spread = player
        beat = bar.first + step / 4
        if beat < -1e-6 or beat > self.grid.count - 1 + 0.76:
            return None
        start = float(self.grid(beat))
        if start >= self.plan.duration:
            return None
        stop = float(self.grid(beat + length / 4))
        onset = start + offset + late + float(np.clip(rng.normal(0, spread), -0.02, 0.02))
        velocity = float(np.clip(velocity * (1 + rng.normal(0, 0.06)), 0.05, 1.0))
        return Note(max(0.0, onset), max(0.03, stop - start), int(pitch), velocity)


def _steps(pattern, bar, rng):
    """(step, velocity) of a 16- or 32-step pattern in this bar."""
    half = pattern[16:] if len(pattern) == 32 and bar.index % 2 else pattern[:16]
    for step in range(4 * bar.beats):
        mark = half[step % 16]
        if mark == "?":
            mark = "x" if rng.random() < 0.5 else "."
        if mark in VELOCITY:
            yield step, VELOCITY[mark]


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


def _drums(plan, genre, bars, writer):
    rng = rng_of(plan.seed, "drums")
    kit = _pick(rng, genre.kits)
    machine = not kit.startswith("gm")
    choice = {}
    for key, patterns in genre.drums.items():
        draw = rng_of(plan.seed, f"drum {key}")
        plays = draw.random() < genre.options.get(key, 1.0)
        pair = [patterns[int(draw.integers(len(patterns)))] for _ in range(2)]
        if plays:
            choice[key] = pair
    player = writer.player("drums", 0.9 if machine else 0.35)
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
            hits = (_trap_hats(rng, bar, pattern == "trap8") if pattern.startswith("trap") else _steps(pattern, bar, rng))
            for step, velocity in hits:
                if step >= fill_from and key not in (drums.KICK, drums.RIDE):
                    continue
                strength = velocity * KEY_LEVEL.get(key, 1.0 if key == drums.KICK else 0.92) * (0.72 + 0.28 * bar.energy)
                if key in (drums.HAT, drums.SHAKER, drums.RIDE) and step % 4 == 0:
                    strength *= 1.12
                late = snare_late if key in (drums.SNARE, drums.CLAP, drums.SNAP) else 0.0
                note = writer.note(player, bar, step, 1.0, key, strength, late)
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


CORE = (drums.KICK, drums.SNARE, drums.CLAP, drums.SNAP, drums.RIM)


def _drum_parts(plan, genre, kit, notes):
    """The kit's parts: one kit, or the core and the rest from two, or a sampled kit with a synthesised layer below."""
    rng = rng_of(plan.seed, "kit")
    gain = 10 ** (genre.drum_gain_db / 20)

    def part(name, kit, notes, gain):
        tone = ({"cents": float(np.clip(rng.normal(0, 90), -190, 190))} if kit.startswith("gm")
                else {"kit": drums.draw_kit(rng, kit)})
        sound = f"kit:{kit.split(':')[1]}" if kit.startswith("gm") else "drums"
        if sound != "drums":
            notes = [n._replace(pitch=GM_KEYS.get(n.pitch, n.pitch)) for n in notes if GM_KEYS.get(n.pitch, n.pitch)]
        return Part(name, sound, notes, gain, reverb=float(rng.uniform(0.02, 0.2)), tone=tone,
                    insert={"tilt_db": float(rng.normal(0, 3)), "drive_db": float(rng.uniform(0, 8)) * (rng.random() < 0.25)})

    parts = [part("drums", kit, notes, gain)]
    if rng.random() < 0.4:
        other = _pick(rng, genre.kits)
        core, rest = [n for n in notes if n.pitch in CORE], [n for n in notes if n.pitch not in CORE]
        parts = [part("drums", kit, core, gain), part("cymbals", other, rest, 0.42 * gain)]
    elif kit.startswith("gm") and rng.random() < 0.6:
        layered = [n for n in notes if n.pitch in (drums.KICK, drums.SNARE)]
        parts.append(part("drum layer", "tight", layered, 0.55 * gain))
    return parts


def _insert(plan, name, sound):
    """A part's own effects: always some tilt; now and then drive, echo, or the tremolo of an electric piano."""
    rng = rng_of(plan.seed, "insert " + name)
    insert = {"tilt_db": float(rng.normal(0, 3.5))}
    if rng.random() < 0.1:
        insert["drive_db"] = float(rng.uniform(1, 7))
    if name in ("lead", "bells", "voice", "melody", "flute", "loop", "plucks", "sax") and rng.random() < 0.4:
        insert["echo"] = (60.0 / plan.bpm * float(rng.choice([0.5, 0.75, 1.0])), float(rng.uniform(0.2, 0.5)), float(rng.uniform(0.12, 0.35)))
    if sound in (4, 5, 16, 17, 18) and rng.random() < 0.5:
        insert["tremolo"] = (float(rng.uniform(3, 7)), float(rng.uniform(0.15, 0.6)))
    return insert


def _plays(key, bar, break_style):
    low = key in (drums.KICK, drums.SNARE, drums.CLAP, drums.SNAP)
    if bar.kind == "intro":
        return not low or key == drums.KICK
    if bar.kind == "idle":
        return key in (drums.HAT, drums.SHAKER, drums.RIDE, drums.RIM, drums.KICK, drums.PEDAL)
    if bar.kind == "break":
        return {"no kick": key != drums.KICK, "drums only": True, "half": low or key in (drums.HAT, drums.RIDE)}[break_style]
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
    "slap": ("X.x.x.Xox.o.X.oo", "X..oX.o.x.ooXoo.", "X.oox.oXx.o.X.oo", "X.x.X.o.X.ooX.x."),
    "riff": ("X..xx.......x.x.", "X.....x.X..x....", "X..x....x.x...x."),
    "synth16": ("X.xxx.xxX.xxx.xx", "X.x.xxx.X.x.xx.x", "xxx.xxx.xxx.xx.x", "X..xx.x.X..xx.x."),
    "house": ("X..x..x.x..x..x.", "..x.x.x...x.xx..", "X..x..x...x..x..", "x.xx..x.x.x...x."),
    "pop": ("X.....x.X.x.....", "X..x..x.X..x..x.", "X.......X.x.x..."),
}


def _bass(plan, genre, bars, writer, scale, root, kicks):
    rng = rng_of(plan.seed, "bass")
    style = _pick(rng, genre.bass)
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
        for step, length, pitch, velocity in _bass_line(rng, style, pattern, offsets, bar, base, target, scale, root, kicks):
            notes.append(writer.note(player, bar, step, length, pitch, velocity * (0.75 + 0.25 * bar.energy)))
    gain = 0.9 * 10 ** (genre.bass_gain_db / 20)
    tone = synths.draw_settings(sound.split(":")[1], rng) if synthetic else {}
    return Part("bass", sound if synthetic else f"gm:{sound}", [n for n in notes if n], gain, reverb=0.02,
                duck=0.6 if style in ("offbeat", "house") else 0.25 * (rng.random() < 0.5), tone=tone,
                insert={"tilt_db": float(rng.normal(0, 3))})


def _bass_line(rng, style, pattern, offsets, bar, base, target, scale, root, kicks):
    """(step, length in 16ths, pitch, velocity) of one bar."""
    end = 4 * bar.beats
    if style in ("octave", "disco", "root8"):
        for step in range(0, end, 2):
            up = 12 * (step // 2 % 2) if style == "octave" else 0
            pitch = base + up
            if style == "disco" and step >= end - 4:
                pitch = nearest({(root + s) % 12 for s in SCALES[scale]}, base + int(np.sign(target - base)) * (3 + step - end + 4))
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
        for step, velocity in _steps(pattern, bar, rng):
            shift = offsets[step]
            if style == "slap":
                shift = 12 if velocity == 1.0 and step % 8 else offsets[step] % 12
            if style in ("house", "pop", "synth16") and shift not in (0, 12):
                shift = 0 if step % 8 < 4 else shift
            pitch = base + shift
            if shift in (10, 5):
                pitch = nearest({(root + s) % 12 for s in SCALES[scale]}, pitch)
            yield step, {"slap": 0.8, "synth16": 0.9}.get(style, 1.5), pitch, velocity


def _layers(plan, genre, bars, writer, scale, root):
    parts = []
    playing = [layer for layer in genre.layers if rng_of(plan.seed, "layer " + layer.name).random() < layer.chance]
    for layer in playing or genre.layers[:1]:
        rng = rng_of(plan.seed, "line " + layer.name)
        sound = layer.sounds[int(rng.integers(len(layer.sounds)))]
        synthetic = isinstance(sound, str)
        figures = [layer.figures[int(rng.integers(len(layer.figures)))] for _ in range(2)]
        player = writer.player(layer.name, 0.85 if synthetic else 0.3)
        centre = layer.centre + int(rng.integers(-3, 4))
        first = layer is (playing or genre.layers)[0]
        notes, state = [], {"previous": None, "rest": rng.random() < 0.4}
        cells = {}
        for bar in bars:
            if not first and not _layer_plays(layer, bar, rng):
                continue
            figure = figures[1] if bar.energy > 0.65 else figures[0]
            level = (0.62 + 0.38 * bar.energy)
            lines = _figure(rng, layer, figure, bar, scale, root, centre, state, cells, plan.metre)
            notes += [writer.note(player, bar, s, n, p, v * level) for s, n, p, v in lines]
        tone = synths.draw_settings(sound.split(":")[1], rng) if synthetic else {}
        parts.append(Part(layer.name, sound if synthetic else f"gm:{sound}", [n for n in notes if n],
                          0.6 * 10 ** ((layer.gain_db + rng.uniform(-2.5, 2.5)) / 20), float(rng.uniform(-0.55, 0.55)),
                          layer.reverb * float(rng.uniform(0.5, 1.4)), layer.duck * float(rng.uniform(0.5, 1.2)), tone,
                          _insert(plan, layer.name, sound)))
    return parts


def _layer_plays(layer, bar, rng):
    if bar.kind == "idle":
        return layer.figures == ("pad",) or layer.level == 0.0
    if bar.kind == "intro":
        return layer.level <= 0.1
    if bar.kind == "break":
        return layer.figures[0] in ("pad", "melody") or rng.random() < 0.3
    return bar.energy >= layer.level


def _figure(rng, layer, figure, bar, scale, root, centre, state, cells, metre):
    """(step, length, pitch, velocity) of one layer in one bar."""
    end = 4 * bar.beats
    if figure in ("melody", "run"):
        if "phrase" not in cells:
            cells["phrase"] = phrase(rng, metre, layer.density)
        if state["rest"] and bar.index % 4 in (1, 3):
            return []
        notes = sing(rng, [cells["phrase"][bar.index % 8]], lambda *_: bar.tones, scale, root, centre - 8, centre + 9,
                     state.get("pitch"))
        notes = [(s, n, p, 0.85 + 0.1 * (s % 4 == 0)) for _, s, n, p in notes if s < end]
        if figure == "run" and bar.index % 2:
            low = nearest({(root + t) % 12 for t in bar.tones}, centre)
            degrees = [p for p in range(low, low + 16) if (p - root) % 12 in SCALES[scale]]
            notes = [n for n in notes if n[0] < end - 8] + [(end - 8 + k, 1, p, 0.6 + 0.04 * k) for k, p in enumerate(degrees[:8])]
        state["pitch"] = notes[-1][2] if notes else state.get("pitch")
        return notes
    chord = voice(bar.tones[:max(layer.voices, 1)] if layer.voices else bar.tones, root, centre, state["previous"])
    state["previous"] = chord
    if figure == "pad":
        return [(0, end * 0.98, p, 0.7) for p in chord]
    if figure == "arpeggio":
        every = state.setdefault("every", int(rng.choice([1, 2, 2])))
        order = state.setdefault("order", [int(x) for x in rng.integers(0, 2 * len(chord), 8)])
        ladder = chord + [p + 12 for p in chord]
        return [(s, every * 1.2, ladder[order[s // every % 8] % len(ladder)], 0.8 if s % 4 == 0 else 0.62) for s in range(0, end, every)]
    if figure == "broken":
        low = 43 + (root + bar.tones[0] - 43) % 12
        out = [(0, 6, low, 0.8), (8, 6, low + 7, 0.65)]
        pattern = (0, 1, 2, 1)
        for s in range(0, end, 2):
            strength = 0.82 if s % 8 == 0 else 0.72 if s % 4 == 0 else 0.55
            out.append((s, 2.5, chord[pattern[s // 2 % 4] % len(chord)], strength))
            if s % 8 == 0:
                out.append((s, 3.5, chord[-1], strength))
        return [note for note in out if note[0] < end]
    out = []
    for step, velocity in _steps(figure, bar, rng):
        if layer.voices:
            out += [(step, layer.length, p, velocity) for p in chord]
        else:
            line = state.setdefault("line", [int(x) for x in rng.choice([0, 2, 4, 6, 7], 16)])
            pitch = centre + (root + bar.tones[0] - centre) % 12 - 12 * ((root + bar.tones[0] - centre) % 12 > 6)
            offset = degree_pitch(scale, bar.degree + line[step]) - degree_pitch(scale, bar.degree)
            out.append((step, layer.length, pitch + offset, velocity))
    return out


def _mix(plan, genre):
    """Settings of the whole mix, drawn from the seed alone."""
    rng = rng_of(plan.seed, "mix")
    u = rng.uniform
    lowfi = rng.random()
    return {
        "cents": float(rng.normal(0, 12)), "seed": int(plan.seed), "width": float(u(0.3, 1.0)) * (rng.random() > 0.08),
        "balance_db": float(rng.normal(0, 2.0)),                 # drums against the rest
        "tilt_db": float(rng.normal(0, 3.0)), "low_db": float(rng.normal(0, 2.5)), "mid_db": float(rng.normal(0, 2.5)),
        "mid_hz": float(np.exp(u(np.log(300), np.log(4000)))), "high_db": float(rng.normal(0, 3.0)),
        "lowpass": float(u(3500, 9000)) if lowfi < 0.12 else float(u(10000, 17000)) if lowfi < 0.5 else 0.0,
        "highpass": float(u(60, 250)) if rng.random() < 0.12 else 0.0,
        "reverb_seconds": float(np.exp(u(np.log(0.25), np.log(2.2)))), "reverb_bright": float(u(0.1, 0.7)), "reverb_db": float(u(-12, 2)),
        "ratio": float(u(1.2, 5.0)), "threshold_db": float(u(-24, -10)), "release": float(u(0.06, 0.3)),
        "drive_db": float(u(0, 9)) * (rng.random() < 0.6), "level_db": float(u(-23, -10)),
        "noise": "vinyl" if rng.random() < genre.vinyl else str(rng.choice(["", "", "", "pink", "hum"])), "noise_db": float(u(-62, -36)),
        "wow": (float(u(0.4, 0.8)), float(u(0.0005, 0.002))) if rng.random() < 0.4 * genre.vinyl else None,
    }
