"""The Flax module that an architecture describes, with `init` and `apply` over plain pytrees."""

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import assert_never, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Float32, Key, Shaped

from yolojax.network.activations import ACTIVATIONS
from yolojax.network.architecture import Architecture, walk
from yolojax.network.layers import (
    Avgpool,
    Convolutional,
    Cost,
    Dropout,
    Layer,
    Maxpool,
    Region,
    Reorg,
    Route,
    Softmax,
)
from yolojax.network.variables import AnyArray, BatchStats, Params, Variables

BN_EPSILON = 1e-5
BN_MOMENTUM = 0.99
INPUTS = "inputs"  # a collection that only `convolution_inputs` asks for
OUTPUTS = "outputs"  # one that only `apply_with_maps` asks for


class ConvolutionLayer(nn.Module):
    """Convolution, batch norm (or a bias) and activation: one Darknet [convolutional] section."""

    layer: Convolutional
    axis_name: str | None = None
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width channels"], train: bool
    ) -> Float[Array, "batch rows columns filters"]:
        layer, vector = self.layer, (self.layer.filters,)
        shape = (layer.size, layer.size, x.shape[-1] // layer.groups, layer.filters)
        kernel = self.param("kernel", nn.initializers.he_normal(), shape, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, vector, jnp.float32)
        self._offer(INPUTS, x)
        x = lax.conv_general_dilated(
            x.astype(self.dtype),
            kernel.astype(self.dtype),
            window_strides=(layer.stride, layer.stride),
            padding=[(layer.padding, layer.padding)] * 2,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=layer.groups,
        )
        if layer.batch_normalize:
            scale = self.param("scale", nn.initializers.ones, vector, jnp.float32)
            mean, var = self._statistics(x, train)
            # One multiply-add per element; float32, since statistics in bfloat16 lose the running average.
            factor = scale * lax.rsqrt(var + BN_EPSILON)
            x = x * _channels(factor, self.dtype) + _channels(bias - mean * factor, self.dtype)
        else:
            x = x + _channels(bias, self.dtype)
        x = ACTIVATIONS[layer.activation](x)
        self._offer(OUTPUTS, x)
        return x

    def _offer(self, collection: str, x: Float[Array, "batch _ _ _"]) -> None:
        """Puts a map into a collection, where the caller asks for that one."""
        if not self.is_initializing():
            self.sow(collection, "x", x, init_fn=tuple, reduce_fn=lambda _, value: value)

    def _statistics(
        self, x: Float[Array, "batch rows columns filters"], train: bool
    ) -> tuple[Float32[AnyArray, " filters"], Float32[AnyArray, " filters"]]:
        """Mean and variance: of the batch in training, over all devices of the axis; else the running ones."""
        vector = (self.layer.filters,)
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, vector, jnp.float32)
        running_var = self.variable("batch_stats", "var", jnp.ones, vector, jnp.float32)
        if not train:
            return running_mean.value, running_var.value
        x = x.astype(jnp.float32)
        mean = jnp.mean(x, axis=(0, 1, 2))
        # On one device a pmean sends nothing, but XLA does not fuse across it: without it the last digits of every
        # published run would be others.
        alone = self.axis_name is not None and lax.axis_size(self.axis_name) == 1
        if alone:
            mean = lax.pmean(mean, self.axis_name)
        # Around the mean: E[x²] - E[x]² would cancel.
        var = jnp.mean(jnp.square(x - _channels(mean, x.dtype)), axis=(0, 1, 2))
        if alone:
            var = lax.pmean(var, self.axis_name)
        elif self.axis_name is not None:
            mean, var = _over_devices(mean, var, self.axis_name)
        if not self.is_initializing():
            running_mean.value = BN_MOMENTUM * running_mean.value + (1 - BN_MOMENTUM) * mean
            running_var.value = BN_MOMENTUM * running_var.value + (1 - BN_MOMENTUM) * var
        return mean, var


