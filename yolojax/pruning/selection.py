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
    bits = [lax.bitcast_convert_type(leaf.astype(jnp.float32), jnp.int32).reshape(-1) for leaf in scores]
    threshold = _bisect(lambda t: sum_counts([leaf <= t for leaf in bits]) >= drop, 31)
    below = sum_counts([leaf < threshold for leaf in bits])
    up_to = sum_counts([leaf <= threshold for leaf in bits])
    ties = [leaf == threshold for leaf in bits]
    offsets = [sum(leaf.size for leaf in bits[:i]) for i in range(len(bits))]
    positions = [lax.iota(jnp.int32, leaf.size) + offset for leaf, offset in zip(bits, offsets, strict=True)]
    pairs = list(zip(ties, positions, strict=True))
    # The last tie to drop: the smallest position with enough ties up to it.
    width = max(sum(leaf.size for leaf in bits), 1).bit_length()
    last = lax.cond(
        up_to > drop,  # else all ties go, as almost always with real weights, and half of the work is saved
        lambda: _bisect(
            lambda p: sum_counts([tie & (position <= p) for tie, position in pairs]) >= drop - below, width
        ),
        lambda: jnp.int32(2**width - 1),
    )
    last = jnp.where(drop > 0, last, -1)
    dropped = [
        (leaf < threshold) | (tie & (position <= last)) for leaf, (tie, position) in zip(bits, pairs, strict=True)
    ]
    return [jnp.logical_not(flat).reshape(leaf.shape) for flat, leaf in zip(dropped, scores, strict=True)]


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
