"""Repair without training or labels: what stays of each layer's input stands in for what went.

A dropped channel is predicted from those that stay and a constant, by least squares over the cells of some images; the
next kernel then reads the prediction. He et al. 2017 ("Channel Pruning for Accelerating Very Deep Neural Networks")
solve for the next kernel on what it puts out; here one solve for each layer serves all its filters, and the
3x3 neighbourhood is left aside.
"""

import functools
from collections.abc import Iterable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, UInt8

from yolojax import network
from yolojax.network import AnyArray, Architecture, Masks, Variables, apply_masks, check_masks, check_variables
from yolojax.pruning.removal import kept_channels
from yolojax.pruning.types import Moments

RIDGE = 1e-4  # of the mean of the second moments' diagonal


def input_moments(
    architecture: Architecture, variables: Variables, images: Iterable[UInt8[AnyArray, "_ height width 3"]]
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
    architecture: Architecture, variables: Variables, images: UInt8[jax.Array, "batch height width 3"]
) -> dict[str, Float[jax.Array, "_ _"]]:
    def moments(x: jax.Array) -> jax.Array:
        cells = jnp.concatenate([x, jnp.ones_like(x[..., :1])], axis=-1).reshape(-1, x.shape[-1] + 1)
        return jnp.matmul(cells.T, cells, precision=jax.lax.Precision.HIGHEST) / cells.shape[0]

    inputs = network.convolution_inputs(architecture, variables, network.to_float(images))
    return {name: moments(x) for name, x in inputs.items()}


def repair(
    architecture: Architecture, variables: Variables, masks: Masks, moments: Moments, *, ridge: float = RIDGE
) -> Variables:
    """The masked network, whose kernels make up for the input channels that are gone.

    Args:
      architecture: the network.
      variables: its variables before the masks.
      masks: of whole filters, a tree like params; filters that `remove_filters` can remove.
      moments: by `input_moments` of the unpruned network.
      ridge: added to the diagonal, as a share of its mean.

    Returns:
      Variables of the same shapes, with exactly 0 where a mask is False: kernels have changed, and biases or running
      means by the constant part. `remove_filters` of them gives the same head.

    Raises ValueError for variables or masks that do not fit.
    """
    check_variables(architecture, variables)
    check_masks(variables["params"], masks)
    params = {name: dict(layer) for name, layer in variables["params"].items()}
    batch_stats = {name: dict(layer) for name, layer in variables["batch_stats"].items()}
    for name, kept in kept_channels(architecture, masks).items():
        kernel = np.asarray(params[name]["kernel"], np.float64)
        if kept.size == kernel.shape[2]:
            continue
        gone = np.setdiff1d(np.arange(kernel.shape[2]), kept)
        weights = _predict(moments[name], gone, kept, ridge)  # (gone, kept + 1)
        added = np.einsum("hwgf,gk->hwkf", kernel[:, :, gone], weights)
        kernel[:, :, kept] += added[:, :, :-1]
        constant = added[:, :, -1].sum(axis=(0, 1))
        params[name]["kernel"] = kernel.astype(np.float32)
        if name in batch_stats:  # its output is shifted before it is normalised
            batch_stats[name]["mean"] = (np.asarray(batch_stats[name]["mean"]) - constant).astype(np.float32)
        else:
            params[name]["bias"] = (np.asarray(params[name]["bias"]) + constant).astype(np.float32)
    return {"params": apply_masks(params, masks), "batch_stats": batch_stats}


def _predict(
    moments: Float[np.ndarray, "inputs inputs"],
    gone: Int[np.ndarray, " gone"],
    kept: Int[np.ndarray, " kept"],
    ridge: float,
) -> Float[np.ndarray, "gone factors"]:
    """The factors of what stays, and of 1, that predict each channel that is gone: least squares."""
    known = np.append(kept, len(moments) - 1)
    system = moments[np.ix_(known, known)]
    system = system + ridge * np.mean(np.diag(system)) * np.eye(len(known))
    return np.linalg.solve(system, moments[np.ix_(known, gone)]).T
