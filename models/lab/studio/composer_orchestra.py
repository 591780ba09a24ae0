"""Composer of orchestral music in 2/4, 3/4, 4/4, 6/8 and 9/8 (eighths written), whose metre, dynamics, articulation and
cues are heard.

Melody with motifs and periods, functional harmony with cadences, bass, accompaniment figures of the metre, and an
orchestration that follows the plan's sections. Plans of the style "romantic" get the manner of Romantic dances as old
records have it: bass on the beat and chords after it, a syncopated tune of massed strings that is free against them,
in a large room, often in mono, narrow and noisy.
"""

import numpy as np

from models.lab.studio.harmony import SCALES, nearest, sing, voice
from models.lab.studio.orchestra import FANFARES, FIGURES, KETTLES, ORCHESTRA, ROMANTIC_FIGURES
from models.lab.studio.orchestra_form import choose_figures, draw_chords, draw_period
from models.lab.studio.orchestra_mix import orchestra_mix
from models.lab.studio.score import Grid, Note, Part, Score, bars_of, rng_of


def compose_orchestra(plan):
    """Score of a conducting plan."""
    return _Composer(plan).score()


def played(plan):
    """Who plays what and where: ({instrument: [(Note, beat), ...]}, {section number: instrument of the melody})."""
    composer = _Composer(plan)
    composer.score()
    return ({name: [(note, place) for note, place, _ in entries] for name, entries in composer.notes.items()},
            composer.leads)


