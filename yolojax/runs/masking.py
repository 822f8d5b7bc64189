"""From settings to scores and masks."""

import dataclasses
from collections.abc import Callable, Mapping

from absl import logging

from yolojax import export, pruning, runtimes
from yolojax.network import Architecture, Masks, Model, Params
from yolojax.pruning import Batches, Scores
from yolojax.settings import PruneSettings

BYTES_STEPS = 4096  # coding a large network takes seconds, so twelve times and not thirty


def make_scores(settings: PruneSettings, model: Model, batches: Batches | None = None) -> Scores:
    """What the criterion of the settings gives each weight or filter; `batches` for one that needs them."""
    return pruning.scores(
        settings.chosen,
        model.architecture,
        model.params,
        kind=settings.kind,
        batch_stats=model.batch_stats,
        batches=batches,
        seed=settings.seed,
    )


def make_masks(
    settings: PruneSettings,
    model: Model,
    scores: Scores,
    *,
    size: int,
    amounts: Mapping[str, float] | None = None,
    part: float = 1.0,
) -> Masks:
    """The masks that the settings ask for, by `make_scores`; `amounts`, {layer: fraction}, in place of their own.

    `size` is that of the images in pixels, for a budget. With `part` below 1 only that part of the way is gone.
    """
    if settings.budget and amounts is None:
        return _budget_masks(settings, model, scores, size, part)
    settings = dataclasses.replace(settings, amount=settings.amount * part)
    if amounts is None and settings.amounts:
        amounts = read_amounts(settings, model.architecture)
    amount = settings.amount if amounts is None else amounts
    if settings.kind == "weight":
        return pruning.weight_masks(
            model.architecture, model.params, amount, scope=settings.chosen_scope, criterion=scores
        )
    return pruning.filter_masks(
        model.architecture,
        model.params,
        amount,
        scope=settings.chosen_scope,
        criterion=scores,
        min_filters=settings.min_filters,
        round_to=settings.round_to,
        exclude=settings.exclude,
    )


def _budget_masks(settings: PruneSettings, model: Model, scores: Scores, size: int, part: float) -> Masks:
    budget = pruning.parse_budget(settings.budget)
    cost, target = _cost(settings, model.architecture, size)
    if settings.kind == "weight":
        return pruning.weight_budget_masks(
            model.architecture,
            model.params,
            scores,
            cost=_weight_cost(budget.unit, model),
            target=target,
            scope=settings.chosen_scope,
            steps=BYTES_STEPS if budget.unit == "bytes" else None,
        )
    whole = cost(model.architecture)
    if settings.amounts:
        curves, original, _ = _read_curves(settings, model.architecture)
        scores = pruning.sensitivity_scores(model.architecture, scores, curves, original)
    return pruning.budget_masks(
        model.architecture,
        model.params,
        scores,
        cost=cost,
        target=max(target, whole * (target / whole) ** part),  # by the same factor in each part
        allocation=settings.allocation,
        limits=pruning.Limits(settings.floor, settings.round_to, settings.exclude),
    )


def _cost(
    settings: PruneSettings, architecture: Architecture, size: int
) -> tuple[Callable[[Architecture], float], float]:
    """What the budget counts in a network, and how much of it may be left."""
    budget = pruning.parse_budget(settings.budget)
    if budget.unit != pruning.LATENCY:
        return budget.cost(size), budget.target(architecture, size)
    table = runtimes.read_table(settings.latency_table)
    return table.seconds, budget.value * (table.unpruned if budget.share else 1)


def _weight_cost(unit: str, model: Model) -> Callable[[Params], float]:
    """What masked parameters have of a budget's unit."""
    costs: dict[str, Callable[[Params], float]] = {
        "weights": pruning.count_weights,
        "params": pruning.count_nonzeros,
        "bytes": lambda params: export.compressed_bytes(model.architecture, model.with_params(params).variables),
    }
    return costs[unit]


def log_what_stays(architecture: Architecture) -> None:
    """Says in one line which convolutions besides the head keep all their filters, and why."""
    heads = pruning.head_convolutions(architecture)
    reasons = [f"{name} ({why})" for name, why in pruning.reasons_to_stay(architecture).items() if name not in heads]
    if reasons:
        logging.info("filters that all stay: %s", ", ".join(reasons))


def check(settings: PruneSettings, model: Model, size: int) -> None:
    """Raises ValueError for what cannot be asked of this network; before data are touched."""
    if settings.chosen.needs.data:  # any scores will do
        settings = dataclasses.replace(settings, criterion="", scope=settings.chosen_scope)
    scores = make_scores(settings, model)
    if not settings.budget or settings.kind == "filter":
        if settings.budget:
            _warn_where_met(settings, model.architecture, size)
        make_masks(settings, model, scores, size=size)
        return
    budget = pruning.parse_budget(settings.budget)
    pruning.check_weight_budget(  # the masks themselves take longer
        model.architecture,
        model.params,
        scores,
        cost=_weight_cost(budget.unit, model),
        target=budget.target(model.architecture, size),
        scope=settings.chosen_scope,
    )


def _warn_where_met(settings: PruneSettings, architecture: Architecture, size: int) -> None:
    """Says that nothing goes, where the unpruned network is within the budget."""
    cost, target = _cost(settings, architecture, size)
    if (whole := cost(architecture)) <= target:
        logging.warning("%s: the network has %s already, so nothing goes", settings.budget, f"{whole:,.6g}")


def read_amounts(settings: PruneSettings, architecture: Architecture) -> dict[str, float]:
    """Per-layer amounts that drop `prune.amount` in all, from the sensitivity analysis that the settings name."""
    curves, original, total = _read_curves(settings, architecture)
    return pruning.amounts_from_curves(curves, original, settings.amount, total)


def _read_curves(settings: PruneSettings, architecture: Architecture) -> tuple[dict[str, pruning.Curve], float, int]:
    """The curves of the analysis that the settings name, the unpruned network's mAP, and what its shares are of."""
    path = settings.amounts
    found = pruning.read_sensitivity(path)
    if found["method"] != settings.method:
        raise ValueError(f"{path} was measured for method {found['method']}, the config prunes by {settings.method}")
    names = {conv.name for conv in architecture.convolutions}
    if unknown := sorted(found["layers"].keys() - names):
        raise ValueError(
            f"{path} names {unknown[0]}, which this network does not have; measure this network's sensitivity"
        )
    for name, size in pruning.prunable(architecture, settings.kind).items():
        if name in found["layers"] and (measured := found["layers"][name]["size"]) != size:
            raise ValueError(
                f"{path} was measured with {measured} {settings.method}s in {name}, this network has {size}; "
                "measure this network's sensitivity"
            )
    curves = {
        name: pruning.Curve(layer["size"], found["amounts"], layer["map_11point"])
        for name, layer in found["layers"].items()
        if name not in settings.exclude
    }
    return curves, found["original"], found["total"]
