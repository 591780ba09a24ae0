"""Damaged files and options into each reader, one trial in 1 GiB of memory and 5 s of the processor.

Run by itself (`python -m tests.faults.campaign_readers --seed 1 --trials 500`), `--trials` is for each reader.
"""

import argparse
import json
import os
import random
import subprocess
import sys
from pathlib import Path

from tests.faults import Outcome

WHAT = "damaged motion, sound, beats, bone maps, rigs, recipes and options; a result or one sentence in 1 GiB and 5 s"
ROOT = Path(__file__).resolve().parents[2]
GOOD = ("result", "sentence")
LONGEST_S = 3600.0


def run(seed, trials, folder):
    """`trials` in all, dealt out to the readers in turn, in a small process of its own (it forks)."""
    from tests.faults.reader_kinds import READERS

    each = max(1, -(-trials // len(READERS)))
    command = [
        sys.executable,
        "-m",
        __spec__.name if __spec__ else __name__,
        "--seed",
        str(seed),
        "--trials",
        str(each),
        "--folder",
        str(folder),
        "--json",
    ]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **threads}, capture_output=True, text=True, check=False, timeout=LONGEST_S
    )
    if done.returncode:
        return [Outcome("the campaign itself", False, "crash", done.stderr[-300:])]
    return [Outcome(*row) for row in json.loads(done.stdout.splitlines()[-1])]


def trials_of(name, seed, trials, folder):
    """Outcomes of one reader."""
    from tests.faults.reader_kinds import READERS
    from tests.faults.sandbox import trial

    make, out = READERS[name](Path(folder)), []
    for number in range(trials):
        said, function = make(random.Random(f"{name} {seed} {number}"))
        kind, detail = trial(function)
        out.append(Outcome(f"{name} {seed} {number}: {said}", kind in GOOD, kind, detail))
    return out


def main():
    """Print a table, or JSON for `run`."""
    from tests.faults import table
    from tests.faults.reader_kinds import READERS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--folder", default=None)
    parser.add_argument("--only", nargs="*", default=None)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    import tempfile

    with tempfile.TemporaryDirectory() as made:
        folder = Path(options.folder or made)
        found = {}
        for name in options.only or READERS:
            found[name] = trials_of(name, options.seed, options.trials, folder)
            if not options.json:
                print(table({name: found[name]}, options.seed), flush=True)
    if options.json:
        print(json.dumps([[o.trial, o.ok, o.kind, o.detail] for rows in found.values() for o in rows]))
    else:
        print(table(found, options.seed))


if __name__ == "__main__":
    main()
