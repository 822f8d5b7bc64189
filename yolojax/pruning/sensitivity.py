"""From a sensitivity analysis to amounts per layer, which Han et al. 2015 and Li et al. 2016 (3.2) choose by eye.

Or, for a budget, to what each filter is worth: what its layer loses up to it.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from yolojax.network import Architecture
from yolojax.pruning.allocation import ranks
from yolojax.pruning.groups import group_sizes
from yolojax.pruning.types import Scores

Point = tuple[float, float]
TIE = 1e-9  # of mAP: where a curve is flat, filters still go in the order of their scores


class Curve(NamedTuple):
    """One layer alone: `scores[i]` is the mAP without `amounts[i]` of the layer's `size` weights or filters."""

    size: int
    amounts: Sequence[float]
    scores: Sequence[float]


def amounts_from_curves(curves: Mapping[str, Curve], original: float, amount: float, total: int) -> dict[str, float]:
    """Per layer the amount at which the layer alone takes mAP down to one level, common to all layers.

    Args:
      curves: one per layer that may be pruned; amounts ascending.
      original: mAP of the unpruned network.
      amount: fraction of `total` to drop over all layers; it settles the level.
      total: weights or filters of all layers, those without a curve included.

    Returns:
      {layer: fraction}. Between measured points the curves are straight, and they never rise: where mAP recovers at a
      larger amount, the lower value before it counts. No layer goes beyond its largest measured amount. Raises
      ValueError when that is not enough.
    """
    if not 0 <= amount < 1:
        raise ValueError(f"amount {amount}, expected a fraction from 0 to below 1")
    inverse = {name: _falling(curve, original) for name, curve in curves.items()}
    sizes = {name: curve.size for name, curve in curves.items()}

    def at(level: float) -> dict[str, float]:
        return {name: _largest_amount(points, level) for name, points in inverse.items()}

    def dropped(amounts: Mapping[str, float]) -> float:
        return sum(amounts[name] * sizes[name] for name in amounts)

    target = amount * total
    most = dropped(at(-1.0))
    if target > most:
        raise ValueError(
            f"amount {amount} is more than the sensitivity analysis covers ({most / total:.3f}); "
            "measure larger amounts or lower it"
        )
    low, high = -1.0, original + 1.0  # enough is dropped at `low`; above `original` nothing is
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if dropped(at(middle)) >= target else (low, middle)
    # Where curves are flat the amounts jump between the two levels: take as much of the jump as is asked for.
    more, less = at(low), at(high)
    gap = dropped(more) - dropped(less)
    share = (target - dropped(less)) / gap if gap > 0 else 0.0
    return {name: less[name] + share * (more[name] - less[name]) for name in curves}


def sensitivity_scores(
    architecture: Architecture, scores: Scores, curves: Mapping[str, Curve], original: float
) -> Scores:
    """What each filter is worth by its place in its layer: the mAP that the layer alone loses up to it.

    For `budget_masks`: the layers then compare by what was measured, and only within a layer `scores` decide.

    Args:
      architecture: the network.
      scores: {convolution: (filters,)}; of a group before a reorg the mean counts.
      curves: one per layer that may be pruned; amounts ascending.
      original: mAP of the unpruned network.

    Returns:
      {convolution: (filters,)} float64. Between measured points a curve is straight, and it never rises, as in
      `amounts_from_curves`. Infinite, so that they stay: filters beyond their layer's largest measured amount, those of
      a layer without a curve, and those whose score is not finite.
    """
    sizes = group_sizes(architecture)
    worth = {}
    for name, values in scores.items():
        size = sizes[name] or 1
        groups = np.asarray(values, np.float64).reshape(-1, size).mean(axis=1)
        lost = _lost(groups, curves[name], original) if name in curves else np.full(groups.size, np.inf)
        worth[name] = np.repeat(lost, size)
    return worth


def _lost(groups: Float[np.ndarray, " groups"], curve: Curve, original: float) -> Float[np.ndarray, " groups"]:
    share = (ranks(groups) + 1) / groups.size
    amounts, left = zip(*_falling(curve, original), strict=True)
    stays = ~np.isfinite(groups) | (share > amounts[-1] + TIE)
    return np.where(stays, np.inf, original - np.interp(share, amounts, left) + TIE * share)


def _falling(curve: Curve, original: float) -> list[Point]:
    """(amount, score) from (0, original) on, never rising."""
    scores = np.minimum.accumulate([original, *curve.scores])
    return list(zip((0.0, *curve.amounts), scores.tolist(), strict=True))


def _largest_amount(points: Sequence[Point], level: float) -> float:
    """The largest amount at which the curve is at least `level`."""
    for (amount, score), (after, lower) in itertools.pairwise(points):
        if lower < level:
            return amount + (after - amount) * (score - level) / (score - lower) if score >= level else 0.0
    return points[-1][0]
