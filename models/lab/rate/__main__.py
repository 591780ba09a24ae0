"""`build.py rate make|serve|results`: a blind rating sheet for people with ears."""
import argparse
import sys
import webbrowser
from pathlib import Path

from core.errors import command
from models.lab.rate.material import make
from models.lab.rate.results import QUESTIONS, read_ratings, summary, write_summary
from models.lab.rate.server import Sheet, serve


def _parser():
    parser = argparse.ArgumentParser(prog="build.py rate", description=__doc__.splitlines()[0])
    parts = parser.add_subparsers(dest="part", required=True)
    making = parts.add_parser("make", help="material: a version of each file by each system, and a mismatched row")
    making.add_argument("folder")
    making.add_argument("--systems", nargs="+", required=True, help="names of one direction, e.g. music_ldm momu_music")
    making.add_argument("--files", nargs="+", required=True, help="two or more motion files (or sounds)")
    making.add_argument("--seconds", type=float, default=10.0)
    making.add_argument("--seed", type=int, default=7)
    making.add_argument("--device", default="auto")
    serving = parts.add_parser("serve", help="open the page; ratings go to FOLDER/ratings.csv")
    serving.add_argument("folder")
    serving.add_argument("--pairs", type=int, help="at most so many pairs a rater (default: all)")
    serving.add_argument("--port", type=int, default=0, help="port on this machine (default: a free one)")
    serving.add_argument("--no-browser", action="store_true", help="only say the address")
    counting = parts.add_parser("results", help="means with 95 %% intervals, to FOLDER/summary.csv")
    counting.add_argument("folder")
    return parser


def _serve(options):
    server = serve(Sheet(options.folder, options.pairs), options.port)
    address = f"http://127.0.0.1:{server.server_address[1]}/"
    print(f"The sheet is at {address}; Ctrl-C ends it. Ratings: {Path(options.folder) / 'ratings.csv'}", flush=True)
    if not options.no_browser:
        webbrowser.open(address)
    with server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("closed; every answer is written")
    return 0


def _results(options):
    folder = Path(options.folder)
    rows = read_ratings(folder / "ratings.csv")
    lines = summary(rows)
    write_summary(lines, folder / "summary.csv")
    print(f"{len(rows)} pairs by {len({row['rater'] for row in rows})} raters")
    print(f"{'source':20} {'answers':>8} {'quality':>22} {'won':>6} {'fit':>22} {'won':>6}")
    for line in lines:
        cells = [f"{line[name]:.2f} ({line[f'{name}_low']:.2f}..{line[f'{name}_high']:.2f})" for name in QUESTIONS]
        print(f"{line['source']:20} {line['answers']:8} {cells[0]:>22} {line['quality_won']:6.2f} "
              f"{cells[1]:>22} {line['fit_won']:6.2f}")
    return 0


@command
def main(arguments=None):
    """The command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    if options.part == "make":
        make(options.folder, options.systems, options.files, options.seconds, options.seed, options.device)
        return 0
    return _serve(options) if options.part == "serve" else _results(options)


if __name__ == "__main__":
    sys.exit(main())
