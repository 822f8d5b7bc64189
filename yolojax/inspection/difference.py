"""Two networks, leaf by leaf."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from yolojax.inspection.sources import TOTAL, Source, leaves, shape


class Sums(NamedTuple):
    """What is summed over the values of leaves of one shape."""

    size: int
    largest: float
    absolute: float
    squared: float
    norm_squared: float
    changed: int


def difference(first: Source, second: Source) -> pd.DataFrame:
    """How far `second` is from `first`: a row per leaf of either and a last one, `total`.

    Args:
      first: params, masks, variables, a `network.Model` or a path (see `sources.leaves`). Of those that hold the batch
        norm's mean and var, these are compared as well.
      second: the same.

    Returns:
      A table by leaf, with columns
        shape, other_shape: of the leaf in `first` and in `second`; "" where it is not there;
        max_abs, mean_abs: of |second - first|;
        relative_l2: the L2 norm of second - first over that of first;
        changed: the share of values that differ, 0..1;
        zeros, other_zeros: how many values are 0 in each.
      A leaf that only one holds, or that differs in shape, has NaN for the four in the middle; their total is over the
      leaves that can be compared.
    """
    ours, theirs = (leaves(source, statistics=True) for source in (first, second))
    rows, comparable = {}, []
    for name in sorted(ours.keys() | theirs.keys()):
        pair = ours.get(name), theirs.get(name)
        sums = _sums(*pair)
        comparable += [sums] if sums else []
        rows[name] = _row([shape(leaf) for leaf in pair], sums, [_zeros(leaf) for leaf in pair])
    zeros = [sum(map(_zeros, found.values())) for found in (ours, theirs)]
    rows[TOTAL] = _row(["", ""], _add(comparable) if comparable else None, zeros)
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("leaf")


def _sums(first: np.ndarray | None, second: np.ndarray | None) -> Sums | None:
    """None where the two cannot be compared."""
    if first is None or second is None or first.shape != second.shape:
        return None
    before, after = first.astype(np.float64), second.astype(np.float64)
    change = np.abs(after - before)
    return Sums(
        size=change.size,
        largest=float(change.max()),
        absolute=float(change.sum()),
        squared=float(np.vdot(change, change)),
        norm_squared=float(np.vdot(before, before)),
        changed=int(np.count_nonzero(before != after)),
    )


def _add(parts: Sequence[Sums]) -> Sums:
    total = Sums(*(sum(values) for values in zip(*parts, strict=True)))
    return total._replace(largest=float(np.max([part.largest for part in parts])))


def _row(shapes: Sequence[str], sums: Sums | None, zeros: Sequence[int]) -> dict[str, str | float]:
    size = sums.size if sums else 0
    return {
        "shape": shapes[0],
        "other_shape": shapes[1],
        "max_abs": sums.largest if sums else math.nan,
        "mean_abs": sums.absolute / size if sums else math.nan,
        "relative_l2": _relative(sums) if sums else math.nan,
        "changed": sums.changed / size if sums else math.nan,
        "zeros": zeros[0],
        "other_zeros": zeros[1],
    }


def _relative(sums: Sums) -> float:
    if sums.norm_squared == 0:
        return math.inf if sums.squared else 0.0
    return math.sqrt(sums.squared / sums.norm_squared)


def _zeros(leaf: np.ndarray | None) -> int:
    return 0 if leaf is None else leaf.size - int(np.count_nonzero(leaf))
