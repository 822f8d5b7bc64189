import jax
import jax.numpy as jnp
import numpy as np
import pytest

from yolojax.pruning.selection import keep_largest


def reference(scores, drop):
    flat = np.concatenate([leaf.ravel() for leaf in scores])
    keep = np.ones(flat.size, bool)
    keep[np.argsort(flat, kind="stable")[:drop]] = False
    return np.split(keep, np.cumsum([leaf.size for leaf in scores])[:-1])


@pytest.mark.parametrize("levels", [1, 3, 1000])
def test_equals_a_stable_sort_with_many_ties_or_none(levels):
    rng = np.random.default_rng(levels)
    scores = [rng.integers(0, levels, shape).astype(np.float32) / 7 for shape in ((3, 3, 5), (40,), (2, 6))]
    total = sum(leaf.size for leaf in scores)
    for drop in (0, 1, 2, total // 3, total // 2, total - 1, total):
        found = keep_largest([jnp.asarray(leaf) for leaf in scores], drop)
        for mask, expected, leaf in zip(found, reference(scores, drop), scores, strict=True):
            assert mask.shape == leaf.shape
            np.testing.assert_array_equal(np.asarray(mask).ravel(), expected)


def test_the_extremes_of_float32():
    scores = jnp.asarray([np.inf, 0.0, 1e-45, 3e38, 1e-38, np.nan], jnp.float32)
    for drop, kept in [(1, [0, 2, 3, 4, 5]), (2, [0, 3, 4, 5]), (3, [0, 3, 5]), (5, [5])]:
        (mask,) = keep_largest([scores], drop)
        assert np.flatnonzero(mask).tolist() == kept


def test_compiled_and_not_are_the_same():
    scores = [jnp.asarray(np.random.default_rng(0).random(100), jnp.float32)]
    compiled = jax.jit(keep_largest)(scores, jnp.int32(37))
    np.testing.assert_array_equal(compiled[0], keep_largest(scores, 37)[0])
    assert int(np.sum(~np.asarray(compiled[0]))) == 37
