"""Pruning as pure functions: scores, masks, apply or remove, and what is left."""

from yolojax.network import apply_masks
from yolojax.pruning.accounting import (
    LayerRow,
    count_nonzeros,
    count_parameters,
    count_weights,
    dense_bytes,
    layer_macs,
    layer_table,
    macs,
    masked_filter_parameters,
    sparsity,
)
from yolojax.pruning.allocation import ALLOCATIONS, Limits, budget_masks
from yolojax.pruning.budget import LATENCY, WEIGHT_UNITS, Budget, parse_budget
from yolojax.pruning.criteria import (
    CRITERIA,
    DEFAULT_CRITERIA,
    SCOPES,
    Criterion,
    Needs,
    filter_bn_scale,
    filter_fpgm,
    filter_l1,
    filter_l2,
    filter_lamp,
    filter_mean_square,
    filter_random,
    weight_lamp,
    weight_magnitude,
    weight_random,
)
from yolojax.pruning.erdos_renyi import erdos_renyi_counts
from yolojax.pruning.fisher import filter_fisher
from yolojax.pruning.groups import channel_origins, grid_unit, group_sizes, head_convolutions, reasons_to_stay
from yolojax.pruning.masks import Amount, filter_masks, keep_all, weight_masks
from yolojax.pruning.moments import input_moments
from yolojax.pruning.optimizer import MaskedState, change_masks, masked
from yolojax.pruning.prunable import Kind, prunable, total
from yolojax.pruning.removal import remove_filters
from yolojax.pruning.repair import repair
from yolojax.pruning.schedules import polynomial
from yolojax.pruning.scores import AnyCriterion, Batches, scores
from yolojax.pruning.sensitivity import Curve, amounts_from_curves, sensitivity_scores
from yolojax.pruning.sensitivity_file import Sensitivity, read_sensitivity
from yolojax.pruning.taylor import filter_taylor
from yolojax.pruning.types import Scores
from yolojax.pruning.unpredictability import filter_unpredictability
from yolojax.pruning.weight_budget import check_weight_budget, weight_budget_masks

__all__ = [
    "ALLOCATIONS",
    "CRITERIA",
    "DEFAULT_CRITERIA",
    "LATENCY",
    "SCOPES",
    "WEIGHT_UNITS",
    "Amount",
    "AnyCriterion",
    "Batches",
    "Budget",
    "Criterion",
    "Curve",
    "Kind",
    "LayerRow",
    "Limits",
    "MaskedState",
    "Needs",
    "Scores",
    "Sensitivity",
    "amounts_from_curves",
    "apply_masks",
    "budget_masks",
    "change_masks",
    "channel_origins",
    "check_weight_budget",
    "count_nonzeros",
    "count_parameters",
    "count_weights",
    "dense_bytes",
    "erdos_renyi_counts",
    "filter_bn_scale",
    "filter_fisher",
    "filter_fpgm",
    "filter_l1",
    "filter_l2",
    "filter_lamp",
    "filter_masks",
    "filter_mean_square",
    "filter_random",
    "filter_taylor",
    "filter_unpredictability",
    "grid_unit",
    "group_sizes",
    "head_convolutions",
    "input_moments",
    "keep_all",
    "layer_macs",
    "layer_table",
    "macs",
    "masked",
    "masked_filter_parameters",
    "parse_budget",
    "polynomial",
    "prunable",
    "read_sensitivity",
    "reasons_to_stay",
    "remove_filters",
    "repair",
    "scores",
    "sensitivity_scores",
    "sparsity",
    "total",
    "weight_budget_masks",
    "weight_lamp",
    "weight_magnitude",
    "weight_masks",
    "weight_random",
]