def _over_devices(
    mean: Float32[Array, " filters"], var: Float32[Array, " filters"], axis_name: str
) -> tuple[Float32[Array, " filters"], Float32[Array, " filters"]]:
    """Mean and variance over all devices, each with as many values, in one message (Chan et al. 1979)."""
    means, variances = jnp.unstack(lax.all_gather(jnp.stack([mean, var]), axis_name), axis=1)
    mean = jnp.mean(means, axis=0)
    return mean, jnp.mean(variances + jnp.square(means - mean[None]), axis=0)


def _channels(vector: Float[AnyArray, " channels"], dtype: DTypeLike) -> Float[Array, "1 1 1 channels"]:
    """To broadcast over (batch, height, width, channels)."""
    return jnp.asarray(vector, dtype)[None, None, None, :]


class Network(nn.Module):
    """The layers of an architecture in order; the output is the head, before any [region] layer."""

    architecture: Architecture
    axis_name: str | None = None
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self,
        images: Float[AnyArray, "batch height width channels"],
        train: bool = False,
        keys: Key[Array, " batch"] | None = None,
    ) -> Float32[Array, "batch rows columns outputs"]:
        def visit(index: int, layer: Layer, inputs: list[jax.Array]) -> jax.Array:
            def convolve(layer: Convolutional, x: jax.Array) -> jax.Array:
                name = self.architecture.name(index)
                return ConvolutionLayer(layer, self.axis_name, self.dtype, name=name)(x, train)

            def drop(layer: Dropout, x: jax.Array) -> jax.Array:
                if not train:
                    return x
                if keys is None:
                    raise ValueError(
                        f"keys is None, expected one for each image: {self.architecture.name(index)} drops"
                    )
                return dropout(x, layer.probability, jax.vmap(jax.random.fold_in, (0, None))(keys, index))

            return _compute(layer, inputs, convolve, drop)

        return walk(self.architecture, jnp.asarray(images), visit)[-1].astype(jnp.float32)


def _compute(
    layer: Layer,
    inputs: list[jax.Array],
    convolve: Callable[[Convolutional, jax.Array], jax.Array],
    drop: Callable[[Dropout, jax.Array], jax.Array],
) -> jax.Array:
    """What a layer gives for the maps that it reads; `convolve` knows the variables, `drop` the random keys."""
    match layer:
        case Convolutional():
            return convolve(layer, inputs[0])
        case Maxpool():
            return maxpool(inputs[0], layer.size, layer.stride, layer.padding)
        case Route():
            return jnp.concatenate(inputs, axis=-1)
        case Reorg():
            return reorg(inputs[0], layer.stride)
        case Dropout():
            return drop(layer, inputs[0])
        case Avgpool():
            return jnp.mean(inputs[0], axis=(1, 2), keepdims=True)
        case Softmax():
            return nn.softmax(inputs[0])
        case Region() | Cost():
            return inputs[0]
        case _:
            assert_never(layer)


def dropout(
    x: Float[Array, "batch height width channels"], probability: float, keys: Key[Array, " batch"]
) -> Float[Array, "batch height width channels"]:
    """0 with this probability, else divided by the rest of it; each image by its own key, whichever batch it is in."""
    keep = jax.vmap(lambda key: jax.random.bernoulli(key, 1 - probability, x.shape[1:]))(keys)
    return jnp.where(keep, x / (1 - probability), jnp.zeros_like(x))


