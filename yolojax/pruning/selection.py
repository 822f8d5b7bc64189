"""Exact selection of the k smallest of many scores without a sort, in compiled code."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax import lax


def keep_largest(scores: Sequence[jax.Array], drop: jax.typing.ArrayLike) -> list[jax.Array]:
    """Bool masks that are False at exactly the `drop` smallest of all scores together.

    Args:
      scores: non-negative float32 arrays, fewer than 2**31 scores in all; NaN counts as larger than all.
      drop: integer, 0 to the number of all scores; may be traced.

    Equal scores are dropped in the order of the arrays and, in each, of its flat index. As non-negative floats order
    like their bits, the threshold is found by bisection on the bits: 31 counts in place of a sort.
    """
    drop = jnp.asarray(drop, jnp.int32)
    # Flat, as the counts take half the time of those over matrices.
    flat = [lax.bitcast_convert_type(leaf.astype(jnp.float32), jnp.int32).reshape(-1) for leaf in scores]
    threshold = _bisect(lambda t: sum_counts([bits <= t for bits in flat]) >= drop, 31)
    # Millions of float32 weights lie so close that some often share the threshold's bits.
    below = sum_counts([bits < threshold for bits in flat])
    ties = [(bits == threshold).reshape(-1, leaf.shape[-1]) for bits, leaf in zip(flat, scores, strict=True)]
    last = jnp.where(drop > 0, _position_of(ties, drop - below), -1)
    keep, offset = [], 0
    for bits, leaf in zip(flat, scores, strict=True):
        position = lax.iota(jnp.int32, leaf.size) + offset
        dropped = (bits < threshold) | ((bits == threshold) & (position <= last))
        keep.append(jnp.logical_not(dropped).reshape(leaf.shape))
        offset += leaf.size
    return keep


def _position_of(hits: Sequence[jax.Array], number: jax.Array) -> jax.Array:
    """The flat position over all (rows, columns) bool arrays of True number `number`, counted from 1.

    One count for each row finds the row; only that one is looked into.
    """
    counts = jnp.concatenate([jnp.sum(hit, axis=1, dtype=jnp.int32) for hit in hits])
    ends = jnp.cumsum(counts)
    row = jnp.sum(ends < number, dtype=jnp.int32)
    rest = number - (ends[row] - counts[row])
    position, first, offset = jnp.int32(0), 0, 0
    for hit in hits:
        local = row - first
        line = lax.dynamic_index_in_dim(hit, jnp.clip(local, 0, hit.shape[0] - 1), keepdims=False)
        column = jnp.sum(jnp.cumsum(line.astype(jnp.int32)) < rest, dtype=jnp.int32)
        inside = (local >= 0) & (local < hit.shape[0])
        position = jnp.where(inside, offset + local * hit.shape[1] + column, position)
        first, offset = first + hit.shape[0], offset + hit.size
    return position


def sum_counts(parts: Sequence[jax.Array]) -> jax.Array:
    """How many are True in all arrays, int32."""
    return sum((jnp.sum(part, dtype=jnp.int32) for part in parts), start=jnp.zeros((), jnp.int32))


def _bisect(holds: Callable[[jax.Array], jax.Array], bits: int) -> jax.Array:
    """The smallest int32 t in 0..2**bits - 1 at which the monotonic `holds(t)` is True; 2**bits - 1 if none is."""

    def body(i: jax.Array, low: jax.Array) -> jax.Array:
        # Invariant: `holds` is False below `low`.
        step = jnp.left_shift(jnp.int32(1), jnp.int32(bits - 1) - i)
        return jnp.where(holds(low + step - 1), low, low + step)

    return lax.fori_loop(jnp.int32(0), jnp.int32(bits), body, jnp.int32(0))
