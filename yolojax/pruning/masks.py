"""Masks: trees of bool like params, True keeps. Scores and an amount go in; pure functions, under jit as well."""

import functools
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool

from yolojax.network import AnyArray, Architecture, BatchStats, Leaf, Masks, Params, check_convolutions
from yolojax.pruning.criteria import DEFAULT_CRITERIA, SCOPES
from yolojax.pruning.erdos_renyi import erdos_renyi_counts
from yolojax.pruning.groups import grid_unit, group_sizes, reasons_to_stay
from yolojax.pruning.prunable import Kind, prunable, total
from yolojax.pruning.scores import AnyCriterion, Batches, resolve
from yolojax.pruning.scores import scores as make_scores
from yolojax.pruning.selection import keep_largest
from yolojax.pruning.types import Mask

Amount = float | Mapping[str, float]
# The layers that are ranked together, and how many of their weights or filters go.
Part = tuple[tuple[str, ...], int]


def weight_masks(
    architecture: Architecture,
    params: Params,
    amount: Amount,
    *,
    scope: str | None = None,
    criterion: AnyCriterion = DEFAULT_CRITERIA["weight"],
    batch_stats: BatchStats | None = None,
    batches: Batches | None = None,
) -> Masks:
    """Masks that drop the `amount` of kernel weights with the lowest scores.

    Args:
      architecture: the network; static under jit.
      params: its parameters, float32.
      amount: fraction in [0, 1) of all kernel weights, the head's included; exactly round(amount * count) are dropped.
        Or {convolution: fraction}, which is per layer whatever the scope; layers that it does not name stay whole.
      scope: `global`, one threshold over all kernels; `layer`, the same fraction of each; or `erdos_renyi`, for each
        layer its own, see `erdos_renyi_counts`; None takes the criterion's.
      criterion: a name in `CRITERIA`, such as `magnitude` (Han et al. 2015); or a `Criterion`, a function or ready
        scores, see `scores`.
      batch_stats: for a criterion that needs it.
      batches: for a criterion that needs them.

    Returns:
      A tree like params; scales and biases are all kept. Equal scores drop in the order of the layers and of the index.
      NaN ranks above all, so it is kept as long as anything is. Raises ValueError for an unknown name or scope, an
      amount outside [0, 1), and as `scores` does.
    """
    scope = _scope(scope, criterion, "weight")
    parts = _parts(architecture, amount, scope, prunable(architecture, "weight"), total(architecture, "weight"))
    scores = make_scores(criterion, architecture, params, kind="weight", batch_stats=batch_stats, batches=batches)
    # Only the counts differ between amounts, and they are traced: another amount does not compile again.
    return _drop_weights(params, scores, _names(parts), _targets(parts))


@functools.partial(jax.jit, static_argnums=2)
def _drop_weights(
    params: Params,
    scores: Mapping[str, jax.Array],
    parts: tuple[tuple[str, ...], ...],
    targets: tuple[jax.Array | np.int32, ...],
) -> Masks:
    masks = dict(keep_all(params))
    for names, drop in zip(parts, targets, strict=True):
        kept = keep_largest([scores[name] for name in names], drop)
        masks |= {name: {**masks[name], "kernel": mask} for name, mask in zip(names, kept, strict=True)}
    return masks


