"""How much there is to prune: the weights or filters of each layer, and how many an amount is a fraction of."""

import math
from collections.abc import Collection
from typing import Literal

from yolojax.network import Architecture
from yolojax.pruning.groups import group_sizes, head_convolutions

Kind = Literal["weight", "filter"]


def prunable(architecture: Architecture, kind: Kind, exclude: Collection[str] = ()) -> dict[str, int]:
    """{convolution that may be pruned: its kernel weights, or its filters}, in the order of the layers.

    Every kernel counts, the head's included. Filters of the head have to stay, and so do others that `reasons_to_stay`
    names; such convolutions are left out, as are those that `exclude` names.
    """
    counts = {conv.name: _count(conv.kernel_shape, kind) for conv in architecture.convolutions}
    fixed = {name for name, size in group_sizes(architecture).items() if not size} if kind == "filter" else set()
    return {name: count for name, count in counts.items() if name not in fixed and name not in exclude}


def total(architecture: Architecture, kind: Kind) -> int:
    """What a global amount is a fraction of: all kernel weights, or all filters but the head's.

    Filters that have to stay although they are not the head's are counted, so that a fraction means the same whatever
    the groups before a reorg and whatever a call excludes.
    """
    heads = head_convolutions(architecture) if kind == "filter" else frozenset()
    return sum(_count(conv.kernel_shape, kind) for conv in architecture.convolutions if conv.name not in heads)


def _count(kernel_shape: tuple[int, ...], kind: Kind) -> int:
    return math.prod(kernel_shape) if kind == "weight" else kernel_shape[-1]
