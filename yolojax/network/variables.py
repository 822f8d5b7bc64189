"""The trees of a network: their types, the shapes that an architecture gives them, and the check against those."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np
from jaxtyping import Bool, Float

from yolojax.network.architecture import Architecture

# What JAX's functions take alike.
AnyArray = jax.Array | np.ndarray
Leaf = Float[AnyArray, "..."]
# {convolution: {leaf: array}}, as in params["conv_00"]["kernel"] and batch_stats["conv_00"]["mean"].
Params = Mapping[str, Mapping[str, Leaf]]
BatchStats = Params
# {"params": ..., "batch_stats": ...}
Variables = Mapping[str, Params]
# A tree like params; True keeps.
Masks = Mapping[str, Mapping[str, Bool[AnyArray, "..."]]]
Shapes = dict[str, dict[str, dict[str, tuple[int, ...]]]]


def variable_shapes(architecture: Architecture) -> Shapes:
    """The tree `{"params": ..., "batch_stats": ...}` with a shape tuple at each leaf.

    A convolution has `kernel` (height, width, in, out), where `in` are the channels of one group, and `bias` (out,); a
    batch-normalised one also `scale` in params, and `mean` and `var` in batch_stats.
    """
    shapes: Shapes = {"params": {}, "batch_stats": {}}
    for conv in architecture.convolutions:
        vector = (conv.layer.filters,)
        leaves: dict[str, tuple[int, ...]] = {"kernel": conv.kernel_shape, "bias": vector}
        if conv.layer.batch_normalize:
            leaves["scale"] = vector
            shapes["batch_stats"][conv.name] = {"mean": vector, "var": vector}
        shapes["params"][conv.name] = leaves
    return shapes


@runtime_checkable
class HasShape(Protocol):
    """An array, or what stands for one, as `jax.ShapeDtypeStruct` and a checkpoint's metadata do."""

    @property
    def shape(self) -> tuple[int, ...]: ...


def check_variables(architecture: Architecture, variables: Mapping[str, Mapping[str, Mapping[str, HasShape]]]) -> None:
    """Raises ValueError that lists every leaf which is missing, unexpected or of another shape."""
    expected = leaf_paths(variable_shapes(architecture))
    found = {path: tuple(leaf.shape) for path, leaf in leaf_paths(variables).items()}
    problems = [f"{path}: missing, expected {expected[path]}" for path in sorted(expected.keys() - found.keys())]
    problems += [f"{path}: unexpected, {found[path]}" for path in sorted(found.keys() - expected.keys())]
    problems += [
        f"{path}: {found[path]}, expected {expected[path]}"
        for path in sorted(expected.keys() & found.keys())
        if found[path] != expected[path]
    ]
    if problems:
        raise ValueError("variables do not fit the architecture:\n  " + "\n  ".join(problems))


def leaf_paths(tree: Mapping[str, Any]) -> dict[str, Any]:
    """{path as in conv_00/kernel: leaf} of params, masks, variables or `variable_shapes`, in the order of the tree.

    These paths are public API; this is the one place that builds them.
    """
    leaves = jax.tree.leaves_with_path(tree, is_leaf=lambda node: isinstance(node, tuple))
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


def alive_filters(leaves: Mapping[str, AnyArray]) -> Bool[np.ndarray, " filters"]:
    """Whether anything of a filter is not 0, or is kept where the leaves are masks.

    Args:
      leaves: one convolution's, as `params["conv_00"]` or `masks["conv_00"]`; the last axis of each is the filter.
    """
    arrays = [np.asarray(leaf) for leaf in leaves.values()]
    return np.any([array.reshape(-1, array.shape[-1]).any(axis=0) for array in arrays], axis=0)
