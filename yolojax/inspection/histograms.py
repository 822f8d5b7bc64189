"""The weights of each layer before and after, as counts and as a picture."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from yolojax.inspection.sources import Source, layer, leaves

COLUMNS = 4


@dataclasses.dataclass(frozen=True)
class Histogram:
    """The weights of one layer, before and after.

    `before` and `after` (bins,) count what is not exactly 0 between `edges` (bins + 1,): the zeros of a pruned layer
    would hide the rest. `zeros` and `sizes` are (before, after): how many weights are 0, and how many there are.
    """

    edges: np.ndarray
    before: np.ndarray
    after: np.ndarray
    zeros: tuple[int, int]
    sizes: tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Histograms:
    """One histogram per layer, and all of them in one picture."""

    layers: dict[str, Histogram]
    figure: Figure


def histograms(
    before: Source, after: Source, *, layers: Sequence[str] = (), leaf: str = "kernel", bins: int = 60
) -> Histograms:
    """The weights of each layer in two networks, such as one before and after it was pruned.

    Args:
      before: params, variables, a `network.Model` or a path (see `sources.leaves`).
      after: the same; shapes may differ, as after `pruning.remove_filters`.
      layers: which to show; all that either has if empty.
      leaf: kernel, scale or bias.
      bins: how many, equally wide, over the values of both.

    Raises ValueError for a layer that one of the two lacks, and for values that are not finite.
    """
    if bins < 1:
        raise ValueError(f"bins is {bins}, expected at least 1")
    first, second = (
        {layer(path): value for path, value in leaves(source).items() if path.endswith(f"/{leaf}")}
        for source in (before, after)
    )
    names = list(layers) or sorted(first.keys() | second.keys())
    if not names:
        raise ValueError(f"no layer has a {leaf!r}, expected kernel, scale or bias")
    found = {name: _histogram(f"{name}/{leaf}", first.get(name), second.get(name), bins) for name in names}
    return Histograms(found, _figure(found))


def _histogram(name: str, before: np.ndarray | None, after: np.ndarray | None, bins: int) -> Histogram:
    if before is None or after is None:
        where = "in neither" if before is after else f"only in {'after' if before is None else 'before'}"
        raise ValueError(f"{name} is {where}; name layers that both have")
    if not (np.isfinite(before).all() and np.isfinite(after).all()):
        raise ValueError(f"{name} has values that are not finite; name the other layers")
    values = [leaf[leaf != 0] for leaf in (before, after)]
    edges = np.histogram_bin_edges(np.concatenate(values), bins)
    counts = [np.histogram(value, edges)[0] for value in values]
    zeros = (before.size - values[0].size, after.size - values[1].size)
    return Histogram(edges, counts[0], counts[1], zeros, (before.size, after.size))


def _figure(found: Mapping[str, Histogram]) -> Figure:
    rows = -(-len(found) // COLUMNS)
    figure = Figure(figsize=(3 * COLUMNS, 2.2 * rows), layout="constrained")
    grid = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes, (name, histogram) in zip(grid, found.items(), strict=False):
        _draw(axes, name, histogram)
    for axes in grid[len(found) :]:
        axes.remove()
    grid[0].legend(fontsize="small")
    return figure


def _draw(axes: Axes, name: str, histogram: Histogram) -> None:
    axes.stairs(histogram.before, histogram.edges, label="before", color="tab:gray", fill=True, alpha=0.4)
    axes.stairs(histogram.after, histogram.edges, label="after", color="tab:blue")
    was, now = (100 * zeros / size for zeros, size in zip(histogram.zeros, histogram.sizes, strict=True))
    axes.set_title(f"{name}: {was:.0f}% → {now:.0f}% zeros", fontsize="medium")
    axes.tick_params(labelsize="small")
