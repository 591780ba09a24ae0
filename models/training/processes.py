"""The processes of a training: their number and rank under torchrun, what they agree on, and the signals that end
them."""
import os
import signal
import threading
from datetime import timedelta

import torch

LONGEST_WAIT = timedelta(days=2)


class Group:
    """This process among those of the run. rank, world (how many); device: the one asked for, else this process's
    GPU, else the CPU. Joins the group when torchrun started us."""

    def __init__(self, device=None):
        self.world = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank, local = int(os.environ.get("RANK", "0")), int(os.environ.get("LOCAL_RANK", "0"))
        own = torch.device("cuda", local) if torch.cuda.is_available() else torch.device("cpu")
        if self.world > 1 and not torch.distributed.is_initialized():
            # The others wait while rank 0 makes the features of a whole corpus; one that dies ends all of them anyway.
            torch.distributed.init_process_group("nccl" if own.type == "cuda" else "gloo", timeout=LONGEST_WAIT)
        self.device, self.main = torch.device(device) if device else own, self.rank == 0

    def in_turn(self, act):
        """`act()` in every process, rank 0 first: it writes what the others then find."""
        for turn in range(self.world):
            if turn == self.rank:
                act()
            self.wait()

    def wait(self):
        """Until all processes are here."""
        if self.world > 1:
            torch.distributed.barrier()

    def agree(self, fraction, stop):
        """The largest fraction used and whether any process was told to stop, the same on all processes."""
        if self.world == 1:
            return fraction, stop
        both = torch.tensor([fraction, float(stop)], device=self.device, dtype=torch.float64)
        torch.distributed.all_reduce(both, torch.distributed.ReduceOp.MAX)
        return float(both[0]), bool(both[1])


class StopSignal:
    """`wanted` becomes True on SIGTERM or SIGINT while installed (main thread only)."""

    def __init__(self):
        self.wanted, self.previous = False, {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self.previous[number] = signal.signal(number, self._set)

    def _set(self, number, frame):
        self.wanted = True

    def restore(self):
        """The handlers of before."""
        for number, handler in self.previous.items():
            signal.signal(number, handler)
