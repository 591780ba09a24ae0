"""Tables of the evaluation of MoMu, and the plot of T_c."""
from core.contract.files import replacing
from models.lab.evaluation.tables import markdown_table


def joint_row(figures):
    """The columns of a joint row."""
    network, kinematic = figures["music_body_network"], figures["music_body_kinematic"]
    sound, motion = figures["sound"], figures["motion"]
    return {"pieces": sound["pieces"], "F1 music / body": network["f1"], "+-": network["within"],
            "mixed": network["mixed"],
            "shifted": network["shifted"],
            "any level": network["f1_any_level"], "kinematic": kinematic["f1"], "kinematic +-": kinematic["within"],
            "kinematic mixed": kinematic["mixed"],
            "F1 asked / music": sound["asked_heard"]["f1"], "F1 asked / body": motion["asked_seen"]["f1"],
            "tempo heard": figures["tempo_heard"]["within_3_percent"],
            "or half, double": figures["tempo_heard"]["at_half_or_double"],
            "tempo seen": figures["tempo_seen"]["within_3_percent"], "music": sound["music"],
            "genre heard": sound.get("sound_genre"),
            "genre seen": motion.get("motion_genre"), "fd_logmel": sound.get("fd_logmel"), "fid_k": motion.get("fid_k"),
            "fid_g": motion.get("fid_g"), "slide cm": motion["slide_cm"], "peak MiB": figures.get("peak_mib")}


def sound_row(figures):
    """The columns of a row of music to motion."""
    asked, loris = figures["asked_heard"], figures.get("loris") or {}
    mixed = figures.get("loris_mixed") or {}
    return {"pieces": figures["pieces"], "F1": asked["f1"], "any level": asked["f1_any_level"], "mixed": asked["mixed"],
            "shifted": asked["shifted"], "music": figures["music"], "genre": figures.get("sound_genre"),
            "fd_logmel": figures.get("fd_logmel"),
            **{name: loris.get(name) for name in ("BCS", "CSD", "BHS", "HSD")},
            "F1 loris": loris.get("F1"), "F1 loris mixed": mixed.get("F1")}


def motion_row(figures):
    """The columns of a row of dances to music."""
    seen = figures["asked_seen"]
    return {"pieces": figures["pieces"], "lift (network)": figures["lift_seen"],
            "lift (kinematic)": figures["lift_kinematic"],
            "F1": seen["f1"], "mixed": seen["mixed"], "fid_k": figures.get("fid_k"), "fid_g": figures.get("fid_g"),
            "div_k": figures.get("div_k"), "div_k real": figures.get("div_k_real"), "div_g": figures.get("div_g"),
            "slide cm": figures["slide_cm"], "genre": figures.get("motion_genre")}


def table(rows, make):
    """A Markdown table of {name: figures}."""
    made = {name: make(figures) for name, figures in rows.items()}
    columns = [name for name in next(iter(made.values())) if any(row.get(name) is not None for row in made.values())]
    return markdown_table(made, columns)


def markdown(results):
    """The whole section."""
    settings = results.get("settings", {})
    lines = ["## MoMu: motion, music and both", "",
             f"Studio test pieces of {settings.get('seconds')} s, performed anew from their seeds. Beats are heard by "
             "librosa's tracker, seen by the body network and as minima of speed. *mixed*: the same lists of other "
             "pieces; *shifted*: rolled round.", ""]
    if results.get("vae"):
        columns = ["clips", "joint_cm", "over_floor_cm", "slide_cm", "slide_cm_real", "fid_k"]
        lines += ["**Motion VAE**", "", markdown_table(results["vae"], columns), ""]
    if results.get("music_vae"):
        columns = ["clips", "log_mel", "db", "sharpness"]
        lines += ["**Music VAE**, frozen: *log_mel* natural logarithms, *sharpness* spread of frame differences over "
                  "the true one's", "", markdown_table(results["music_vae"], columns), ""]
    if results.get("contrast"):
        rows = {name: {f"{kind.replace('_', ' ')}, {way.replace('_', ' ')}": value
                       for kind in ("same_piece", "other_pieces", "another_moment")
                       for way, value in found.get(kind, {}).items()} | {"chance": found["chance"]}
                for name, found in results["contrast"].items()}
        columns = list(next(iter(rows.values())))
        lines += ["**Rhythmic contrast**: the right window among 16", "", markdown_table(rows, columns), ""]
    for name, title, make in (("joint", "Both at once", joint_row), ("together", "Together From (T_c / T)", joint_row),
                              ("to_sound", "Motion to music", sound_row), ("to_motion", "Music to motion", motion_row),
                              ("lengths", "Length", joint_row)):
        if results.get(name):
            lines += [f"**{title}**", "", table(results[name], make), ""]
    if results.get("unheard"):
        columns = ["pieces", "F1", "any level", "mixed"]
        lines += ["**Without beats**: validation pieces of the readers' corpus, any style", "",
                  markdown_table(results["unheard"], columns), ""]
    for way, rows in (results.get("recorded") or {}).items():
        lines += [f"**Recorded, {way}**", "", markdown_table(rows, list(next(iter(rows.values())))), ""]
    if results.get("together"):
        lines += ["![T_c](momu-together.png)", ""]
    lines += [f"![Poses under mels: ten styles, both made at once, sheet {number}]({name})\n"
              for number, name in enumerate(results.get("sheets") or [], start=1)]
    return "\n".join(lines)


def plot_together(results, path):
    """F1 (with its 95 % interval) and distances over T_c / T, with beats and without; nothing where the sweep was not
    made."""
    if not results.get("together"):
        return
    from matplotlib.figure import Figure
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    axes = figure.subplots(1, 3)
    for label, style in (("beats", "o-"), ("no beats", "s--")):
        rows = {float(name.split()[-1]): joint_row(row) for name, row in results["together"].items()
                if name.rsplit(" ", 1)[0] == label}
        for axis, columns in zip(axes, (("F1 music / body", "kinematic"), ("fd_logmel",), ("fid_k", "fid_g"))):
            for column in columns:
                points = [(part, row[column]) for part, row in sorted(rows.items()) if row[column] is not None]
                if points:
                    spread = [row.get({"F1 music / body": "+-", "kinematic": "kinematic +-"}.get(column)) or 0.0
                              for _, row in sorted(rows.items()) if row[column] is not None]
                    axis.errorbar(*zip(*points), yerr=spread if any(spread) else None, fmt=style, capsize=2,
                                  label=f"{column}, {label}")
    for axis in axes:
        axis.set_xlabel("Together From (T_c / T)")
        if axis.lines:
            axis.legend(fontsize=7)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
