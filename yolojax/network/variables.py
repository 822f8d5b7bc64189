"""The shapes that an architecture gives its variables, and the check of a tree against them."""

from collections.abc import Mapping
from typing import Any

import jax

from yolojax.network.architecture import Architecture

Variables = dict[str, dict[str, dict[str, Any]]]


def variable_shapes(architecture: Architecture) -> Variables:
    """The tree `{"params": ..., "batch_stats": ...}` with a shape tuple at each leaf.

    A convolution has `kernel` (height, width, in, out) and `bias` (out,); a batch-normalised one also `scale` in
    params, and `mean` and `var` in batch_stats.
    """
    shapes: Variables = {"params": {}, "batch_stats": {}}
    for conv in architecture.convolutions:
        vector = (conv.layer.filters,)
        leaves: dict[str, Any] = {"kernel": conv.kernel_shape, "bias": vector}
        if conv.layer.batch_normalize:
            leaves["scale"] = vector
            shapes["batch_stats"][conv.name] = {"mean": vector, "var": vector}
        shapes["params"][conv.name] = leaves
    return shapes


def check_variables(architecture: Architecture, variables: Mapping[str, Any]) -> None:
    """Raises ValueError that lists every leaf which is missing, unexpected or of another shape."""
    expected = _flatten(variable_shapes(architecture))
    found = {path: tuple(leaf.shape) for path, leaf in _flatten(variables).items()}
    problems = [f"{path}: missing, expected {expected[path]}" for path in sorted(expected.keys() - found.keys())]
    problems += [f"{path}: unexpected, {found[path]}" for path in sorted(found.keys() - expected.keys())]
    problems += [
        f"{path}: {found[path]}, expected {expected[path]}"
        for path in sorted(expected.keys() & found.keys())
        if found[path] != expected[path]
    ]
    if problems:
        raise ValueError("variables do not fit the architecture:\n  " + "\n  ".join(problems))


def _flatten(tree: Mapping[str, Any]) -> dict[str, Any]:
    leaves = jax.tree_util.tree_leaves_with_path(tree, is_leaf=lambda x: isinstance(x, tuple))
    return {"/".join(str(key.key) for key in path): leaf for path, leaf in leaves}
