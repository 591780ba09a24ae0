"""The long campaigns: each in a process of its own, so that a crash is an outcome, too; then the table."""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from tests import faults

ROOT = Path(__file__).resolve().parents[2]


def one(name, seed, trials, out):
    """A campaign in this process; its outcomes as a line of JSON each in `out`."""
    from models.lab.mount import mount
    mount()
    with tempfile.TemporaryDirectory(prefix=f"baton-faults-{name}-") as folder, open(out, "w") as file:
        for outcome in faults.load(name).run(seed, trials, Path(folder)):
            print(json.dumps(asdict(outcome)), file=file, flush=True)


def apart(name, seed, trials, out, **environment):
    """A campaign in a process of its own; its outcomes, one more where the process itself fell."""
    out.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="baton-user-") as user:
        done = subprocess.run(
            [sys.executable, "-m", "tests.faults", name, "--seed", str(seed), "--trials", str(trials), "--one",
             str(out)],
            env={"OMP_NUM_THREADS": "1", "BATON_WORKER_PYTHON": sys.executable, **os.environ, **environment,
                 "BLENDER_USER_RESOURCES": user},
            cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace")
    lines = out.read_text(encoding="utf-8").splitlines() if out.is_file() else []
    outcomes = [faults.Outcome(**json.loads(line)) for line in lines]
    if not lines or done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        outcomes.append(faults.Outcome("the whole campaign", False, "crash", f"exit status {done.returncode}: {last}"))
    return outcomes


def main(argv=None):
    parser = argparse.ArgumentParser(prog="build.py faults", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"campaigns (all): {', '.join(faults.names())}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trials", type=int, default=500, help="of each campaign (500)")
    parser.add_argument("--out", type=Path, help="folder for the outcomes, a JSON line each")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.one:
        one(args.names[0], args.seed, args.trials, args.one)
        return 0
    results = {}
    with tempfile.TemporaryDirectory(prefix="baton-faults-") as scratch:
        folder = args.out or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for name in args.names or faults.names():
            faults.load(name)
            print(f"[baton] {name} ...", flush=True)
            results[name] = apart(name, args.seed, args.trials, folder / f"{name}.jsonl")
    print(faults.table(results, args.seed))
    return int(any(not outcome.ok for outcomes in results.values() for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
