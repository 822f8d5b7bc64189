"""How much of a network is zero."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from yolojax.inspection.sources import TOTAL, Source, layer, leaves, shape
from yolojax.network import alive_filters

# From a leaf's path to the row that it counts in.
GROUPS: dict[str, Callable[[str], str]] = {
    "leaf": lambda name: name,
    "layer": layer,
    "kind": lambda name: name.rpartition("/")[2],
    "total": lambda name: TOTAL,
}


def sparsity(source: Source, by: str = "layer") -> pd.DataFrame:
    """What share of a network is exactly 0, or of masks False.

    Args:
      source: params, masks, variables, a `network.Model` or a path (see `sources.leaves`). Learned parameters count,
        the batch norm's mean and var do not.
      by: a row per `leaf` (conv_00/kernel), per `layer` (conv_00), per `kind` (kernel, scale, bias: the amount of
        weight pruning is a share of the kernels alone), or the `total` alone.

    Returns:
      A row per group and a last one, `total`, with columns size and nonzero (counts) and sparsity (0..1). By leaf also
      its shape; by layer its filters and how many of them are dead: kernel, scale and bias all 0.
    """
    if by not in GROUPS:
        raise ValueError(f"by {by!r}, expected one of {', '.join(GROUPS)}")
    found = leaves(source)
    counts = pd.DataFrame(
        {name: {"size": leaf.size, "nonzero": np.count_nonzero(leaf)} for name, leaf in found.items()}, dtype=np.int64
    ).T
    table = counts.groupby(GROUPS[by], sort=False).sum()
    table.loc[TOTAL] = counts.sum()
    table["sparsity"] = 1 - table["nonzero"] / table["size"]
    if by == "leaf":
        table.insert(0, "shape", [*map(shape, found.values()), ""])
    if by == "layer":
        alive = [
            alive_filters({path: leaf for path, leaf in found.items() if layer(path) == name})
            for name in table.index[:-1]
        ]
        alive.append(np.concatenate(alive))
        table.insert(0, "filters", [len(filters) for filters in alive])
        table.insert(1, "dead", [int(np.sum(~filters)) for filters in alive])
    return table.rename_axis(None if by == "total" else by)
