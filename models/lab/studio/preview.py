"""Listen to and look at one studio piece: WAV, BVH, beats and a picture."""
import json
from pathlib import Path

import numpy as np

from core.contract import GENRES, PLAIN_METRES
from models.lab.studio.picture import draw_piece
from models.lab.studio.plan import make_plan
from models.training.shards import AUDIO_RATE


def preview(folder, seed, kind="dance", genre=None, metre=None, duration=24.0, audio=True):
    """Write `<kind>-<seed>.{wav,bvh,beats.txt,json,png}` into `folder`; returns the paths, picture last."""
    from core.motion_files import write_bvh
    from models.lab.studio.conductor import conduct
    from models.lab.studio.dancer import dance
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    plan = make_plan(kind, seed, genre=genre, metre=metre, duration=duration, fermatas=True)
    motion, lead = (dance(plan), 0.0) if kind == "dance" else conduct(plan)
    stem = folder / f"{kind}-{seed:06d}"
    paths = {name: Path(f"{stem}.{name}") for name in ("wav", "bvh", "beats.txt", "json", "png")}
    write_bvh(paths["bvh"], motion)
    paths["beats.txt"].write_text("".join(f"{t:.4f} {int(p)}\n" for t, p in zip(plan.times, plan.positions)),
                                  encoding="utf-8")
    facts = {"kind": kind, "seed": seed, "genre": plan.genre, "metre": plan.metre, "bpm": plan.bpm, "lead": lead,
             "beats": plan.beats.to_json(), "dynamics": np.round(plan.dynamics, 3).tolist(),
             "articulation": np.round(plan.articulation, 3).tolist(),
             "sections": [vars(section) for section in plan.sections], "cues": [vars(cue) for cue in plan.cues]}
    paths["json"].write_text(json.dumps(facts, indent=1), encoding="utf-8")
    sound, score = None, None
    if audio:
        import soundfile

        from models.lab.studio.music import compose, render
        score = compose(plan)
        sound = render(score, plan, rate=AUDIO_RATE)
        soundfile.write(str(paths["wav"]), sound.T, AUDIO_RATE, subtype="PCM_24")
    else:
        del paths["wav"]
    draw_piece(paths["png"], plan, motion, lead, sound, AUDIO_RATE, score)
    return list(paths.values())


def genre_sheet(path, seed=5, poses=14):
    """One picture: ten genres, a pose every half beat from the second downbeat on."""
    from models.lab.studio.dancer import dance
    from models.lab.studio.picture import rows_of_poses
    rows = []
    for genre in GENRES:
        plan = make_plan("dance", seed, genre=genre)
        rows.append((genre, dance(plan), _half_beats(plan, poses)))
    rows_of_poses(path, rows, view="three")


def metre_sheet(path, seed=5, poses=14):
    """One picture: the four metres, poses from a downbeat on, and the path of the right hand."""
    from models.lab.studio.conductor import conduct
    from models.lab.studio.picture import rows_of_poses
    rows = []
    for metre in PLAIN_METRES:
        plan = make_plan("conducting", seed, metre=metre)
        motion, lead = conduct(plan)
        rows.append((f"{metre} beats", motion, _half_beats(plan, poses) - lead))
    rows_of_poses(path, rows, view="front", paths=True)


def _half_beats(plan, count):
    first = int(np.flatnonzero(plan.positions == 1)[1])
    return np.interp(first + np.arange(count) * 0.5, np.arange(len(plan.times)), plan.times)
