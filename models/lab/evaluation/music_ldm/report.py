"""The music evaluation in words: the table of targets, Markdown, the picture of the guidance sweep."""
from pathlib import Path

from models.lab.evaluation.tables import markdown_table

COLUMNS = ("beat_f1_70ms", "mismatched", "chance", "pulse", "filled", "harmonic", "music", "genre_accuracy",
           "genre_kld_own",
           "fd_logmel", "fd_logmel_100", "fd_logmel_whole", "fd_logmel_whole_100", "fd_judge", "fd_judge_100",
           "no_clicks", "within_1_lu", "clips")
SAMPLING_COLUMNS = ("beat_f1_70ms", "mismatched", "genre_accuracy", "genre_kld_own", "fd_logmel", "diversity", "clips")
VOCODER_COLUMNS = {"stft_22k": "multi-resolution STFT, 22 kHz", "mel": "log-mel", "stft_44k_stereo": "STFT, full band "
                   "stereo",
                   "air_db_error": "level error above 11 kHz, dB", "side_share": "side share",
                   "true_side_share": "true side share", "times_real_time": "times real time"}


def targets(results):
    """Rows of the issue's table: {"what", "figure", "wanted", "met"}; those whose rows are missing are left out."""
    main, distances = results["rows"]["main"], results["distances"]
    ceiling = main.get("real audio (ceiling)", {}).get("beat_f1_70ms")
    out = []

    def add(what, figure, wanted, met):
        out.append({"what": what, "figure": round(figure, 3), "wanted": wanted, "met": bool(met)})

    def add_row(name, make):
        if name in main and ceiling:
            make(main[name])

    def true_rhythm(row):
        add("beat F1, true rhythm", row["beat_f1_70ms"], f"0.9 x ceiling = {0.9 * ceiling:.3f}",
            row["beat_f1_70ms"] >= 0.9 * ceiling)
        add("mismatched pairs", row["mismatched"], f"chance + 0.05 = {row['chance'] + 0.05:.3f}",
            row["mismatched"] <= row["chance"] + 0.05)
        if "music" in row:
            add("files that are music", row["music"], "0.95", row["music"] >= 0.95)
            add("files without a click", row["no_clicks"], "1", row["no_clicks"] == 1)
        add("files without NaN", row["finite"], "1", row["finite"] == 1)
        add("files within 1 LU of the preset", row["within_1_lu"], "1", row["within_1_lu"] == 1)
        add("genre accuracy", row["genre_accuracy"], "0.85", row["genre_accuracy"] >= 0.85)
        shown = [name for name in ("fd_logmel_100", "fd_logmel", "fd_logmel_whole_100", "fd_logmel_whole")
                 if row.get(name) and distances.get(name, {}).get("genres")]
        for name in shown:  # the target is for the largest sets there are: halves of the test
            found, first = distances[name], name == shown[0]
            share = row[name] / found["genres"]["mean"]
            sets = f"sets of {found['pieces']}" + ", first second included" * ("whole" in name)
            add(f"fd_logmel as a share of the distance of two genres, {sets}", share, "at most 0.25" if first
                else "(reported)",
                share <= 0.25)
            if found.get("floor"):
                add(f"the floor as a share of the same, {sets}", found["floor"] / found["genres"]["mean"],
                    "(reported)", True)
    add_row("true rhythm", true_rhythm)
    add_row("predicted rhythm", lambda row: add("beat F1, predicted rhythm", row["beat_f1_70ms"],
                                                f"0.75 x ceiling = {0.75 * ceiling:.3f}", row["beat_f1_70ms"] >= 0.75
                                                * ceiling))
    for name in main:
        if name.startswith("body rolled"):
            add("body rolled by half a beat: follows", main[name]["beat_f1_70ms"], f"0.75 x ceiling = "
                f"{0.75 * ceiling:.3f}",
                main[name]["beat_f1_70ms"] >= 0.75 * ceiling)
    for name, row in results.get("real_dances", {}).items():
        add(f"real dances, {name}: permutation p", row["p"], "at most 0.01", row["p"] <= 0.01)
        add(f"real dances, {name}: mean rank", row["mean_rank"], "0.85", row["mean_rank"] >= 0.85)
    return out


