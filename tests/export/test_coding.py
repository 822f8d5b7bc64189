import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from yolojax.export import coding


def entropy(counts) -> float:
    """Bits for all symbols, an independent sum over each."""
    total = sum(counts)
    return -sum(count * np.log2(count / total) for count in counts if count)


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.uint16, st.integers(1, 400), elements=st.integers(0, 999)), st.sampled_from([1000, 4096, 65536]))
def test_symbols_there_and_back(values, size):
    writer = coding.Writer()
    writer.symbols(values, size)
    reader = coding.Reader(writer.to_bytes())
    np.testing.assert_array_equal(reader.symbols(values.size, size), values)
    reader.finish()


def test_calls_follow_each_other():
    rng = np.random.default_rng(0)
    words = rng.integers(0, 2**32, 50, np.uint32)
    bits, integers = rng.random((3, 700)) < 0.1, rng.integers(0, 1 << 20, 33)
    writer = coding.Writer()
    writer.words(words)
    writer.bits(bits, 80)
    writer.integers(integers, 1 << 20)
    writer.symbols(np.full(9, 7), 256)
    reader = coding.Reader(writer.to_bytes())
    np.testing.assert_array_equal(reader.words(50), words)
    np.testing.assert_array_equal(reader.bits(2100, 80), bits.ravel())
    np.testing.assert_array_equal(reader.integers(33, 1 << 20), integers)
    np.testing.assert_array_equal(reader.symbols(9, 256), 7)
    reader.finish()


def test_more_symbols_than_a_chunk(monkeypatch):
    monkeypatch.setattr(coding, "CHUNK", 10)
    bits = np.random.default_rng(0).random(95) < 0.3
    writer = coding.Writer()
    writer.bits(bits, 140)
    monkeypatch.setattr(coding, "CHUNK", 37)
    np.testing.assert_array_equal(coding.Reader(writer.to_bytes()).bits(95, 140), bits)


@pytest.mark.parametrize("probability", [0.003, 0.1, 0.3, 0.5, 0.97])
def test_bits_take_their_entropy(probability):
    bits = np.random.default_rng(0).random(200_000) < probability
    writer = coding.Writer()
    writer.bits(bits, int(coding.to_levels(np.array([bits.sum()]), bits.size)[0]))
    limit = entropy([bits.sum(), bits.size - bits.sum()])
    assert 8 * len(writer.to_bytes()) == pytest.approx(limit, rel=0.005, abs=64)


def test_symbols_take_their_entropy_and_a_byte_for_each_that_could_be():
    values = np.clip(np.random.default_rng(0).normal(500, 20, 100_000), 0, 999).astype(np.int64)
    writer = coding.Writer()
    writer.symbols(values, 1000)
    limit = entropy(np.bincount(values)) + 8 * np.ptp(values)
    assert 8 * len(writer.to_bytes()) == pytest.approx(limit, rel=0.002)


def test_one_symbol_takes_no_more_for_more_of_it():
    sizes = []
    for count in (1, 100_000):
        writer = coding.Writer()
        writer.symbols(np.full(count, 3), 256)
        sizes.append(len(writer.to_bytes()))
    assert sizes[0] == sizes[1] <= 8


def test_levels_of_rare_and_almost_all_are_not_none_and_all():
    counts = np.array([0, 1, 250_000, 999_999, 1_000_000])
    assert coding.to_levels(counts, 1_000_000).tolist() == [0, 1, 128, 254, 255]


def test_streams_that_no_writer_made_are_refused():
    with pytest.raises(ValueError, match="5 bytes of coded weights, expected a multiple of 4"):
        coding.Reader(b"12345")
    writer = coding.Writer()
    writer.integers([9, 3], 256)  # from 9 to 3
    writer.integers([1], 256)
    with pytest.raises(ValueError, match="a malformed table of frequencies"):
        coding.Reader(writer.to_bytes()).symbols(4, 256)
    writer = coding.Writer()
    writer.integers([0, 2], 256)
    writer.integers([0, 0, 0], 256)
    with pytest.raises(ValueError, match="a malformed table of frequencies"):
        coding.Reader(writer.to_bytes()).symbols(4, 256)
    writer = coding.Writer()
    writer.integers(range(100), 256)
    reader = coding.Reader(writer.to_bytes())
    reader.integers(50, 256)
    with pytest.raises(ValueError, match="continue after the last one"):
        reader.finish()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=64), st.integers(1, 300))
def test_any_bytes_are_symbols_or_a_value_error(data, count):
    try:
        reader = coding.Reader(data)
        symbols = reader.symbols(count, 256)
        reader.bits(count, 10)
        reader.integers(count, 1 << 20)
        reader.finish()
    except ValueError:
        return
    assert symbols.shape == (count,)
    assert symbols.max() < 256
