"""Several trainings on one card that is rented for minutes: `python -m models.training.rental PLAN.json --out DIR`.

PLAN.json: {"seconds": N, "work": FOLDER,
            "unpack": [{"file", "folder", "clips"?}], "jobs": [{"name", "argv": ["dance_cascade", "base", ...]
            (arguments of models.training.loop), "after": [folders, jobs],
                      "until": second of the plan at which it must have ended, "export": checkpoint's name or null}]}

Each job is a process of its own; `{minutes}` in its arguments becomes the time that is left to it when it starts, so
the learning rate ends where the rental does. At `until` a job is told to stop (SIGTERM saves a checkpoint) and 20 s
later ended; a plan that is called again goes on with the runs that it finds. What ended well is exported, averaged and
as float16, into DIR/checkpoints; logs go to DIR/logs. Results are packed as `bundle.tar.NN` of at most 15 MiB each, for
a line that returns small files only: `cat bundle.tar.* | tar x` joins them.
Needs torch, numpy, scipy and safetensors, for the vocoder soundfile too; `models.lab.packs.code` collects the code.
"""
import argparse
import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

from core.errors import BadInput, command

PIECE = 15 * 2**20
GRACE = 20.0                # s a job has to save after SIGTERM
MARGIN = 12.0               # s kept of a job's time for its start, last validation and checkpoint
TRAIN, EXPORT, PACK = "models.training.loop", "models.training.export", "models.lab.packs.flat"


class Job:
    """One process of the plan."""

    def __init__(self, spec, logs):
        self.name, self.argv, self.after = spec["name"], spec["argv"], spec.get("after", [])
        self.until, self.export_as = float(spec["until"]), spec.get("export")
        self.module = spec.get("module", TRAIN)
        self.log, self.process, self.began, self.told = logs / f"{self.name}.log", None, None, None
        self.status = None

    @property
    def run_folder(self):
        """The run folder among the arguments, or None."""
        return self.argv[self.argv.index("--out") + 1] if "--out" in self.argv else None

    def _used(self):
        """Minutes that the training has behind it, None where it is new."""
        run = Path(self.run_folder) if self.module == TRAIN and self.run_folder else None
        if run is None or not (run / "checkpoint.pt").exists():
            return None
        rows = (run / "log.jsonl").read_text(encoding="utf-8").splitlines()
        return json.loads(rows[-1])["minutes"] if rows else 0.0

    def start(self, now):
        """Begin, or go on with the run that an earlier call left, with what is left of the time."""
        minutes, used = max(0.05, (self.until - now - MARGIN) / 60), self._used()
        words = [word.replace("{minutes}", f"{minutes + (used or 0.0):.3f}") for word in self.argv]
        words += ["--resume"] if used is not None and "--resume" not in words else []
        self.began = now
        self._handle = open(self.log, "w", encoding="utf-8")
        self.process = subprocess.Popen([sys.executable, "-u", "-m", self.module, *words], stdout=self._handle,
                                        stderr=subprocess.STDOUT)

    def poll(self, now):
        """Watch it; True once it has ended."""
        if self.status is None and self.process is not None:
            self.status = self.process.poll()
            if self.status is None and now >= self.until and self.told is None:
                self.process.terminate()
                self.told = now
            elif self.status is None and self.told is not None and now >= self.told + GRACE:
                self.process.kill()
                self.status = self.process.wait()
            if self.status is not None:
                self._handle.close()
        return self.status is not None


def chosen(plan, names):
    """The plan with the jobs whose names begin with one of `names`, and what these come after. Raises BadInput."""
    jobs = {job["name"]: job for job in plan["jobs"]}
    unpacks = {spec["folder"]: spec for spec in plan.get("unpack", [])}
    unknown = [name for name in names if not any(job.startswith(name) for job in jobs)]
    if unknown:
        raise BadInput(f"The plan has no job {', '.join(unknown)}; it has {', '.join(jobs)}.")
    todo, wanted = [name for name in jobs if name.startswith(tuple(names))], set()
    while todo:
        name = todo.pop()
        wanted.add(name)
        clips = unpacks.get(name, {}).get("clips")
        todo += [*jobs.get(name, {}).get("after", []), *([clips] if clips else [])]
    return {**plan, "jobs": [job for name, job in jobs.items() if name in wanted],
            "unpack": [spec for folder, spec in unpacks.items() if folder in wanted]}


