"""A small reader of MusicXML scores: notes, bars, tempi and dynamics, all in quarter notes from the beginning.

Reads `.mxl` (zip) and plain partwise files; repeats are played once, grace notes are left out. Format: MusicXML 3.1
(https://www.w3.org/2021/06/musicxml40), only what performing a score takes.
"""
import xml.etree.ElementTree as ElementTree
import zipfile
from dataclasses import dataclass, field

from core.errors import BadInput

STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
LEVELS = {"pppp": 0.15, "ppp": 0.2, "pp": 0.3, "p": 0.42, "mp": 0.52, "mf": 0.62, "f": 0.75, "ff": 0.87, "fff": 0.95,
          "ffff": 1.0, "fp": 0.5, "sfp": 0.5}


@dataclass
class Note:
    """onset and length in quarters; pitch: MIDI number; short: a dot or wedge over it; accent; slurred: bound to the
    next."""

    onset: float
    length: float
    pitch: int
    short: bool = False
    accent: bool = False


@dataclass
class Bar:
    """start and length in quarters, as written in the metre beats / unit; pickup: shorter than its metre."""

    start: float
    length: float
    beats: int
    unit: int
    pickup: bool = False


@dataclass
class Score:
    """parts: lists of `Note` in order, one a staff; bars; tempi [(quarter, quarters a minute)]; dynamics a part
    [(quarter, level 0..1)]; fermatas: quarters where one stands."""

    parts: list = field(default_factory=list)
    bars: list = field(default_factory=list)
    tempi: list = field(default_factory=list)
    dynamics: list = field(default_factory=list)
    fermatas: list = field(default_factory=list)

    @property
    def length(self):
        """Quarters from the first bar to the end of the last."""
        return self.bars[-1].start + self.bars[-1].length if self.bars else 0.0


def read_score(path):
    """The `Score` of a file. Raises BadInput when it is no partwise MusicXML."""
    try:
        if str(path).lower().endswith(".mxl"):
            with zipfile.ZipFile(path) as archive:
                names = [name for name in archive.namelist() if name.endswith(".xml")
                         and not name.startswith("META-INF")]
                root = ElementTree.fromstring(archive.read(names[0]))
        else:
            root = ElementTree.parse(path).getroot()
    except (OSError, zipfile.BadZipFile, ElementTree.ParseError, IndexError) as error:
        raise BadInput(f"{path} is not a MusicXML score ({error}).") from error
    parts = root.findall("part")
    if root.tag != "score-partwise" or not parts:
        raise BadInput(f"{path} is no partwise MusicXML score.")
    score = Score()
    _bars(parts, score)
    for part in parts:
        reader = _Part(score)
        for number, measure in enumerate(part.findall("measure")):
            if number < len(score.bars):
                reader.measure(measure, score.bars[number].start)
        for notes in reader.staves.values():        # both hands of a piano, one by one
            score.parts.append(sorted(notes, key=lambda note: note.onset))
            score.dynamics.append(sorted(reader.dynamics))
    score.tempi.sort()
    score.fermatas = sorted(set(score.fermatas))
    return score


def _bars(parts, score):
    """Lengths of all bars: the longest voice of any part says how long a bar is, its metre how long it should be."""
    measures = [part.findall("measure") for part in parts]
    divisions, beats, unit, start = [1] * len(parts), 4, 4, 0.0
    for number in range(max(len(rows) for rows in measures)):
        longest = 0.0
        for index, rows in enumerate(measures):
            if number >= len(rows):
                continue
            for attributes in rows[number].findall("attributes"):
                divisions[index] = int(attributes.findtext("divisions") or divisions[index])
                time = attributes.find("time")
                if time is not None and time.findtext("beats"):
                    beats = sum(int(part) for part in time.findtext("beats").split("+"))
                    unit = int(time.findtext("beat-type"))
            longest = max(longest, _extent(rows[number]) / divisions[index])
        written = beats * 4.0 / unit
        length = longest or written
        score.bars.append(Bar(start, length, beats, unit, pickup=length < written - 1e-6))
        start += length


def _extent(measure):
    place = furthest = 0
    for element in measure:
        length = int(float(element.findtext("duration") or 0))
        if element.tag == "note" and element.find("chord") is None:
            place += length
        elif element.tag == "backup":
            place -= length
        elif element.tag == "forward":
            place += length
        furthest = max(furthest, place)
    return furthest


class _Part:
    """Notes and dynamics of one part, bar by bar."""

    def __init__(self, score):
        self.score, self.staves, self.dynamics, self.divisions, self.open = score, {"1": []}, [], 1, {}

    def measure(self, measure, start):
        """Add one bar that begins at quarter `start`."""
        place, onset = 0, 0
        for element in measure:
            if element.tag == "attributes":
                self.divisions = int(element.findtext("divisions") or self.divisions)
            elif element.tag in ("direction", "sound"):
                self._direction(element, start + place / self.divisions)
            elif element.tag in ("backup", "forward"):
                place += int(float(element.findtext("duration"))) * (1 if element.tag == "forward" else -1)
            elif element.tag == "note" and element.find("grace") is None:
                length = int(float(element.findtext("duration") or 0))
                if element.find("chord") is None:
                    onset, place = place, place + length
                self._note(element, start + onset / self.divisions, length / self.divisions)

    def _direction(self, element, place):
        sound = element if element.tag == "sound" else element.find("sound")
        if sound is not None and sound.get("tempo"):
            self.score.tempi.append((place, float(sound.get("tempo"))))
        for mark in element.iter("dynamics"):
            for level in mark:
                if level.tag in LEVELS:
                    self.dynamics.append((place, LEVELS[level.tag]))

    def _note(self, element, onset, length):
        notations = element.find("notations")
        if notations is not None and notations.find("fermata") is not None:
            self.score.fermatas.append(onset)
        pitch = element.find("pitch")
        if pitch is None or length <= 0:
            return
        key = STEPS[pitch.findtext("step")] + int(float(pitch.findtext("alter")
                                                        or 0)) + 12 * (int(pitch.findtext("octave")) + 1)
        ties = {tie.get("type") for tie in element.findall("tie")}
        if "stop" in ties and key in self.open:
            self.open[key].length = onset + length - self.open[key].onset
            if "start" not in ties:
                del self.open[key]
            return
        marks = {mark.tag for group in (notations.findall("articulations") if notations is not None else ())
                 for mark in group}
        note = Note(onset, length, key, bool(marks & {"staccato", "staccatissimo", "spiccato"}),
                    bool(marks & {"accent", "strong-accent"}))
        self.staves.setdefault(element.findtext("staff") or "1", []).append(note)
        if "start" in ties:
            self.open[key] = note
