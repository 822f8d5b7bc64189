"""Scores that are summed over batches of labelled images."""

from collections.abc import Callable, Iterable

import jax
import jax.numpy as jnp

from yolojax.pruning.types import Batch, Scores


def sum_over_batches(
    score: Callable[[jax.Array, jax.Array], dict[str, jax.Array]], batches: Iterable[Batch]
) -> tuple[Scores, int]:
    """The sum of `score(image, truth)` over the batches, and how many there were. Raises ValueError for none."""
    total, count = None, 0
    for batch in batches:
        scores = score(jnp.asarray(batch["image"]), jnp.asarray(batch["truth"]))
        total = scores if total is None else jax.tree.map(jnp.add, total, scores)
        count += 1
    if total is None:
        raise ValueError("batches hold no batch, expected at least one")
    return total, count
