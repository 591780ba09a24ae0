"""The rows of the music evaluation: what is made of which piece, and records kept on disk so that an interrupted run
goes on."""
import hashlib
import json
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from core import checkpoints
from core.body.motion import Motion
from core.errors import BadInput
from core.rhythm.beats import Beats
from models.lab.evaluation.music_ldm.scoring import bare_score, score_sound, sounding_features, to_tracker
from models.lab.evaluation.tables import scrambled
from models.lab.metrics import onset_flags
from models.training.flat import write_array
from models.training.shards import AUDIO_RATE, Corpus, unpack_audio, unpack_motion

VERSION = 4                     # of the records
PARTS = {"model": ("vae", "denoiser", "vocoder"), "decoded": ("vae", "vocoder"), "vocoded": ("vocoder",)}


@dataclass(frozen=True)
class Row:
    """One row: `count` pieces through `source`.

    source: model; real (the piece's own sound); vocoded (its mel through the vocoder); decoded (through VAE and
    vocoder); composer (the studio's own music on the true beats); click (2 Hz). body: true, rolled (by half a beat) or
    none. rhythm: true, predicted (anew, from the body of the row) or none. Rows of the model may change a setting;
    folders: other checkpoints first. bare: only what distances of log-mel statistics need is kept.
    """

    name: str
    count: int
    source: str = "model"
    body: str = "true"
    rhythm: str = "true"
    genre: bool = True
    scrambled: bool = False
    guidance: float = 1.6
    steps: int = 10
    vocoder: str = "learned"
    folders: str = ""
    two_seeds: bool = False
    full: bool = True
    bare: bool = False

    def key(self, seconds, folders):
        """Hash of everything that its records depend on, weights included."""
        settings = {k: v for k, v in asdict(self).items() if k not in ("name", "count", "folders")}
        if self.source != "model":                       # what is not sampled does not depend on how
            settings = {k: settings[k] for k in ("source", "full", "bare")}
        if not self.bare:                                # rows that are not keep the key they had before there were any
            del settings["bare"]
        weights = [checkpoints.find("music_ldm", part, self.all_folders(folders)).sha256
                   for part in PARTS.get(self.source, ())]
        if self.rhythm == "predicted":
            weights.append(checkpoints.find("rhythm", "body", folders).sha256)
        text = json.dumps([VERSION, settings, weights, seconds], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def all_folders(self, folders):
        """Its own checkpoint folder before the run's."""
        return [f for f in (self.folders, folders) if f] or None


MAIN = (
    Row("real audio (ceiling)", 200, "real"),
    Row("real audio through the vocoder", 200, "vocoded", full=False),
    Row("real audio through VAE and vocoder", 40, "decoded", full=False),
    Row("true rhythm", 200),
    Row("predicted rhythm", 200, rhythm="predicted"),
    Row("motion alone", 40, rhythm="none"),
    Row("genre alone", 40, body="none", rhythm="none"),
    Row("body rolled by half a beat, beats predicted anew", 40, body="rolled", rhythm="predicted"),
    Row("scrambled weights", 20, scrambled=True, full=False),
    Row("rule: studio composer on the true beats", 40, "composer"),
    Row("rule: 2 Hz click track", 40, "click"),
)
# More vocoded pieces of the test split: the distance of two genres in sets as large as half of the test.
GENRES_APART = Row("more real audio through the vocoder", 1000, "vocoded", full=False, bare=True)
_FEW = Row("", 20)              # as the main rows, whose records they share where the settings are the same
SAMPLING = (
    *(replace(_FEW, name=f"guidance {g:g}", guidance=float(g), two_seeds=True, full=False)
      for g in (0, 1, 1.6, 2, 3, 5, 8)),
    *(replace(_FEW, name=f"steps {n}", steps=n, full=n == 10) for n in (8, 10, 20, 50)),
    *(replace(_FEW, name=f"rhythm {kind}", rhythm=kind) for kind in ("true", "predicted", "none")),
    replace(_FEW, name="vocoder learned"), replace(_FEW, name="vocoder griffin_lim", vocoder="griffin_lim", full=False),
)


class Pieces:
    """The studio pieces of a split in turns, one of each genre: any first N are as even over the genres as N allows."""

    def __init__(self, corpus, seconds, most=200, split="test"):
        self.corpus, self.seconds = Corpus(corpus, split=split, kind="dance"), seconds
        by_genre = {}
        for index in range(len(self.corpus)):
            meta = self.corpus.meta(index)
            if meta["source"] == "studio" and meta["duration"] >= seconds - 0.05:
                by_genre.setdefault(meta["genre"], []).append(index)
        if not by_genre:
            raise BadInput(f"{corpus} holds no studio {split} piece of {seconds:g} s.")
        turns = range(min(len(members) for members in by_genre.values()))
        self.order = [by_genre[genre][turn] for turn in turns for genre in sorted(by_genre)][:most]

    def __len__(self):
        return len(self.order)

    def id(self, number):
        """The piece's id in the corpus."""
        return self.corpus.meta(self.order[number])["id"]

    def __getitem__(self, number):
        """dict: id, genre, motion, sound (2, N) at 48 kHz, beats."""
        index, meta = self.order[number], self.corpus.meta(self.order[number])
        written = self.corpus.array(index, "beats").astype(float)
        motion = unpack_motion(self.corpus.array(index, "motion_rot6d"), self.corpus.array(index, "motion_root"))
        sound = unpack_audio(self.corpus.array(index, "audio", 0, int(self.seconds * AUDIO_RATE)))
        return {"id": meta["id"], "genre": meta["genre"], "motion": motion.slice(0, int(self.seconds * 30)),
                "sound": sound, "beats": Beats(written[:, 0], written[:, 1].astype(int), 4).within(0.0, self.seconds)}


def roll(motion, times):
    """The motion rolled later by half a median beat of `times`, round the clip, and by how many seconds exactly."""
    frames = int(round(np.median(np.diff(times)) / 2 * motion.fps))
    return Motion(np.roll(motion.rotations, frames, 0), np.roll(motion.root, frames, 0),
                  motion.fps), frames / motion.fps


class Maker:
    """Makes the sound of a row for a piece; keeps one model loaded."""

    def __init__(self, folders=None):
        self.folders, self.loaded = folders, None

    def model(self, row):
        """The `MusicLDM` of a row."""
        from models.music_ldm.pipeline import MusicLDM
        key = (row.folders, row.vocoder)
        if self.loaded is None or self.loaded[0] != key:
            self.loaded = (key, MusicLDM.load(row.all_folders(self.folders), "cpu", row.vocoder))
        return self.loaded[1]

    def __call__(self, row, piece, number, seconds):
        """(sounds: one (2, N) per seed, delivered unless real or a click track; the beats they should keep in
        seconds)."""
        times = piece["beats"].times
        if row.source == "real":
            return [piece["sound"]], times
        if row.source == "click":
            return [np.stack([onset_flags.click_track(seconds, AUDIO_RATE)] * 2)], times
        if row.source == "composer":
            return [deliver(compose(piece, number, seconds))], times
        model = self.model(row)
        if row.source in ("vocoded", "decoded"):
            return [deliver(through(model, piece["sound"], row.source == "decoded"))], times
        motion, beats = piece["motion"], piece["beats"]
        if row.body == "rolled":
            motion, later = roll(motion, times)
            times = times[times + later < seconds] + later
        if row.rhythm == "predicted":
            from models.rhythm.detect import detect_body_beats
            beats = detect_body_beats(motion, folders=self.folders)
        # A permutation a piece: one alone is still some function of the beat's phase.
        with scrambled(model, number) if row.scrambled else nullcontext():
            sounds = model.generate(motion if row.body != "none" else None,
                                    genre=piece["genre"] if row.genre else None,
                                    beats=None if row.rhythm == "none" else beats, duration=seconds, seed=1000 * number,
                                    guidance_scale=row.guidance, steps=row.steps, variations=1 + row.two_seeds)
        return [deliver(sounds[0]), *(levelled(sound) for sound in sounds[1:])], times


def deliver(sound):
    """As the pipeline delivers: default loudness preset, true peak, fades."""
    from core.audio.loudness import default_preset
    from core.audio.loudness import deliver as master
    return master(np.asarray(sound), AUDIO_RATE, default_preset())


def levelled(sound):
    """At the loudness of delivery by gain alone: enough to compare two seeds."""
    from core.audio.loudness import default_preset, presets
    from core.audio.meter import integrated_loudness
    return sound * np.float32(10 ** ((presets()[default_preset()] - integrated_loudness(sound, AUDIO_RATE)) / 20))


def compose(piece, number, seconds):
    """Another piece of the studio on this one's beats: the rule that the model must be compared with."""
    from models.lab.studio.music import compose as write
    from models.lab.studio.music import render
    from models.lab.studio.plan import make_plan
    plan = make_plan("dance", 700_000 + number, genre=piece["genre"], duration=seconds, beats=piece["beats"])
    return np.asarray(render(write(plan), plan, rate=AUDIO_RATE))


@torch.inference_mode()
def through(model, sound, decoded):
    """Real sound through its mel, the VAE if `decoded`, and the vocoder."""
    from core.audio import Audio
    from core.audio.mel import FLOOR, log_mel, model_mono
    from models.layers.precision import native_autocast
    from models.music_ldm.vocoder_tone import through_vae
    mel = log_mel(model_mono(Audio(sound, AUDIO_RATE)))
    if decoded:
        with native_autocast(model.device):         # its weights may be kept in half precision
            mel = np.maximum(through_vae(model.vae, mel), np.log(FLOOR))
    return model._vocode(mel, 0, lambda: False, AUDIO_RATE)


# ---------------------------------------------------------------------------------------------- records on disk

class Store:
    """Records of rows: `<folder>/<key>.jsonl`, a line a piece; the judge's features beside them, `<key>/<id>.npy`."""

    def __init__(self, folder, seconds, folders=None):
        self.folder, self.seconds, self.folders = Path(folder), seconds, folders

    def path(self, row):
        """The row's file."""
        return self.folder / f"{row.key(self.seconds, self.folders)}.jsonl"

    def read(self, row):
        """{id: record} of what is there."""
        path = self.path(row)
        if not path.is_file():
            return {}
        lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line.endswith("}")]
        return {record["id"]: record for record in map(json.loads, lines)}

    def add(self, row, record, features):
        """Append one record; `features`, if any, are kept as half precision."""
        path = self.path(row)
        if features is not None:
            write_array(path.with_suffix("") / f"{record['id']}.npy", features.astype(np.float16))
        with open(path, "a", encoding="utf-8") as handle:  # a leading line break: the line before may have been cut off
            handle.write("\n" + json.dumps(record))

    def judged(self, row, records, judge):
        """The records with the judge's probabilities and `embedding`, from the kept features: a new judge needs no new
        sound."""
        folder = self.path(row).with_suffix("")
        with torch.inference_mode():
            for record in records:
                features = torch.from_numpy(np.load(folder / f"{record['id']}.npy").astype(np.float32))
                embedding = judge.network.embed(features[None])
                record["probabilities"] = judge.network.head(embedding)[0].softmax(0).tolist()
                record["embedding"] = embedding[0].tolist()
        return records


