"""What the other channels of a layer's input cannot predict: what a layer would lose with it. Needs no labels."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float

from yolojax.network import Architecture, ConvolutionInfo, Leaf, Variables
from yolojax.pruning.groups import channel_origins, head_convolutions
from yolojax.pruning.moments import input_moments
from yolojax.pruning.types import Batch, Scores

RIDGE = 1e-4  # of the mean of the second moments' diagonal


def filter_unpredictability(architecture: Architecture, variables: Variables, batches: Iterable[Batch]) -> Scores:
    """{convolution: (filters,)}: the part of each channel that the others cannot predict, times the energy it has next.

    The part is the mean square error of the least squares prediction from all other channels and a constant, 1 over the
    diagonal of G⁻¹ with G as in `input_moments`; the energy is the sum of squares of the kernel slices that read the
    channel. Summed over all convolutions that read the filter. The head's filters are not scored.

    Args:
      architecture: the network.
      variables: its variables.
      batches: dicts with `image` (B, H, W, 3) uint8; other leaves are ignored. At least one.

    Raises ValueError for no batch at all.
    """
    moments = input_moments(architecture, variables, (batch["image"] for batch in batches))
    origins, heads = channel_origins(architecture), head_convolutions(architecture)
    scores = {conv.index: np.zeros(conv.layer.filters) for conv in architecture.convolutions}
    for conv in architecture.convolutions:
        (source,) = architecture.sources(conv.index)
        if source < 0:
            continue
        energy = _energy(conv, variables["params"][conv.name]["kernel"])
        lost = _unpredicted(moments[conv.name])[:-1] * energy
        for (layer, filter_), value in zip(origins[source].tolist(), lost, strict=True):
            if layer >= 0:
                scores[layer][filter_] += value
    return {conv.name: scores[conv.index] for conv in architecture.convolutions if conv.name not in heads}


def _energy(conv: ConvolutionInfo, kernel: Leaf) -> Float[np.ndarray, " inputs"]:
    """The sum of squares of the kernel slices that read each channel, those of its group."""
    groups = conv.layer.groups
    squares = np.square(np.asarray(kernel, np.float64)).reshape(*kernel.shape[:3], groups, -1)
    return np.sum(squares, axis=(0, 1, 4)).T.reshape(-1)


def _unpredicted(moments: Float[np.ndarray, "inputs inputs"]) -> Float[np.ndarray, " inputs"]:
    """The mean square of each input that the others do not predict, by least squares with a small ridge."""
    ridge = RIDGE * np.mean(np.diag(moments)) * np.eye(len(moments))
    return 1 / np.diag(np.linalg.inv(moments + ridge))
