"""From settings to scores and masks."""

import dataclasses
from collections.abc import Mapping

from yolojax import pruning
from yolojax.network import Architecture, Masks, Model
from yolojax.pruning import Batches, Scores
from yolojax.settings import PruneSettings


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
    settings: PruneSettings, model: Model, scores: Scores, *, size: int, amounts: Mapping[str, float] | None = None
) -> Masks:
    """The masks that the settings ask for, by `make_scores`; `amounts`, {layer: fraction}, in place of their own.

    `size` is that of the images in pixels, for a budget.
    """
    if settings.budget and amounts is None:
        budget = pruning.parse_budget(settings.budget)
        return pruning.budget_masks(
            model.architecture,
            model.params,
            scores,
            cost=budget.cost(size),
            target=budget.target(model.architecture, size),
            allocation=settings.allocation,
            limits=pruning.Limits(settings.floor, settings.round_to, settings.exclude),
        )
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


def check(settings: PruneSettings, model: Model, size: int) -> None:
    """Raises ValueError for what cannot be asked of this network; before data are touched."""
    if settings.chosen.needs is pruning.Needs.BATCHES:  # any scores will do
        settings = dataclasses.replace(settings, criterion="", scope=settings.chosen_scope)
    make_masks(settings, model, make_scores(settings, model), size=size)


def read_amounts(settings: PruneSettings, architecture: Architecture) -> dict[str, float]:
    """Per-layer amounts that drop `prune.amount` in all, from the sensitivity analysis that the settings name."""
    path = settings.amounts
    found = pruning.read_sensitivity(path)
    if found["method"] != settings.method:
        raise ValueError(f"{path} was measured for method {found['method']}, the config prunes by {settings.method}")
    names = {conv.name for conv in architecture.convolutions}
    if unknown := sorted(found["layers"].keys() - names):
        raise ValueError(
            f"{path} names {unknown[0]}, which this network does not have; measure this network's sensitivity"
        )
    curves = {
        name: pruning.Curve(layer["size"], found["amounts"], layer["map_11point"])
        for name, layer in found["layers"].items()
        if name not in settings.exclude
    }
    return pruning.amounts_from_curves(curves, found["original"], settings.amount, found["total"])
