"""Removing dropped filters for good: smaller shapes, the same head."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Int

from yolojax.network import (
    Architecture,
    Masks,
    Variables,
    alive_filters,
    check_masks,
    check_variables,
    with_filters,
)
from yolojax.pruning.groups import channel_origins, group_sizes, reasons_to_stay


def remove_filters(
    architecture: Architecture, variables: Variables, masks: Masks
) -> tuple[Architecture, dict[str, dict[str, dict[str, np.ndarray]]]]:
    """The network without the filters that `masks` drop; its head is that of the masked network.

    Args:
      architecture: the network.
      variables: `{"params": ..., "batch_stats": ...}` that fit it.
      masks: a tree like params. A filter goes when all its weights, its scale and its bias are dropped; single weights
        that are dropped in a filter that stays become 0.

    Returns:
      The smaller pair; NumPy leaves.

    Raises:
      ValueError: variables or masks do not fit the architecture, or a filter is dropped that cannot be removed exactly:
        one of the head, part of a group before a reorg, one that `reasons_to_stay` names, or all filters of a layer.
    """
    check_variables(architecture, variables)
    check_masks(variables["params"], masks)
    kept = {conv.name: np.flatnonzero(alive_filters(masks[conv.name])) for conv in architecture.convolutions}
    _check_removable(architecture, kept)
    inputs = kept_channels(architecture, masks)
    new: dict[str, dict[str, dict[str, np.ndarray]]] = {"params": {}, "batch_stats": {}}
    for conv in architecture.convolutions:
        filters, channels = kept[conv.name], inputs[conv.name]
        for name, leaf in variables["params"][conv.name].items():
            value = np.where(np.asarray(masks[conv.name][name]), np.asarray(leaf), np.zeros((), np.float32))
            value = value[..., filters]
            if name == "kernel" and conv.layer.groups == 1:  # else all channels are kept
                value = value[:, :, channels]
            new["params"].setdefault(conv.name, {})[name] = value
        if conv.layer.batch_normalize:
            statistics = variables["batch_stats"][conv.name]
            new["batch_stats"][conv.name] = {name: np.asarray(leaf)[filters] for name, leaf in statistics.items()}
    smaller = with_filters(architecture, {name: len(filters) for name, filters in kept.items()})
    check_variables(smaller, new)
    return smaller, new


def kept_channels(architecture: Architecture, masks: Masks) -> dict[str, Int[np.ndarray, " kept"]]:
    """{convolution: indices of the input channels whose filter is kept}; all of the image's."""
    alive = {conv.index: alive_filters(masks[conv.name]) for conv in architecture.convolutions}
    origins, found = channel_origins(architecture), {}
    for conv in architecture.convolutions:
        (source,) = architecture.sources(conv.index)
        pairs = origins[source].tolist() if source >= 0 else [(-1, i) for i in range(architecture.net.channels)]
        found[conv.name] = np.flatnonzero([layer < 0 or alive[layer][channel] for layer, channel in pairs])
    return found


def _check_removable(architecture: Architecture, kept: Mapping[str, np.ndarray]) -> None:
    sizes, reasons = group_sizes(architecture), reasons_to_stay(architecture)
    for conv in architecture.convolutions:
        filters, size = kept[conv.name], sizes[conv.name]
        if len(filters) == conv.layer.filters:
            continue
        if not len(filters):
            raise ValueError(f"{conv.name}: all {conv.layer.filters} filters are dropped; keep at least one")
        if size == 0:
            raise ValueError(f"{conv.name}: its filters cannot be removed, {reasons[conv.name]}; keep all")
        left = np.bincount(filters // size, minlength=conv.layer.filters // size)
        broken = np.flatnonzero((left != 0) & (left != size)) * size
        if broken.size:
            raise ValueError(
                f"{conv.name}: feeds a reorg, so filters go in aligned groups of {size}; a part was dropped "
                f"of filters {broken[0]} to {broken[0] + size - 1}; drop all of a group or none"
            )