def filter_masks(
    architecture: Architecture,
    params: Params,
    amount: Amount,
    *,
    scope: str | None = None,
    criterion: AnyCriterion = DEFAULT_CRITERIA["filter"],
    batch_stats: BatchStats | None = None,
    batches: Batches | None = None,
    min_filters: int = 1,
    round_to: int = 1,
    exclude: Sequence[str] = (),
) -> Masks:
    """Masks that drop the `amount` of filters with the lowest scores: kernel, BN scale and bias of each.

    Args:
      architecture: the network; static under jit.
      params: its parameters.
      amount: fraction in [0, 1) of all filters but the head's; of the layer's own with scope `layer`. Filters before a
        reorg go in aligned groups of s² and are scored by the group's mean, so the number dropped can fall short by
        less than one group. It also falls short where `min_filters` and `exclude` leave too few to drop.
        Or {convolution: fraction}, which is per layer whatever the scope; layers that it does not name stay whole.
      scope: `global` or `layer`; None takes what the criterion was published with, such as `layer` for `l1`, and
        `global` for a function or ready scores.
      criterion: a name in `CRITERIA`, such as `mean_square` (the study's), `l1` (Li et al. 2016) or `taylor` (Molchanov
        et al. 2019; needs batch_stats and batches); or a `Criterion`, a function or ready scores, see `scores`.
      batch_stats: for a criterion that needs it.
      batches: for a criterion that needs them.
      min_filters: at least as many stay in each layer, rounded up to whole groups: its best ones.
      round_to: each layer that loses filters keeps a multiple of this many, rounded up, or all: its best ones. Hardware
        likes multiples of 8. Before a reorg it is whole groups that are counted. A layer narrower than four steps is
        left as it is, see `grid_unit`.
      exclude: names of convolutions that stay whole. The head always does, and so do others that `reasons_to_stay`
        names.

    Returns:
      A tree like params. Equal scores drop in the order of the layers and of the index; a score that is not finite is
      never dropped. Raises ValueError for an unknown name or scope, an amount outside [0, 1) or for the head, and as
      `scores` does.
    """
    scope = _scope(scope, criterion, "filter")
    if min_filters < 1:
        raise ValueError(f"min_filters must be at least 1, got {min_filters}: a layer needs filters")
    if round_to < 1:
        raise ValueError(f"round_to must be at least 1, got {round_to}")
    check_convolutions(architecture, exclude, "exclude")
    sizes = group_sizes(architecture)
    if isinstance(amount, Mapping) and (
        fixed := [name for name, part in amount.items() if part and not sizes.get(name, 1)]
    ):
        why = reasons_to_stay(architecture)[fixed[0]]
        raise ValueError(f"amount names {fixed[0]}, whose filters all have to stay: {why}; leave it out")
    counts = prunable(architecture, "filter", exclude)
    parts = _parts(architecture, amount, scope, counts, total(architecture, "filter"))
    scores = make_scores(criterion, architecture, params, kind="filter", batch_stats=batch_stats, batches=batches)
    return _drop_filters(architecture, params, scores, _names(parts), _targets(parts), min_filters, round_to)


@functools.partial(jax.jit, static_argnums=(0, 3, 5, 6))
def _drop_filters(
    architecture: Architecture,
    params: Params,
    scores: Mapping[str, jax.Array],
    parts: tuple[tuple[str, ...], ...],
    targets: tuple[jax.Array | np.int32, ...],
    min_filters: int,
    round_to: int,
) -> Masks:
    sizes = group_sizes(architecture)
    keep = {conv.name: jnp.ones(conv.layer.filters, bool) for conv in architecture.convolutions}
    for names, target in zip(parts, targets, strict=True):
        groups = [jnp.mean(scores[name].reshape(-1, sizes[name]), axis=1) for name in names]
        kept = keep_groups(groups, [sizes[name] for name in names], target, min_filters)
        kept = [
            _round_up(mask, layer, sizes[name], round_to) for mask, layer, name in zip(kept, groups, names, strict=True)
        ]
        keep |= {name: jnp.repeat(mask, sizes[name]) for name, mask in zip(names, kept, strict=True)}
    return {name: _filter_mask(params[name], keep[name]) for name in keep}


