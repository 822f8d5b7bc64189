"""How many single weights go so that a budget holds: the fewest that are enough, by bisection."""

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
    check_weight_budget(architecture, params, scores, cost=cost, target=target, scope=scope)
    most = total(architecture, "weight") - 1
    step = 1 if steps is None else -(-most // steps)
    low, high = 0, -(-most // step)  # in steps; `high` is enough
    while low < high:
        middle = (low + high) // 2
        masks = _masks(architecture, params, scores, scope, middle * step)
        low, high = (low, middle) if cost(apply_masks(params, masks)) <= target else (middle + 1, high)
    return _masks(architecture, params, scores, scope, min(low * step, most))


def check_weight_budget(
    architecture: Architecture, params: Params, scores: Scores, *, cost: WeightCost, target: float, scope: str
) -> None:
    """Raises ValueError where all weights but one may go and the rest still costs more than `target`."""
    masks = _masks(architecture, params, scores, scope, total(architecture, "weight") - 1)
    if (smallest := cost(apply_masks(params, masks))) > target:
        raise ValueError(
            f"a cost of {target:,.0f} cannot be met, expected at least {smallest:,.0f} (of {cost(params):,.0f}), "
            "which is what is left without kernel weights"
        )


def _masks(architecture: Architecture, params: Params, scores: Scores, scope: str, dropped: int) -> Masks:
    amount = dropped / total(architecture, "weight")
    return weight_masks(architecture, params, amount, scope=scope, criterion=scores)
