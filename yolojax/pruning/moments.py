"""How the input channels of each convolution go together: their second moments over some images."""

import functools
from collections.abc import Iterable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt8

from yolojax import network
from yolojax.network import AnyArray, Architecture, Variables
from yolojax.pruning.types import Moments


def input_moments(
    architecture: Architecture, variables: Variables, images: Iterable[UInt8[AnyArray, "_ height width _"]]
) -> Moments:
    """{convolution: (C + 1, C + 1)}: the mean of `v vᵀ` over all cells of its input, v its C channels and a 1.

    Args:
      architecture: the network, unpruned.
      variables: its variables.
      images: batches of RGB images; no labels are needed.

    Raises ValueError for no image at all.
    """
    total: dict[str, np.ndarray] = {}
    count = 0
    for batch in images:
        found = jax.device_get(_moments(architecture, variables, jnp.asarray(batch)))
        for name, moments in found.items():
            total[name] = total.get(name, 0) + len(batch) * moments.astype(np.float64)
        count += len(batch)
    if not count:
        raise ValueError("images hold no batch, expected at least one")
    return {name: moments / count for name, moments in total.items()}


@functools.partial(jax.jit, static_argnums=0)
def _moments(
    architecture: Architecture, variables: Variables, images: UInt8[jax.Array, "batch height width _"]
) -> dict[str, Float[jax.Array, "_ _"]]:
    def moments(x: jax.Array) -> jax.Array:
        cells = jnp.concatenate([x, jnp.ones_like(x[..., :1])], axis=-1).reshape(-1, x.shape[-1] + 1)
        return jnp.matmul(cells.T, cells, precision=jax.lax.Precision.HIGHEST) / cells.shape[0]

    inputs = network.convolution_inputs(architecture, variables, network.to_input(architecture, images))
    return {name: moments(x) for name, x in inputs.items()}
