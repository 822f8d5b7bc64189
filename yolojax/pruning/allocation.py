"""Which filters go so that a budget holds: all of them in one order, cut where the cost is met.

The order is what allocates. By `cost` a filter counts its score over what it costs, so that one threshold over all
layers takes where the work is; by `global` the score alone; by `uniform` each layer gives the same share.
"""

import dataclasses
import math
from collections.abc import Callable, Collection

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from yolojax.network import Architecture, Masks, Params, check_convolutions, with_filters
from yolojax.pruning.groups import grid_unit, group_sizes
from yolojax.pruning.masks import masks_of_filters
from yolojax.pruning.prunable import prunable
from yolojax.pruning.types import Scores

Cost = Callable[[Architecture], float]
# (scores, what each filter costs) of one layer's groups -> what decides when they go, beside those of other layers.
ALLOCATIONS: dict[str, Callable[[Float[np.ndarray, " groups"], float], Float[np.ndarray, " groups"]]] = {
    "cost": lambda scores, cost: scores / max(cost, np.finfo(np.float64).tiny),
    "global": lambda scores, cost: scores,
    "uniform": lambda scores, cost: (ranks(scores) + 1) / scores.size,
}


@dataclasses.dataclass(frozen=True)
class Limits:
    """What each layer keeps whatever its scores: a share `floor` of its filters, in multiples of `round_to`.

    A layer narrower than four multiples is not on that grid.
    """

    floor: float = 0.1
    round_to: int = 1
    exclude: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class _Layer:
    """The groups of one layer: how many filters each has, of how many groups a multiple stays, and each one's place.

    The place is the one in the order of all layers, in which groups go; those that stay for good have the last ones.
    """

    name: str
    size: int
    unit: int
    places: Int[np.ndarray, " groups"]

    def keep(self, dropped: int) -> Bool[np.ndarray, " groups"]:
        """What stays when the first `dropped` of all groups go: of those the last as well, for a multiple."""
        kept = -(-int(np.sum(self.places >= dropped)) // self.unit) * self.unit
        return ranks(self.places) >= self.places.size - kept


def budget_masks(
    architecture: Architecture,
    params: Params,
    scores: Scores,
    *,
    cost: Cost,
    target: float,
    allocation: str = "cost",
    limits: Limits = Limits(),
) -> Masks:
    """Masks that drop filters, those of least worth first, until the smaller network's cost is at most `target`.

    Args:
      architecture: the network.
      params: its parameters, for the masks' shapes.
      scores: {convolution: (filters,)}; a group before a reorg counts the mean of its filters' scores.
      cost: of an architecture, such as `macs`; it does not rise when filters go.
      target: met from below, within one group of filters; with `round_to` within one step of the grid.
      allocation: the order, one of `ALLOCATIONS`; see the module.
      limits: what stays in each layer.

    Returns:
      A tree like params. Equal worth goes in the order of the layers and of the index; NaN and infinity stay.

    Raises:
      ValueError: the target cannot be met, with the smallest that can; the allocation, or a layer, is unknown.
    """
    check_convolutions(architecture, limits.exclude, "exclude")
    if allocation not in ALLOCATIONS:
        raise ValueError(f"allocation {allocation!r}, expected one of {', '.join(ALLOCATIONS)}")
    layers, droppable = _layers(architecture, scores, cost, allocation, limits)

    def cost_without(dropped: int) -> float:
        counts = {layer.name: int(np.sum(layer.keep(dropped))) * layer.size for layer in layers}
        return cost(with_filters(architecture, counts))

    if (smallest := cost_without(droppable)) > target:
        raise ValueError(
            f"a cost of {_text(target)} cannot be met, expected at least {_text(smallest)} (of "
            f"{_text(cost(architecture))}), "
            "which is what each layer keeps in any case"
        )
    low, high = 0, droppable
    while low < high:  # the fewest that are enough
        middle = (low + high) // 2
        low, high = (low, middle) if cost_without(middle) <= target else (middle + 1, high)
    return masks_of_filters(params, {layer.name: np.repeat(layer.keep(low), layer.size) for layer in layers})


def _text(cost: float) -> str:
    """A count in full; seconds, which are fewer, with four digits."""
    return f"{cost:,.0f}" if cost >= 10 else f"{cost:.4g}"


def unit_costs(architecture: Architecture, cost: Cost, names: Collection[str]) -> dict[str, float]:
    """{convolution: what each of its filters costs}: its own work, and its share of the work of those that read it."""
    sizes, whole = group_sizes(architecture), cost(architecture)
    counts = {conv.name: conv.layer.filters for conv in architecture.convolutions}
    return {
        name: (whole - cost(with_filters(architecture, {name: counts[name] - sizes[name]}))) / sizes[name]
        for name in names
        if counts[name] > sizes[name]
    }


def _layers(
    architecture: Architecture, scores: Scores, cost: Cost, allocation: str, limits: Limits
) -> tuple[list[_Layer], int]:
    """The layers that may lose filters, and how many groups of all may go."""
    sizes = group_sizes(architecture)
    costs = unit_costs(architecture, cost, prunable(architecture, "filter", limits.exclude))
    worth, units = {}, {}
    for name, each in costs.items():
        groups = np.asarray(scores[name], np.float64).reshape(-1, sizes[name]).mean(axis=1)
        units[name] = grid_unit(groups.size * sizes[name], sizes[name], limits.round_to)
        worth[name] = _worth(groups, each, units[name], allocation, limits.floor)
    flat = np.concatenate([*worth.values(), np.zeros(0)])
    parts = np.split(ranks(flat), np.cumsum([groups.size for groups in worth.values()]))
    layers = [_Layer(name, sizes[name], units[name], part) for name, part in zip(worth, parts, strict=False)]
    return layers, int(np.sum(np.isfinite(flat)))


def _worth(
    groups: Float[np.ndarray, " groups"], cost: float, unit: int, allocation: str, floor: float
) -> Float[np.ndarray, " groups"]:
    """What decides the order of one layer's groups; infinite for those that stay whatever the budget."""
    least = -(-max(math.ceil(floor * groups.size), 1) // unit) * unit
    stays = ~np.isfinite(groups) | (ranks(groups) >= groups.size - least)
    return np.where(stays, np.inf, ALLOCATIONS[allocation](groups, cost))


def ranks(values: Shaped[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """The place of each value in ascending order; equal ones by index, NaN last."""
    return np.argsort(np.argsort(values, kind="stable"), kind="stable")
