"""How many single weights go so that a budget holds: the fewest that are enough."""

import itertools
import math
from collections.abc import Callable

from yolojax.network import Architecture, Masks, Params, apply_masks
from yolojax.pruning.masks import weight_masks
from yolojax.pruning.prunable import total
from yolojax.pruning.types import Scores

WeightCost = Callable[[Params], float]


def weight_budget_masks(
    architecture: Architecture,
    params: Params,
    scores: Scores,
    *,
    cost: WeightCost,
    target: float,
    scope: str = "global",
    steps: int | None = None,
) -> Masks:
    """Masks that drop the kernel weights with the lowest scores until what is left costs at most `target`.

    Args:
      architecture: the network.
      params: its parameters.
      scores: {convolution: the kernel's shape}, not negative.
      cost: of masked parameters, such as `count_nonzeros`; it does not rise when weights go.
      target: met from below.
      scope: as in `weight_masks`.
      steps: into how many parts the number of weights is cut to look for the one that is enough; None: single weights.

    Returns:
      A tree like params, as `weight_masks` gives it for the amount that was found.

    Raises ValueError for a target that cannot be met, with the smallest that can.
    """
    most = total(architecture, "weight") - 1
    step = 1 if steps is None else -(-most // steps)

    def masks(place: int) -> Masks:
        return _masks(architecture, params, scores, scope, min(place * step, most))

    low, high = 0, -(-most // step)  # in steps; `low` is not enough, `high` is
    above = cost(params)
    if above <= target:
        return masks(0)
    below = check_weight_budget(architecture, params, scores, cost=cost, target=target, scope=scope)
    turns = itertools.count()
    while high - low > 1:
        # Costs are nearly linear, so a straight line finds the place at once; halving in between bounds the search.
        share = (above - target) / (above - below) if next(turns) % 2 == 0 else 0.5
        middle = min(max(low + math.ceil(share * (high - low)), low + 1), high - 1)
        found = cost(apply_masks(params, masks(middle)))
        low, high = (low, middle) if found <= target else (middle, high)
        above, below = (above, found) if found <= target else (found, below)
    return masks(high)


def check_weight_budget(
    architecture: Architecture, params: Params, scores: Scores, *, cost: WeightCost, target: float, scope: str
) -> float:
    """What is left costs without all weights but one. Raises ValueError where that is more than `target`."""
    masks = _masks(architecture, params, scores, scope, total(architecture, "weight") - 1)
    if (smallest := cost(apply_masks(params, masks))) > target:
        raise ValueError(
            f"a cost of {target:,.0f} cannot be met, expected at least {smallest:,.0f} (of {cost(params):,.0f}), "
            "which is what is left without kernel weights"
        )
    return smallest


def _masks(architecture: Architecture, params: Params, scores: Scores, scope: str, dropped: int) -> Masks:
    amount = dropped / total(architecture, "weight")
    return weight_masks(architecture, params, amount, scope=scope, criterion=scores)
