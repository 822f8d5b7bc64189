"""Winograd's minimal filtering for 3x3 convolutions of stride 1 (Lavin and Gray 2016, "Fast Algorithms for CNNs").

F(m x m, 3x3): tiles of m x m outputs from (m+2) x (m+2) inputs, with (m+2)² products in place of 9 m². Written as
slices, sums and matrix products, so that XLA spends its time in products.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Transforms(NamedTuple):
    """1-D: outputs = output @ ((kernel @ g) * (inputs @ d)), for m outputs, a 3-tap kernel g and m + 2 values d."""

    inputs: np.ndarray
    kernel: np.ndarray
    output: np.ndarray


TRANSFORMS = {
    2: Transforms(
        np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], float),
        np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]], float) / 2,
        np.array([[1, 1, 1, 0], [0, 1, -1, -1]], float),
    ),
    4: Transforms(
        np.array(
            [
                [4, 0, -5, 0, 1, 0],
                [0, -4, -4, 1, 1, 0],
                [0, 4, -4, -1, 1, 0],
                [0, -2, -1, 2, 1, 0],
                [0, 2, -1, -2, 1, 0],
                [0, 4, 0, -5, 0, 1],
            ],
            float,
        ),
        np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]], float) / 24,
        np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]], float),
    ),
}


def transform_kernel(kernel: np.ndarray, tile: int) -> tuple[np.ndarray, ...]:
    """(3, 3, in, out) -> (tile + 2)² matrices (in, out), float32, computed in float64. `tile` is 2 or 4."""
    matrix = TRANSFORMS[tile].kernel
    moved = np.einsum("ia,abcd,jb->ijcd", matrix, kernel.astype(np.float64), matrix, optimize=True)
    return tuple(np.ascontiguousarray(part, np.float32) for part in moved.reshape(-1, *kernel.shape[2:]))


def convolve(x: jax.Array, kernels: Sequence[jax.Array], tile: int, *, pooled: bool = False) -> jax.Array:
    """The convolution of x (B, H, W, in), padded by 1, with what `transform_kernel` gave: (B, H, W, out).

    With `pooled` the largest of each 2x2 cells, (B, H/2, W/2, out), for H and W that are even.
    """
    inputs, _, output = TRANSFORMS[tile]
    batch, height, width, channels = x.shape
    rows, columns, span = -(-height // tile), -(-width // tile), tile + 2
    x = jnp.pad(x, ((0, 0), (1, 1 + rows * tile - height), (1, 1 + columns * tile - width), (0, 0)))
    # lines[i]: line i of every tile, (B, rows, W, in)
    lines = [x[:, i : i + (rows - 1) * tile + 1 : tile] for i in range(span)]
    products = []
    for i in range(span):
        # The barrier keeps XLA from computing the sum over lines again for each of the `span` sums over columns.
        line = jax.lax.optimization_barrier(_combine(inputs[i], lines))
        cells = [line[:, :, j : j + (columns - 1) * tile + 1 : tile] for j in range(span)]
        for j in range(span):
            values = _combine(inputs[j], cells).reshape(-1, channels)
            products.append(values @ kernels[i * span + j])
    filters = kernels[0].shape[-1]
    found = [product.reshape(batch, rows, columns, filters) for product in products]
    parts = []  # parts[i][j]: cell i, j of every tile
    for i in range(tile):
        line = [_combine(output[i], found[j::span]) for j in range(span)]
        parts.append([_combine(output[j], line) for j in range(tile)])
    if pooled:
        tile, height, width = tile // 2, height // 2, width // 2
        parts = [[_largest(parts, 2 * i, 2 * j) for j in range(tile)] for i in range(tile)]
    # (B, rows, tile, columns, tile, out)
    y = jnp.stack([jnp.stack(line, axis=3) for line in parts], axis=2)
    return y.reshape(batch, rows * tile, columns * tile, filters)[:, :height, :width]


def _largest(parts: Sequence[Sequence[jax.Array]], i: int, j: int) -> jax.Array:
    return functools.reduce(jnp.maximum, [parts[i][j], parts[i][j + 1], parts[i + 1][j], parts[i + 1][j + 1]])


def _combine(factors: np.ndarray, values: Sequence[jax.Array]) -> jax.Array:
    """The sum of factor * value without what is multiplied by 0; by 1 and -1 is free."""
    terms = [(factor, value) for factor, value in zip(factors, values, strict=True) if factor]
    parts = [value if abs(factor) == 1 else value * jnp.asarray(factor, value.dtype) for factor, value in terms]
    total = -parts[0] if terms[0][0] == -1 else parts[0]
    for (factor, _), part in zip(terms[1:], parts[1:], strict=True):
        total = total - part if factor == -1 else total + part
    return total
