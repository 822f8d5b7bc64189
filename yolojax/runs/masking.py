"""From settings to masks."""

import pathlib
from collections.abc import Mapping

from yolojax import pruning
from yolojax.network import Architecture, Model
from yolojax.pruning.masks import Masks
from yolojax.pruning.sensitivity_file import read_sensitivity
from yolojax.settings import PruneSettings


def make_masks(settings: PruneSettings, model: Model, amounts: Mapping[str, float] | None = None) -> Masks:
    """The masks that the settings ask for; `amounts`, {layer: fraction}, in place of their own."""
    params = model.params
    if amounts is None and settings.amounts:
        amounts = read_amounts(settings, model.architecture)
    amount = settings.amount if amounts is None else amounts
    if settings.method == "weight":
        return pruning.weight_masks(
            model.architecture, params, amount, scope=settings.scope_name, criterion=settings.criterion_name
        )
    return pruning.filter_masks(
        model.architecture,
        params,
        amount,
        scope=settings.scope_name,
        criterion=settings.criterion_name,
        min_filters=settings.min_filters,
        round_to=settings.round_to,
        exclude=settings.exclude,
    )


def read_amounts(settings: PruneSettings, architecture: Architecture) -> dict[str, float]:
    """Per-layer amounts that drop `prune.amount` in all, from the sensitivity analysis that the settings name."""
    path = pathlib.Path(settings.amounts)
    if not path.is_file():
        raise ValueError(f"{path}: no such file; expected a sensitivity.json that yolojax.study wrote")
    found = read_sensitivity(path)
    if found["method"] != settings.method:
        raise ValueError(f"{path} is about pruning by {found['method']}, the config prunes by {settings.method}")
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
