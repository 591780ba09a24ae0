"""Chords, riffs, arpeggios and melodies of the dance composer."""
from models.lab.studio import synths
from models.lab.studio.harmony import SCALES, degree_pitch, nearest, phrase, sing, voice
from models.lab.studio.players import read_steps
from models.lab.studio.score import Part, rng_of

SECOND_FONT = 0.35                  # share of sampled parts that the second soundfont plays


def write_layers(plan, genre, bars, writer, scale, root):
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
            level = 0.62 + 0.38 * bar.energy
            lines = _figure(rng, layer, figure, bar, scale, root, centre, state, cells, plan.metre)
            notes += [writer.note(player, bar, s, n, p, v * level) for s, n, p, v in lines]
        tone = synths.draw_settings(sound.split(":")[1], rng) if synthetic else {}
        font = "gm2" if rng_of(plan.seed, "font " + layer.name).random() < SECOND_FONT else "gm"
        parts.append(
            Part(
                layer.name,
                sound if synthetic else f"{font}:{sound}",
                [n for n in notes if n],
                0.6 * 10 ** ((layer.gain_db + rng.uniform(-2.5, 2.5)) / 20),
                float(rng.uniform(-0.55, 0.55)),
                layer.reverb * float(rng.uniform(0.5, 1.4)),
                layer.duck * float(rng.uniform(0.5, 1.2)),
                tone,
                _insert(plan, layer.name, sound),
            )
        )
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
        notes = sing(
            rng,
            [cells["phrase"][bar.index % 8]],
            lambda *_: bar.tones,
            scale,
            root,
            centre - 8,
            centre + 9,
            state.get("pitch"),
        )
        notes = [(s, n, p, 0.85 + 0.1 * (s % 4 == 0)) for _, s, n, p in notes if s < end]
        if figure == "run" and bar.index % 2:
            low = nearest({(root + t) % 12 for t in bar.tones}, centre)
            degrees = [p for p in range(low, low + 16) if (p - root) % 12 in SCALES[scale]]
            notes = [n for n in notes if n[0] < end - 8] + [
                (end - 8 + k, 1, p, 0.6 + 0.04 * k) for k, p in enumerate(degrees[:8])
            ]
        state["pitch"] = notes[-1][2] if notes else state.get("pitch")
        return notes
    chord = voice(bar.tones[: max(layer.voices, 1)] if layer.voices else bar.tones, root, centre, state["previous"])
    state["previous"] = chord
    if figure == "pad":
        return [(0, end * 0.98, p, 0.7) for p in chord]
    if figure == "arpeggio":
        every = state.setdefault("every", int(rng.choice([1, 2, 2])))
        order = state.setdefault("order", [int(x) for x in rng.integers(0, 2 * len(chord), 8)])
        ladder = chord + [p + 12 for p in chord]
        return [
            (s, every * 1.2, ladder[order[s // every % 8] % len(ladder)], 0.8 if s % 4 == 0 else 0.62)
            for s in range(0, end, every)
        ]
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
    for step, velocity in read_steps(figure, bar, rng):
        if layer.voices:
            out += [(step, layer.length, p, velocity) for p in chord]
        else:
            line = state.setdefault("line", [int(x) for x in rng.choice([0, 2, 4, 6, 7], 16)])
            pitch = centre + (root + bar.tones[0] - centre) % 12 - 12 * ((root + bar.tones[0] - centre) % 12 > 6)
            offset = degree_pitch(scale, bar.degree + line[step]) - degree_pitch(scale, bar.degree)
            out.append((step, layer.length, pitch + offset, velocity))
    return out


def _insert(plan, name, sound):
    """A part's own effects: always some tilt; now and then drive, echo, or the tremolo of an electric piano."""
    rng = rng_of(plan.seed, "insert " + name)
    insert = {"tilt_db": float(rng.normal(0, 3.5))}
    if rng.random() < 0.1:
        insert["drive_db"] = float(rng.uniform(1, 7))
    if name in ("lead", "bells", "voice", "melody", "flute", "loop", "plucks", "sax") and rng.random() < 0.4:
        insert["echo"] = (
            60.0 / plan.bpm * float(rng.choice([0.5, 0.75, 1.0])),
            float(rng.uniform(0.2, 0.5)),
            float(rng.uniform(0.12, 0.35)),
        )
    if sound in (4, 5, 16, 17, 18) and rng.random() < 0.5:
        insert["tremolo"] = (float(rng.uniform(3, 7)), float(rng.uniform(0.15, 0.6)))
    return insert
