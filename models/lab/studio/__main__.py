"""`python -m models.lab.studio --preview DIR --seed N [--kind dance|conducting]`, or `--sheets DIR`."""
import argparse
from pathlib import Path

from core.contract import GENRES, PLAIN_METRES
from models.lab.studio.preview import genre_sheet, metre_sheet, preview


def main(argv=None):
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m models.lab.studio", description="Listen to and look at studio "
                                     "pieces.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--preview", metavar="DIR", help="write WAV, BVH, beats and a picture of one piece")
    what.add_argument("--sheets", metavar="DIR", help="write a picture sheet of ten genres and one of four metres")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--kind", choices=["dance", "conducting"], default="dance")
    parser.add_argument("--genre", choices=GENRES, help="instead of the one drawn from the seed")
    parser.add_argument("--metre", type=int, choices=PLAIN_METRES, help="instead of the one drawn from the seed")
    parser.add_argument("--seconds", type=float, default=24.0)
    parser.add_argument("--no-audio", dest="audio", action="store_false")
    args = parser.parse_args(argv)
    if args.preview:
        paths = preview(args.preview, args.seed, args.kind, args.genre, args.metre, args.seconds, args.audio)
    else:
        folder = Path(args.sheets)
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / "studio-genres.png", folder / "studio-metres.png"]
        genre_sheet(paths[0], args.seed)
        metre_sheet(paths[1], args.seed)
    print("\n".join(str(path) for path in paths))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
