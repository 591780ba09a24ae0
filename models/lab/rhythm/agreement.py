"""Labels of recorded music from several beat trackers: `python -m models.lab.rhythm.agreement HEARD.json LABELS.json`.

HEARD is {file: {"lead": {"beats": [s, ...], "positions": [1, 2, ...], "downbeat": [probability, ...]}, "others": {name:
[s, ...]}}}: one tracker leads, and where another finds the same beats, one for one, for eight in a row, its beats are
believed (after Holzapfel et al. 2012, "Selective sampling for beat tracking evaluation", where trackers that agree tell
an easy piece). Trackers mark beats a little early or late, each in its own way, which `--offsets` takes out. LABELS is
what `models.lab.rhythm.recorded` reads. Bars are told where the leading tracker hears its downbeats clearly.
"""
import argparse
import json
import sys
from pathlib import Path

import numpy as np

from core.contract.files import replacing
from core.errors import BadInput, command

TOLERANCE = 0.07            # s
FEWEST = 8                  # beats in a row on which two agree
LONGEST = 1.5               # s between beats of one span
SHORTEST = 10.0             # s of trusted beats in a file
CONTRAST = 0.25             # by which the probability of downbeats exceeds that of any other beat of the bar


def agreed(lead, other, tolerance=TOLERANCE, fewest=FEWEST):
    """(B,) place in `other` of each beat of `lead` (B,) s that lies in a run on which both agree, -1 elsewhere.

    A run has at least `fewest` beats, each within the tolerance, and none between them in either list.
    """
    place = np.full(len(lead), -1)
    if not len(lead) or not len(other):
        return place
    nearest = np.abs(lead[:, None] - other[None]).argmin(1)
    near = np.abs(lead - other[nearest]) <= tolerance
    start = 0
    for end in range(1, len(lead) + 1):
        if end == len(lead) or not (near[end] and near[end - 1] and nearest[end] == nearest[end - 1] + 1):
            if near[start:end].all() and end - start >= fewest:
                place[start:end] = nearest[start:end]
            start = end
    return place


def label(heard, offsets=None):
    """{"beats", "spans", and "downbeats" and "metre" where bars are clear} of one file, in seconds; None where too
    little of it is agreed on. heard: as above; offsets: {name: s} added to each tracker's beats, "lead" among them."""
    offsets = offsets or {}
    lead = np.asarray(heard["lead"]["beats"], dtype=np.float64) + offsets.get("lead", 0.0)
    times = [lead]
    for name, beats in heard["others"].items():
        other = np.asarray(beats, dtype=np.float64) + offsets.get(name, 0.0)
        place = agreed(lead, other)
        times.append(np.where(place >= 0, np.append(other, np.nan)[place], np.nan))
    believed = ~np.isnan(np.stack(times[1:])).all(0) if len(times) > 1 else np.zeros(len(lead), bool)
    runs = _runs(lead, believed)
    half = np.gradient(lead) / 2 if len(lead) > 1 else lead
    spans = [[round(float(lead[a] - half[a]), 3), round(float(lead[b] + half[b]), 3)] for a, b in runs]
    if sum(stop - start for start, stop in spans) < SHORTEST:
        return None
    kept = np.concatenate([np.arange(a, b + 1) for a, b in runs])
    told = np.round(np.nanmedian(np.stack(times), axis=0), 3)
    out = {"beats": told[kept].tolist(), "spans": spans}
    positions = np.asarray(heard["lead"].get("positions", ()), dtype=int)
    clear = np.asarray(heard["lead"].get("downbeat", ()), dtype=np.float64)
    if len(positions) == len(clear) == len(lead) and contrast(positions[kept], clear[kept]) >= CONTRAST:
        out |= {"downbeats": told[kept][positions[kept] == 1].tolist(), "metre": int(positions.max())}
    return out


def contrast(positions, downbeat):
    """How much the mean probability of a downbeat on beats of position 1 exceeds that on any other position."""
    means = [float(downbeat[positions == each].mean()) for each in range(1, positions.max() + 1)
             if (positions == each).any()]
    return means[0] - max(means[1:]) if len(means) > 1 and (positions == 1).any() else 0.0


def _runs(times, believed):
    """[(first, last)] of believed beats in a row, none further apart than `LONGEST`."""
    found, start = [], None
    for index in range(len(times) + 1):
        ends = index == len(times) or not believed[index]
        if start is not None and (ends or times[index] - times[index - 1] >= LONGEST):
            if index - start >= FEWEST:
                found.append((start, index - 1))
            start = None
        if not ends and start is None:
            start = index
    return found


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.lab.rhythm.agreement",
                                     description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("heard", help="JSON of the beats that each tracker hears")
    parser.add_argument("labels", help="JSON to write")
    parser.add_argument("--offsets", nargs="*", default=[], metavar="NAME=MS",
                        help="milliseconds to add to a tracker's beats; the leading one is called lead")
    options = parser.parse_args(arguments)
    try:
        offsets = {name: float(value) / 1000 for name, value in (each.split("=") for each in options.offsets)}
        heard = json.loads(Path(options.heard).read_text(encoding="utf-8"))
        labels = {name: label(item, offsets) for name, item in heard.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{options.heard} or --offsets cannot be read as the beats of trackers ({error}); see "
                       "--help.") from error
    labels = {name: item for name, item in labels.items() if item is not None}
    with replacing(Path(options.labels)) as temporary:
        Path(temporary).write_text(json.dumps(labels), encoding="utf-8")
    seconds = sum(stop - start for item in labels.values() for start, stop in item["spans"])
    print(f"{len(labels)} of {len(heard)} files, {seconds / 60:.1f} minutes, bars of "
          f"{sum('metre' in item for item in labels.values())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
