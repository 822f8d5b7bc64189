"""Inference made fast: batch norm folded, and on a CPU each convolution by the method that is quickest for its shape.

`prepare_fast` does on the host, once, what depends on the weights alone; `apply_fast` is `network.apply` to 1e-4 of the
largest logit. For inference only. Measured in docs/benchmarks.md.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from yolojax.network import winograd
from yolojax.network.architecture import Architecture, Convolutional, Maxpool, Region, Reorg, Route
from yolojax.network.folding import fold_batch_norm
from yolojax.network.module import LEAKY_SLOPE, maxpool, reorg

# Feature maps of at most so many cells a side go by tiles of 2x2, and by tiles of 4x4; larger ones directly.
SMALL, MEDIUM = 40, 256
# Winograd's sums are per input channel, its gain per filter and channel: with few of them it does not pay.
LEAST_CHANNELS = 16
# Images have few channels: a product with their 3x3 patches is quicker than XLA's convolution for so many filters.
MOST_IMAGE_CHANNELS = 4

Prepared = dict[str, dict[str, Any]]


def method(layer: Convolutional, channels: int, side: int, platform: str) -> str:
    """How a convolution of a `side` x `side` map with `channels` inputs is computed: the one place that decides it."""
    if platform != "cpu":
        return "direct"  # cuDNN and the TPU's compiler choose for themselves
    if layer.size == 1 and layer.stride == 1 and layer.padding == 0:
        return "product"
    if layer.size != 3 or layer.stride != 1 or layer.padding != 1 or layer.filters < LEAST_CHANNELS:
        return "direct"
    if channels <= MOST_IMAGE_CHANNELS:
        return "patches"
    if channels < LEAST_CHANNELS or side > MEDIUM:
        return "direct"
    return "winograd2" if side <= SMALL else "winograd4"


def methods(architecture: Architecture, size: int, platform: str) -> dict[str, str]:
    """{convolution: its method} for `size` x `size` images."""
    shapes = architecture.shapes_at(size, size)
    return {
        conv.name: method(conv.layer, conv.kernel_shape[2], shapes[conv.index].height, platform)
        for conv in architecture.convolutions
    }


def prepare_fast(
    architecture: Architecture, variables: Mapping[str, Any], *, size: int, platform: str | None = None
) -> Prepared:
    """What `apply_fast` takes in place of the variables.

    Args:
      architecture: the network.
      variables: `{"params": ..., "batch_stats": ...}` that fit it.
      size: of the images, in pixels.
      platform: cpu, gpu or tpu; JAX's default backend if None.

    Returns:
      {convolution: {"kernel", "bias"}}, float32: a kernel is (height, width, in, out), a matrix (in, out) for a product
      with the channels or (9 in, out) with the patches, or Winograd's tuple of matrices.
    """
    chosen = methods(architecture, size, platform or jax.default_backend())
    prepared = {}
    for name, leaves in fold_batch_norm(architecture, variables).items():
        kernel: Any = leaves["kernel"]
        match chosen[name]:
            case "product":
                kernel = kernel[0, 0]
            case "patches":
                kernel = kernel.reshape(-1, kernel.shape[-1])
            case "winograd2":
                kernel = winograd.transform_kernel(kernel, 2)
            case "winograd4":
                kernel = winograd.transform_kernel(kernel, 4)
        prepared[name] = {"kernel": kernel, "bias": leaves["bias"]}
    return prepared


def apply_fast(
    architecture: Architecture, prepared: Prepared, images: jax.Array, *, dtype: Any = jnp.float32
) -> jax.Array:
    """The head of `images`, as `network.apply` gives it.

    Args:
      architecture: static.
      prepared: by `prepare_fast` for images of this size.
      images: (B, H, W, 3) float RGB in 0..1.
      dtype: what to compute in.

    Returns:
      (B, H/32, W/32, A*(5+C)) float32.
    """
    outputs: list[jax.Array] = []
    for index, layer in enumerate(architecture.layers):
        inputs = [outputs[i] if i >= 0 else images for i in architecture.sources(index)]
        match layer:
            case Convolutional():
                x = _convolve(layer, prepared[architecture.name(index)], inputs[0].astype(dtype))
            case Maxpool():
                x = _pool(layer, inputs[0])
            case Route():
                x = jnp.concatenate(inputs, axis=-1)
            case Reorg():
                x = reorg(inputs[0], layer.stride)
            case Region():
                x = inputs[0]
        outputs.append(x)
    return outputs[-1].astype(jnp.float32)


def _convolve(layer: Convolutional, leaves: Mapping[str, Any], x: jax.Array) -> jax.Array:
    kernel = jax.tree.map(lambda leaf: jnp.asarray(leaf, x.dtype), leaves["kernel"])
    if isinstance(kernel, tuple):
        x = winograd.convolve(x, kernel, round(np.sqrt(len(kernel))) - 2)
    elif kernel.ndim == 2:
        x = x if kernel.shape[0] == x.shape[-1] else _patches(x)
        batch, height, width, channels = x.shape
        x = (x.reshape(-1, channels) @ kernel).reshape(batch, height, width, -1)
    else:
        x = lax.conv_general_dilated(
            x,
            kernel,
            window_strides=(layer.stride, layer.stride),
            padding=[(layer.padding, layer.padding)] * 2,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
    x = x + jnp.asarray(leaves["bias"], x.dtype)[None, None, None, :]
    return jnp.maximum(x, jnp.asarray(LEAKY_SLOPE, x.dtype) * x) if layer.activation == "leaky" else x


def _patches(x: jax.Array) -> jax.Array:
    """(B, H, W, C) -> (B, H, W, 9 C): the 3x3 neighbours of each cell, zeros outside."""
    _, height, width, _ = x.shape
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return jnp.concatenate([x[:, i : i + height, j : j + width] for i in range(3) for j in range(3)], axis=-1)


def _pool(layer: Maxpool, x: jax.Array) -> jax.Array:
    batch, height, width, channels = x.shape
    if (layer.size, layer.stride) != (2, 2) or height % 2 or width % 2:
        return maxpool(x, layer.size, layer.stride, layer.padding)
    x = x.reshape(batch, height // 2, 2, width // 2, 2, channels)
    return jnp.maximum(jnp.maximum(x[:, :, 0, :, 0], x[:, :, 0, :, 1]), jnp.maximum(x[:, :, 1, :, 0], x[:, :, 1, :, 1]))
