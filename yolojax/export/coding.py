"""Arrays of small integers to a stream of bytes near their entropy, and back: constriction's range coder with tables.

The coder turns symbols and their probabilities into 32-bit words. Probabilities are never stored as floats: each is the
square of a byte, its level, over 255², so that every machine computes the same. Squares put the finest steps where
probabilities are small, as their effect on the length demands.
"""

from collections.abc import Iterator
from types import ModuleType

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from yolojax.export.optional import require

LEVELS = 256
TOP = LEVELS - 1
CHUNK = 1 << 20  # symbols at a time: the coder takes int32, four bytes for each bit of a mask


class Writer:
    """Symbols go in, in any order of calls that a `Reader` repeats."""

    def __init__(self) -> None:
        self._stream = require("constriction").stream
        self._encoder = self._stream.queue.RangeEncoder()

    def integers(self, values: ArrayLike, size: int) -> None:
        """Integers in 0..size-1, all equally likely; 2 <= size <= 2**24."""
        self._encode(np.asarray(values).ravel(), self._stream.model.Uniform(size))

    def words(self, values: np.ndarray) -> None:
        """uint32 of any value, 32 bits each."""
        self.integers(values >> 16, 1 << 16)
        self.integers(values & 0xFFFF, 1 << 16)

    def bits(self, values: np.ndarray, level: int) -> None:
        """Booleans that are true with the probability of `level`, which is neither 0 nor `TOP`."""
        self._encode(values.ravel(), _bernoulli(self._stream, level))

    def symbols(self, values: np.ndarray, size: int) -> None:
        """At least one integer in 0..size-1, each as likely as it is frequent here; the table goes before them."""
        counts = np.bincount(values, minlength=size)
        first, last = np.flatnonzero(counts)[[0, -1]]
        levels = to_levels(counts[first : last + 1], counts.max())
        self.integers([first, last], size)
        self.integers(levels, LEVELS)
        if last > first:
            self._encode(values - first, _categorical(self._stream, levels))

    def to_bytes(self) -> bytes:
        """The stream so far: little-endian 32-bit words."""
        return bytes(self._encoder.get_compressed().astype("<u4").data)

    def _encode(self, values: np.ndarray, model: object) -> None:
        for part in _chunks(values.size):
            self._encoder.encode(np.ascontiguousarray(values[part], np.int32), model)


class Reader:
    """The same calls as of a `Writer`, with counts for values. Raises ValueError for a stream that cannot be one."""

    def __init__(self, data: bytes | memoryview) -> None:
        if len(data) % 4:
            raise ValueError(f"{len(data)} bytes of coded weights, expected a multiple of 4")
        self._stream = require("constriction").stream
        self._decoder = self._stream.queue.RangeDecoder(np.frombuffer(data, "<u4").astype(np.uint32, copy=False))

    def integers(self, count: int, size: int) -> np.ndarray:
        """(count,) int32 in 0..size-1."""
        return self._decode(count, self._stream.model.Uniform(size), np.int32)

    def words(self, count: int) -> np.ndarray:
        """(count,) uint32."""
        high = self.integers(count, 1 << 16).astype(np.uint32) << 16
        return high | self.integers(count, 1 << 16).astype(np.uint32)

    def bits(self, count: int, level: int) -> np.ndarray:
        """(count,) bool."""
        return self._decode(count, _bernoulli(self._stream, level), np.bool_)

    def symbols(self, count: int, size: int) -> np.ndarray:
        """(count,) uint16; size <= 2**16."""
        first, last = (int(end) for end in self.integers(2, size))
        levels = self.integers(max(last - first, 0) + 1, LEVELS)
        if first > last or not levels[0] or not levels[-1]:
            raise ValueError("the coded weights hold a malformed table of frequencies")
        if first == last:
            return np.full(count, first, np.uint16)
        return self._decode(count, _categorical(self._stream, levels), np.uint16) + np.uint16(first)

    def finish(self) -> None:
        """Raises ValueError when the stream holds more than was read."""
        if not self._decoder.maybe_exhausted():
            raise ValueError("the coded weights continue after the last one")

    def _decode(self, count: int, model: object, dtype: DTypeLike) -> np.ndarray:
        values = np.empty(count, dtype)
        for part in _chunks(count):
            try:
                values[part] = self._decoder.decode(model, part.stop - part.start)
            except AssertionError:  # constriction's answer to words that no encoder makes
                raise ValueError("the coded weights were not written by this coder") from None
        return values


def to_levels(counts: np.ndarray, total: int | np.integer) -> np.ndarray:
    """The levels of the fractions counts / total; 0 only for a count of 0, `TOP` only for all of `total`."""
    levels = np.rint(TOP * np.sqrt(counts / total)).astype(np.int64)
    levels = np.where(counts > 0, np.maximum(levels, 1), 0)
    return np.where(counts < total, np.minimum(levels, TOP - 1), levels)


def _chunks(count: int) -> Iterator[slice]:
    for start in range(0, count, CHUNK):
        yield slice(start, min(start + CHUNK, count))


def _bernoulli(stream: ModuleType, level: int) -> object:
    return stream.model.Bernoulli(level**2 / TOP**2, perfect=False)


def _categorical(stream: ModuleType, levels: np.ndarray) -> object:
    return stream.model.Categorical(np.square(levels.astype(np.float64)), lazy=False, perfect=False)
