"""What this installation has and lacks: device, versions, checkpoints."""
import json

from core.cli import common


def add_arguments(parser):
    """The flags of `doctor`."""
    common.shared_arguments(parser, seed=False)


def run(options):
    """Print the report. Returns 0 when everything is there, 3 when something is missing."""
    from core.worker.doctor import examine, format_report
    found = examine(options.checkpoints, options.device)
    print(json.dumps(found) if options.json else format_report(found), flush=True)
    return 3 if found["problems"] else 0
