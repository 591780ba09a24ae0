"""A joint piece made in a process of its own, so that its peak memory is its own: `python -m
models.lab.evaluation.momu.lengths {"number": 0, "seconds": 60}` prints the record of `Maker.joint` as the last line."""
import json
import subprocess
import sys

import torch

from core.errors import BatonError


def alone(number, seconds, folders=None):
    """The record of joint piece `number`, made in a new process. Raises BatonError where that fails."""
    asked = json.dumps({"number": number, "seconds": seconds, "folders": None if folders is None else str(folders)})
    done = subprocess.run([sys.executable, "-m", __spec__.name, asked], capture_output=True, text=True)
    if done.returncode:
        raise BatonError(f"The piece of {seconds:g} s failed in its process: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main(arguments=None):
    """The command line; returns the exit code."""
    from models.lab.evaluation.momu.records import Maker
    asked = json.loads((sys.argv[1:] if arguments is None else arguments)[0])
    torch.set_num_threads(1)
    print(json.dumps(Maker(asked.pop("folders")).joint(**asked)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