def maxpool(
    x: Float[AnyArray, "batch height width channels"], size: int, stride: int, padding: int
) -> Float[Array, "batch rows columns channels"]:
    """The largest of each window, padded by `padding` in all, the larger half after."""
    if size == stride == 2 and padding < 2 and x.shape[1] % 2 == x.shape[2] % 2 == 0:
        return _halve(jnp.asarray(x))
    pads = (padding // 2, padding - padding // 2)
    return nn.max_pool(x, (size, size), (stride, stride), [pads, pads])


@jax.custom_vjp
def _halve(x: jax.Array) -> jax.Array:
    """The largest of each 2x2 window. XLA on a CPU scatters this gradient, which costs more than a convolution.

    A gradient of its own has no forward mode: `jax.jvp` of a gradient works, of the network itself it does not.
    """
    return functools.reduce(jnp.maximum, _corners(x))


def _corners(x: jax.Array) -> list[jax.Array]:
    """The four pixels of each 2x2 window, row by row, each (B, H/2, W/2, C)."""
    batch, height, width, channels = x.shape
    windows = x.reshape(batch, height // 2, 2, width // 2, 2, channels)
    return [windows[:, :, row, :, column] for row in (0, 1) for column in (0, 1)]


def _halve_forward(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The result, and which corner it came from: the first of the largest, as in Darknet."""
    corners = _corners(x)
    largest, first = functools.reduce(jnp.maximum, corners), jnp.int8(len(corners) - 1)
    for corner in reversed(range(len(corners) - 1)):
        first = jnp.where(corners[corner] == largest, jnp.int8(corner), first)
    return largest, first


def _halve_backward(first: jax.Array, gradient: jax.Array) -> tuple[jax.Array]:
    batch, rows, columns, channels = gradient.shape
    corner = jnp.arange(4, dtype=jnp.int8).reshape(1, 1, 2, 1, 2, 1)
    here = first[:, :, None, :, None, :] == corner
    spread = jnp.where(here, gradient[:, :, None, :, None, :], jnp.zeros((), gradient.dtype))
    return (spread.reshape(batch, 2 * rows, 2 * columns, channels),)


_halve.defvjp(_halve_forward, _halve_backward)


def reorg(
    x: Shaped[AnyArray, "batch height width channels"], stride: int
) -> Shaped[Array, "batch height//{stride} width//{stride} channels*{stride}**2"]:
    """Darknet's [reorg]: (B, H, W, C) -> (B, H/s, W/s, C*s²).

    Darknet (`reorg_cpu`, forward=0) takes the (C, H, W) buffer for one of (C/s², H*s, W*s) and does a space-to-depth on
    that; the (C, H, W) result is then read as (C*s², H/s, W/s). Published weights were trained with it.
    """
    batch, height, width, channels = x.shape
    s, out = stride, channels // stride**2
    x = jnp.transpose(x, (0, 3, 1, 2))  # (B, C, H, W), Darknet's buffer
    x = x.reshape(batch, out, height, s, width, s)  # (B, C/s², H, s, W, s): read as (C/s², H*s, W*s)
    x = x.transpose(0, 3, 5, 1, 2, 4)  # (B, s, s, C/s², H, W): offsets first
    x = x.reshape(batch, channels * s**2, height // s, width // s)
    return x.transpose(0, 2, 3, 1)


def init(architecture: Architecture, key: Key[Array, ""]) -> Variables:
    """Random variables `{"params": ..., "batch_stats": ...}`, float32: He normal kernels, BN as the identity."""
    side = jax.ShapeDtypeStruct(
        (1, architecture.net.height, architecture.net.width, architecture.net.channels), "float32"
    )

    def make(key: Key[Array, ""]) -> Variables:
        return Network(architecture).init(key, jnp.zeros(side.shape, side.dtype))

    variables = jax.jit(make)(key)
    return {"params": variables["params"], "batch_stats": variables.get("batch_stats", {})}


def apply(
    architecture: Architecture, variables: Variables, images: Float[AnyArray, "..."], *, dtype: DTypeLike = jnp.float32
) -> Float32[Array, "batch rows columns outputs"]:
    """The head of `images` with running BN statistics.

    Args:
      architecture: the network's description; static.
      variables: `{"params": ..., "batch_stats": ...}` that fit it.
      images: (B, H, W, C) float in 0..1, RGB or grey as `to_input` gives them; any size for which
        `architecture.shapes_at` has shapes.
      dtype: what to compute in; the variables stay float32.

    Returns:
      (B, rows, columns, A*(5+C)) float32 logits, in YOLOv2 one cell for 32x32 pixels;
      the last axis is, for each anchor, tx, ty, tw, th, to, classes.

    Raises ValueError for images of another rank or number of channels.
    """
    channels = architecture.net.channels
    if images.ndim != 4 or images.shape[3] != channels:
        raise ValueError(f"images of shape {images.shape}, expected (batch, height, width, {channels})")
    return cast(Array, Network(architecture, dtype=dtype).apply(variables, images))


def apply_train(
    architecture: Architecture,
    variables: Variables,
    images: Float[AnyArray, "batch height width channels"],
    *,
    axis_name: str | None = None,
    keys: Key[Array, " batch"] | None = None,
    dtype: DTypeLike = jnp.float32,
) -> tuple[Float32[Array, "batch rows columns outputs"], BatchStats]:
    """The head with the batch's BN statistics, and the new `batch_stats` (running average, momentum 0.99).

    `axis_name` names the mapped axis over which the statistics are averaged; `keys` has one random key for each image,
    for a network with dropout, else ValueError; the rest is as in `apply`.
    """
    head, batch_stats, _ = apply_with_maps(
        architecture, variables, images, layers=(), train=True, axis_name=axis_name, keys=keys, dtype=dtype
    )
    return head, batch_stats


def apply_with_maps(
    architecture: Architecture,
    variables: Variables,
    images: Float[AnyArray, "batch height width channels"],
    *,
    layers: Sequence[str],
    train: bool = False,
    axis_name: str | None = None,
    keys: Key[Array, " batch"] | None = None,
    dtype: DTypeLike = jnp.float32,
) -> tuple[Float32[Array, "batch rows columns outputs"], BatchStats, dict[str, Float[Array, "batch _ _ _"]]]:
    """The head, the `batch_stats` after it, and {name: the map that it makes, in `dtype`} of the convolutions `layers`.

    `train` as in `apply_train`, else as in `apply`, where the statistics are those given. In training no gradient
    reaches the parameters of `architecture.frozen`. Raises ValueError for a name that is no convolution's.
    """
    known = [conv.name for conv in architecture.convolutions]
    if unknown := [name for name in layers if name not in known]:
        raise ValueError(f"layers name {unknown[0]!r}, which is not a convolution; there are {', '.join(known)}")
    mutable = [name for name, wanted in (("batch_stats", train), (OUTPUTS, layers)) if wanted]
    network = Network(architecture, axis_name=axis_name, dtype=dtype)
    if train:
        variables = {**variables, "params": _stopped(variables["params"], architecture.frozen)}
    head, updates = network.apply(variables, images, train=train, keys=keys, mutable=mutable)
    maps = {name: updates[OUTPUTS][name]["x"] for name in layers}
    return head, updates.get("batch_stats", variables["batch_stats"]), maps


def _stopped(params: Params, frozen: Collection[str]) -> Params:
    return {name: lax.stop_gradient(layer) if name in frozen else layer for name, layer in params.items()}


def apply_layer(
    architecture: Architecture, index: int, variables: Variables, inputs: list[Float[Array, "batch _ _ _"]]
) -> Float[Array, "batch rows columns channels"]:
    """What layer `index` gives for the maps that it reads, with running BN statistics; compiled by itself."""
    name, layer = architecture.name(index), architecture.layers[index]
    mine = {kind: layers[name] for kind, layers in variables.items() if name in layers}
    return _apply_layer(layer, mine, inputs)


@functools.partial(jax.jit, static_argnums=0)
def _apply_layer(layer: Layer, variables: Mapping[str, Mapping[str, AnyArray]], inputs: list[Array]) -> Array:
    def convolve(layer: Convolutional, x: Array) -> Array:
        return cast(Array, ConvolutionLayer(layer).apply(variables, x, False))

    return _compute(layer, inputs, convolve, lambda layer, x: x)


def convolution_inputs(
    architecture: Architecture, variables: Variables, images: Float[AnyArray, "batch height width channels"]
) -> dict[str, Float[Array, "batch _ _ _"]]:
    """{convolution: the map that it reads} of `images`, with running BN statistics; all of them live at once."""
    _, state = Network(architecture).apply(variables, images, mutable=[INPUTS])
    return {name: layer["x"] for name, layer in state[INPUTS].items()}
