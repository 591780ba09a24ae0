"""`python -m models.lab.loaders KIND:DIR [KIND:DIR ...] --out CORPUS`: public corpora or your own clips as shards."""
import argparse
from pathlib import Path

from core.errors import command
from models.lab.loaders import KINDS, Options, import_corpus


@command
def main(argv=None):
    """The command line; returns the exit code."""
    kinds = "\n".join(f"  {name:8} {text}" for name, text in KINDS.items())
    parser = argparse.ArgumentParser(prog="python -m models.lab.loaders", description=__doc__,
                                     epilog=f"kinds:\n{kinds}", formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", metavar="KIND:DIR")
    parser.add_argument("--out", required=True, help="folder of the corpus")
    parser.add_argument("--fps", type=float, help="frame rate of the motion files, where their headers are wrong")
    parser.add_argument("--bone-map", help="JSON of SMPL joint to bone, for BVH with unusual names")
    parser.add_argument("--shortest", type=float, default=3.0, help="leave out clips shorter than this many seconds")
    args = parser.parse_args(argv)
    bone_map = None
    if args.bone_map:
        from core.retarget import bonemap
        bone_map = bonemap.to_map(bonemap.load(args.bone_map))
    for spec in args.data:
        kind, _, folder = spec.partition(":")
        report = import_corpus(kind, Path(folder), args.out, Options(args.fps, bone_map, args.shortest))
        print(f"{spec}: {report['items']} clips, {report['seconds'] / 3600:.2f} h in {report['shards']} shards")
        for sentence in report["skipped"][:20]:
            print(f"  skipped: {sentence}")
        if len(report["skipped"]) > 20:
            print(f"  and {len(report['skipped']) - 20} more")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
