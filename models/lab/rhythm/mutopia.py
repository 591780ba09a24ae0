"""Scores of the Mutopia Project as MIDI files with their bars: `python -m models.lab.rhythm.mutopia FTP OUT`.

FTP is the folder `ftp` of the project's sources (LilyPond); only pieces whose header says Public Domain, CC0 or CC BY
are taken. LilyPond writes the MIDI files, and a performer that is added to every score writes down where its bars
begin, as MIDI does not know pickups. What was written on old versions goes through `convert-ly` first. OUT gets
COMPOSER/NAME.mid, and NAME.json with `title`, `licence`, `style`, `tempo` (is one written?) and `bars`.
"""
import argparse
import json
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from fractions import Fraction
from pathlib import Path

from core.contract.files import write_text
from core.errors import BadInput, command

FREE = re.compile(r"public domain|cc0|creative commons zero|(creative commons attribution|cc.by) \d\.\d", re.I)
WHOLE_BARS = 0.85           # of the bars of a score that is taken: as long as its metre says
FEWEST_BARS = 6
LISTENER = r"""
#(define (bar-listener context)
  (let ((heard '()) (tempo 0))
    (define (moment) (ly:moment-main (ly:context-current-moment context)))
    (make-performer
      (listeners ((tempo-change-event performer event)
        (if (ly:event-property event 'metronome-count #f) (set! tempo 1))))
      ((process-music performer)
        (let ((place (ly:context-property context 'measurePosition (ly:make-moment 0)))
              (metre (ly:context-property context 'timeSignatureFraction '(4 . 4))))
          (set! heard (cons (format #f "~a ~a ~a ~a ~a;" (moment) (ly:moment-main place) (car metre) (cdr metre) tempo)
                            heard))))
      ((finalize performer)
        (format (current-error-port) "\nBARS ~a~a\n" (string-concatenate (reverse heard)) (moment))
        (force-output (current-error-port))))))
\midi { \context { \Score \consists #bar-listener } }
"""
SHORTEST = 2000             # characters of a source
BATCH = 16                  # sources a process of LilyPond reads: it takes long to start


def header_of(text):
    """{field: text} of the plain strings of a source's header."""
    return dict(re.findall(r'\b(\w+)\s*=\s*"([^"]*)"', text))


def licence_of(header):
    """The licence a header states, or None when the piece may not be taken."""
    stated = header.get("license") or header.get("copyright") or ""
    return stated.strip() if FREE.fullmatch(stated.strip()) else None


def without(text, word):
    """The source without the blocks `word { ... }`."""
    found = re.search(word + r"\s*\{", text)
    while found:
        depth, place = 1, found.end()
        while depth and place < len(text):
            depth += {"{": 1, "}": -1}.get(text[place], 0)
            place += 1
        text = text[:found.start()] + text[place:]
        found = re.search(word + r"\s*\{", text)
    return text


def sources(folder, most):
    """[(path, header, licence)] of free pieces that write MIDI: the metres in turn, short pieces first; `most` of a
    composer in a metre."""
    found, taken = {}, Counter()
    texts = {path: path.read_text(encoding="utf-8", errors="replace") for path in Path(folder).rglob("*.ly")}
    for path, text in sorted(texts.items(), key=lambda row: (len(row[1]), row[0])):
        header = header_of(text)
        licence = licence_of(header)
        metres = Counter(re.findall(r"\\time\s*(\d+/\d+)", text)).most_common(1)
        key = (path.relative_to(folder).parts[0], metres[0][0] if metres else "none")
        if licence and "mutopiacomposer" in header and r"\midi" in text and SHORTEST <= len(text) and taken[key] < most:
            taken[key] += 1
            found.setdefault(key[1], []).append((path, header, licence))
    return [row[place] for place in range(max(map(len, found.values()), default=0)) for row in found.values()
            if place < len(row)]


def bars_of(lines):
    """[[start, length, beats, unit]] in quarters, and whether a tempo is written, of one score of the listener:
    "moment place-in-bar beats unit tempo" in whole notes each, and where it ends."""
    starts, tempo, before, due = [], False, None, None
    for line in lines[:-1]:
        words = line.split()
        moment, place, beats, unit = Fraction(words[0]), Fraction(words[1]), int(words[2]), int(words[3])
        tempo = tempo or words[4] == "1"
        if before is not None and moment == before[0]:          # grace notes stand still
            continue
        begins = max(moment - place, Fraction(0)) if place >= 0 else moment
        if place < 0 and before is not None and place - before[1] == moment - before[0]:
            begins = starts[-1][0]                              # still the pickup
        if before is None or begins > starts[-1][0]:
            while before is not None and begins - due >= Fraction(beats, unit):
                starts.append((due, *starts[-1][1:]))           # bars in which nothing begins
                due += Fraction(*starts[-1][1:])
            starts.append((begins, beats, unit))
            due = begins + Fraction(beats, unit)
            due = due if place >= 0 else moment - place
        before = (moment, place)
    stop = Fraction(lines[-1].split()[0])
    ends = [start for start, _, _ in starts[1:]] + [stop]
    bars = [[float(4 * start), float(4 * (end - start)), beats, unit]
            for (start, beats, unit), end in zip(starts, ends) if end > start]
    for place in range(len(bars) - 2, 0, -1):                   # a bar that a repeat divides is one
        bar, following = bars[place], bars[place + 1]
        if bar[2:] == following[2:] and abs(bar[1] + following[1] - 4 * bar[2] / bar[3]) < 1e-6:
            bar[1] += following[1]
            del bars[place + 1]
    return bars, tempo


