"""Budgets as a user writes them: what may be left of the work, the parameters, the bytes, the filters or weights."""

import dataclasses
import re
from collections.abc import Callable, Mapping

from yolojax.network import Architecture
from yolojax.pruning import accounting
from yolojax.pruning.allocation import Cost
from yolojax.pruning.prunable import total

# The pixels of an image's side -> what an architecture costs.
COSTS: dict[str, Callable[[int], Cost]] = {
    "macs": lambda size: lambda architecture: accounting.macs(architecture, size, size),
    "params": lambda size: accounting.architecture_parameters,
    "bytes": lambda size: accounting.dense_bytes,
    "filters": lambda size: lambda architecture: total(architecture, "filter"),
    "weights": lambda size: lambda architecture: total(architecture, "weight"),
}
# Seconds of a call, which only a runtime can tell.
LATENCY = "latency"
# What is left of when single weights go: their zeros neither work less nor leave filters out.
WEIGHT_UNITS = ("weights", "params", "bytes")
SUFFIXES: Mapping[str, float] = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9}
TIMES: Mapping[str, float] = {"s": 1.0, "ms": 1e-3}
TEXT = re.compile(r"(?P<unit>[a-z]+)=(?P<number>[0-9]*\.?[0-9]+)(?P<suffix>%|m?s|[kKMG]?)B?")


@dataclasses.dataclass(frozen=True)
class Budget:
    """At most `value` of a unit.

    Units: `macs`, multiply-accumulates for one image; `params`, learned parameters; `bytes` of the `.weights` file;
    `filters` before the head; `weights`, those of the kernels. Where single weights go, `params` and `weights` count
    what is not 0, and `bytes` those of the compressed file; a share of them is of the `.weights` file even so.
    `latency`, the seconds of a call, has no cost here: what it costs, a runtime tells.
    With `share`, `value` is a fraction of what the unpruned network has.
    """

    unit: str
    value: float
    share: bool

    def target(self, architecture: Architecture, size: int) -> float:
        """The most that may be left, for images of `size` pixels."""
        return self.value * self.cost(size)(architecture) if self.share else self.value

    def cost(self, size: int) -> Cost:
        """What an architecture has of the unit, for images of `size` pixels."""
        return COSTS[self.unit](size)


def parse_budget(text: str) -> Budget:
    """A budget from `macs=30%`, `params=1M`, `bytes=1.5MB`: a unit of `COSTS`, and a share or a number.

    Raises ValueError for anything else.
    """
    found = TEXT.fullmatch(text)
    if found is None or found["unit"] not in (*COSTS, LATENCY):
        units = " or ".join((*COSTS, LATENCY))
        raise ValueError(f"budget {text!r}, expected {units} and how much, as in macs=30% or params=1M")
    unit, suffix = found["unit"], found["suffix"].replace("k", "K")
    suffixes = {"%": 0.01, **(TIMES if unit == LATENCY else SUFFIXES)}
    if suffix not in suffixes:
        raise ValueError(f"budget {text!r}, expected {unit} in {', '.join(filter(None, suffixes))}")
    share = suffix == "%"
    value = float(found["number"]) * suffixes[suffix]
    if value <= 0 or (share and value > 1):
        raise ValueError(f"budget {text!r}, expected more than 0 and, for a share, at most 100%")
    if unit in ("macs", "params", "bytes", "weights") and not share and value <= 100:  # less than any network has
        raise ValueError(f"budget {text!r}, expected a share, as in {text}%, or a number, as in {unit}=1M")
    return Budget(unit, value, share)
