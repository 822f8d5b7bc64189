import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from yolojax.export.coding import Reader, Writer
from yolojax.export.sparse_kernels import read_kernel, write_kernel

SHAPES = st.tuples(st.sampled_from([1, 2, 3, 5]), st.sampled_from([1, 3]), st.integers(1, 7), st.integers(1, 9))


def there_and_back(kernel, values, bits=5):
    """The decoded kernel, the count, and the bytes."""
    writer = Writer()
    count = write_kernel(writer, kernel, values, bits)
    data = writer.to_bytes()
    reader = Reader(data)
    found = read_kernel(reader, kernel.shape, values, count)
    reader.finish()
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    assert found.flags.writeable
    return found, count, len(data)


def sparse(rng, shape, density):
    return np.where(rng.random(shape) < density, rng.laplace(0, 1, shape), 0).astype(np.float32)


def pruned(rng, shape, density):
    """The largest of normal weights."""
    kernel = rng.normal(0, 0.02, shape).astype(np.float32)
    return np.where(np.abs(kernel) > np.quantile(np.abs(kernel), 1 - density), kernel, np.float32(0))


@settings(max_examples=100, deadline=None)
@given(SHAPES, st.sampled_from([0.0, 0.02, 0.3, 0.9, 1.0]), st.integers(0, 2**32 - 1))
def test_float32_keeps_every_bit(shape, density, seed):
    rng = np.random.default_rng(seed)
    words = np.where(rng.random(shape) < density, rng.integers(0, 2**32, shape, np.uint32), np.uint32(0))
    found, count, _ = there_and_back(words.view(np.float32), "float32")
    np.testing.assert_array_equal(found.view(np.uint32), words)
    assert count == np.count_nonzero(words)


def test_float32_keeps_negative_zeros_infinities_and_the_payload_of_nans():
    words = np.zeros((3, 3, 2, 4), np.uint32)
    words.ravel()[[1, 5, 8, 13, 21, 34]] = [0x80000000, 0x7F800000, 0xFF800000, 0x7FC12345, 0xFFA00001, 1]
    found, count, _ = there_and_back(words.view(np.float32), "float32")
    np.testing.assert_array_equal(found.view(np.uint32), words)
    assert count == 6


@settings(max_examples=50, deadline=None)
@given(hnp.arrays(np.float32, SHAPES, elements=st.floats(-65000, 65000, width=32) | st.just(0.0)))
def test_float16_rounds_as_numpy_does(kernel):
    found, count, _ = there_and_back(kernel, "float16")
    np.testing.assert_array_equal(found, kernel.astype(np.float16).astype(np.float32))
    np.testing.assert_array_less(np.abs(found - kernel), np.abs(kernel) * 2.0**-10.9 + 2.0**-24.9)
    assert count == np.count_nonzero(kernel)


@settings(max_examples=50, deadline=None)
@given(SHAPES, st.sampled_from([0.0, 0.1, 0.5, 1.0]), st.integers(1, 8), st.integers(0, 1000))
def test_clustered_has_few_values_and_the_zeros(shape, density, bits, seed):
    kernel = sparse(np.random.default_rng(seed), shape, density)
    found, count, _ = there_and_back(kernel, "clustered", bits)
    assert count == np.count_nonzero(kernel)
    assert not found[kernel == 0].any()
    assert np.unique(found[kernel != 0]).size <= 1 << bits


def test_more_bits_leave_smaller_errors():
    kernel = sparse(np.random.default_rng(0), (3, 3, 64, 64), 0.2)
    errors = [np.square(there_and_back(kernel, "clustered", bits)[0] - kernel).sum() for bits in (4, 5, 6, 8)]
    assert all(after < before / 3 for before, after in itertools.pairwise(errors))
    assert errors[-1] < 1e-4 * np.square(kernel).sum()


def entropy(values) -> float:
    """Bits for all of `values`."""
    _, counts = np.unique(values, return_counts=True)
    return float(-np.sum(counts * np.log2(counts / counts.sum())))


@pytest.mark.parametrize("density", [0.05, 0.1, 0.3])
def test_sizes_are_near_the_entropy(density):
    kernel = pruned(np.random.default_rng(0), (3, 3, 256, 128), density)
    weights, mask = kernel[kernel != 0], entropy(kernel != 0)
    top = entropy(weights.view(np.uint32) >> 20)  # sign, exponent, three bits of the mantissa
    sizes = {values: there_and_back(kernel, values)[2] for values in ("float32", "float16", "clustered")}
    assert 8 * sizes["float32"] == pytest.approx(mask + top + 20 * weights.size, rel=0.005)
    assert 8 * sizes["float32"] < 0.85 * (mask + 32 * weights.size)
    top = entropy(weights.astype(np.float16).view(np.uint16) >> 7)
    assert 8 * sizes["float16"] == pytest.approx(mask + top + 7 * weights.size, rel=0.01)
    codes = entropy(there_and_back(kernel, "clustered")[0][kernel != 0])
    assert 8 * sizes["clustered"] == pytest.approx(mask + codes, rel=0.02)


def test_filters_of_different_density_take_their_own_entropy():
    rng = np.random.default_rng(0)
    kernel = sparse(rng, (3, 3, 128, 64), np.linspace(0, 0.5, 64) ** 2)
    kernel[..., :4] = 1
    of_filters = sum(entropy(kernel[..., i] != 0) for i in range(64))
    size = there_and_back(np.where(kernel != 0, np.float32(1), np.float32(0)), "float32")[2]
    size -= 20 * np.count_nonzero(kernel) / 8 + 64  # what the mantissas of the ones take, and the densities
    assert 8 * size == pytest.approx(of_filters, rel=0.02)
    assert 8 * size < 0.7 * entropy(kernel != 0)


@pytest.mark.parametrize("values", ["float32", "float16", "clustered"])
def test_a_kernel_of_zeros_takes_a_byte_for_each_filter(values):
    assert there_and_back(np.zeros((3, 3, 256, 64), np.float32), values)[2] <= 64 + 8


@pytest.mark.parametrize(
    ("bad", "values", "message"),
    [
        (np.nan, "float16", "1 of 7 weights are not finite in float16, which ends at 65504; only float32"),
        (70000, "float16", "1 of 7 weights are not finite in float16"),
        (np.inf, "clustered", "1 of 7 weights are not finite; only float32 can hold them"),
    ],
)
def test_what_lossy_kinds_cannot_hold(bad, values, message):
    kernel = np.ones((1, 1, 2, 4), np.float32)
    kernel[0, 0, 0, :2] = 0, bad
    with pytest.raises(ValueError, match=message):
        write_kernel(Writer(), kernel, values, 5)


def test_another_count_than_the_masks_is_refused():
    writer = Writer()
    write_kernel(writer, np.ones((1, 1, 2, 3), np.float32), "float32", 5)
    with pytest.raises(ValueError, match="6 weights are not zero, expected 5 as in the header"):
        read_kernel(Reader(writer.to_bytes()), (1, 1, 2, 3), "float32", 5)


def test_a_code_without_a_centre_is_refused():
    writer = Writer()
    writer.integers([255], 256)  # one full filter
    writer.integers([0], 256)  # one centre
    writer.words(np.zeros(1, np.uint32))
    writer.symbols(np.array([0, 1]), 256)
    with pytest.raises(ValueError, match="a weight of cluster 1, expected at most 0"):
        read_kernel(Reader(writer.to_bytes()), (1, 1, 2, 1), "clustered", 2)
