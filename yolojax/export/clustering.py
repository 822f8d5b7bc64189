"""Values by one of a few centres: k-means in one dimension (Han et al. 2016, Deep Compression, section 3)."""

from typing import NamedTuple

import numpy as np

QUANTILES = 1 << 16
MAX_ITERATIONS = 200


class Clusters(NamedTuple):
    """`centres` (k,) float32 ascending, and for each value the index of its centre, uint8."""

    centres: np.ndarray
    codes: np.ndarray


def cluster(values: np.ndarray, count: int) -> Clusters:
    """At most `count` centres for finite values (n,), n > 0, near the least mean squared error; each has a value.

    If that many values or fewer differ, they are the centres.

    Lloyd's iterations from centres whose density is the cube root of the values', the best for many centres (Panter
    and Dite 1951): evenly spaced ones, as in the paper, leave centres without values in the gap that pruning made.
    """
    ordered = np.sort(values).astype(np.float64)
    distinct = ordered[np.diff(ordered, prepend=-np.inf) > 0]
    centres = distinct if distinct.size <= count else _lloyd(ordered, _initial(ordered, count))
    codes = np.searchsorted(_middles(centres), values).astype(np.uint8)
    used = np.unique(codes)
    return Clusters(centres[used].astype(np.float32), np.searchsorted(used, codes).astype(np.uint8))


def _lloyd(ordered: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Ascending centres moved to the means of the values nearest to them until they stay; float32 values in float64."""
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    for _ in range(MAX_ITERATIONS):
        edges = np.searchsorted(ordered, _middles(centres))
        edges = np.unique(np.concatenate([[0], edges, [ordered.size]]))  # without clusters that have no value
        means = np.unique((np.diff(sums[edges]) / np.diff(edges)).astype(np.float32)).astype(np.float64)
        if np.array_equal(means, centres):
            break
        centres = means
    return centres


def _initial(ordered: np.ndarray, count: int) -> np.ndarray:
    """At most (count,) of the values; the density between neighbouring quantiles is one over their distance."""
    ranks = np.linspace(0, ordered.size - 1, min(ordered.size, QUANTILES)).astype(np.int64)
    mass = np.concatenate([[0.0], np.cumsum(np.diff(ordered[ranks]) ** (2 / 3))])  # density**(1/3) * distance
    chosen = np.interp((np.arange(count) + 0.5) / count * mass[-1], mass, ranks)
    return np.unique(ordered[np.rint(chosen).astype(np.int64)])


def _middles(centres: np.ndarray) -> np.ndarray:
    return (centres[1:] + centres[:-1]) / 2
