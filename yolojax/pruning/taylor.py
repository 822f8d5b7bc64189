"""First-order Taylor importance: what the loss would change by without a filter, from gradients on batches."""

import functools
from collections.abc import Iterable, Mapping

import jax
import jax.numpy as jnp
from jaxtyping import Float, UInt8

from yolojax import detection, network
from yolojax.detection.loss import PRIOR_IMAGES
from yolojax.network import Architecture, Variables
from yolojax.pruning.batches import sum_over_batches
from yolojax.pruning.types import Batch, Scores


def filter_taylor(architecture: Architecture, variables: Variables, batches: Iterable[Batch]) -> Scores:
    """{convolution: (filters,)}: (Σ g w)² over each filter's kernel, scale and bias, averaged over the batches.

    Molchanov et al. 2019, "Importance Estimation for Neural Network Pruning"; g is the gradient of the region
    loss with the running BN statistics.

    Args:
      architecture: a network with a region layer.
      variables: its variables.
      batches: dicts with `image` (B, H, W, 3) uint8 and `truth` (B, T, 5) float32, as training takes them; other leaves
        are ignored. At least one.

    Raises ValueError for no batch at all.
    """
    total, count = sum_over_batches(functools.partial(_score_batch, architecture, variables), batches)
    return {name: values / count for name, values in total.items()}


@functools.partial(jax.jit, static_argnums=0)
def _score_batch(
    architecture: Architecture,
    variables: Variables,
    images: UInt8[jax.Array, "batch height width _"],
    truth: Float[jax.Array, "batch boxes 5"],
) -> dict[str, Float[jax.Array, " filters"]]:
    def loss(params: Mapping[str, Mapping[str, jax.Array]]) -> jax.Array:
        trained = {"params": params, "batch_stats": variables["batch_stats"]}
        head = network.apply(architecture, trained, network.to_input(architecture, images))
        # A trained network is past the images for which every cell is also pulled to its anchor.
        return detection.region_loss(architecture, head, truth, seen=PRIOR_IMAGES)

    params = variables["params"]
    products = jax.tree.map(jnp.multiply, jax.grad(loss)(params), params)
    return {name: jnp.square(_sum_per_filter(layer.values())) for name, layer in products.items()}


def _sum_per_filter(leaves: Iterable[jax.Array]) -> Float[jax.Array, " filters"]:
    # The last axis of every leaf is the filter.
    return sum((jnp.sum(leaf, axis=tuple(range(leaf.ndim - 1))) for leaf in leaves), start=jnp.zeros(()))
