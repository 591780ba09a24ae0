"""The command line. Exit codes: 0 done, 1 a defect, 2 bad input, 3 no checkpoint or runtime, 130 cancelled."""
import argparse
import importlib
import os
import sys

from core.cli import generate
from core.contract.systems import by_direction
from core.errors import BatonError, OutOfMemory

COMMANDS = ("generate", "beats", "doctor", "worker")


def make_parser():
    """The parser of all commands: each module adds its own, and the first system of a direction has a short name."""
    parser = argparse.ArgumentParser(prog="python -m core", description="Baton: motion into music, music into motion.")
    short = {direction.command: systems[0] for direction, systems in by_direction().items() if systems}
    commands = parser.add_subparsers(dest="command", required=True, metavar="|".join((*COMMANDS, *short)))
    for name, system in short.items():
        text = f"{system.direction.label}: short for `generate {system.name}`"
        command = commands.add_parser(name, help=text, description=system.tip,
                                      formatter_class=argparse.ArgumentDefaultsHelpFormatter)
        generate.add_system(command, system)
        command.set_defaults(run=generate.run)
    for name in COMMANDS:
        module = importlib.import_module(f"core.cli.{name}")
        text = module.__doc__.strip().split("\n")[0]
        command = commands.add_parser(name, help=text, description=text,
                                      formatter_class=argparse.ArgumentDefaultsHelpFormatter)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(arguments=None):
    """Run one command; returns the exit code. Messages go to stderr, results to stdout."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a console that cannot show a file name still gets the rest
    options = make_parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except BatonError as error:
        sys.stderr.write(f"\n{error}\n")
        return error.exit_code
    except MemoryError:
        error = OutOfMemory("There is not enough memory for this; give a shorter passage or fewer variations.")
        sys.stderr.write(f"\n{error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("\nCancelled.\n")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())    # the reader has had enough, as `head` does
        return 0
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("core", "models"):
            raise
        sys.stderr.write(f"\nThe Python package {error.name} is missing; install what "
                         "core/contract/runtime-lock.txt lists (Preferences > Set Up Runtime in Blender).\n")
        return 3