def keep_groups(
    groups: Sequence[jax.Array], sizes: Sequence[int], target: jax.typing.ArrayLike, min_filters: int
) -> list[jax.Array]:
    """Which groups stay when filters go, lowest scores first, as long as no more than `target` are gone.

    Args:
      groups: per layer (groups,) scores.
      sizes: per layer the number of filters in each of its groups.
      target: how many filters to drop; may be traced.
      min_filters: the best groups of each layer that hold as many filters stay.

    Returns:
      Per layer (groups,) bool.
    """
    # The last ranks are the best groups; among equal ones the last, as the first are to go first.
    protected = [
        _ranks(scores) >= scores.size - -(-min_filters // size) for scores, size in zip(groups, sizes, strict=True)
    ]
    scores = jnp.concatenate([jnp.where(safe, jnp.inf, layer) for safe, layer in zip(protected, groups, strict=True)])
    filters = jnp.concatenate([jnp.full(layer.shape, size) for layer, size in zip(groups, sizes, strict=True)])
    order = jnp.argsort(scores, stable=True)
    drop = (jnp.cumsum(filters[order]) <= target) & jnp.isfinite(scores[order])
    keep = jnp.ones(scores.shape, bool).at[order].set(jnp.logical_not(drop))
    ends = [sum(layer.size for layer in groups[: i + 1]) for i in range(len(groups))]
    return [keep[end - layer.size : end] for end, layer in zip(ends, groups, strict=True)]


def _round_up(keep: jax.Array, scores: jax.Array, size: int, multiple: int) -> jax.Array:
    """(groups,) bool with more kept, the best ones, so that the filters are a multiple; all where that is too many."""
    unit = grid_unit(keep.size * size, size, multiple)
    kept = jnp.sum(keep, dtype=jnp.int32)
    more = jnp.minimum(-(-kept // unit) * unit, keep.size)
    return keep | (_ranks(scores) >= keep.size - more)


def keep_all(params: Params) -> Masks:
    """Masks that drop nothing."""
    return jax.tree.map(lambda leaf: jnp.ones(leaf.shape, bool), params)


def masks_of_filters(params: Params, keep: Mapping[str, Bool[AnyArray, " filters"]]) -> Masks:
    """Masks of whole filters: kernel, scale and bias of each; convolutions that `keep` does not name stay whole."""
    return {
        name: _filter_mask(layer, jnp.asarray(keep[name])) if name in keep else keep_all({name: layer})[name]
        for name, layer in params.items()
    }


def _filter_mask(layer: Mapping[str, Leaf], keep: jax.Array) -> dict[str, Mask]:
    # The last axis of every leaf is the filter.
    return {
        name: jnp.broadcast_to(keep.reshape((1,) * (leaf.ndim - 1) + keep.shape), leaf.shape)
        for name, leaf in layer.items()
    }


def _ranks(values: jax.Array) -> jax.Array:
    """The place of each value in ascending order; equal ones by index."""
    order = jnp.argsort(values, stable=True)
    return jnp.zeros(values.shape, jnp.int32).at[order].set(jnp.arange(values.size, dtype=jnp.int32))


def _parts(architecture: Architecture, amount: Amount, scope: str, counts: Mapping[str, int], size: int) -> list[Part]:
    """What is ranked together: `counts` has the size of each layer that may be pruned, `size` what global is of."""
    if isinstance(amount, Mapping):
        check_convolutions(architecture, amount, "amount")
        return [((name,), round(_fraction(amount[name]) * counts[name])) for name in counts if name in amount]
    if scope == "erdos_renyi":
        shapes = {conv.name: conv.kernel_shape for conv in architecture.convolutions if conv.name in counts}
        found = erdos_renyi_counts(shapes, round(_fraction(amount) * size))
        return [((name,), count) for name, count in found.items()]
    if scope == "layer":
        return [((name,), round(_fraction(amount) * count)) for name, count in counts.items()]
    drop = round(_fraction(amount) * size)
    return [(tuple(counts), drop)] if counts else []


def _names(parts: Sequence[Part]) -> tuple[tuple[str, ...], ...]:
    return tuple(names for names, _ in parts)


def _targets(parts: Sequence[Part]) -> tuple[np.int32, ...]:
    return tuple(np.int32(target) for _, target in parts)


def _fraction(amount: float) -> float:
    if not 0 <= amount < 1:
        raise ValueError(f"amount {amount}, expected a fraction from 0 to below 1")
    return float(amount)


def _scope(scope: str | None, criterion: AnyCriterion, kind: Kind) -> str:
    """The scope that was asked for, else the criterion's."""
    chosen = resolve(criterion, kind).scope if scope is None else scope
    if chosen not in SCOPES[kind]:
        raise ValueError(f"scope {chosen!r}, expected one of {', '.join(SCOPES[kind])}")
    return chosen
