"""The results of `evaluate` as Markdown and as one picture."""
from pathlib import Path

from models.lab.evaluation.tables import markdown_table

BEAT = ("clips", "ictus_f1", "ictus_f1_95", "ictus_f1_mismatched", "ictus_f1_chance", "ictus_f1_any_pattern",
        "ictus_f1_any_pattern_mismatched", "downbeat_down", "bar_variation_m", "loudness_correlation", "loudness_null",
        "loudness_null_p95", "sdp_percent")
BODY = ("stroke_m", "jerk", "jerk_within", "outside_range", "foot_slide_m", "hand_peak_m_s", "elbow_above",
        "hand_hangs", "hands_together", "hands_mirrored", "pelvis_m", "steps_a_minute")
PUBLISHED = ("mse_x1000", "mse_mismatched_x1000", "fgd", "fgd_as_published", "bc", "bc_null", "bc_mismatched",
             "bc_as_published", "diversity", "diversity_as_published", "rde", "sce")


MAIN = """
{clips} studio {split} pieces of {seconds:g} s the model never saw ({few} where `clips` says so), {steps} steps, \
guidance
{guidance:g}. Ictus F1 within 70 ms; *mismatched*: against the beats of another piece; *chance*: ictus rolled round \
the clip;
*any pattern*: against the best of the patterns that the piece's metre may be beaten in, for found beats may be shown \
in another. Bars
are compared with each other on the beats a row was given. Loudness: mean Spearman correlation of stroke and level; \
null and its
95th percentile are those of this mean under circular shifts. The rule strikes a fixed pattern at the same predicted \
beats.
"""
BODIES = """
The body. `jerk_within`: share of clips whose jerk lies in the range of the corpus's clips; `outside_range`: share of \
joint
channel values outside the corpus's range widened by 5 %; `hand_peak_m_s`: mean over clips of the fastest hand; \
`elbow_above`: share
of frames with an elbow above its shoulder; `hand_hangs`: with the free wrist below 0.98 m; `pelvis_m`: its largest \
way along an axis.
"""
METRICS = """
The published conducting metrics, with their corrected forms and the rows they need beside them. `fgd`: frames x 64 \
features of
our own stage 1; `fgd_as_published`: rows are channels. `bc`: seconds on both sides, sigma 50 ms. None is comparable \
with the
paper's figures: other data, other encoder.
"""
SEEDS = """
Two seeds, same music ({clips} pieces): mean difference {seed_spread:.4f} of a picture with shoulder width 0.2; ictus F1
{ictus_f1_first:.3f} and {ictus_f1_second:.3f}."""
SEAM = """
Five minutes, {windows} windows: hand jerk near window edges {jerk_at_seams:.3f} of the mean, speed \
{speed_at_seams:.3f}; feet
{foot_slide_m:.4f} m; {times_real_time:.1f} x real time."""
TRACKS = """
Real tracks, agreed beats: lift over the circular-shift null, music to ictus; predicted beats for both. *another*: the
motion of the track before; two and one: twos beaten so throughout. Mean: model {lift_model:.3f}, rule {lift_rule:.3f}.
"""
TRACK_BODIES = """
Their bodies. `hands_mirrored`: share of the time in which the free hand mirrors the beating one, `hands_together`:
correlation of their vertical speeds; `stand_m`: how far a foot goes with legs *Stand*; `seed_spread`: two seeds.
"""
TRAINED = """
Trained rows at one small equal budget (2 layers of width 96; same data, seed, steps and batch;
`models.lab.evaluation.conductor.ablations`).
contrastive and scratch: half the steps, shorter windows, to be compared with each other only.
"""
STAGE1 = """
Stage 1, {split} split, share of right answers to "do these belong together?" (chance 0.5, {pairs} judgements each): \
easy
negatives {easy:.3f}, hard {hard:.3f}, super-hard {superhard:.3f}."""
SWEPT = ("clips", "ictus_f1", "downbeat_down", "loudness_correlation", "sdp_percent", "fgd", "bar_variation_m", "jerk",
         "seed_spread", "seconds_per_clip")
FOUND = ("ictus_f1", "ictus_f1_predicted", "ictus_f1_none", "ictus_f1_mismatched", "downbeat_down",
         "sdp_percent", "fgd", "mse_x1000", "bar_variation_m", "jerk", "seed_spread")
