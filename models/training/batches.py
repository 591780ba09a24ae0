"""Where a training's batches come from: read ahead by a thread, or made on the device that holds the corpus."""
import queue
import threading

import torch


def open_batches(dataset, first, stride, device, seed):
    """An object with `next()` and `close()`: a task's batches first, first + stride, ... for a training on `device`.

    seed: of the random numbers of a dataset that makes its batches itself.
    """
    if hasattr(dataset, "resident"):
        return Resident(dataset, first, stride, device, seed)
    return Prefetch(dataset, first, stride, device)


class Prefetch:
    """Batches made by one thread ahead of time; its errors are raised where they are awaited. For a GPU they lie in
    pinned memory: from there a copy waits for no step."""

    def __init__(self, dataset, first, stride, device, depth=4):
        self.queue, self.stopped, self.card = queue.Queue(depth), False, device if device.type == "cuda" else None
        self.thread = threading.Thread(target=self._work, args=(dataset, first, stride), daemon=True)
        self.thread.start()

    def _work(self, dataset, index, stride):
        if self.card is not None:
            torch.cuda.set_device(self.card)                    # each thread has its own current card
        while not self.stopped:
            try:
                item = dataset[index]
                if self.card is not None:
                    item = {name: value.pin_memory() for name, value in item.items()}
            except Exception as error:  # noqa: BLE001  handed to the loop, which raises it
                item = error
            while not self.stopped:
                try:
                    self.queue.put(item, timeout=0.2)
                    break
                except queue.Full:
                    continue
            if isinstance(item, Exception):
                return
            index += stride

    def next(self):
        """The next batch, a dict of CPU tensors."""
        item = self.queue.get()
        if isinstance(item, Exception):
            raise item
        return item

    def close(self):
        """End the thread."""
        self.stopped = True
        self.thread.join(timeout=10)


class Resident:
    """Batches of a dataset that lives on the training's device (`resident(device)`, then `batch(index, generator)`):
    made there, in this thread, as nothing has to be read or copied."""

    def __init__(self, dataset, first, stride, device, seed):
        self.dataset, self.index, self.stride, self.device, self.seed = dataset, first, stride, device, seed
        dataset.resident(device)

    def next(self):
        """The next batch, a dict of tensors on the device."""
        generator = torch.Generator(device=self.device).manual_seed((self.seed * 7_368_787 + self.index) % 2**63)
        self.index += self.stride
        return self.dataset.batch(self.index - self.stride, generator)

    def close(self):
        """Nothing runs ahead."""
