"""Ratings as a CSV, and what they say: means a source with bootstrap intervals, and pairs won."""
import csv
import io
import os
from collections import Counter
from pathlib import Path

import numpy as np

from core.contract.files import reason
from core.errors import BadInput

QUESTIONS = ("quality", "fit")
COLUMNS = ("time", "rater", "pair", "clip", "first", "second",
           *(f"{question}_{side}" for side in ("first", "second") for question in QUESTIONS))
RESAMPLES = 2000


class Ratings:
    """The answers in a CSV file; a new one is a line written at once and flushed to the disk."""

    def __init__(self, path):
        self.path, self.rows = Path(path), []
        if self.path.exists():
            self.rows = read_ratings(self.path)

    def of(self, rater):
        """The pairs that a rater has answered."""
        return {row["pair"] for row in self.rows if row["rater"] == rater}

    def counts(self):
        """{pair: answers}."""
        return Counter(row["pair"] for row in self.rows)

    def add(self, rater, pair, sides, answers, when):
        """Append one answered pair. Raises BadInput when the file cannot be written."""
        row = {"time": when, "rater": rater, "pair": pair, "clip": sides[0].clip,
               "first": sides[0].source, "second": sides[1].source}
        for side, values in zip(("first", "second"), answers):
            row |= {f"{question}_{side}": values[question] for question in QUESTIONS}
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS)
        if not self.path.exists():
            writer.writeheader()
        writer.writerow(row)
        try:
            with open(self.path, "a", encoding="utf-8", newline="") as file:
                file.write(text.getvalue())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise BadInput(f"The ratings cannot be written to {self.path}: {reason(error)}.") from error
        self.rows.append(row)


def read_ratings(path):
    """The rows of a ratings file, numbers as numbers. Raises BadInput naming the line that is wrong."""
    rows = []
    try:
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise BadInput(f"{path} is no file of ratings; one begins with the columns {', '.join(COLUMNS)}.")
            for number, row in enumerate(reader, 2):
                for name in COLUMNS[6:]:
                    if row[name] not in ("1", "2", "3", "4", "5"):
                        raise BadInput(f"{path}, line {number}: {name} is {row[name]!r}, not a number from 1 to 5.")
                    row[name] = int(row[name])
                rows.append(row)
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"The ratings {path} cannot be read: {error}.") from error
    return rows


def _long(rows):
    """Each rated version alone: (rater, clip, source, {question: value})."""
    return [(row["rater"], row["clip"], row[side], {name: row[f"{name}_{side}"] for name in QUESTIONS})
            for row in rows for side in ("first", "second")]


def _resampled(values, groups, rng):
    """Mean of `values` with whole groups drawn anew, `RESAMPLES` times."""
    names = sorted(set(groups))
    values, groups = np.array(values, float), np.array(groups)
    sums = np.array([[values[groups == name].sum(), (groups == name).sum()] for name in names], float)
    drawn = rng.integers(len(names), size=(RESAMPLES, len(names)))
    chosen = sums[drawn].sum(1)
    return chosen[:, 0] / chosen[:, 1]


def interval(values, raters, clips, seed=0):
    """(mean, low, high): 95 % by bootstrap over whole raters or whole clips, whichever interval is wider.

    Answers of one person, and answers to one clip, are not independent: drawing single answers anew would make the
    interval too narrow. With one rater and one clip there is none, and low and high are NaN.
    """
    mean, bounds = float(np.mean(values)), []
    for groups in (list(raters), list(clips)):
        if len(set(groups)) > 1:
            bounds.append(np.percentile(_resampled(list(values), groups, np.random.default_rng(seed)), [2.5, 97.5]))
    if not bounds:
        return mean, float("nan"), float("nan")
    low, high = max(bounds, key=lambda pair: pair[1] - pair[0])
    return mean, float(low), float(high)


def summary(rows):
    """One dict a source: source, answers, and of each question mean, low, high, won (share of pairs, a tie half)."""
    if not rows:
        raise BadInput("Nobody has answered yet; open the page and rate a pair.")
    out, single = [], _long(rows)
    for source in sorted({entry[2] for entry in single}):
        mine = [entry for entry in single if entry[2] == source]
        line = {"source": source, "answers": len(mine)}
        for question in QUESTIONS:
            values = [entry[3][question] for entry in mine]
            raters, clips = [entry[0] for entry in mine], [entry[1] for entry in mine]
            mean, low, high = interval(values, raters, clips)
            won = [_won(row, source, question) for row in rows if source in (row["first"], row["second"])]
            found = {"": mean, "_low": low, "_high": high, "_won": float(np.mean(won))}
            line |= {f"{question}{ending}": round(value, 3) for ending, value in found.items()}
        out.append(line)
    return out


def _won(row, source, question):
    mine, other = ("first", "second") if row["first"] == source else ("second", "first")
    gap = row[f"{question}_{mine}"] - row[f"{question}_{other}"]
    return 0.5 if gap == 0 else float(gap > 0)


def write_summary(lines, path):
    """The summary as a CSV, whole or not at all."""
    from core.contract.files import replacing
    with replacing(path) as part, open(part, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
