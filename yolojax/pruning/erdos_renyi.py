"""Amounts per layer as in random sparse graphs: small layers keep a larger share of their weights."""

from collections.abc import Mapping

import numpy as np


def erdos_renyi_counts(shapes: Mapping[str, tuple[int, ...]], dropped: int) -> dict[str, int]:
    """How many weights each kernel loses so that its density goes with the sum of its sides over their product.

    Evci et al. 2020, "Rigging the Lottery", after Mocanu et al. 2018: the variant for kernels, whose sides are
    (height, width, in, out).

    Args:
      shapes: {layer: its kernel's shape}.
      dropped: how many weights go in all, at most all of them.

    Returns:
      {layer: count}, `dropped` in all: what a layer would keep beyond its size, the others keep. Fractions go to the
      layers that lose most by rounding down.
    """
    sizes = np.array([np.prod(shape) for shape in shapes.values()], np.int64)
    sides = np.array([sum(shape) for shape in shapes.values()], np.float64)
    left = int(sizes.sum()) - dropped
    dense = np.zeros(sizes.size, bool)
    while True:  # once for each set of layers that turn out dense
        rest = max(left - int(sizes[dense].sum()), 0)
        free = float(sides[~dense].sum())
        exact = np.where(dense, sizes, sides * (rest / free if free else 0.0))
        over = ~dense & (exact > sizes)
        if not over.any():
            break
        dense |= over
    kept = np.floor(exact).astype(np.int64)
    order = np.argsort(kept - exact, kind="stable")
    kept[order[: left - int(kept.sum())]] += 1
    return {name: int(size - keep) for name, size, keep in zip(shapes, sizes, kept, strict=True)}
