"""Is the corpus diverse? Histograms of tempo, instruments, loudness, spectral centroid and motion energy, in one picture.

python -m models.data.studio.report --corpus DIR --out report.png
"""

import argparse
import json
import os
from collections import Counter
from pathlib import Path

import numpy as np

from models.data.shards import AUDIO_RATE, Corpus, unpack_motion
from models.data.studio import effects

FAMILIES = (
    "piano",
    "chromatic",
    "organ",
    "guitar",
    "bass",
    "strings",
    "ensemble",
    "brass",
    "reed",
    "pipe",
    "synth lead",
    "synth pad",
    "synth effects",
    "ethnic",
    "percussive",
    "effects",
)


def spectral_centroid_hz(audio, rate):
    """Power-weighted mean frequency of (2, N), from windows of 4096 samples."""
    mono = audio.mean(axis=0)
    frames = mono[: len(mono) // 4096 * 4096].reshape(-1, 4096)[::4] * np.hanning(4096)
    power = (np.abs(np.fft.rfft(frames, axis=1)) ** 2).sum(axis=0)
    return float((power * np.fft.rfftfreq(4096, 1 / rate)).sum() / max(power.sum(), 1e-12))


def loudness_range_db(audio, rate):
    """Difference of the 95th and 10th percentile of loudness in 0.4 s blocks: how far the dynamics reach."""
    block = int(0.4 * rate)
    power = (audio[:, : audio.shape[1] // block * block] ** 2).sum(axis=0).reshape(-1, block).mean(axis=1)
    level = 10 * np.log10(power + 1e-9)
    return float(np.percentile(level, 95) - np.percentile(level, 10))


def sound_family(sound):
    """Family of a part's sound: a General MIDI family, `kit <n>`, or the numpy synthesiser's name."""
    kind, _, name = sound.partition(":")
    if kind == "gm":
        return FAMILIES[int(name) // 8]
    return f"kit {name}" if kind == "kit" else "own drums" if kind == "drums" else "own synth"


def motion_energy(motion, fps=30):
    """Mean joint speed in metres a second."""
    joints = motion.positions()
    return float(np.linalg.norm(np.diff(joints, axis=0), axis=-1).mean() * fps)


def measure(corpus, index):
    """Dict of the figures of one item; what an item does not hold is absent."""
    meta = corpus.meta(index)
    names = corpus.names(index)
    row = {"kind": meta["kind"], "group": meta["genre"] or f"{meta['metre']} beats", "bpm": meta["bpm"]}
    if "audio" in names:
        audio = corpus.array(index, "audio").T.astype(np.float32) / 32768
        row |= {
            "loudness_db": effects.loudness_db(audio, AUDIO_RATE),
            "centroid_hz": spectral_centroid_hz(audio, AUDIO_RATE),
            "range_db": loudness_range_db(audio, AUDIO_RATE),
        }
    if "motion_rot6d" in names:
        row["energy"] = motion_energy(
            unpack_motion(corpus.array(index, "motion_rot6d"), corpus.array(index, "motion_root"))
        )
    if meta["source"] == "studio":  # a score follows from the seed
        from models.data.studio.build import plan_of
        from models.data.studio.music import compose

        score = compose(plan_of(meta))
        row["sounds"] = sorted({sound_family(part.sound) for part in score.parts})
        row["notes_per_second"] = score.note_count() / meta["duration"]
    return row


def summarise(rows):
    """Per genre or metre: number, and 10th / 50th / 90th percentile of each figure."""
    out = {}
    for group in sorted({row["group"] for row in rows}):
        mine = [row for row in rows if row["group"] == group]
        out[group] = {"items": len(mine)}
        for key in ("bpm", "loudness_db", "centroid_hz", "range_db", "notes_per_second", "energy"):
            values = [row[key] for row in mine if key in row]
            if values:
                out[group][key] = [round(float(v), 2) for v in np.percentile(values, (10, 50, 90))]
    return out


def draw(rows, path):
    """Histograms per kind, instruments as bars."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    panels = (
        ("bpm", "tempo (BPM)"),
        ("loudness_db", "loudness (dB)"),
        ("centroid_hz", "spectral centroid (Hz)"),
        ("range_db", "loudness range (dB)"),
        ("notes_per_second", "notes per second"),
        ("energy", "joint speed (m/s)"),
    )
    figure, axes = pyplot.subplots(2, 4, figsize=(17, 8))
    for axis, (key, label) in zip(axes.flat, panels):
        for kind in ("dance", "conducting"):
            values = [row[key] for row in rows if row["kind"] == kind and key in row]
            if values:
                axis.hist(values, bins=24, alpha=0.6, label=f"{kind} ({len(values)})")
        axis.set_xlabel(label)
        axis.legend(fontsize=8)
    sounds = Counter(sound for row in rows for sound in row.get("sounds", ()))
    names = [name for name, _ in sounds.most_common()][::-1]
    axes.flat[6].barh(names, [sounds[name] / len(rows) for name in names])
    axes.flat[6].set_xlabel("share of pieces with this sound")
    axes.flat[6].tick_params(axis="y", labelsize=7)
    groups = sorted({row["group"] for row in rows if "centroid_hz" in row})
    axes.flat[7].boxplot(
        [[r["centroid_hz"] for r in rows if r["group"] == g and "centroid_hz" in r] for g in groups],
        orientation="horizontal",
    )
    axes.flat[7].set_yticks(range(1, len(groups) + 1), groups, fontsize=7)
    axes.flat[7].set_xlabel("spectral centroid (Hz)")
    figure.tight_layout()
    temporary = Path(path).with_suffix(".part.png")
    figure.savefig(temporary, dpi=70)
    pyplot.close(figure)
    os.replace(temporary, path)


def main(arguments=None):
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", required=True, help="folder with shards")
    parser.add_argument("--out", required=True, help="picture to write (PNG)")
    parser.add_argument("--items", type=int, default=200, help="at most this many items, evenly chosen")
    options = parser.parse_args(arguments)
    corpus = Corpus(options.corpus)
    chosen = np.unique(np.linspace(0, len(corpus) - 1, min(options.items, len(corpus))).astype(int))
    rows = [measure(corpus, int(index)) for index in chosen]
    draw(rows, options.out)
    print(json.dumps(summarise(rows), indent=1))


if __name__ == "__main__":
    main()
