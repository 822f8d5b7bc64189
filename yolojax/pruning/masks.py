"""Masks: trees of bool like params, True keeps. Scores and an amount go in; pure functions, under jit as well."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from yolojax.network import Architecture
from yolojax.pruning.criteria import FILTER_CRITERIA, WEIGHT_CRITERIA
from yolojax.pruning.groups import group_sizes
from yolojax.pruning.selection import keep_largest

Masks = dict[str, dict[str, Any]]
SCOPES = ("global", "layer")


def weight_masks(
    architecture: Architecture,
    params: Mapping[str, Any],
    amount: float,
    *,
    scope: str = "global",
    criterion: str = "magnitude",
) -> Masks:
    """Masks that drop the `amount` of kernel weights with the lowest scores.

    Args:
      architecture: the network; static under jit.
      params: its parameters.
      amount: fraction in [0, 1) of all kernel weights, the head's included; exactly round(amount * count) are dropped.
      scope: `global`, one threshold over all kernels, or `layer`, the same fraction of each.
      criterion: `magnitude`.

    Returns:
      A tree like params; scales and biases are all kept. Equal scores drop in the order of the layers and of the index.
      Raises ValueError for an unknown scope or criterion, or an amount outside [0, 1).
    """
    _check(amount, scope, criterion, WEIGHT_CRITERIA)
    return _weight_masks(architecture, params, float(amount), scope, criterion)


@functools.partial(jax.jit, static_argnums=(0, 2, 3, 4))
def _weight_masks(
    architecture: Architecture, params: Mapping[str, Any], amount: float, scope: str, criterion: str
) -> Masks:
    scores = WEIGHT_CRITERIA[criterion](architecture, params)
    names = [conv.name for conv in architecture.convolutions]
    keep: dict[str, jax.Array] = {}
    for part in [names] if scope == "global" else [[name] for name in names]:
        leaves = [scores[name] for name in part]
        drop = round(amount * sum(leaf.size for leaf in leaves))
        keep.update(zip(part, keep_largest(leaves, drop), strict=True))
    masks = keep_all(params)
    return {name: {**masks[name], "kernel": keep[name]} for name in names}


def filter_masks(
    architecture: Architecture,
    params: Mapping[str, Any],
    amount: float,
    *,
    scope: str | None = None,
    criterion: str = "mean_square",
    min_filters: int = 1,
    exclude: Sequence[str] = (),
) -> Masks:
    """Masks that drop the `amount` of filters with the lowest scores: kernel, BN scale and bias of each.

    Args:
      architecture: the network; static under jit.
      params: its parameters.
      amount: fraction in [0, 1) of the filters of all layers that may be pruned. Filters before a reorg go in aligned
        groups of s² and are scored by the group's mean, so the number dropped can fall short of the amount by less than
        one group.
      scope: `global` or `layer`; None takes what the criterion was published with: `mean_square` global, `l1` layer.
      criterion: `mean_square` (the study's) or `l1` (Li et al. 2016).
      min_filters: at least as many stay in each layer, rounded up to whole groups.
      exclude: names of convolutions that stay whole. The head always does.

    Returns:
      A tree like params. Raises ValueError for an unknown name, scope or criterion, or an amount outside [0, 1).
    """
    scope = scope or ("layer" if criterion == "l1" else "global")
    _check(amount, scope, criterion, FILTER_CRITERIA)
    if min_filters < 1:
        raise ValueError(f"min_filters must be at least 1, got {min_filters}: a layer without filters is no network")
    names = [conv.name for conv in architecture.convolutions]
    for name in exclude:
        if name not in names:
            raise ValueError(f"exclude names {name!r}, which is no convolution; there are {', '.join(names)}")
    return _filter_masks(architecture, params, float(amount), scope, criterion, min_filters, tuple(exclude))


@functools.partial(jax.jit, static_argnums=(0, 2, 3, 4, 5, 6))
def _filter_masks(
    architecture: Architecture,
    params: Mapping[str, Any],
    amount: float,
    scope: str,
    criterion: str,
    min_filters: int,
    exclude: tuple[str, ...],
) -> Masks:
    scores = FILTER_CRITERIA[criterion](architecture, params)
    sizes = {name: size for name, size in group_sizes(architecture).items() if size and name not in exclude}
    keep = {name: jnp.ones(score.shape, bool) for name, score in scores.items()}
    for part in [list(sizes)] if scope == "global" else [[name] for name in sizes]:
        groups = [jnp.mean(scores[name].reshape(-1, sizes[name]), axis=1) for name in part]
        kept = keep_groups(groups, [sizes[name] for name in part], amount, min_filters)
        keep.update({name: jnp.repeat(mask, sizes[name]) for name, mask in zip(part, kept, strict=True)})
    return {name: _filter_mask(params[name], keep[name]) for name in keep}


def keep_groups(groups: Sequence[jax.Array], sizes: Sequence[int], amount: float, min_filters: int) -> list[jax.Array]:
    """Which groups stay when `amount` of all filters in them go, lowest scores first.

    Args:
      groups: per layer (groups,) scores.
      sizes: per layer the number of filters in each of its groups.
      amount: fraction of the filters.
      min_filters: the best groups of each layer that hold as many filters stay.

    Returns:
      Per layer (groups,) bool.
    """
    protected = [_ranks(-scores) < -(-min_filters // size) for scores, size in zip(groups, sizes, strict=True)]
    scores = jnp.concatenate([jnp.where(safe, jnp.inf, layer) for safe, layer in zip(protected, groups, strict=True)])
    filters = jnp.concatenate([jnp.full(layer.shape, size) for layer, size in zip(groups, sizes, strict=True)])
    target = round(amount * sum(layer.size * size for layer, size in zip(groups, sizes, strict=True)))
    order = jnp.argsort(scores, stable=True)
    drop = (jnp.cumsum(filters[order]) <= target) & jnp.isfinite(scores[order])
    keep = jnp.ones(scores.shape, bool).at[order].set(jnp.logical_not(drop))
    ends = [sum(layer.size for layer in groups[: i + 1]) for i in range(len(groups))]
    return [keep[end - layer.size : end] for end, layer in zip(ends, groups, strict=True)]


def apply_masks(params: Mapping[str, Any], masks: Mapping[str, Any]) -> Any:
    """The parameters with exactly 0 wherever a mask is False."""
    return jax.tree.map(lambda leaf, mask: jnp.where(mask, leaf, jnp.zeros_like(leaf)), params, masks)


def keep_all(params: Mapping[str, Any]) -> Any:
    """Masks that drop nothing."""
    return jax.tree.map(lambda leaf: jnp.ones(leaf.shape, bool), params)


def _filter_mask(layer: Mapping[str, Any], keep: jax.Array) -> dict[str, jax.Array]:
    # The last axis of every leaf is the filter.
    return {
        name: jnp.broadcast_to(keep.reshape((1,) * (leaf.ndim - 1) + keep.shape), leaf.shape)
        for name, leaf in layer.items()
    }


def _ranks(values: jax.Array) -> jax.Array:
    """The place of each value in ascending order; equal ones by index."""
    order = jnp.argsort(values, stable=True)
    return jnp.zeros(values.shape, jnp.int32).at[order].set(jnp.arange(values.size, dtype=jnp.int32))


def _check(amount: float, scope: str, criterion: str, criteria: Mapping[str, Any]) -> None:
    if not 0 <= amount < 1:
        raise ValueError(f"amount {amount}, expected a fraction from 0 to below 1")
    if scope not in SCOPES:
        raise ValueError(f"scope {scope!r}, expected one of {', '.join(SCOPES)}")
    if criterion not in criteria:
        raise ValueError(f"criterion {criterion!r}, expected one of {', '.join(criteria)}")
