"""Inference made fast: batch norm folded, and on a CPU each convolution by the method that is quickest for its shape.

`prepare_fast` does on the host, once, what depends on the weights alone; `apply_fast` is `network.apply` to 1e-4 of the
largest logit. For inference only. Measured in docs/benchmarks.md.
"""

from typing import assert_never

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import DTypeLike

from yolojax.network import blocks, winograd
from yolojax.network.architecture import Architecture, walk
from yolojax.network.folding import fold_batch_norm
from yolojax.network.layers import Convolutional, Layer, Maxpool, Region, Reorg, Route
from yolojax.network.module import LEAKY_SLOPE, maxpool, reorg
from yolojax.network.variables import AnyArray, Variables

# The most cells a side of a feature map that takes Winograd's tiles of 2x2; larger ones take tiles of 4x4.
SMALL = 30
# Winograd's sums are per input channel, its gain per filter and channel: with few of them it does not pay.
LEAST_CHANNELS = 16


@flax.struct.dataclass
class Convolution:
    """One convolution, prepared.

    `kernel` is (height, width, in, out), or what `method` takes: (in, out), (16 in, 4 out) or Winograd's tuple of
    matrices; `bias` is (out,). `pooled`: the 2x2 max pooling that follows is done along with it.
    """

    kernel: AnyArray | tuple[AnyArray, ...]
    bias: AnyArray
    method: str = flax.struct.field(pytree_node=False)
    pooled: bool = flax.struct.field(pytree_node=False)


Prepared = dict[str, Convolution]


def method(layer: Convolutional, channels: int, side: int, platform: str) -> str:
    """How a convolution of a `side` x `side` map with `channels` inputs is computed: the one place that decides it."""
    if platform != "cpu":
        return "direct"  # cuDNN and the TPU's compiler choose for themselves
    if layer.size == 1 and layer.stride == 1 and layer.padding == 0:
        return "product"
    if layer.size != 3 or layer.stride != 1 or layer.padding != 1:
        return "direct"
    if channels < LEAST_CHANNELS:
        return "blocks"
    return "winograd2" if side <= SMALL else "winograd4"


def prepare_fast(
    architecture: Architecture, variables: Variables, *, size: int, platform: str | None = None
) -> Prepared:
    """What `apply_fast` takes in place of the variables.

    Args:
      architecture: the network.
      variables: `{"params": ..., "batch_stats": ...}` that fit it.
      size: of the images, in pixels.
      platform: cpu, gpu or tpu; JAX's default backend if None.

    Returns:
      {convolution: what is needed to compute it}, float32.
    """
    platform = platform or jax.default_backend()
    folded = fold_batch_norm(architecture, variables)
    shapes = architecture.shapes_at(size, size)
    pooled = _pooled(architecture, size) if platform == "cpu" else set()
    prepared = {}
    for conv in architecture.convolutions:
        plain = folded[conv.name]["kernel"]
        kernel: np.ndarray | tuple[np.ndarray, ...] = plain
        chosen = method(conv.layer, conv.in_channels, shapes[conv.index].height, platform)
        match chosen:
            case "product":
                kernel = plain[0, 0]
            case "blocks":
                kernel = blocks.block_kernel(plain)
            case "winograd2" | "winograd4":
                kernel = winograd.transform_kernel(plain, int(chosen[-1]))
        prepared[conv.name] = Convolution(kernel, folded[conv.name]["bias"], chosen, conv.index in pooled)
    return prepared


def _pooled(architecture: Architecture, size: int) -> set[int]:
    """The convolutions that nothing but a 2x2 max pooling reads."""
    shapes = architecture.shapes_at(size, size)
    layers = range(len(architecture.layers))
    readers: dict[int, list[int]] = {i: [j for j in layers if i in architecture.sources(j)] for i in layers}
    return {
        conv.index
        for conv in architecture.convolutions
        if len(readers[conv.index]) == 1
        and _halves(architecture.layers[readers[conv.index][0]])
        and shapes[conv.index].height % 2 == shapes[conv.index].width % 2 == 0
    }


def _halves(layer: Layer) -> bool:
    """Whether it takes the largest of each 2x2 cells, of a map with even sides."""
    return isinstance(layer, Maxpool) and (layer.size, layer.stride) == (2, 2) and layer.padding <= 1


def apply_fast(
    architecture: Architecture, prepared: Prepared, images: jax.Array, *, dtype: DTypeLike = jnp.float32
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

    def visit(index: int, layer: Layer, inputs: list[jax.Array]) -> jax.Array:
        match layer:
            case Convolutional():
                return _convolve(layer, prepared[architecture.name(index)], inputs[0].astype(dtype))
            case Maxpool():
                before = prepared.get(architecture.name(index - 1)) if index else None
                return inputs[0] if before and before.pooled else _pool(layer, inputs[0])
            case Route():
                return jnp.concatenate(inputs, axis=-1)
            case Reorg():
                return reorg(inputs[0], layer.stride)
            case Region():
                return inputs[0]
            case _:
                assert_never(layer)

    return walk(architecture, images, visit)[-1].astype(jnp.float32)


def _convolve(layer: Convolutional, prepared: Convolution, x: jax.Array) -> jax.Array:
    kernel = jax.tree.map(lambda leaf: jnp.asarray(leaf, x.dtype), prepared.kernel)
    pooled = prepared.pooled
    match prepared.method:
        case "winograd2" | "winograd4":
            x = winograd.convolve(x, kernel, int(prepared.method[-1]), pooled=pooled)
        case "blocks":
            x = blocks.convolve(x, kernel, pooled=pooled)
        case "product":
            batch, height, width, channels = x.shape
            x = (x.reshape(-1, channels) @ kernel).reshape(batch, height, width, -1)
            x = _halve(x) if pooled else x
        case _:
            x = lax.conv_general_dilated(
                x,
                kernel,
                window_strides=(layer.stride, layer.stride),
                padding=[(layer.padding, layer.padding)] * 2,
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
            )
            x = _halve(x) if pooled else x
    # Both grow with x, so they may come after the pooling.
    x = x + jnp.asarray(prepared.bias, x.dtype)[None, None, None, :]
    return jnp.maximum(x, jnp.asarray(LEAKY_SLOPE, x.dtype) * x) if layer.activation == "leaky" else x


def _pool(layer: Maxpool, x: jax.Array) -> jax.Array:
    if _halves(layer) and x.shape[1] % 2 == x.shape[2] % 2 == 0:
        return _halve(x)
    return maxpool(x, layer.size, layer.stride, layer.padding)


def _halve(x: jax.Array) -> jax.Array:
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height // 2, 2, width // 2, 2, channels)
    return jnp.maximum(jnp.maximum(x[:, :, 0, :, 0], x[:, :, 0, :, 1]), jnp.maximum(x[:, :, 1, :, 0], x[:, :, 1, :, 1]))
