"""The worker process: JSON lines on stdin and stdout (docs/contracts.md, section 5)."""
from core.cli import common


def add_arguments(parser):
    """The flags of `worker`."""
    parser.add_argument("--idle", type=common.number, default=900.0, metavar="S", help="seconds without a job before "
                        "it ends")
    common.shared_arguments(parser, seed=False)


def run(options):
    """Serve; a job's own device and checkpoints win over the ones given here. Returns the exit status."""
    from core.worker import inputs
    from core.worker.main import main
    inputs.DEFAULTS.update(device=options.device, checkpoints=options.checkpoints)
    return main(["--idle", str(options.idle)])
