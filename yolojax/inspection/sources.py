"""The leaves of a network, whatever form it comes in."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from yolojax import export, network
from yolojax.files import Path

# params, masks, {"params": ..., "batch_stats": ...}, a network, or the path of one.
Source = Mapping[str, object] | network.Model | Path
TOTAL = "total"


def leaves(source: Source, *, statistics: bool = False) -> dict[str, np.ndarray]:
    """{path as in conv_00/kernel: array} of a network's parameters, or of masks; in the order of the paths.

    Args:
      source: params; masks; variables; a `network.Model`; or the path of a checkpoint folder, a run's workdir or a
        .weights file with its .cfg beside it (`export.open_model` takes a .cfg from elsewhere).
      statistics: with the batch norm's mean and var, where the source holds them.

    Raises ValueError for any other source.
    """
    if isinstance(source, str | os.PathLike):
        source = export.open_model(os.fspath(source))
    if isinstance(source, network.Model):
        source = source.variables
    if not isinstance(source, Mapping):
        raise ValueError(f"source is a {type(source).__name__}, expected params, masks, variables, a Model or a path")
    trees: list[Any] = [source]  # any of these, as the user has it
    if "params" in source:
        trees = [source["params"], source.get("batch_stats", {}) if statistics else {}]
    found = {path: np.asarray(leaf) for tree in trees for path, leaf in network.leaf_paths(tree).items()}
    if not any(leaf.size for leaf in found.values()):
        raise ValueError("source holds no values, expected a tree such as {'conv_00': {'kernel': array}}")
    return dict(sorted(found.items()))


def layer(name: str) -> str:
    """conv_00 of conv_00/kernel."""
    return name.rpartition("/")[0]


def shape(leaf: np.ndarray | None) -> str:
    """3×3×16×32; "" for a leaf that is not there."""
    return "" if leaf is None else "×".join(map(str, leaf.shape))
