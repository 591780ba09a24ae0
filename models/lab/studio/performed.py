"""Conductors for the pieces of a flat corpus, performed where a training runs; models/conductor/performed.py reads what
is made."""
import json
import os
from pathlib import Path

import numpy as np

from core.contract.files import write_text
from core.errors import BadInput
from core.rhythm.beats import Beats
from models.conductor.config import STROKES
from models.conductor.features import keypoints13, motion_vector, rhythm_features
from models.conductor.performed import JITTERS
from models.lab.studio.conducted import pattern_of, stroke_plan
from models.lab.studio.conductor import conduct
from models.lab.studio.plan import plan_from_json
from models.lab.studio.seating import focus, seated
from models.training.cache import digest
from models.training.flat import Flat, write_array

VERSION = 2                 # of what is made of a piece
VARIANTS = 4                # conductors a piece; the held-out splits have one
POOLED = 24                 # rows from which several processes are worth their start


def perform(task):
    """({array: values}, pose, row dict) of one conductor for one plan; task: (plan JSON, variant, frames, jitter s)."""
    data, variant, frames, jitter = task
    plan = seated(plan_from_json(data))
    count = pattern_of(plan, variant)
    motion, lead = conduct(plan, variant)
    motion = motion.slice(0, min(frames, len(motion)))
    shown = stroke_plan(plan, count)
    strokes = Beats(shown.times - lead, shown.positions, shown.metre)
    rng, clocks = np.random.default_rng([plan.seed, variant, 7]), [strokes]
    limit = 0.3 * float(np.diff(strokes.times).min())
    for _ in range(JITTERS - 1):
        error = np.clip(rng.normal(0, jitter, len(strokes)), -limit, limit)
        clocks.append(Beats(strokes.times + error, strokes.positions, strokes.metre))
    rhythm = np.stack([rhythm_features(clock, len(motion), metres=STROKES) for clock in clocks])
    row = {"seed": plan.seed, "variant": variant, "frames": len(motion), "lead": lead, "strokes": count,
           "times": [round(float(t), 4) for t in strokes.times], "positions": strokes.positions.tolist()}
    made = {"vector": motion_vector(motion, "smpl24_feet"), "points": keypoints13(motion).reshape(len(motion), -1),
            "rhythm": rhythm.astype(np.float16), "focus": focus(shown, len(motion), lead).astype(np.float16),
            "players": focus(plan, len(motion)).astype(np.float16)}
    return made, motion.to_vector().mean(0), row


def prepare(corpus, cache, jitter, progress, variants=VARIANTS):
    """Perform every piece of a flat corpus into `cache`, once; again where the corpus or the jitter is another. Pieces
    that are heard get several conductors, silent ones one."""
    cache, flat = Path(cache), Flat(corpus)
    made_of = digest((flat.folder / "items.json").read_bytes(), jitter, variants, VERSION)
    if (cache / "rows.json").exists():
        known = json.loads((cache / "rows.json").read_text(encoding="utf-8"))
        if isinstance(known, dict) and known["made_of"] == made_of:
            return
    items = [item for item in flat.items if "plan" in item and flat.has(item, "level")]
    if not items:
        raise BadInput(f"{corpus} holds no conducted pieces; make them with models.lab.studio.conducted_flat.")
    tasks, places = [], []
    for number, item in enumerate(items):
        for variant in range(variants if item["split"] == "train" and flat.has(item, "mel") else 1):
            tasks.append((item["plan"], variant, item["arrays"]["level"][1], jitter))
            places.append(number)
    rows, arrays, first = [], {}, 0
    for done, (number, (made, pose, row)) in enumerate(zip(places, _performed(tasks))):
        item = items[number]
        rows.append({**row, "split": item["split"], "piece": number, "first": first,
                     "music": item["arrays"].get("mel", [-1])[0], "side": item["arrays"].get("side", [-1])[0],
                     "level": item["arrays"]["level"][0], "pose": [round(float(v), 5) for v in pose]})
        for name, value in made.items():
            arrays.setdefault(name, []).append(value)
        first += row["frames"]
        if done % 50 == 0:
            progress(done / len(tasks), "performing")
    for name, parts in arrays.items():
        write_array(cache / f"{name}.npy", np.concatenate(parts, axis=1 if name == "rhythm" else 0))
    write_text(cache / "rows.json", json.dumps({"made_of": made_of, "rows": rows}))


def _performed(tasks):
    jobs = os.cpu_count() or 1
    if len(tasks) < POOLED or jobs == 1:
        yield from map(perform, tasks)
        return
    import multiprocessing
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"       # inherited by the spawned processes
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(perform, tasks, chunksize=8)