def is_regular(bars):
    """Are there enough bars, and most of them as long as their metre?"""
    whole = sum(abs(length - beats * 4 / unit) < 1e-6 for _, length, beats, unit in bars)
    return len(bars) >= FEWEST_BARS and whole >= WHOLE_BARS * len(bars)


def written(paths, seconds=6.0):
    """{path: [(MIDI bytes, bars, tempo)] of its scores, or why there are none}; `seconds` of the processor
    for each."""
    with tempfile.TemporaryDirectory() as place:
        names = {}
        for number, path in enumerate(paths):
            folder = Path(place, f"{number:02d}")
            shutil.copytree(path.parent, folder)
            names[str(Path(folder, path.name).rename(folder / f"source{number:02d}.ly").relative_to(place))] = path
        Path(place, "listener.ily").write_text(LISTENER, encoding="utf-8")
        inner = [str(each) for each in Path(place).glob("??/**/*.*ly*") if each.suffix in (".ily", ".lyi")]
        try:
            subprocess.run(["convert-ly", "-e", *names, *inner], capture_output=True, cwd=place)
            for name in names:
                source = Path(place, name)
                source.write_text(without(source.read_text(encoding="utf-8", errors="replace"), r"\\layout"),
                                  encoding="utf-8")
            found, left = {}, list(names)
            while left:
                log = _lilypond(left, place, 20 + seconds * len(left))
                told = re.split(r"^Processing [`'‘]([^'’]+)['’]", log, flags=re.M)
                for name, text in zip(told[1::2], told[2::2]):
                    found[names[name]] = _scores(text, place)
                # The one at which LilyPond stopped is not asked again.
                left = left[max(1, len(told) // 2):]
        except FileNotFoundError as error:
            raise BadInput("LilyPond is not installed: lilypond and convert-ly are needed.") from error
    return {path: found.get(path, "LilyPond stopped at it") for path in paths}


def _lilypond(names, place, seconds):
    """What LilyPond says about the sources, as far as it came in so many seconds of the processor."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds)))      # noqa: E731
    return subprocess.run(["lilypond", "-dno-point-and-click", "-dno-print-pages", "-dmidi-extension=mid",
                           "-dinclude-settings=listener.ily", "--loglevel=INFO", *names], cwd=place, preexec_fn=limit,
                          stderr=subprocess.STDOUT, stdout=subprocess.PIPE).stdout.decode("utf-8", "replace")


def _scores(log, place):
    """[(MIDI bytes, bars, tempo)] of what is said about a source, or why there are none."""
    names = re.findall(r"MIDI output to [`'‘]([^'’]+)['’]", log)
    bars = re.findall(r"^BARS (.*)$", log, flags=re.M)
    if not names or len(names) != len(bars):
        return "LilyPond made no MIDI file of it" if not names else "it has more MIDI files than scores"
    return [(Path(place, name).read_bytes(), *bars_of(line.split(";"))) for name, line in zip(names, bars)]


def convert(folder, out, most=12, pieces=500, report=print):
    """Write the MIDI files and bars of the free pieces of `folder`; returns how many, and why others were not."""
    made, missed, rows = 0, Counter(), sources(folder, most)
    for first in range(0, len(rows), BATCH):
        batch = {path: (header, licence) for path, header, licence in rows[first:first + BATCH]}
        for path, scores in written(list(batch)).items():
            if isinstance(scores, str):
                missed[scores] += 1
                continue
            header, licence = batch[path]
            composer = path.relative_to(folder).parts[0]
            Path(out, composer).mkdir(parents=True, exist_ok=True)
            for number, (midi, bars, tempo) in enumerate(scores):
                if not is_regular(bars):
                    missed["its bars are few or irregular"] += 1
                    continue
                target = Path(out, composer, f"{path.parent.name}-{path.stem}-{number}.mid")
                target.write_bytes(midi)
                write_text(target.with_suffix(".json"), json.dumps(
                    {"title": header.get("mutopiatitle") or header.get("title", ""), "licence": licence,
                     "style": header.get("style", ""), "tempo": tempo, "bars": bars}))
                made += 1
        report(f"{made} scores of {first + len(batch)} sources", flush=True)
        if made >= pieces:
            break
    return made, missed


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.lab.rhythm.mutopia", description=__doc__.split("\n")[0])
    parser.add_argument("ftp")
    parser.add_argument("out")
    parser.add_argument("--most", type=int, default=12, help="pieces of a composer in a metre")
    parser.add_argument("--pieces", type=int, default=500)
    options = parser.parse_args(arguments)
    made, missed = convert(Path(options.ftp), options.out, options.most, options.pieces)
    print(f"{made} scores;", "; ".join(f"{count}: {why}" for why, count in missed.most_common()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
