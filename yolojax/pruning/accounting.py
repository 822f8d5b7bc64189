"""What a network weighs: parameters as the study counts them, non-zeros, MACs, bytes on disk, sparsity."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import jax
import numpy as np

from yolojax.network import AnyArray, Architecture, Masks, Params, Variables, alive_filters, leaf_paths, variable_shapes
from yolojax.pruning.types import Tree

HEADER_BYTES = 20


class LayerRow(NamedTuple):
    """One convolution: its filters, learned parameters and MACs, and what is left of each after pruning.

    `nonzeros` are the parameters that are left and not 0, `sparsity` the share of the layer's that are not.
    """

    name: str
    filters: int
    filters_dropped: int
    parameters: int
    nonzeros: int
    sparsity: float
    macs: int
    macs_left: int


def count_parameters(params: Tree | Mapping[str, AnyArray]) -> int:
    """Learned parameters: kernels, BN scales and biases."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def count_nonzeros(params: Tree | Mapping[str, AnyArray]) -> int:
    """Learned parameters that are not 0."""
    return sum(int(np.count_nonzero(np.asarray(leaf))) for leaf in jax.tree.leaves(params))


def count_weights(params: Params) -> int:
    """Kernel weights that are not 0."""
    return sum(int(np.count_nonzero(np.asarray(layer["kernel"]))) for layer in params.values())


def sparsity(params: Params) -> dict[str, float]:
    """{path as in conv_00/kernel: fraction of zeros}."""
    return {path: 1 - int(np.count_nonzero(np.asarray(leaf))) / leaf.size for path, leaf in leaf_paths(params).items()}


def layer_macs(architecture: Architecture, height: int | None = None, width: int | None = None) -> dict[str, int]:
    """{convolution: multiply-accumulates for one image}, dense, at the given size or the [net] section's."""
    shapes = architecture.shapes_at(height or architecture.net.height, width or architecture.net.width)
    return {
        conv.name: int(np.prod(conv.kernel_shape)) * shapes[conv.index].height * shapes[conv.index].width
        for conv in architecture.convolutions
    }


def macs(architecture: Architecture, height: int | None = None, width: int | None = None) -> int:
    """Multiply-accumulates of all convolutions for one image."""
    return sum(layer_macs(architecture, height, width).values())


def architecture_parameters(architecture: Architecture) -> int:
    """What `count_parameters` gives for the parameters of an architecture."""
    return sum(math.prod(shape) for shape in leaf_paths(variable_shapes(architecture)["params"]).values())


def dense_bytes(architecture: Architecture) -> int:
    """Bytes of the .weights file (with an int64 header): every value is stored, zero or not."""
    values = 0
    for conv in architecture.convolutions:
        vectors = 4 if conv.layer.batch_normalize else 1
        values += int(np.prod(conv.kernel_shape)) + vectors * conv.layer.filters
    return HEADER_BYTES + 4 * values


def masked_filter_parameters(params: Params, masks: Masks) -> int:
    """Parameters that masks keep: without the dropped filters' own, with the inputs they fed (the study's count)."""
    kept = jax.tree.map(lambda leaf, mask: int(np.count_nonzero(np.broadcast_to(mask, leaf.shape))), params, masks)
    return sum(jax.tree.leaves(kept))


def layer_table(
    architecture: Architecture,
    variables: Variables,
    masks: Masks | None = None,
    left: tuple[Architecture, Params] | None = None,
) -> list[LayerRow]:
    """One row per convolution, MACs at the [net] section's size.

    Args:
      architecture: of the unpruned network.
      variables: its own too.
      masks: say which of its filters are dropped; without them all are kept.
      left: the network that is left and its parameters, smaller or with zeros; without it nothing is gone.
    """
    params, net = variables["params"], architecture.net
    smaller, stays = left or (architecture, params)
    work, work_left = layer_macs(architecture), layer_macs(smaller, net.height, net.width)
    rows = []
    for conv in architecture.convolutions:
        count, nonzeros = count_parameters(params[conv.name]), count_nonzeros(stays[conv.name])
        rows.append(
            LayerRow(
                name=conv.name,
                filters=conv.layer.filters,
                filters_dropped=0 if masks is None else int(np.sum(~alive_filters(masks[conv.name]))),
                parameters=count,
                nonzeros=nonzeros,
                sparsity=1 - nonzeros / count,
                macs=work[conv.name],
                macs_left=work_left[conv.name],
            )
        )
    return rows