def run(plan, out):
    """Carry the plan out; returns {job: exit status}."""
    began = time.monotonic()
    clock = lambda: time.monotonic() - began                  # noqa: E731
    logs = Path(out) / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    unpacks = []
    for number, spec in enumerate(plan.get("unpack", [])):
        words = ["unpack", spec["file"], spec["folder"]] + (["--clips", spec["clips"]] if spec.get("clips") else [])
        words += ["--jobs", str(spec["jobs"])] if spec.get("jobs") else []
        unpacks.append(Job({"name": f"unpack-{number}", "argv": words, "until": plan["seconds"], "module": PACK,
                            "after": [spec["clips"]] if spec.get("clips") else []}, logs))
    names = {spec["folder"]: job for spec, job in zip(plan.get("unpack", []), unpacks)}
    jobs = [Job(spec, logs) for spec in plan["jobs"]]
    names.update({job.name: job for job in jobs})
    waiting, running = [*unpacks, *jobs], []
    while waiting or running:
        for job in list(waiting):
            needs = [names[name] for name in job.after if name in names]
            failed = [need.name for need in needs if need.status not in (None, 0)]
            if failed:
                job.status = -1
                job.log.write_text(f"not started: {', '.join(failed)} failed\n", encoding="utf-8")
                waiting.remove(job)
            elif all(need.status == 0 for need in needs):
                job.start(clock())
                print(f"{clock():6.1f} s  start {job.name}", flush=True)
                waiting.remove(job)
                running.append(job)
        for job in list(running):
            if job.poll(clock()):
                print(f"{clock():6.1f} s  end   {job.name} status {job.status}", flush=True)
                running.remove(job)
        time.sleep(0.25)
    checkpoints = Path(out) / "checkpoints"
    for job in jobs:
        if job.export_as and job.run_folder and (Path(job.run_folder) / "checkpoint.pt").exists():
            words = [job.run_folder, job.export_as, "--checkpoints", str(checkpoints)]
            done = subprocess.run([sys.executable, "-m", EXPORT, *words], capture_output=True, text=True)
            print(f"{clock():6.1f} s  export {job.export_as}: {(done.stdout + done.stderr).strip()[-300:]}", flush=True)
        if job.run_folder:
            for name in ("log.jsonl", "config.json", "loss.png"):
                source = Path(job.run_folder) / name
                if source.exists():
                    (logs / f"{job.name}.{name}").write_bytes(source.read_bytes())
    return {job.name: job.status for job in [*unpacks, *jobs]}


def bundle(folder, target):
    """`folder` as bundle.tar.NN in `target`, pieces of PIECE bytes; returns their number."""
    target = Path(target)
    target.mkdir(parents=True, exist_ok=True)
    whole = target / "bundle.tar"
    with tarfile.open(whole, "w") as archive:
        archive.add(folder, arcname=".")
    data = whole.read_bytes()
    whole.unlink()
    pieces = [data[at:at + PIECE] for at in range(0, len(data), PIECE)]
    for number, piece in enumerate(pieces):
        (target / f"bundle.tar.{number:02d}").write_bytes(piece)
    return len(pieces)


@command
def main(argv=None):
    """The command line; returns 0 when every job ended well."""
    parser = argparse.ArgumentParser(prog="python -m models.training.rental", description=__doc__.split("\n")[0])
    parser.add_argument("plan")
    parser.add_argument("--out", required=True, help="folder for logs and checkpoints")
    parser.add_argument("--bundle", help="folder for bundle.tar.NN")
    parser.add_argument("--scale", type=float, default=1.0, help="multiply all times of the plan (a rehearsal: 0.1)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="jobs whose names begin so, and what they need")
    options = parser.parse_args(argv)
    plan = json.loads(Path(options.plan).read_text(encoding="utf-8"))
    plan = chosen(plan, options.only) if options.only else plan
    plan["seconds"] *= options.scale
    for job in plan["jobs"]:
        job["until"] *= options.scale
    os.makedirs(plan.get("work", "."), exist_ok=True)
    states = run(plan, options.out)
    if options.bundle:
        print(f"{bundle(options.out, options.bundle)} pieces", flush=True)
    return 0 if all(status == 0 for status in states.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