def make_record(maker, row, pieces, number):
    """(record, the judge's features) of piece `number` of a row."""
    from models.genre.features import audio_features
    piece, began = pieces[number], time.perf_counter()
    sounds, times = maker(row, piece, number, pieces.seconds)
    if row.bare:
        return {"id": piece["id"], "genre": piece["genre"], **bare_score(sounds[0])}, None
    record = {"id": piece["id"], "genre": piece["genre"], "row": row.name,
              "wall": round(time.perf_counter() - began, 3), **score_sound(sounds[0], times, row.full)}
    if len(sounds) > 1:
        record["second"] = sounding_features(to_tracker(sounds[1]))
    return record, audio_features(sounds[0], AUDIO_RATE)


# ---------------------------------------------------------------------------------------------- several processes

_worker = {}


def start_worker(corpus, seconds, most, split, folders):
    """What each process of the pool keeps."""
    torch.set_num_threads(1)
    _worker.update(maker=Maker(folders), pieces=Pieces(corpus, seconds, most, split))


def work(row, number):
    """One record, made in a process of the pool."""
    with torch.inference_mode():
        return make_record(_worker["maker"], row, _worker["pieces"], number)


def make_rows(rows, corpus, seconds, most, store, processes, report, split="test"):
    """Make every record of `rows` that `store` does not hold; interrupted, the next call goes on."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context
    pieces = Pieces(corpus, seconds, most, split)
    arguments = (corpus, seconds, most, split, store.folders)
    if processes > 1:
        pool = ProcessPoolExecutor(processes, get_context("spawn"), start_worker, arguments)
        run = lambda row, numbers: (f.result() for f in [pool.submit(work, row, n) for n in numbers])      # noqa: E731
    else:
        pool = None
        start_worker(*arguments)
        run = lambda row, numbers: (work(row, n) for n in numbers)                                         # noqa: E731
    try:
        for row in rows:
            done, began = store.read(row), time.perf_counter()
            numbers = [n for n in range(min(row.count, len(pieces))) if pieces.id(n) not in done]
            for record, features in run(row, numbers):
                store.add(row, record, features)
            report(f"{row.name}: {len(numbers)} made in {time.perf_counter() - began:.0f} s, {len(done)} found")
    finally:
        if pool is not None:
            pool.shutdown(cancel_futures=True)
