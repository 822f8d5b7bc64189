"""Which filters are dropped, and why."""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from yolojax import pruning
from yolojax.network import Architecture, BatchStats, Masks, Params, alive_filters, check_masks
from yolojax.pruning import Amount, AnyCriterion, Batches
from yolojax.pruning.allocation import ranks
from yolojax.pruning.scores import resolve


class Layer(NamedTuple):
    """A convolution whose filters go in groups of `size`: (groups,) scores, what is kept, and what without a grid."""

    name: str
    size: int
    scores: np.ndarray
    kept: np.ndarray
    free: np.ndarray


def filters(
    architecture: Architecture,
    params: Params,
    amount: Amount,
    *,
    scope: str | None = None,
    criterion: AnyCriterion = pruning.DEFAULT_CRITERIA["filter"],
    batch_stats: BatchStats | None = None,
    batches: Batches | None = None,
    min_filters: int = 1,
    round_to: int = 1,
    exclude: Sequence[str] = (),
) -> pd.DataFrame:
    """Why `pruning.filter_masks` of the same arguments drops some filters and keeps the others.

    Returns:
      A row per filter; where filters go in groups, before a reorg, a row per group. Columns:
        layer; filter, the first one's index; count, of filters in the row;
        score, of a group the mean; NaN where it has to stay and has none;
        threshold, the highest score at which a filter had to go among all that were ranked together, before `round_to`
        took some back; NaN where none had to;
        kept; reason.

    Raises ValueError as `pruning.filter_masks` does.
    """
    # Once: batches may be an iterator.
    scores = pruning.scores(criterion, architecture, params, kind="filter", batch_stats=batch_stats, batches=batches)
    scope = scope or resolve(criterion, "filter").scope
    make = functools.partial(
        pruning.filter_masks,
        architecture,
        params,
        amount,
        scope=scope,
        criterion=scores,
        min_filters=min_filters,
        exclude=exclude,
    )
    layers = _layers(architecture, scores, make(round_to=round_to), make())
    fixed = _fixed_layers(architecture, amount, exclude)
    ranked = [layer for layer in layers if layer.name not in fixed]
    apart = isinstance(amount, Mapping) or scope == "layer"
    tables = []
    for layer in layers:
        if layer.name in fixed:
            tables.append(_table(layer, math.nan, [fixed[layer.name]] * layer.kept.size))
        else:
            threshold = _threshold([layer] if apart else ranked)
            tables.append(_table(layer, threshold, _reasons(layer, threshold, min_filters, round_to)))
    return pd.concat(tables, ignore_index=True)


def masked_filters(
    architecture: Architecture,
    params: Params,
    masks: Masks,
    *,
    criterion: AnyCriterion = pruning.DEFAULT_CRITERIA["filter"],
    batch_stats: BatchStats | None = None,
    batches: Batches | None = None,
) -> pd.DataFrame:
    """What any masks, of filters or of weights, leave of each filter.

    Args:
      architecture: the network.
      params: its parameters before the masks.
      masks: a tree like params.
      criterion: what to score filters by; see `pruning.scores`.
      batch_stats: for a criterion that needs it.
      batches: for a criterion that needs them.

    Returns:
      A row per filter, with columns layer; filter, its index; score; rank of the score in its layer, 0 the lowest;
      weights_kept, the share of its kernel, 0..1; kept, False where its kernel, scale and bias are all dropped.

    Raises ValueError for masks that do not fit, and as `pruning.scores` does.
    """
    check_masks(params, masks)
    scores = pruning.scores(criterion, architecture, params, kind="filter", batch_stats=batch_stats, batches=batches)
    tables = []
    for name, values in jax.device_get(_with_gaps(architecture, scores)).items():
        columns = {
            "layer": name,
            "filter": np.arange(values.size),
            "score": values.astype(float),
            "rank": ranks(values),
            "weights_kept": np.mean(np.asarray(masks[name]["kernel"]), axis=(0, 1, 2)),
            "kept": alive_filters(masks[name]),
        }
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def _layers(architecture: Architecture, scores: Mapping[str, jax.Array], masks: Masks, free: Masks) -> list[Layer]:
    """Every convolution; filters that all have to stay are groups of one."""
    sizes = {name: size or 1 for name, size in pruning.group_sizes(architecture).items()}
    means = jax.device_get(_group_means(architecture, _with_gaps(architecture, scores)))
    return [
        Layer(name, size, means[name], alive_filters(masks[name])[::size], alive_filters(free[name])[::size])
        for name, size in sizes.items()
    ]


def _with_gaps(architecture: Architecture, scores: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
    """NaN for the filters of convolutions without scores, all of which have to stay."""
    return {
        conv.name: scores[conv.name] if conv.name in scores else jnp.full(conv.layer.filters, jnp.nan)
        for conv in architecture.convolutions
    }


@functools.partial(jax.jit, static_argnums=0)
def _group_means(architecture: Architecture, scores: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
    """{convolution: (groups,)}."""
    sizes = pruning.group_sizes(architecture)
    return {name: jnp.mean(values.reshape(-1, sizes[name] or 1), axis=1) for name, values in scores.items()}


def _fixed_layers(architecture: Architecture, amount: Amount, exclude: Sequence[str]) -> dict[str, str]:
    """{convolution whose filters were not ranked at all: why}."""
    reasons, stays = {}, pruning.reasons_to_stay(architecture)
    for name in pruning.group_sizes(architecture):
        if name in pruning.head_convolutions(architecture):
            reasons[name] = "head"
        elif name in stays:
            reasons[name] = stays[name]
        elif name in exclude:
            reasons[name] = "excluded"
        elif isinstance(amount, Mapping) and name not in amount:
            reasons[name] = "amount does not name its layer"
    return reasons


def _threshold(layers: Sequence[Layer]) -> float:
    """The highest score that had to go; NaN where none had to."""
    scores = np.concatenate([layer.scores[~layer.free] for layer in layers])
    return float(scores.max()) if scores.size else math.nan


def _reasons(layer: Layer, threshold: float, min_filters: int, round_to: int) -> list[str]:
    """As scores go from the lowest on, what stays at or below the threshold was protected, or is equal to it."""
    protected = -(-min_filters // layer.size)
    best = ranks(layer.scores) >= layer.scores.size - protected
    of = "mean of the group " if layer.size > 1 else ""

    def reason(score: float, kept: bool, free: bool, among_best: bool) -> str:
        if not kept:
            return f"{of}at or below the threshold"
        if not free:
            return f"kept for a multiple of {math.lcm(round_to, layer.size)}"
        if not math.isfinite(score):
            return "score is not finite"
        if math.isnan(threshold):
            return "nothing had to go"
        if score > threshold:
            return f"{of}above the threshold"
        return (
            f"among the layer's best {protected * layer.size}"
            if among_best
            else f"{of}equal to the threshold, later in order"
        )

    columns = (layer.scores.tolist(), layer.kept.tolist(), layer.free.tolist(), best.tolist())
    return [reason(*values) for values in zip(*columns, strict=True)]


def _table(layer: Layer, threshold: float, reasons: Sequence[str]) -> pd.DataFrame:
    columns = {
        "layer": layer.name,
        "filter": layer.size * np.arange(layer.scores.size),
        "count": layer.size,
        "score": layer.scores.astype(float),
        "threshold": threshold,
        "kept": layer.kept,
        "reason": reasons,
    }
    return pd.DataFrame(columns)
