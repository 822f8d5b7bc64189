"""Repair without training or labels: what stays of each layer is refitted to what the unpruned network computes.

He et al. 2017 ("Channel Pruning for Accelerating Very Deep Neural Networks", section 3.1) refit the kernels behind the
channels that went by least squares. Here the layers are taken in order, and each reads what the already repaired layers
below it give, so that their errors are made up for and do not add up.
"""

import functools
from collections.abc import Iterable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, UInt8

from yolojax import network
from yolojax.network import (
    AnyArray,
    Architecture,
    ConvolutionInfo,
    Masks,
    Variables,
    alive_filters,
    apply_masks,
    check_masks,
    check_variables,
)
from yolojax.pruning.removal import kept_channels

RIDGE = 1e-2  # of the mean of the second moments' diagonal
CELLS = 20_000  # of each layer, over all images
Leaves = dict[str, dict[str, dict[str, AnyArray]]]
Maps = dict[int, jax.Array]  # the layer, -1 for the image -> what it gives


def repair(
    architecture: Architecture,
    variables: Variables,
    masks: Masks,
    images: Iterable[UInt8[AnyArray, "_ height width _"]],
    *,
    ridge: float = RIDGE,
    cells: int = CELLS,
) -> Variables:
    """The masked network, whose kernels make up for the input channels that are gone.

    Args:
      architecture: the network.
      variables: its variables before the masks.
      masks: of whole filters, a tree like params; filters that `remove_filters` can remove.
      images: batches of RGB images; no labels are needed. Two maps of each are in memory at a time.
      ridge: how strongly the kernels are held to what they were, as a share of the mean second moment of the inputs.
      cells: about how many places of each layer's output are fitted, over all images.

    Returns:
      Variables of the same shapes, with exactly 0 where a mask is False: kernels have changed, and biases or running
      means by the constant part. `remove_filters` of them gives the same head. Layers below the first that
      lost an input stay as they are, and so do convolutions with groups, which lose none.

    Raises ValueError for variables or masks that do not fit, and for no image at all.
    """
    check_variables(architecture, variables)
    check_masks(variables["params"], masks)
    batches = [jnp.asarray(batch) for batch in images]
    if not batches:
        raise ValueError("images hold no batch, expected at least one")
    each = -(-cells // sum(len(batch) for batch in batches))
    new: Leaves = {
        "params": {name: dict(layer) for name, layer in apply_masks(variables["params"], masks).items()},
        "batch_stats": {name: dict(layer) for name, layer in variables["batch_stats"].items()},
    }
    wholes = [_Flow(architecture, batch) for batch in batches]
    pruned = [_Flow(architecture, batch) for batch in batches]
    channels, changed = kept_channels(architecture, masks), False
    for conv in architecture.convolutions:
        changed |= channels[conv.name].size < conv.in_channels
        if not changed or conv.layer.groups > 1:
            continue
        alive = np.flatnonzero(alive_filters(masks[conv.name]))
        equations = _mean_equations(
            conv,
            [flow.input_of(conv, variables) for flow in wholes],
            [flow.input_of(conv, new) for flow in pruned],
            jnp.asarray(variables["params"][conv.name]["kernel"])[..., alive],
            channels[conv.name],
            each,
        )
        _refit(new, conv, channels[conv.name], alive, equations, ridge)
    return {"params": apply_masks(new["params"], masks), "batch_stats": new["batch_stats"]}


class _Flow:
    """One batch on its way up through the layers; maps that no later layer reads are let go."""

    def __init__(self, architecture: Architecture, images: UInt8[jax.Array, "batch height width _"]) -> None:
        self._architecture, self._next = architecture, 0
        self._maps: Maps = {-1: network.to_input(architecture, images)}
        self._last = {
            source: index for index in range(len(architecture.layers)) for source in architecture.sources(index)
        }

    def input_of(self, conv: ConvolutionInfo, variables: Variables) -> Float[jax.Array, "batch height width channels"]:
        """What a convolution reads; those below it have these variables. Convolutions come in their order."""
        for index in range(self._next, conv.index):
            inputs = [self._maps[source] for source in self._architecture.sources(index)]
            self._maps[index] = network.apply_layer(self._architecture, index, variables, inputs)
            self._maps = {source: x for source, x in self._maps.items() if self._last.get(source, -1) > index}
        self._next = conv.index
        (source,) = self._architecture.sources(conv.index)
        return self._maps[source]


Equations = tuple[Float[np.ndarray, "inputs inputs"], Float[np.ndarray, "inputs outputs"]]
"""The normal equations of a layer: the second moments of what it reads, and of that with what it should give."""


def _mean_equations(
    conv: ConvolutionInfo,
    wholes: list[jax.Array],
    pruned: list[jax.Array],
    kernel: jax.Array,
    channels: Int[np.ndarray, " kept"],
    each: int,
) -> Equations:
    """Over `each` random places of every image; inputs are each tap of each channel of the pruned network, and 1."""
    layer, count = conv.layer, 0
    inputs, targets = np.zeros(()), np.zeros(())
    for index, (whole, left) in enumerate(zip(wholes, pruned, strict=True)):
        rows, columns = ((side + 2 * layer.padding - layer.size) // layer.stride + 1 for side in whole.shape[1:3])
        places = np.random.default_rng(index).permutation(rows * columns)[:each]
        found = _equations(
            whole, left, kernel, channels, places // columns, places % columns, layer.size, layer.stride, layer.padding
        )
        inputs, targets = inputs + np.asarray(found[0], np.float64), targets + np.asarray(found[1], np.float64)
        count += len(whole) * len(places)
    return inputs / count, targets / count


@functools.partial(jax.jit, static_argnums=(6, 7, 8))
def _equations(
    whole: jax.Array,
    left: jax.Array,
    kernel: jax.Array,
    channels: jax.Array,
    rows: jax.Array,
    columns: jax.Array,
    size: int,
    stride: int,
    padding: int,
) -> tuple[jax.Array, jax.Array]:
    def patches(x: jax.Array) -> jax.Array:
        """(places of all images, taps * channels), row by row of the window as in a kernel."""
        x = jnp.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
        taps = [x[:, rows * stride + i, columns * stride + j] for i in range(size) for j in range(size)]
        return jnp.stack(taps, axis=2).reshape(-1, size * size * x.shape[-1])

    product = functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)
    target = product(patches(whole), kernel.reshape(-1, kernel.shape[-1]))
    inputs = patches(left[..., channels])
    inputs = jnp.concatenate([inputs, jnp.ones_like(inputs[:, :1])], axis=1)
    return product(inputs.T, inputs), product(inputs.T, target)


def _refit(
    variables: Leaves,
    conv: ConvolutionInfo,
    channels: Int[np.ndarray, " kept"],
    alive: Int[np.ndarray, " filters"],
    equations: Equations,
    ridge: float,
) -> None:
    """Changes one convolution of `variables`: least squares, held to its kernel and to no constant."""
    layer, size = variables["params"][conv.name], conv.layer.size
    places = np.ix_(np.arange(size), np.arange(size), channels, alive)
    kernel = np.array(layer["kernel"])
    before = np.append(kernel[places].reshape(-1, alive.size), np.zeros((1, alive.size)), axis=0).astype(np.float64)
    inputs, targets = equations
    held = np.full(len(before), ridge * np.mean(np.diag(inputs)))
    held[-1] *= np.finfo(np.float32).eps  # the constant is free, but must not make the system singular
    after = before + np.linalg.solve(inputs + np.diag(held), targets - inputs @ before)
    kernel[places] = after[:-1].reshape(size, size, channels.size, alive.size)
    layer["kernel"] = kernel
    if conv.layer.batch_normalize:  # its output is shifted before it is normalised
        vector, collection, sign = "mean", variables["batch_stats"][conv.name], -1
    else:
        vector, collection, sign = "bias", layer, 1
    shifted = np.array(collection[vector])
    shifted[alive] += sign * after[-1]
    collection[vector] = shifted
