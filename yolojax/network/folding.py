"""Batch norm folded into the kernels: at inference each is a factor and an offset per filter."""

import dataclasses

import numpy as np
from jaxtyping import Float32

from yolojax.network.architecture import Architecture
from yolojax.network.layers import Convolutional
from yolojax.network.module import BN_EPSILON
from yolojax.network.variables import Variables, check_variables


def fold_batch_norm(
    architecture: Architecture, variables: Variables
) -> dict[str, dict[str, Float32[np.ndarray, "..."]]]:
    """The kernel and bias that each convolution has at inference.

    Args:
      architecture: the network.
      variables: `{"params": ..., "batch_stats": ...}` that fit it.

    Returns:
      By the convolution's name: `kernel` (height, width, in, out) and `bias` (out,), float32, computed in float64. They
      are the `params` of `without_batch_norm(architecture)`.

    Raises:
      ValueError: the variables do not fit, or a variance is negative.
    """
    check_variables(architecture, variables)
    folded = {}
    for conv in architecture.convolutions:
        leaves = {name: np.asarray(leaf, np.float64) for name, leaf in variables["params"][conv.name].items()}
        kernel, bias = leaves["kernel"], leaves["bias"]
        if conv.layer.batch_normalize:
            mean, var = (np.asarray(variables["batch_stats"][conv.name][name], np.float64) for name in ("mean", "var"))
            if np.any(var < 0):
                raise ValueError(f"batch_stats/{conv.name}/var: holds {var.min()}, expected no negative variance")
            factor = leaves["scale"] / np.sqrt(var + BN_EPSILON)
            kernel, bias = kernel * factor, bias - mean * factor
        folded[conv.name] = {"kernel": kernel.astype(np.float32), "bias": bias.astype(np.float32)}
    return folded


def without_batch_norm(architecture: Architecture) -> Architecture:
    """The same layers, none of them batch-normalised."""
    layers = tuple(
        dataclasses.replace(layer, batch_normalize=False) if isinstance(layer, Convolutional) else layer
        for layer in architecture.layers
    )
    return dataclasses.replace(architecture, layers=layers)
