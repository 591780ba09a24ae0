"""Styles whose dances came out wilder than their own people are asked for less: `python -m models.lab.packs.temper
--captures FLAT`, after `models.lab.packs.styles`.

Spreads of joints' angles do not tell how far a body moves: a breakdancer leans on hands and feet, so that limbs turn
against the trunk and stay where they are, and a dancer who stands makes swings of the same turns. So dances of each
style of people are drawn to songs of train seeds; where they are faster or jerkier in the mean than all but a tenth of
their people's passages, the spreads that are asked of the middle and the fast band move by `GAIN` times what is missing
in the logarithm of speed and of jerk. The pull goes half of the way, hence 2.
"""
import argparse
import sys

import numpy as np

from core import checkpoints
from core.errors import command
from models.dance_cascade.config import STYLES
from models.dance_cascade.pipeline import Dancer
from models.lab.evaluation.dance_cascade import scoring
from models.lab.evaluation.dance_cascade.ranges import MIDDLE, liveliness, people

GAIN, MOST = 2.0, 1.2                       # MOST: of a log spread
DANCES, SECONDS, FIRST_SEED = 8, 10.0, 2000     # songs of the train split
LEAST_PASSAGES = 8                          # of people: fewer have no range


def too_wild(made, own):
    """Whether dances are beyond their people: made, own (N, 2) speed and jerk of passages."""
    return bool((np.mean(made, axis=0) > np.percentile(own, MIDDLE[1], axis=0)).any())


def tempered(scale, made, own):
    """Spreads (bands, C) asked of a style, from slow to fast, less wild: `too_wild`'s (N, 2) of its dances and of its
    people."""
    missing = np.log(np.mean(own, axis=0) / np.mean(made, axis=0))
    middle, fast = np.clip(GAIN * missing, -MOST, 0.0)
    changed = scale.clone()
    changed[1] += middle
    changed[2] += fast
    return changed, (float(middle), float(fast))


def temper(dancer, people, songs, say=print):
    """{style: (middle, fast)} by how much the spreads of `dancer.styles` were moved, in place. people: {style:
    [`Motion`]} passages; songs: [`scoring.StudioPiece`]."""
    moved = {}
    for style, passages in people.items():
        if len(passages) < LEAST_PASSAGES:
            continue
        dances = [dancer.generate(song.audio, beats=song.beats, genre=style, seed=number)[0]
                  for number, song in enumerate(songs)]
        made, own = ([liveliness(motion) for motion in side] for side in (dances, passages))
        say(f"{style}: speed and jerk {np.mean(made, axis=0).round(2)}, people {np.mean(own, axis=0).round(2)}")
        if too_wild(made, own):
            place = STYLES.index(style)
            dancer.styles.scale[place], moved[style] = tempered(dancer.styles.scale[place], made, own)
            say(f"{style}: middle and fast band moved by {np.round(moved[style], 2)}")
    return moved


@command
def main(argv=None):
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--captures", required=True, help="flat folder of captured clips")
    parser.add_argument("--checkpoints", default=str(checkpoints.FOLDER), help="folder whose styles are changed")
    options = parser.parse_args(argv)
    dancer = Dancer.load(options.checkpoints)
    moved = temper(dancer, people(options.captures, ("train",)),
                   [scoring.StudioPiece(FIRST_SEED + number, SECONDS) for number in range(DANCES)])
    found = checkpoints.find("dance_cascade", "styles", options.checkpoints)
    told = "; ".join(f"{style} {middle:.2f} and {fast:.2f}" for style, (middle, fast) in moved.items())
    words = ("- Tempered afterwards (`python -m models.lab.packs.temper --captures FLAT`): log spreads asked of the "
             f"middle\n  and the fast band moved by {told or 'nothing'}.\n")
    written = checkpoints.save_again(found, options.checkpoints, dancer.styles.state_dict(), words, dtype="float32")
    print(f"{written.path} sha256 {written.sha256[:16]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
