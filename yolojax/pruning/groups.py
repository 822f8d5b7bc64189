"""Which filter each channel comes from, and which filters can only be dropped together.

Darknet's [reorg] lets a channel leak into its neighbours, but an aligned group of s² channels (s² k to s² k + s² - 1)
stays together: it maps to the same group in each of the s² blocks of the output. So filters that feed a reorg are
dropped in aligned groups, and what is left keeps dividing by s².

Another kind of group is that of a convolution with `groups`. Its filters, and those that it reads, all stay.
"""

import math
from typing import assert_never

import numpy as np

from yolojax.network import (
    Architecture,
    Avgpool,
    Convolutional,
    Cost,
    Dropout,
    Layer,
    Maxpool,
    Region,
    Reorg,
    Route,
    Softmax,
    walk,
)
from yolojax.network.activations import CONSTANT_AT_ZERO

GRID_STEPS = 4  # of a grid, that a layer has to be wide for the grid to hold for it
# A channel's origin: (layer of the convolution, filter); the image is layer -1.
Origins = np.ndarray


def channel_origins(architecture: Architecture) -> list[Origins]:
    """For each layer (C, 2) int: the convolution's layer index and the filter behind each output channel.

    Behind a reorg a channel stands for its whole group: it names the filter at its own place in the group, so that a
    group which is kept or dropped as a whole is so there too.
    """
    image = np.stack([np.full(architecture.net.channels, -1), np.arange(architecture.net.channels)], axis=1)

    def visit(index: int, layer: Layer, inputs: list[Origins]) -> Origins:
        match layer:
            case Convolutional():
                filters = np.arange(layer.filters)
                return np.stack([np.full_like(filters, index), filters], axis=1)
            case Reorg():
                return np.tile(inputs[0], (layer.stride**2, 1))
            case Route():
                return np.concatenate(inputs)
            case Maxpool() | Region() | Dropout() | Avgpool() | Softmax() | Cost():
                return inputs[0]
            case _:
                assert_never(layer)

    return walk(architecture, image, visit)


def group_sizes(architecture: Architecture) -> dict[str, int]:
    """{convolution: how many neighbouring filters are dropped together}; 0 for one whose filters all have to stay.

    `reasons_to_stay` says which those are. Through one reorg after another the larger group is enough, not the
    product: an aligned group stays one in each block.
    """
    fixed, sizes = reasons_to_stay(architecture), _reorg_groups(architecture)
    return {conv.name: 0 if conv.name in fixed else sizes[conv.index] for conv in architecture.convolutions}


def reasons_to_stay(architecture: Architecture) -> dict[str, str]:
    """{convolution whose filters cannot be removed exactly: why}, to follow "its filters cannot be removed"."""
    heads, sizes = head_convolutions(architecture), _reorg_groups(architecture)
    readers, reasons = _grouped_readers(architecture), {}
    for conv in architecture.convolutions:
        if conv.name in heads:
            reasons[conv.name] = "they are the output"
        elif conv.layer.groups > 1:
            reasons[conv.name] = "they belong to groups of equal size"
        elif conv.index in readers:
            reasons[conv.name] = f"{readers[conv.index]} reads them in groups"
        elif not sizes[conv.index]:
            reasons[conv.name] = "they reach a reorg unaligned"
        elif conv.layer.activation in CONSTANT_AT_ZERO:
            reasons[conv.name] = f"a dropped one still gives {conv.layer.activation}(0), which is not 0"
    return reasons


def _grouped_readers(architecture: Architecture) -> dict[int, str]:
    """{layer of a convolution: the convolution with groups that reads its filters}."""
    origins = channel_origins(architecture)
    readers: dict[int, str] = {}
    for conv in architecture.convolutions:
        (source,) = architecture.sources(conv.index)
        if conv.layer.groups > 1 and source >= 0:
            readers |= dict.fromkeys(origins[source][:, 0].tolist(), conv.name)
    return readers


def _reorg_groups(architecture: Architecture) -> dict[int, int]:
    """{layer of a convolution: the group that the reorgs behind it keep together}; 0 where they keep none."""
    sizes = {conv.index: 1 for conv in architecture.convolutions}
    origins = channel_origins(architecture)
    for index, layer in enumerate(architecture.layers):
        if isinstance(layer, Reorg):
            (source,) = architecture.sources(index)
            inputs = origins[source] if source >= 0 else np.zeros((0, 2), int)
            for conv in set(inputs[:, 0].tolist()) - {-1}:
                sizes[conv] = math.lcm(sizes[conv], _aligned_size(inputs, conv, layer.stride**2))
    return sizes


def grid_unit(filters: int, size: int, multiple: int) -> int:
    """The step of a layer's grid, in groups of `size` filters: what stays is a multiple of it, so of `multiple`.

    1, which is no grid, for a layer narrower than four steps: there a step is more than a quarter of the layer, so that
    rounding would decide what stays, and little work is at stake.
    """
    step = math.lcm(size, multiple)
    return step // size if filters >= GRID_STEPS * step else 1


def head_convolutions(architecture: Architecture) -> frozenset[str]:
    """The convolutions whose filters are the output's channels: the last one, and what a route adds to it."""
    outputs = set(channel_origins(architecture)[-1][:, 0].tolist())
    return frozenset(c.name for c in architecture.convolutions if c.index in outputs) | {architecture.head_name}


def _aligned_size(inputs: Origins, conv: int, block: int) -> int:
    """`block` if the convolution's filters lie in the inputs in whole aligned blocks; else 0."""
    blocks = inputs.reshape(-1, block, 2)
    mine = blocks[np.any(blocks[:, :, 0] == conv, axis=1)]
    first = mine[:, :1, 1]
    whole = np.all(mine[:, :, 0] == conv) and np.all(first % block == 0)
    return block if whole and np.array_equal(mine[:, :, 1], first + np.arange(block)[None]) else 0
