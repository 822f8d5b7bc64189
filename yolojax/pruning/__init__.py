"""Pruning as pure functions: scores, masks, apply or remove, and what is left."""

from yolojax.network import apply_masks
from yolojax.pruning.accounting import (
    LayerRow,
    count_nonzeros,
    count_parameters,
    dense_bytes,
    layer_macs,
    layer_table,
    macs,
    masked_filter_parameters,
    sparsity,
)
from yolojax.pruning.criteria import (
    FILTER_CRITERIA,
    WEIGHT_CRITERIA,
    filter_l1,
    filter_mean_square,
    weight_magnitude,
)
from yolojax.pruning.groups import channel_origins, group_sizes, head_convolutions
from yolojax.pruning.masks import default_scope, filter_masks, keep_all, weight_masks
from yolojax.pruning.optimizer import zero_dropped
from yolojax.pruning.removal import remove_filters
from yolojax.pruning.schedules import one_shot, polynomial
from yolojax.pruning.sensitivity import Curve, amounts_from_curves

__all__ = [
    "FILTER_CRITERIA",
    "WEIGHT_CRITERIA",
    "Curve",
    "LayerRow",
    "amounts_from_curves",
    "apply_masks",
    "channel_origins",
    "count_nonzeros",
    "count_parameters",
    "default_scope",
    "dense_bytes",
    "filter_l1",
    "filter_masks",
    "filter_mean_square",
    "group_sizes",
    "head_convolutions",
    "keep_all",
    "layer_macs",
    "layer_table",
    "macs",
    "masked_filter_parameters",
    "one_shot",
    "polynomial",
    "remove_filters",
    "sparsity",
    "weight_magnitude",
    "weight_masks",
    "zero_dropped",
]