def markdown(results):
    """The section of docs/results.md."""
    main, settings, distances = results["rows"]["main"], results["settings"], results["distances"]
    parts = [f"## Motion to dance music\n\nUp to {results['pieces']} studio test pieces of {settings['seconds']:g} s "
             f"(`clips` of each row), {settings['steps']} steps, guidance {settings['guidance']:g}. Beats are heard by "
             f"librosa's tracker at "
             "the strict metrical level. *mismatched*: the beats of five other pieces; *chance*: the found beats "
             "shifted round."]
    if results["targets"]:
        rows = {row["what"]: {**row, "met": "yes" if row["met"] else "**no**"} for row in results["targets"]}
        parts.append(markdown_table(rows, ("figure", "wanted", "met"), "target"))
    parts.append(markdown_table(main, COLUMNS))
    if distances:
        parts.append(in_words(distances))
    parts.append(per_genre(main))
    parts.append(published(main))
    if results["rows"].get("sampling"):
        parts.append("Sampling settings, 20 pieces each with the true rhythm unless named; *diversity*: distance of "
                     "two seeds of "
                     "one piece, in standard deviations of the log-mel statistics.\n\n"
                     + markdown_table(results["rows"]["sampling"], SAMPLING_COLUMNS, "setting")
                     + "\n\n![Guidance sweep](music-guidance.png)")
    if results["rows"].get("alike"):
        parts.append("Trained alike at a small budget (same data, seed, steps and size; true rhythm):\n\n"
                     + markdown_table(results["rows"]["alike"], SAMPLING_COLUMNS[:5] + ("clips",)))
    if results.get("real_dances"):
        parts.append("Real dances, pairing matrix (10,000 permutations). The body's beats are the predicted ones, "
                     "which are also "
                     "the model's condition.\n\n"
                     + markdown_table(results["real_dances"], ("paired", "mismatched", "p", "mean_rank", "clips"),
                                      "clips of"))
    if results.get("vocoder"):
        found = {name: {label: row[key] for key, label in VOCODER_COLUMNS.items()}
                 for name, row in results["vocoder"].items()
                 if isinstance(row, dict)}
        parts.append(f"Vocoder on {results['vocoder']['pieces']} unseen pieces of "
                     f"{results['vocoder']['seconds']:g} s:\n\n"
                     + markdown_table(found, tuple(VOCODER_COLUMNS.values()), "vocoder"))
    if results.get("sheets"):
        sheets = results["sheets"]
        parts.append(f"One motion in ten genres: the judge names {sheets['genres_right']} of {sheets['genres']} "
                     f"rightly, beats heard in two of them agree with F1 {sheets['genre_beats_agree']:.2f}; three "
                     f"seeds of one genre: "
                     f"{sheets['seed_beats_agree']:.2f}. Dotted: the body's beats.\n\n"
                     "![Ten genres](music-genres.png)\n\n"
                     "![Three seeds](music-seeds.png)")
    return "\n\n".join(part for part in parts if part)


def in_words(distances):
    """What is compared, its floor and the distance of two genres, for each figure and size of set."""
    text = ["`fd_logmel`: log-mel statistics without the first second, as a studio piece begins with some 0.2 s of "
            "digital silence before its first beat and a take, made for a passage, begins at once; `fd_logmel_whole`: "
            "with it. `fd_judge`: what the genre judge's last layer sees, of which the model was told nothing (the "
            "timbre code is close to log-mel statistics). Every distance is between sets of equal counts in one space, "
            "principal directions of the vocoded real pieces; generated sets are compared with vocoded real sets of "
            "other pieces. Small sets have a high "
            "floor."]
    for name, found in distances.items():
        line = f"`{name}`: sets of {found['pieces']}, {found['directions']} directions."
        if found["floor"] is not None:
            line += f" Floor (disjoint sets of vocoded real pieces): {found['floor']:.2f}."
        if found["genres"] is not None:
            genres = found["genres"]
            line += (f" Two genres, vocoded real, {found['pieces']} pieces each: mean {genres['mean']:.2f}, median "
                     f"{genres['median']:.2f}, nearest pair {genres['least']:.2f}.")
        text.append(line)
    return "\n".join(text)


def per_genre(main):
    """Genre accuracy, and the share of files that are music, of each genre: real and generated."""
    parts = []
    titles = {"per_genre": "Accuracy of the genre judge by genre", "music_by_genre": "Files that are music, by genre"}
    for name, title in titles.items():
        rows = {row: main[row][name] for row in ("real audio (ceiling)", "real audio through the vocoder",
                                                 "true rhythm",
                                                 "predicted rhythm", "rule: studio composer on the true beats")
                if name in main.get(row, {})}
        if rows:
            columns = tuple(sorted({genre for row in rows.values() for genre in row}))
            parts.append(f"{title}:\n\n" + markdown_table(rows, columns))
    return "\n\n".join(parts)


def published(main):
    """BCS / BHS / CSD / HSD / F1 as LORIS and as CDCD define them, with what exposes them."""
    wanted = ("true rhythm", "predicted rhythm", "motion alone", "rule: studio composer on the true beats",
              "rule: 2 Hz click track")
    rows, names = {}, ("BCS", "BHS", "CSD", "HSD", "F1")
    for name in (n for n in wanted if "published" in main.get(n, {})):
        for suffix, label in (("", ""), ("_mismatched", ", mismatched")):
            rows[name + label] = {f"{style.upper()} {key}": main[name]["published"][style + suffix][key]
                                  for style in ("loris", "cdcd") for key in names}
    columns = tuple(f"{style} {key}" for style in ("LORIS", "CDCD") for key in names)
    return ("One-second onset flags in both published definitions, percent; they saturate on any rhythmic music, as "
            "the "
            "mismatched and click rows show.\n\n" + markdown_table(rows, columns)) if rows else ""


def plot_guidance(results, path):
    """Alignment, genre accuracy, log-mel distance and diversity over the guidance scale."""
    sampling = results["rows"].get("sampling", {})
    rows = {float(name.split()[1]): row for name, row in sampling.items() if name.startswith("guidance")}
    if len(rows) < 2:
        return
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    scales = sorted(rows)
    figure = Figure(figsize=(10, 2.8), layout="constrained")
    FigureCanvasAgg(figure)
    panels = (("beat F1, 70 ms", "beat_f1_70ms"), ("genre accuracy", "genre_accuracy"), ("fd_logmel", "fd_logmel"),
              ("distance of two seeds", "diversity"))
    for number, (title, name) in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), number + 1)
        points = [(s, rows[s][name]) for s in scales if rows[s].get(name) is not None]
        if points:
            axes.plot(*zip(*points), marker="o", markersize=4)
        if name == "fd_logmel":
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        axes.set_title(title, fontsize=9)
        axes.set_xlabel("guidance scale", fontsize=8)
        axes.tick_params(labelsize=7)
    figure.savefig(Path(path), dpi=100, format="png")
