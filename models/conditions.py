"""What a network is told, by name: every condition may be unknown, alone or with others, and each says so itself.

A system's conditions are a dataclass of tensors (B, ...) on `Conditions`. Known-flags are fields too (or a channel of
one): an unknown condition is all zeros, flag included. `together` says which fields go with a name, `stays` what
guidance keeps.
"""
from dataclasses import fields
from typing import ClassVar

import torch

from models.diffusion.loss import chance


class Conditions:
    """Base of a batch of conditions; subclasses are dataclasses whose fields are tensors of one batch size.

    together   {name: fields that are dropped under this name}; a field of no name is never dropped (a clock, an offset)
    stays      names that the unconditional twin keeps: guidance then does not amplify them
    """

    together: ClassVar[dict[str, tuple[str, ...]]] = {}
    stays: ClassVar[tuple[str, ...]] = ()

    def values(self) -> dict[str, torch.Tensor]:
        """{field: tensor}."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __len__(self) -> int:
        return len(next(iter(self.values().values())))

    def dropped(self, **which: torch.Tensor | None):
        """A copy with parts removed: name=bool tensor (B,), True where that condition is unknown from now on; None: not
        at all."""
        values = self.values()
        for name, drop in which.items():
            for field in self.together[name]:
                if drop is not None:
                    keep = (~drop).to(values[field].dtype)
                    values[field] = values[field] * keep.reshape(-1, *(1,) * (values[field].dim() - 1))
        return type(self)(**values)

    def none(self):
        """The unconditional twin: without all but what `stays`."""
        everything = torch.ones(len(self), dtype=torch.bool, device=next(iter(self.values().values())).device)
        return self.dropped(**{name: everything for name in self.together if name not in self.stays})

    def at_random(self, generator: torch.Generator | None, everything: float = 0.0, **chances: float):
        """For training (classifier-free guidance, Ho & Salimans 2022): each named condition dropped with its own
        probability, so that it works alone, and with probability `everything` all but what `stays`."""
        device = next(iter(self.values().values())).device
        gone = chance(everything, len(self), generator, device)
        which = {}
        for name, p in chances.items():
            lost = chance(p, len(self), generator, device)
            which[name] = lost if name in self.stays else gone | lost
        return self.dropped(**which)

    def rows(self, index):
        """The rows `index` (a list or tensor) as a new batch."""
        return type(self)(**{name: value[index] for name, value in self.values().items()})

    def cat(self, *others):
        """This batch and others below one another."""
        return type(self)(**{name: torch.cat([getattr(each, name) for each in (self, *others)])
                             for name in self.values()})

    def to(self, device):
        """All tensors on `device`."""
        return type(self)(**{name: value.to(device) for name, value in self.values().items()})
