"""Is the corpus diverse? Histograms of tempo, instruments, loudness, spectral centroid and motion energy, in one
picture.

python -m models.lab.studio.report --corpus DIR --out docs/studio-diversity.png [--docs docs/studio-diversity.md]
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from core.contract.files import replacing
from core.errors import BadInput, command
from models.lab.studio import effects
from models.training.shards import AUDIO_RATE, unpack_audio, unpack_motion

FAMILIES = ("piano", "chromatic", "organ", "guitar", "bass", "strings", "ensemble", "brass", "reed", "pipe",
            "synth lead", "synth pad", "synth effects", "ethnic", "percussive", "effects")
FIGURES = (("bpm", "tempo (BPM)"), ("loudness_db", "loudness (dB)"), ("centroid_hz", "spectral centroid (Hz)"),
           ("range_db", "loudness range (dB)"), ("notes_per_second", "notes per second"),
           ("energy", "joint speed (m/s)"))


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
        audio = unpack_audio(corpus.array(index, "audio"))
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
        from models.lab.studio.build import plan_of
        from models.lab.studio.music import compose

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
        for key, _ in FIGURES:
            values = [row[key] for row in mine if key in row]
            if values:
                out[group][key] = [round(float(v), 2) for v in np.percentile(values, (10, 50, 90))]
    return out


def spread_table(rows):
    """Markdown: one line per genre or metre and per kind, `10th - 50th - 90th percentile` of each figure."""
    lines = ["| | pieces | " + " | ".join(label for _, label in FIGURES) + " | sounds |",
             "|---" * (len(FIGURES) + 3) + "|"]
    kinds = {kind: [row for row in rows if row["kind"] == kind] for kind in ("dance", "conducting")}
    for kind, mine in kinds.items():
        table = {**summarise(mine), **summarise([{**row, "group": f"all {kind}"} for row in mine])} if mine else {}
        for group, facts in table.items():
            inside = [row for row in mine if row["group"] == group or group.startswith("all ")]
            sounds = len({sound for row in inside for sound in row.get("sounds", ())})
            cells = [" - ".join(f"{v:g}" for v in facts[key]) if key in facts else "" for key, _ in FIGURES]
            lines.append(f"| {group} | {facts['items']} | " + " | ".join(cells) + f" | {sounds or ''} |")
    return "\n".join(lines) + "\n"


def draw(rows, path):
    """Histograms per kind, instruments as bars."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 4, figsize=(17, 8))
    for axis, (key, label) in zip(axes.flat, FIGURES):
        known = [row[key] for row in rows if key in row]
        bins = np.linspace(min(known), np.percentile(known, 99), 30) if known else 1
        for kind in ("dance", "conducting"):
            values = [row[key] for row in rows if row["kind"] == kind and key in row]
            if values:
                axis.hist(np.minimum(values, bins[-1]), bins=bins, alpha=0.6, label=f"{kind} ({len(values)})")
        axis.set_xlabel(label)
        if axis.has_data():
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
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=70, format="png")
    pyplot.close(figure)


def rows_of(folder, count, split=None):
    """Figures of up to `count` items of each kind below `folder` (a corpus, or one with dance/ and conducting/)."""
    from models.lab.studio.evaluate import open_split, spread
    rows = []
    for kind in ("dance", "conducting"):
        corpus = open_split(folder, kind, split)
        for index in spread(corpus, count) if corpus is not None else ():
            rows.append(measure(corpus, index))
    if not rows:
        raise BadInput(f"{folder} holds no shards; make a corpus first (build.py train corpus).")
    return rows


@command
def main(arguments=None):
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", required=True, help="folder with shards, or with dance/ and conducting/")
    parser.add_argument("--out", required=True, help="picture to write (PNG)")
    parser.add_argument("--items", type=int, default=200, help="at most this many of each kind, drawn once for all")
    parser.add_argument("--split", help="train, valid or test only")
    parser.add_argument("--docs", help="Markdown file whose diversity section is replaced")
    options = parser.parse_args(arguments)
    rows = rows_of(options.corpus, options.items, options.split)
    draw(rows, options.out)
    text = (f"## Diversity of the studio\n\nPercentiles (10th - 50th - 90th) over {len(rows)} pieces. "
            "Sounds: families of instruments, kits and\nsynthesisers that are heard.\n\n"
            f"{spread_table(rows)}\n![Histograms of tempo, loudness, brightness and "
            f"motion]({Path(options.out).name})\n")
    print(text)
    if options.docs:
        from models.lab.evaluation.tables import replace_section
        replace_section(options.docs, "diversity", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
