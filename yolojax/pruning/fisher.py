"""Fisher information of a gate on each filter's channel: how much the loss of each image depends on it."""

import dataclasses
import functools
from collections.abc import Iterable

import jax
import jax.numpy as jnp
from jaxtyping import Float, UInt8

from yolojax import detection, network
from yolojax.detection.loss import PRIOR_IMAGES
from yolojax.network import AnyArray, Architecture, Params, Variables
from yolojax.network.module import BN_EPSILON
from yolojax.pruning.batches import sum_over_batches
from yolojax.pruning.types import Batch, Scores

Gates = dict[str, Float[AnyArray, " filters"]]


def filter_fisher(architecture: Architecture, variables: Variables, batches: Iterable[Batch]) -> Scores:
    """{convolution: (filters,)}: the sum over the images of (∂L/∂g)², g = 1 a gate on the filter's output channel.

    Liu et al. 2021, "Group Fisher Pruning for Practical Network Compression"; L is one image's region loss with the
    running BN statistics. The leaky ReLU is positively homogeneous, so a gate behind it is one on scale and bias. With
    an activation that is not, such as tanh, the gate is before it.

    Args:
      architecture: a network with a region layer.
      variables: its variables.
      batches: dicts with `image` (B, H, W, 3) uint8 and `truth` (B, T, 5) float32, as training takes them; other leaves
        are ignored. At least one.

    Raises ValueError for no batch at all.
    """
    normalized, plain = _normalize_all(architecture, variables)
    total, _ = sum_over_batches(functools.partial(_score_batch, normalized, plain), batches)
    return total


@functools.partial(jax.jit, static_argnums=0)
def _score_batch(
    architecture: Architecture,
    variables: Variables,
    images: UInt8[jax.Array, "batch height width _"],
    truth: Float[jax.Array, "batch boxes 5"],
) -> Gates:
    def loss(gates: Gates, image: UInt8[jax.Array, "height width _"], boxes: Float[jax.Array, "boxes 5"]) -> jax.Array:
        gated = {"params": _gate(variables["params"], gates), "batch_stats": variables["batch_stats"]}
        head = network.apply(architecture, gated, network.to_input(architecture, image[None]))
        return detection.region_loss(architecture, head, boxes[None], seen=PRIOR_IMAGES)

    gates = {conv.name: jnp.ones(conv.layer.filters, jnp.float32) for conv in architecture.convolutions}
    slopes = jax.vmap(jax.grad(loss), in_axes=(None, 0, 0))(gates, images, truth)
    return {name: jnp.sum(jnp.square(slope), axis=0) for name, slope in slopes.items()}


def _gate(params: Params, gates: Gates) -> Params:
    return {
        name: {**layer, "scale": layer["scale"] * gates[name], "bias": layer["bias"] * gates[name]}
        for name, layer in params.items()
    }


def _normalize_all(architecture: Architecture, variables: Variables) -> tuple[Architecture, Variables]:
    """The same network with a batch norm everywhere, the identity where there was none: gates then spare the kernels.

    A gate on a kernel would give each image a kernel of its own.
    """
    layers, params = list(architecture.layers), dict(variables["params"])
    batch_stats = dict(variables["batch_stats"])
    for conv in architecture.convolutions:
        if not conv.layer.batch_normalize:
            layers[conv.index] = dataclasses.replace(conv.layer, batch_normalize=True)
            one = jnp.ones(conv.layer.filters, jnp.float32)
            params[conv.name] = {**params[conv.name], "scale": one}
            batch_stats[conv.name] = {"mean": jnp.zeros_like(one), "var": one - BN_EPSILON}
    return dataclasses.replace(architecture, layers=tuple(layers)), {"params": params, "batch_stats": batch_stats}
