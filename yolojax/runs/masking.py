"""From a config to masks."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import ml_collections
import numpy as np

from yolojax import network, pruning, training
from yolojax.pruning.sensitivity_file import read_sensitivity


def make_masks(
    config: ml_collections.ConfigDict, model: network.Model, amounts: Mapping[str, float] | None = None
) -> Any:
    """The masks that the config asks for; `amounts`, {layer: fraction}, in place of its own."""
    params = model.variables["params"]
    if amounts is None and config.amounts:
        amounts = read_amounts(config, model.architecture)
    amount = config.amount if amounts is None else amounts
    if config.method == "weight":
        return pruning.weight_masks(model.architecture, params, amount, scope=config.scope or None, criterion=config.criterion)
    if config.method == "filter":
        return pruning.filter_masks(
            model.architecture,
            params,
            amount,
            scope=config.scope or None,
            criterion=config.criterion,
            min_filters=config.min_filters,
            round_to=config.round_to,
            exclude=tuple(config.exclude),
        )
    raise ValueError(f"method {config.method!r}, expected 'filter' or 'weight'")


def masked_model(model: network.Model, masks: Any) -> network.Model:
    """The model with dropped weights at zero."""
    params = pruning.apply_masks(model.variables["params"], masks)
    return dataclasses.replace(model, variables={**model.variables, "params": params})


def scope(config: ml_collections.ConfigDict) -> str:
    """The config's scope; where it leaves that open, what the criterion was published with."""
    return config.scope or pruning.CRITERIA[config.criterion].scope


def total(config: ml_collections.ConfigDict, architecture: network.Architecture) -> int:
    """What the config's amount is a fraction of: all kernel weights, or all filters but the head's."""
    convolutions = architecture.convolutions
    if config.method == "weight":
        return sum(int(np.prod(conv.kernel_shape)) for conv in convolutions)
    heads = pruning.head_convolutions(architecture)
    return sum(conv.layer.filters for conv in convolutions if conv.name not in heads)


def read_amounts(config: ml_collections.ConfigDict, architecture: network.Architecture) -> dict[str, float]:
    """Per-layer amounts that drop the config's amount in all, from the sensitivity analysis that it names."""
    path = pathlib.Path(config.amounts)
    if not path.is_file():
        raise ValueError(f"{path}: no such file; expected a sensitivity.json that yolojax.study wrote")
    found = read_sensitivity(path)
    if found["method"] != config.method:
        raise ValueError(f"{path} is about pruning by {found['method']}, the config prunes by {config.method}")
    names = {conv.name for conv in architecture.convolutions}
    if unknown := sorted(found["layers"].keys() - names):
        raise ValueError(f"{path} names {unknown[0]}, which this network has not; measure this network's sensitivity")
    curves = {
        name: pruning.Curve(layer["size"], found["amounts"], layer["map_11point"])
        for name, layer in found["layers"].items()
        if name not in config.exclude
    }
    return pruning.amounts_from_curves(curves, found["original"], config.amount, found["total"])
