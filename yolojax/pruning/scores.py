"""From what the user scores by (a name, a criterion, a function, ready scores) to checked scores."""

from collections.abc import Callable, Iterable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from yolojax.network import Architecture, BatchStats, Params
from yolojax.pruning.criteria import CRITERIA, Criterion, Needs
from yolojax.pruning.groups import group_sizes
from yolojax.pruning.prunable import Kind
from yolojax.pruning.types import Batch, Scores

Batches = Iterable[Batch]
# A registered name; a criterion of one's own; (architecture, params) -> scores; or the scores themselves.
AnyCriterion = str | Criterion | Callable[[Architecture, Params], Scores] | Scores


def scores(
    criterion: AnyCriterion,
    architecture: Architecture,
    params: Params,
    *,
    kind: Kind,
    batch_stats: BatchStats | None = None,
    batches: Batches | None = None,
    seed: int = 0,
) -> dict[str, Float[jax.Array, "..."]]:
    """What each weight or filter is worth.

    Args:
      criterion: a name in `CRITERIA`; a `Criterion`; a function (architecture, params) -> scores, which may use NumPy;
        or ready scores. Scores are {convolution: (filters,)}, or the kernel's shape for weights, of any float type.
      architecture: the network; static under jit.
      params: its parameters.
      kind: `weight` or `filter`: what is scored.
      batch_stats: the batch norm's mean and var, for a criterion that needs them.
      batches: training batches, for a criterion that needs them.
      seed: for a criterion that is random.

    Returns:
      {convolution: float32}, in the order of the layers.

    Raises:
      ValueError: the name is unknown or of the other kind; what the criterion needs is not given; or the scores do not
        fit: a convolution is missing or unknown, or has another shape or no floats (each is listed), or a weight's
        score is negative. Convolutions whose filters all have to stay, such as the head, need no scores.
    """
    found = resolve(criterion, kind)
    result = found.score(architecture, *_arguments(found, params, batch_stats, batches, seed))
    _check(found, architecture, result)
    ordered = {conv.name: jnp.asarray(result[conv.name]) for conv in architecture.convolutions if conv.name in result}
    ordered = {name: values.astype(jnp.float32) for name, values in ordered.items()}
    if kind == "filter" or isinstance(criterion, str):
        return ordered
    _check_signs(found, ordered)
    # Weights are ranked by their bits, in which NaN can have a sign and then be the lowest.
    return {name: jnp.abs(values) for name, values in ordered.items()}


def resolve(criterion: object, kind: Kind) -> Criterion:
    """What a name, a function or ready scores stand for. ValueError for what does not score `kind`."""
    if isinstance(criterion, str):
        names = [name for name, registered in CRITERIA.items() if registered.kind == kind]
        if criterion not in names:
            raise ValueError(f"criterion {criterion!r}, expected one of {', '.join(names)}")
        return CRITERIA[criterion]
    if isinstance(criterion, Criterion):
        if criterion.kind != kind:
            raise ValueError(f"criterion {criterion.name!r} scores each {criterion.kind}, expected one for each {kind}")
        return criterion
    if isinstance(criterion, Mapping):
        return Criterion("ready scores", kind, lambda architecture, params: criterion)
    if callable(criterion):
        return Criterion(getattr(criterion, "__name__", type(criterion).__name__), kind, criterion)
    raise ValueError(
        f"criterion is a {type(criterion).__name__}, expected a name, a Criterion, a function of "
        "(architecture, params) or scores {convolution: array}"
    )


def _arguments(
    criterion: Criterion, params: Params, batch_stats: BatchStats | None, batches: Batches | None, seed: int
) -> tuple[object, ...]:
    """What the criterion's function takes after the architecture."""
    if criterion.needs is Needs.PARAMS:
        return (params,)
    if criterion.needs is Needs.SEED:
        return params, seed
    if batch_stats is None:
        raise _not_given(criterion, "batch_stats", "variables['batch_stats']")
    variables = {"params": params, "batch_stats": batch_stats}
    if criterion.needs is Needs.STATISTICS:
        return (variables,)
    if batches is None:
        batch = "{'image': ...}" if criterion.needs is Needs.IMAGES else "{'image': ..., 'truth': ...}"
        raise _not_given(criterion, "batches", f"[{batch}, ...]")
    return variables, batches


def _not_given(criterion: Criterion, argument: str, example: str) -> ValueError:
    return ValueError(f"criterion {criterion.name!r} needs {argument}; pass {argument}={example}")


def _check(criterion: Criterion, architecture: Architecture, result: object) -> None:
    """Raises ValueError that lists every convolution whose scores are missing, unknown or of another shape or type."""
    if not isinstance(result, Mapping):
        raise ValueError(
            f"criterion {criterion.name!r} returned a {type(result).__name__}, expected {{convolution: scores}}"
        )
    first = 0 if criterion.kind == "weight" else -1
    shapes = {conv.name: conv.kernel_shape[first:] for conv in architecture.convolutions}
    optional = {name for name, size in group_sizes(architecture).items() if not size and criterion.kind == "filter"}
    problems = [
        f"{name}: missing, expected {shape}" for name, shape in shapes.items() if name not in {*result, *optional}
    ]
    problems += [f"{name}: no such convolution" for name in result if name not in shapes]
    leaves = {name: _leaf_problem(result[name], shape) for name, shape in shapes.items() if name in result}
    problems += [f"{name}: {problem}" for name, problem in leaves.items() if problem]
    if problems:
        lines = "\n  ".join(problems)
        raise ValueError(f"the scores of criterion {criterion.name!r} do not fit the architecture:\n  {lines}")


def _leaf_problem(leaf: object, expected: tuple[int, ...]) -> str:
    """What is wrong with one convolution's scores; empty for nothing."""
    if not isinstance(leaf, jax.Array | np.ndarray):
        return f"a {type(leaf).__name__}, expected an array of shape {expected}"
    if leaf.shape != expected:
        return f"shape {leaf.shape}, expected {expected}"
    return "" if jnp.issubdtype(leaf.dtype, jnp.floating) else f"{leaf.dtype}, expected floats"


def _check_signs(criterion: Criterion, ordered: Mapping[str, jax.Array]) -> None:
    """Raises ValueError for a negative score; under jit there is no value to look at."""
    for name, values in ordered.items():
        if not isinstance(values, jax.core.Tracer) and bool(jnp.any(values < 0)):
            raise ValueError(
                f"criterion {criterion.name!r} scores weights of {name} below 0; the least important must score 0, "
                "so take the absolute value or subtract the lowest"
            )
