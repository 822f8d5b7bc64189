"""Sensitivity: mAP after dropping a part of one layer alone (the analysis of Han et al. 2015 and Li et al. 2016)."""

import dataclasses
import json
import pathlib
from typing import Any

import ml_collections
import numpy as np
from absl import logging
from tqdm import tqdm

from yolojax import network, pruning, training
from yolojax.runs import masking, setup


def measure_sensitivity(
    config: ml_collections.ConfigDict, model: network.Model, evaluator: training.Evaluator, path: pathlib.Path
) -> dict[str, Any]:
    """Measures each layer that the config's method may prune and writes what is known after each of them to `path`.

    Layers that `path` holds already are not measured again. Masks change values and not shapes, so all evaluations
    share the evaluator's compiled function.
    """
    result = _start(config, model, evaluator, path)
    left = {
        name: size for name, size in layer_sizes(config, model.architecture).items() if name not in result["layers"]
    }
    steps = len(left) * len(result["amounts"])
    with tqdm(total=steps, desc=f"sensitivity, {config.method}", unit="eval", disable=not steps) as bar:
        for name, size in left.items():
            scores = []
            for amount in result["amounts"]:
                masks = masking.make_masks(config, model, amounts={name: amount})
                masked = masking.masked_model(model, masks)
                scores.append(evaluator.evaluate(masked.variables, progress=None).map_11point)
                bar.update()
            result["layers"][name] = {"size": size, "map_11point": scores}
            setup.write_json(path, result)
    return result


def is_whole(config: ml_collections.ConfigDict, result: dict[str, Any]) -> bool:
    """Whether every layer is measured that the config's method may prune."""
    amounts = result["amounts"] == list(config.sensitivity_amounts)
    return amounts and len(result["layers"]) == result["prunable"]


def layer_sizes(config: ml_collections.ConfigDict, architecture: network.Architecture) -> dict[str, int]:
    """{layer that may be pruned: its weights or filters}."""
    if config.method == "weight":
        return {conv.name: int(np.prod(conv.kernel_shape)) for conv in architecture.convolutions}
    sizes = pruning.group_sizes(architecture)
    return {
        conv.name: conv.layer.filters
        for conv in architecture.convolutions
        if sizes.get(conv.name) and conv.name not in config.exclude
    }


def _start(
    config: ml_collections.ConfigDict, model: network.Model, evaluator: training.Evaluator, path: pathlib.Path
) -> dict[str, Any]:
    if path.exists():
        logging.info("going on with %s", path)
        return json.loads(path.read_text())
    original = evaluator.evaluate(model.variables)
    return {
        "method": config.method,
        "criterion": config.criterion,
        "amounts": list(config.sensitivity_amounts),
        "original": original.map_11point,
        "data": evaluator.dataset.description,
        "protocol": {**dataclasses.asdict(evaluator.protocol), "text": str(evaluator.protocol)},
        "prunable": len(layer_sizes(config, model.architecture)),
        "total": masking.total(config, model.architecture),
        "layers": {},
    }
