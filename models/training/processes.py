"""The processes of a training: their number and rank under torchrun, what they agree on, and the signals that end
them."""
import os
import signal
import threading
from datetime import timedelta

import torch

from core.errors import BadInput

LONGEST_WAIT = timedelta(days=2)


def own_device(asked, local):
    """The device of a process: the one asked for, else its GPU, else the CPU. "cuda" is the GPU of its number `local`.

    Raises BadInput for CUDA where there is none.
    """
    there = torch.cuda.is_available()
    device = torch.device(asked or ("cuda" if there else "cpu"))
    if device.type != "cuda":
        return device
    if not there:
        raise BadInput("This computer, or its torch, has no CUDA device; leave --device out or give cpu.")
    return torch.device("cuda", local if device.index is None else device.index)


class Group:
    """This process among those of the run. rank, world (how many), device (`own_device`, already torch's current one).
    Joins the group when torchrun started us.

    What the processes say to each other goes over the hosts (gloo), so no step waits for a card; gradients go over
    nccl where cards hold them. Raises BadInput where the device is absent.
    """

    def __init__(self, device=None):
        self.world, self.talk = int(os.environ.get("WORLD_SIZE", "1")), None
        self.rank, local = int(os.environ.get("RANK", "0")), int(os.environ.get("LOCAL_RANK", "0"))
        self.device, self.main = own_device(device, local), self.rank == 0
        cards = self.device.type == "cuda"
        if cards:
            torch.cuda.set_device(self.device)          # before the processes meet: nccl takes the current card
        if self.world > 1 and not torch.distributed.is_initialized():
            # The others wait while rank 0 makes the features of a whole corpus; one that dies ends all of them anyway.
            torch.distributed.init_process_group("nccl" if cards else "gloo", timeout=LONGEST_WAIT)
        if self.world > 1 and cards:
            self.talk = torch.distributed.new_group(backend="gloo", timeout=LONGEST_WAIT)

    def in_turn(self, act):
        """`act()` in every process, rank 0 first: it writes what the others then find."""
        for turn in range(self.world):
            if turn == self.rank:
                act()
            self.wait()

    def wait(self):
        """Until all processes are here."""
        if self.world > 1:
            torch.distributed.barrier(group=self.talk)

    def agree(self, fraction, stop):
        """The largest fraction used and whether any process was told to stop, the same on all processes."""
        if self.world == 1:
            return fraction, stop
        both = torch.tensor([fraction, float(stop)], dtype=torch.float64)
        torch.distributed.all_reduce(both, torch.distributed.ReduceOp.MAX, group=self.talk)
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
