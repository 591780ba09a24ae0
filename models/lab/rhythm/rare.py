"""Scores that are looked for because of their metre: compound, in five and seven, in eighths."""
import json
import re
import zipfile
from functools import lru_cache
from pathlib import Path

from core.errors import BadInput

# (beats, unit), and tempi (quarters a minute) for scores that name none: half of the slow ones are tapped in eighths.
RARE = ((6, 8), (3, 8), (9, 8), (6, 4), (12, 8), (5, 4), (9, 4), (5, 8), (7, 8), (7, 4), (9, 16), (12, 16))
RARE_TEMPI = (42, 50, 58, 64, 72, 92, 108, 126)


@lru_cache(maxsize=8)
def rare_files(paths, scores=None):
    """Those of the score files (a tuple) that hold a bar in one of `RARE`, metres in turns, files of rare ones up to
    three times. What each file is written in is kept in the folder `scores`, where one is given.

    Raises BadInput where there is none.
    """
    by_metre = {}
    for path in paths:
        kept = Path(scores or "", path.stem + ".metres.json")
        if scores and kept.exists():
            found = {tuple(metre) for metre in json.loads(kept.read_text(encoding="utf-8"))}
        else:
            found = written_metres(path)
            if scores:
                kept.write_text(json.dumps(sorted(found)), encoding="utf-8")
        if (rarest := next((metre for metre in reversed(RARE) if metre in found), None)) is not None:
            by_metre.setdefault(rarest, []).append(path)
    if not by_metre:
        raise BadInput("No score is written in " + ", ".join(f"{beats}/{unit}" for beats, unit in RARE) + ".")
    return tuple(by_metre[metre][turn % len(by_metre[metre])]
                 for turn in range(max(map(len, by_metre.values()))) for metre in dict.fromkeys(RARE)
                 if turn < 3 * len(by_metre.get(metre, ())))


def written_metres(path):
    """The set of (beats, unit) that a compressed score names, without reading its notes."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith((".xml", ".musicxml")) and "META" not in name]
        text = archive.read(names[0]).decode("utf-8", "replace")
    return {(int(beats), int(unit)) for beats, unit in
            re.findall(r"<beats>(\d+)</beats>\s*<beat-type>(\d+)</beat-type>", text)}
