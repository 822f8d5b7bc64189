import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from yolojax.export.clustering import cluster

FINITE = st.floats(-(2.0**100), 2.0**100, width=32)


def squared_error(values, centres, codes) -> float:
    return float(np.sum((values - centres[codes]) ** 2))


def best_error(values, count) -> float:
    """The least error of all ways to cut the ordered values into `count` runs."""
    values, errors = np.sort(values), []
    for cuts in itertools.combinations(range(1, values.size), count - 1):
        runs = np.split(values, cuts)
        errors.append(sum(float(np.sum((run - run.mean()) ** 2)) for run in runs))
    return min(errors)


@settings(max_examples=100, deadline=None)
@given(hnp.arrays(np.float32, st.integers(1, 80), elements=FINITE), st.integers(1, 8))
def test_every_value_has_its_nearest_centre_and_every_centre_a_value(values, bits):
    centres, codes = cluster(values, 1 << bits)
    assert centres.dtype == np.float32
    assert codes.dtype == np.uint8
    assert centres.size <= 1 << bits
    assert (np.diff(centres) > 0).all()
    np.testing.assert_array_equal(np.unique(codes), np.arange(centres.size))
    distances = np.abs(values.astype(np.float64)[:, None] - centres.astype(np.float64))
    np.testing.assert_array_equal(distances[np.arange(values.size), codes], distances.min(axis=1))
    if np.unique(values).size <= 1 << bits:
        np.testing.assert_array_equal(centres[codes], values)


def test_centres_are_the_means_of_their_values():
    values = np.random.default_rng(0).laplace(0, 1, 20_000).astype(np.float32)
    centres, codes = cluster(values, 16)
    means = [values[codes == code].astype(np.float64).mean() for code in range(16)]
    np.testing.assert_allclose(centres, means, rtol=0, atol=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_near_the_best_cut_of_few_values(seed):
    values = np.random.default_rng(seed).normal(0, 1, 14).astype(np.float32)
    assert squared_error(values, *cluster(values, 4)) <= 1.5 * best_error(values, 4)


def test_all_centres_are_used_beside_the_gap_that_pruning_made():
    values = np.random.default_rng(0).normal(0, 1, 200_000).astype(np.float32)
    values = values[np.abs(values) > 1.6]
    centres, codes = cluster(values, 32)
    assert centres.size == 32
    even = np.linspace(values.min(), values.max(), 32).astype(np.float32)
    nearest = np.abs(values[:, None] - even).argmin(axis=1)
    assert squared_error(values, centres, codes) < 0.3 * squared_error(values, even, nearest)
