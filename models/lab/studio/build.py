"""Write a studio corpus to disk: `python -m models.lab.studio.build --kind dance|conducting --hours H --out DIR`.

Every item follows from its seed alone, every shard from its first seed, so shards can be made in any order, by any
number of processes, and a build that was stopped goes on where it was. With --motion DIR music is made *to* recorded
motion instead (models/lab/studio/real.py).
"""
import argparse
import os
from pathlib import Path

import numpy as np

from core.contract import GENRES, PLAIN_METRES
from core.errors import BadInput, command
from models.lab.studio.conducted import PATTERNS_STYLE, conducting_plan, pattern_of
from models.lab.studio.plan import SPLIT_SEEDS, STYLES, make_plan, split_of
from models.lab.studio.shard_jobs import PER_SHARD, is_complete, plan_arrays, run_tasks
from models.training.shards import AUDIO_RATE, pack_audio, pack_motion, read_header, write_shard

HELD_OUT = (48, 200)                # pieces of the valid and test splits of a whole corpus


def item_plan(kind, seed, duration, stratified=False, fermatas=True, style=None):
    """The plan of a corpus item; `stratified` walks through the genres or metres in turn, so that each is as
    frequent."""
    if style == PATTERNS_STYLE:
        return conducting_plan(seed, duration)
    if kind == "dance":
        return make_plan(kind, seed, genre=GENRES[seed % len(GENRES)] if stratified else None, duration=duration)
    metre = PLAIN_METRES[seed % len(PLAIN_METRES)] if stratified else None
    return make_plan(kind, seed, metre=metre, duration=duration, fermatas=fermatas, style=style)


def plan_of(meta):
    """The plan of a studio item in a shard; shards made before fermatas say nothing of them."""
    return item_plan(meta["kind"], meta["seed"], meta["duration"], meta["split"] != "train",
                     meta.get("fermatas", False), meta.get("style"))


def make_item(kind, seed, duration, stratified=False, audio=True, style=None):
    """(meta, arrays) of one studio piece: motion, music, beats, dynamics."""
    from models.lab.studio.conductor import conduct
    from models.lab.studio.dancer import dance
    plan = item_plan(kind, seed, duration, stratified, style=style)
    motion, lead = (dance(plan), 0.0) if kind == "dance" else conduct(plan)
    arrays = {**pack_motion(motion), **plan_arrays(plan)}
    if audio:
        from models.lab.studio.music import compose, render
        arrays["audio"] = pack_audio(render(compose(plan), plan, rate=AUDIO_RATE))
    meta = {"id": f"{kind}-{seed:06d}", "kind": kind, "split": split_of(seed), "seed": seed, "genre": plan.genre,
            "metre": plan.metre, "bpm": round(plan.bpm, 3), "duration": plan.duration, "source": "studio",
            "beat_confidence": 1.0, "lead": round(lead, 4)}
    if kind == "conducting":
        meta |= {"fermatas": True, "strokes": pattern_of(plan)}
    if style:
        meta["style"] = style
    return meta, arrays


def make_shard(task):
    """Write one shard (a dict of `make_item`'s arguments, its seeds and path); returns the seconds of material in
    it."""
    os.environ["OMP_NUM_THREADS"] = "1"
    items = [make_item(task["kind"], seed, task["duration"], task["stratified"], task["audio"], task.get("style"))
             for seed in task["seeds"]]
    write_shard(task["path"], items)
    return sum(meta["duration"] for meta, _ in items)


def refresh_shard(task):
    """Perform the pieces of a studio shard anew, keeping their sound and ground truth; returns the seconds in it."""
    from safetensors.numpy import load_file

    from models.lab.studio.conductor import conduct
    from models.lab.studio.dancer import dance
    path = Path(task["path"])
    tensors, items = load_file(str(path)), []
    for number, meta in enumerate(read_header(path)):
        prefix = f"{number}/"
        arrays = {name[len(prefix):]: array for name, array in tensors.items() if name.startswith(prefix)}
        plan = plan_of(meta)
        if not np.array_equal(arrays["beats"], plan_arrays(plan)["beats"]):
            raise BadInput(f"{path} was made for other plans than this Baton draws; delete it and make the corpus "
                           f"again.")
        motion, lead = (dance(plan), 0.0) if meta["kind"] == "dance" else conduct(plan)
        meta = {**meta, "lead": round(lead, 4), **({"strokes": pattern_of(plan)} if meta["kind"] == "conducting"
                                                   else {})}
        items.append((meta, {**arrays, **pack_motion(motion)}))
    write_shard(path, items)
    return sum(meta["duration"] for meta, _ in items)


