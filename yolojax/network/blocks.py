"""3x3 convolutions of few channels as one product: 2x2 outputs at a time, from the 4x4 inputs that they see.

An image's 3x3 patches are many short pieces of memory to gather, 27 values for each output. A 4x4 block is gathered in
pieces of 4 channels, 12 values for each output; the product does 16/9 of the work, which is little here.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np


def block_kernel(kernel: np.ndarray) -> np.ndarray:
    """(3, 3, in, out) -> (16 in, 4 out): from the cells of a 4x4 block to its inner 2x2."""
    channels, filters = kernel.shape[2:]
    matrix = np.zeros((4, 4, channels, 4, filters), np.float32)
    for i in range(2):
        for j in range(2):
            matrix[i : i + 3, j : j + 3, :, 2 * i + j] = kernel
    # The order in which `convolve` gathers: 2x2 groups of 2x2 cells.
    return np.ascontiguousarray(
        matrix.reshape(2, 2, 2, 2, channels, -1).transpose(0, 2, 1, 3, 4, 5).reshape(16 * channels, -1)
    )


def convolve(x: jax.Array, kernel: jax.Array, *, pooled: bool = False) -> jax.Array:
    """The convolution of x (B, H, W, in), padded by 1, with what `block_kernel` gave: (B, H, W, out).

    With `pooled` the largest of each 2x2 cells, (B, H/2, W/2, out), for H and W that are even.
    """
    batch, height, width, channels = x.shape
    rows, columns, filters = -(-height // 2), -(-width // 2), kernel.shape[1] // 4
    x = jnp.pad(x, ((0, 0), (1, 1 + 2 * rows - height), (1, 1 + 2 * columns - width), (0, 0)))
    # (B, rows + 1, columns + 1, 4 in): 2x2 cells
    x = x.reshape(batch, rows + 1, 2, columns + 1, 2 * channels)
    x = x.transpose(0, 1, 3, 2, 4).reshape(batch, rows + 1, columns + 1, 4 * channels)
    blocks = jnp.concatenate([x[:, i : i + rows, j : j + columns] for i in range(2) for j in range(2)], axis=-1)
    y = (blocks.reshape(-1, 16 * channels) @ kernel).reshape(batch, rows, columns, 4 * filters)
    if pooled:
        return functools.reduce(jnp.maximum, [y[..., i * filters : (i + 1) * filters] for i in range(4)])
    y = y.reshape(batch, rows, columns, 2, 2, filters).transpose(0, 1, 3, 2, 4, 5)
    return y.reshape(batch, 2 * rows, 2 * columns, filters)[:, :height, :width]