class _Composer:
    def __init__(self, plan):
        self.plan, self.grid = plan, Grid(plan)
        self.metre = plan.metre if plan.metre in FIGURES else 4
        self.rhapsodic = plan.extra.get("style") == "rhapsodic"
        self.romantic = self.rhapsodic or plan.extra.get("style") == "romantic"
        self.bars = bars_of(plan)
        self.fermatas = {cue.beat for cue in plan.cues if cue.kind == "fermata"}
        rng = rng_of(plan.seed, "orchestra harmony")
        self.scale = str(rng.choice(["major", "minor", "harmonic"], p=[0.55, 0.2, 0.25]))
        self.root = int(rng.integers(12))
        self.chords = draw_chords(rng, self.scale, len(self.bars))
        self.notes = {name: [] for name in ORCHESTRA}
        self.leads = {}                 # section number -> the instrument that has the melody
        self.players = {}
        for name in ORCHESTRA:
            draw = rng_of(plan.seed, "player " + name)
            self.players[name] = (
                draw,
                float(np.clip(draw.normal(0, 0.005), -0.01, 0.012)),
                float(draw.uniform(0.003, 0.012)),
            )
        self.sounds = self._draw_sounds()
        if self.romantic:  # the tune is a little early or late, and looser than the rest
            draw, freedom = rng_of(plan.seed, "romantic"), rng_of(plan.seed, "freedom").normal(0, 0.012)
            for name in ("violins", "seconds"):
                self.players[name] = (self.players[name][0], float(np.clip(freedom, -0.02, 0.025)), 0.014)
                self.sounds[name] = (int(draw.choice([48, 49, 49])), self.sounds[name][1])
        if self.rhapsodic:  # nobody waits for anybody: entries scatter, the tune leads or trails by more
            self._scatter(rng_of(plan.seed, "scatter"))
        self.reach = 0.05 if self.rhapsodic else 0.02  # seconds, the most an entry scatters
        self.seconds_play = bool(rng_of(plan.seed, "seconds").random() < 0.6)

    def _scatter(self, rng):
        loose, lag = float(rng.uniform(0.008, 0.028)), float(np.clip(rng.normal(0, 0.02), -0.04, 0.04))
        for name, (draw, offset, _) in self.players.items():
            tune = name in ("violins", "seconds")
            self.players[name] = (draw, lag if tune else offset + float(rng.normal(0, 0.006)), loose)

    def _freely(self, rng, first, beats, figure):
        """The accompaniment of a rhapsodic bar: sometimes none; where the bar is held back, players divide the beat."""
        draw, end = rng.random(), min(first + beats, self.grid.count - 1)
        if draw < 0.12:
            return ()
        begin = max(first, 0)
        slow = (float(self.grid(end)) - float(self.grid(begin))) / max(end - begin, 1) * self.plan.bpm / 60
        divided = FIGURES[self.metre][{2: "eighths", 3: "broken", 4: "eighths", 6: "pulse", 9: "pulse"}[self.metre]]
        return divided if slow > 1.2 and draw < 0.6 else figure

    def _draw_sounds(self):
        rng = rng_of(self.plan.seed, "orchestra sounds")
        return {name: (int(rng.choice(spec[1])), int(rng.choice(spec[2]))) for name, spec in ORCHESTRA.items()}

    def score(self):
        """Write all sections, apply the cues, and gather the parts."""
        rng = rng_of(self.plan.seed, "orchestration")
        names = ROMANTIC_FIGURES[self.metre] if self.romantic else FIGURES[self.metre]
        figures = [FIGURES[self.metre][name] for name in names]
        main, loud = choose_figures(rng, figures, self.metre, self.plan.bpm)
        self.fanfare, self.kettle = (
            table[self.metre][int(rng.integers(len(table[self.metre])))] for table in (FANFARES, KETTLES)
        )
        lead = [
            str(name)
            for name in rng.permutation(["violins", "flute", "oboe", "clarinet", "horns", "cellos", "trumpets"])
        ]
        if rng.random() < 0.6 or self.romantic:
            lead.insert(0, "violins")
        period = draw_period(rng_of(self.plan.seed, "orchestra melody"), self.metre, self.plan.bpm, self.romantic)
        for index, (first, beats) in enumerate(self.bars):
            section = self.plan.section_at(max(first, 0))
            number = self.plan.sections.index(section)
            figure = loud if section.kind == "tutti" or section.energy > 0.75 else main
            melody = {
                "phrase": lead[0] if number % 3 != 2 else lead[1],
                "tutti": "violins",
                "solo": lead[1 + number % 3],
                "transition": lead[0],
            }.get(section.kind, lead[0])
            self.leads[number] = melody
            self._bar(rng, index, first, beats, section, figure, melody, period)
        self._cues()
        return Score(
            self._parts(),
            self.plan.duration,
            orchestra_mix(self.plan.seed, self.romantic),
            "conducting",
            (np.asarray(self.plan.times), np.asarray(self.plan.dynamics)),
        )

    def _bar(self, rng, index, first, beats, section, figure, lead, period):
        tones, kind = self.chords[index], section.kind
        energy = float(np.mean(self.plan.dynamics[max(first, 0) : first + beats])) if first + beats > 0 else 0.5
        bass = 36 + (self.root + tones[0] - 36) % 12
        chord = voice(tones[:3], self.root, 62, getattr(self, "_chord", None))
        self._chord = chord
        tutti = kind == "tutti" or energy > 0.72
        if self.rhapsodic:
            figure = self._freely(rng, first, beats, figure)
        # accompaniment
        for beat, what, length in figure:
            if beat >= beats:
                continue
            if what in "bf":
                pitch = bass if what == "b" else bass + 7 - 12 * (bass > 41)
                self._note("cellos", first, beat, length, pitch + 12 * (pitch < 38))
                if kind != "solo" or beat == 0:
                    self._note("basses", first, beat, length, pitch - 12 if pitch > 40 else pitch)
                if tutti or (kind == "phrase" and energy > 0.45):
                    self._note("bassoon", first, beat, length, pitch)
            else:
                pitches = chord if what == "c" else [(chord + [chord[0] + 12])[int(what)]]
                who = "clarinet" if kind == "transition" and len(pitches) == 1 else "violas"
                for pitch in pitches:
                    self._note(who, first, beat, length, pitch, 0.9)
                    if tutti or (self.seconds_play and kind == "phrase"):
                        self._note("seconds", first, beat, length, pitch + (12 if tutti and pitch < 66 else 0), 0.9)
        if kind in ("phrase", "tutti") and energy > 0.4 or tutti:  # horns hold the harmony
            for pitch in chord[:2]:
                self._note("horns", first, 0, beats, pitch - (12 if pitch > 68 else 0), 0.8)
        if figure is FIGURES[self.metre]["held"]:  # under held chords the beats are plucked
            for beat in range(beats):
                self._note("basses", first, beat, 0.5, bass if beat == 0 else bass + 7 - 12 * (bass > 41), 0.75)
        if tutti:
            for place, beat in enumerate(self.fanfare):
                if beat >= beats:
                    continue
                length = min(2.0, (self.fanfare[place + 1] if place + 1 < len(self.fanfare) else beats) - beat)
                for pitch in voice(tones[:3], self.root, 67):
                    self._note("trumpets", first, beat, length, pitch, 0.95)
                self._note("trombones", first, beat, length, bass + 12 * (bass < 40))
                self._note("trombones", first, beat, length, bass + 7)
        self._timpani(rng, index, first, beats, section, energy, tutti)
        if kind == "transition" and index % 2:
            return
        low, high = ORCHESTRA[lead][3:5]
        low, high = max(low, (low + high) // 2 - 10), min(high, (low + high) // 2 + 11)
        line = sing(
            rng,
            [period[index % 8]],
            lambda *_: tones,
            self.scale,
            self.root,
            low,
            high,
            getattr(self, "_last", {}).get(lead),
        )
        line = [note for note in line if note[1] < 4 * beats]
        if line:
            self._last = {**getattr(self, "_last", {}), lead: line[-1][3]}
        # In Romantic dances the tune leads by far, and all strings sing it.
        for _, step, length, pitch in line:
            self._note(lead, first, step / 4, length / 4, pitch, 1.25 if self.romantic else 1.1)
            if self.romantic and lead == "violins" and kind != "solo":
                self._note("seconds", first, step / 4, length / 4, pitch - 12 if pitch > 70 else pitch, 1.1)
            if tutti:
                self._note("flute", first, step / 4, length / 4, pitch + (12 if pitch < 80 else 0), 0.95)
                if lead == "violins":
                    self._note("oboe", first, step / 4, length / 4, pitch - 12 if pitch > 86 else pitch, 0.9)
            elif kind == "phrase" and lead == "violins" and energy > 0.5:  # thirds or sixths below
                below = nearest({(self.root + t) % 12 for t in SCALES[self.scale]}, pitch - 4)
                self._note("oboe", first, step / 4, length / 4, below, 0.8)

    def _timpani(self, rng, index, first, beats, section, energy, tutti):
        tonic = 40 + (self.root - 40) % 12
        pitch = tonic if (self.root + self.chords[index][0]) % 12 == self.root else tonic + 7 - 12 * (tonic > 45)
        if tutti:
            for beat in [k for k in self.kettle if k < beats]:
                self._note("timpani", first, beat, 1, pitch, 1.0 if beat == 0 else 0.85)
            if index % 4 == 3:
                for k in range(4):
                    self._note("timpani", first, beats - 1 + k / 4, 0.25, pitch, 0.6 + 0.1 * k)
            if first == section.first and rng.random() < 0.6:
                self._note("cymbals", first, 0, 3, 49, 1.0)
        elif energy > 0.5 and index % 2 == 0 or section.kind == "transition":
            self._note("timpani", first, 0, 1, pitch, 0.8)
            if section.kind == "transition" and index % 2:  # a roll
                for k in range(0, 4 * beats):
                    self._note("timpani", first, k / 4, 0.25, pitch, 0.45 + 0.4 * k / (4 * beats))

    def _note(self, name, first, beat, length, pitch, weight=1.0):
        """Add a note; beat and length in beats from the bar's first. The plan's dynamics, articulation and accents
        shape it."""
        place = first + beat
        if place < -1e-6 or place > self.grid.count - 0.25:
            return
        index = int(np.clip(np.floor(place + 1e-6), 0, self.grid.count - 1))
        rng, offset, spread = self.players[name]
        spec = ORCHESTRA[name]
        while pitch > spec[4]:
            pitch -= 12
        while pitch < spec[3]:
            pitch += 12
        articulation = float(self.plan.articulation[index])
        dynamic = float(self.plan.dynamics[index])
        metric = (
            0.10
            if beat == 0
            else 0.04
            if self.metre in (4, 6) and beat == self.metre // 2 or self.metre == 9 and beat in (3, 6)
            else 0.0
            if beat == int(beat)
            else -0.06
        )
        accent = (
            0.25
            if any(cue.kind == "accent" and cue.beat == index and beat == int(beat) for cue in self.plan.cues)
            else 0.0
        )
        velocity = weight * (0.38 + 0.5 * dynamic + metric + 0.08 * articulation * (beat == int(beat)) + accent)
        held = index in self.fermatas
        if held and place > index + 1e-6:           # under a fermata nothing moves
            return
        start = float(self.grid(place))
        full = float(self.grid(place + length)) - start
        duration = full * (1.04 - 0.72 * articulation)
        if held:
            duration = 0.93 * (float(self.grid(index + 1)) - start)
        elif articulation > 0.55:  # short notes stay short whatever the tempo
            duration = min(duration, 0.45)
        onset = max(0.0, start + offset + float(np.clip(rng.normal(0, spread), -self.reach, self.reach)))
        if onset < self.plan.duration:
            self.notes[name].append(
                (
                    Note(
                        onset,
                        max(0.05, duration),
                        int(pitch),
                        float(np.clip(velocity * (1 + rng.normal(0, 0.04)), 0.08, 1.0)),
                    ),
                    place,
                    articulation,
                )
            )

    def _cues(self):
        """Entries: the group is silent in the bar before and strong on the beat. Cut-offs: it stops there for a
        beat."""
        times = np.asarray(self.plan.times)
        for cue in self.plan.cues:
            for name in [n for n, spec in ORCHESTRA.items() if spec[0] == cue.group]:
                kept = []
                for note, place, articulation in self.notes[name]:
                    if (
                        cue.kind == "entry"
                        and cue.group != "strings"
                        and cue.beat - self.metre <= place < cue.beat - 1e-6
                    ):
                        continue
                    if cue.kind == "entry" and abs(place - cue.beat) < 1e-6:
                        note = note._replace(velocity=min(1.0, note.velocity * 1.2 + 0.05))
                    if cue.kind == "cutoff":
                        if cue.beat - 1e-6 <= place < cue.beat + 1 - 1e-6:
                            continue
                        if place < cue.beat and note.onset + note.duration > times[cue.beat]:
                            note = note._replace(duration=max(0.05, float(times[cue.beat]) - note.onset))
                    kept.append((note, place, articulation))
                self.notes[name] = kept

    def _parts(self):
        """Parts by instrument; staccato notes may have a sound of their own (pizzicato)."""
        rng = rng_of(self.plan.seed, "orchestra parts")
        parts = []
        for name, entries in self.notes.items():
            group, _, _, _, _, gain, pan = ORCHESTRA[name]
            legato, staccato = self.sounds[name]
            gain *= 10 ** (rng.normal(0, 1.5) / 20)
            if self.romantic and name not in ("violins", "seconds"):
                gain *= 0.75
            split = (
                {
                    legato: [n for n, _, a in entries if a <= 0.6 or staccato == legato],
                    staccato: [n for n, _, a in entries if a > 0.6],
                }
                if staccato != legato
                else {legato: [n for n, _, _ in entries]}
            )
            for program, notes in split.items():
                if notes:
                    sound = f"kit:{program - 1000}" if program >= 1000 else f"gm:{program}"
                    parts.append(Part(name, sound, notes, gain, pan, float(rng.uniform(0.25, 0.6)), group=group))
        return parts