TRACK = ("lift_model", "lift_model_best_lag", "lift_rule", "lift_rule_best_lag", "lift_another", "lift_two", "lift_one",
         "strokes_a_bar", "found_f1", "found", "beats")
TRACK_BODY = ("hand_peak_m_s", "elbow_above", "hand_hangs", "hands_mirrored", "hands_together", "seed_spread",
              "slide_m", "stand_m", "steps_a_minute", "knees_degrees", "pelvis_m")
DANCE = ("clips", "ictus_f1", "ictus_f1_predicted", "beats_found_f1", "ictus_f1_none", "downbeat_down", "stroke_m")


def markdown(result, picture=None):
    """The section of docs/results.md; parts that were not run are left out."""
    out = ["## Music to conducting"]
    if "studio" in result:
        out += [MAIN.format(**result), _table(result["studio"], BEAT)]
        if "rule" in result:
            out += ["\nAgainst the rule, on the same predicted beats:\n",
                    _table(result["rule"], ("model", "rule", "corpus"), "point")]
        out += [BODIES, _table(result["studio"], BODY), METRICS, _table(result["studio"], PUBLISHED)]
    if "seeds" in result:
        out.append(SEEDS.format(**result["seeds"]))
    if "moved" in result:
        out += ["\nMusic moved by half a beat:\n",
                _table(result["moved"], ("clips", "ictus_f1_to_moved", "ictus_f1_to_original"))]
    if "seam" in result:
        out.append(SEAM.format(**result["seam"]))
    if "tracks" in result:
        rows = result["tracks"]
        means = {key: sum(r.get(key, 0.0) for r in rows) / len(rows) for key in ("lift_model", "lift_rule")}
        out += [TRACKS.format(**means), _table(rows, TRACK, "track"), TRACK_BODIES, _table(rows, TRACK_BODY, "track")]
    if "dance" in result:
        out += ["\nOut of domain, dance music of the studio, ictus F1 with written, predicted and no beats:\n",
                _table(result["dance"], DANCE, "genre")]
    if "sweep" in result:
        out += ["\nSampling, true rhythm:\n", _table([{**r, "name": _setting(r)} for r in result["sweep"]], SWEPT,
                                                     "setting")]
        if picture:
            out.append(f"\n![Guidance and steps]({Path(picture).name})")
    if "trained" in result:
        out += [TRAINED, _table(result["trained"], FOUND)]
    if "stage1" in result:
        out.append(STAGE1.format(superhard=result["stage1"]["super-hard"], **result["stage1"]))
    return "\n".join(out)


def _table(rows, columns, first="row"):
    small = lambda r: {f"{key}_x1000": 1000 * r[key] for key in ("mse", "mse_mismatched") if key in r}      # noqa: E731
    return markdown_table({r["name"]: {**r, **small(r)} for r in rows}, columns, first)


def _setting(row):
    what = f"guidance {row['guidance_scale']:g}" if "guidance_scale" in row else f"steps {row['steps']}"
    return what + (" (three clips)" if row["clips"] == 3 else "")


def draw(rows, path):
    """Guidance and steps against alignment, spread, seed diversity and FGD. Needs matplotlib (development only)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    figure = Figure(figsize=(11, 5.5), layout="constrained")
    FigureCanvasAgg(figure)
    names = (("ictus_f1", "ictus F1 (70 ms)"), ("sdp_percent", "SDP, % of the corpus"),
             ("seed_spread", "difference of two seeds"), ("fgd", "FGD (frames, own encoder)"))
    for line, (key, label) in enumerate((("guidance_scale", "guidance scale"), ("steps", "DDIM steps"))):
        chosen = [r for r in rows if key in r and r["clips"] != 3]
        for column, (name, title) in enumerate(names):
            axes = figure.add_subplot(2, 4, 4 * line + column + 1)
            axes.plot([r[key] for r in chosen], [r[name] for r in chosen], marker="o", color="#2471a3")
            axes.set_xlabel(label)
            axes.set_title(title, fontsize=9)
            axes.set_ylim(0, 1.08 * max(r[name] for r in chosen))
    figure.savefig(path, dpi=100)
