"""A kernel with many zeros to a coded stream and back: a mask of what is not zero, then those values.

The mask is coded filter by filter, each bit with the filter's own density: pruning leaves some filters far denser than
others. Of a float the sign, the exponent and the first bits of the mantissa are coded with a table of the kernel's own;
the rest of the mantissa is as good as random and takes its bits.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from yolojax.export.clustering import cluster
from yolojax.export.coding import LEVELS, TOP, Reader, Writer, to_levels

VALUES = ("float32", "float16", "clustered")
MAX_BITS = 8


class FloatKind(NamedTuple):
    """A float's bits in all, and how many of them, the last of the mantissa, are stored as they are."""

    width: int
    plain: int


FLOATS: Mapping[str, FloatKind] = {"float32": FloatKind(32, 20), "float16": FloatKind(16, 7)}  # 3 mantissa bits coded


def least_bits(values: str) -> int:
    """What each value that is not zero takes at least in the stream."""
    return FLOATS[values].plain if values in FLOATS else 0


def write_kernel(writer: Writer, kernel: np.ndarray, values: str, bits: int) -> int:
    """Appends a float32 kernel (height, width, in, out) and returns how many of its values are not zero.

    Args:
      writer: takes it.
      kernel: any values for float32, whose every bit is kept (-0.0 counts as not zero); finite ones for the others.
      values: one of `VALUES`.
      bits: the logarithm of the number of centres for `clustered`.

    Raises:
      ValueError: a value is not finite, or not in float16.
    """
    rows = np.ascontiguousarray(kernel.reshape(-1, kernel.shape[-1]).T)  # (out, height * width * in)
    present = (rows.view(np.uint32) if values == "float32" else rows) != 0
    _write_mask(writer, present)
    if values == "clustered":
        _write_clustered(writer, rows[present], bits)
    else:
        _write_floats(writer, rows[present], values)
    return int(present.sum())


def read_kernel(reader: Reader, shape: tuple[int, ...], values: str, nonzeros: int) -> np.ndarray:
    """The float32 kernel of `shape` that `write_kernel` appended and counted. Raises ValueError for another stream."""
    kind = FLOATS.get(values)
    present = _read_mask(reader, shape[-1], int(np.prod(shape[:-1])))
    if (found := int(present.sum())) != nonzeros:
        raise ValueError(f"{found} weights are not zero, expected {nonzeros} as in the header")
    rows = np.zeros(present.shape, np.float32)
    if nonzeros:
        rows[present] = _read_clustered(reader, nonzeros) if kind is None else _read_floats(reader, nonzeros, kind)
    return np.ascontiguousarray(rows.T).reshape(shape)


def _write_mask(writer: Writer, present: np.ndarray) -> None:
    levels = to_levels(present.sum(axis=1), present.shape[1])
    writer.integers(levels, LEVELS)
    for level in _partial(levels):
        writer.bits(present[levels == level], level)


def _read_mask(reader: Reader, filters: int, size: int) -> np.ndarray:
    levels = reader.integers(filters, LEVELS)
    present = np.repeat((levels == TOP)[:, None], size, axis=1)
    for level in _partial(levels):
        which = levels == level
        present[which] = reader.bits(int(which.sum()) * size, level).reshape(-1, size)
    return present


def _partial(levels: np.ndarray) -> list[int]:
    """The levels of filters that are neither all zero nor full, ascending."""
    return [int(level) for level in np.unique(levels) if 0 < level < TOP]


def _write_floats(writer: Writer, weights: np.ndarray, values: str) -> None:
    kind = FLOATS[values]
    if values == "float16":
        with np.errstate(over="ignore", invalid="ignore"):
            weights = weights.astype(np.float16)
        _check_finite(weights, " in float16, which ends at 65504")
    if weights.size:
        words = weights.view(f"u{weights.itemsize}").astype(np.uint32)
        # The sign comes last, so that the symbols in use lie close to each other.
        sign, magnitude = words >> (kind.width - 1), words & ((1 << (kind.width - 1)) - 1)
        writer.symbols((magnitude >> kind.plain) << 1 | sign, 1 << (kind.width - kind.plain))
        writer.integers(words & ((1 << kind.plain) - 1), 1 << kind.plain)


def _read_floats(reader: Reader, count: int, kind: FloatKind) -> np.ndarray:
    symbols = reader.symbols(count, 1 << (kind.width - kind.plain))
    words = (symbols >> 1).astype(np.uint32)
    words <<= kind.plain  # in place: these may be most of the network
    words |= reader.integers(count, 1 << kind.plain).view(np.uint32)
    words[symbols % 2 == 1] |= np.uint32(1 << (kind.width - 1))
    floats = words if kind.width == 32 else words.astype(np.uint16)
    return floats.view(f"f{kind.width // 8}").astype(np.float32, copy=False)


def _write_clustered(writer: Writer, weights: np.ndarray, bits: int) -> None:
    _check_finite(weights)
    if weights.size:
        clusters = cluster(weights, 1 << bits)
        writer.integers([clusters.centres.size - 1], 1 << MAX_BITS)
        writer.words(clusters.centres.view(np.uint32))
        writer.symbols(clusters.codes, 1 << MAX_BITS)


def _read_clustered(reader: Reader, count: int) -> np.ndarray:
    (last,) = reader.integers(1, 1 << MAX_BITS)
    centres = reader.words(int(last) + 1).view(np.float32)
    codes = reader.symbols(count, 1 << MAX_BITS)
    if codes.max() > last:
        raise ValueError(f"a weight of cluster {codes.max()}, expected at most {last}")
    return centres[codes]


def _check_finite(weights: np.ndarray, what: str = "") -> None:
    if bad := int((~np.isfinite(weights)).sum()):
        raise ValueError(f"{bad} of {weights.size} weights are not finite{what}; only float32 can hold them")