def shard_tasks(kind, split, out, *, hours=None, items=None, first_seed=0, duration=24.0, audio=True, style=None):
    """The shards of a build; the items of the test and valid splits are stratified over genres or metres."""
    low, high = SPLIT_SEEDS[split]
    count = items or max(1, int(np.ceil(hours * 3600 / duration)))
    if low + first_seed + count > high:
        raise BadInput(f"The {split} split has seeds for {high - low} pieces, not {first_seed + count}; ask for fewer "
                       f"or a smaller --first-seed.")
    tasks = []
    for start in range(0, count, PER_SHARD):
        seeds = list(range(low + first_seed + start, low + first_seed + min(start + PER_SHARD, count)))
        tasks.append({"kind": kind, "seeds": seeds, "duration": duration, "stratified": split != "train",
                      "audio": audio, "style": style,
                      "path": str(Path(out) / f"{kind}-{split}-{seeds[0]:06d}.safetensors")})
    return tasks


def build(kind, split, out, *, hours=None, items=None, first_seed=0, duration=24.0, audio=True, style=None,
          jobs=2):
    """Make the missing shards of a corpus; returns the number written."""
    tasks = shard_tasks(kind, split, out, hours=hours, items=items, first_seed=first_seed, duration=duration,
                        audio=audio, style=style)
    todo = [task for task in tasks if not is_complete(task)]
    Path(out).mkdir(parents=True, exist_ok=True)
    run_tasks(make_shard, todo, jobs, f"{kind} {split}", sum(len(t["seeds"]) for t in todo) * duration)
    return len(todo)


def build_all(out, *, hours=None, items=None, duration=24.0, audio=True, jobs=2):
    """Both kinds in OUT/dance and OUT/conducting, each with its train, valid and test split; returns the shards
    written.

    hours or items is the size of a train split; valid and test have `HELD_OUT` pieces, or as many as a smaller train
    split.
    """
    written = 0
    for kind in ("dance", "conducting"):
        size = items or max(1, int(np.ceil(hours * 3600 / duration)))
        for split, held in (("test", HELD_OUT[1]), ("valid", HELD_OUT[0]), ("train", size)):
            written += build(kind, split, Path(out) / kind, items=min(held, size), duration=duration, audio=audio,
                             jobs=jobs)
    return written


@command
def main(argv=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.lab.studio.build", description=__doc__.split("\n")[0])
    parser.add_argument("--kind", choices=["dance", "conducting", "all"], default="dance",
                        help="all: both, each with train, valid and test, in folders of --out")
    parser.add_argument("--split", choices=list(SPLIT_SEEDS), default="train")
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--hours", type=float, default=1.0)
    amount.add_argument("--items", type=int, help="number of pieces instead of hours")
    parser.add_argument("--out", required=True, help="folder of the corpus")
    parser.add_argument("--first-seed", type=int, default=0, help="counted from the first seed of the split")
    parser.add_argument("--seconds", type=float, default=24.0, help="length of a piece")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--style", choices=(*STYLES[1:], PATTERNS_STYLE),
                        help="of conducted pieces: rhapsodic has rubato inside the bars, patterns every metre and "
                        "tempo")
    parser.add_argument("--no-audio", dest="audio", action="store_false", help="motion and beats only")
    parser.add_argument("--refresh-motion", action="store_true",
                        help="only perform the studio pieces already in --out anew, keeping their music")
    parser.add_argument("--motion", help="folder of BVH clips: make music to these instead of to the studio's dancer")
    args = parser.parse_args(argv)
    if args.style and (args.kind != "conducting" or args.refresh_motion or args.motion):
        parser.error("--style is for new pieces of --kind conducting")
    if args.kind == "all":
        if args.refresh_motion or args.motion:
            parser.error("--kind all makes a corpus; --refresh-motion and --motion want one kind")
        written = build_all(args.out, hours=args.hours, items=args.items, duration=args.seconds, audio=args.audio,
                            jobs=args.jobs)
    elif args.refresh_motion:
        tasks = [{"path": str(p)} for p in sorted(Path(args.out).glob(f"{args.kind}-*.safetensors"))]
        seconds = sum(meta["duration"] for task in tasks for meta in read_header(task["path"]))
        run_tasks(refresh_shard, tasks, args.jobs, "performing", seconds)
        written = len(tasks)
    elif args.motion:
        from models.lab.studio.real import build_real
        written = build_real(args.motion, args.out, hours=args.hours, first_seed=args.first_seed, seconds=args.seconds,
                             audio=args.audio, jobs=args.jobs)
    else:
        written = build(args.kind, args.split, args.out, hours=args.hours, items=args.items, first_seed=args.first_seed,
                        duration=args.seconds, audio=args.audio, style=args.style, jobs=args.jobs)
    print(f"{written} shards written to {args.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
