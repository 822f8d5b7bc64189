"""Sensitivity: mAP after dropping a part of one layer alone (the analysis of Han et al. 2015 and Li et al. 2016)."""

import dataclasses
import json
import pathlib
from typing import Any

import jax
import numpy as np
from absl import logging
from tqdm import tqdm

from yolojax import pruning, training
from yolojax.files import write_json
from yolojax.network import Architecture, Model
from yolojax.runs.masking import make_masks
from yolojax.settings import PruneSettings, Settings, StudySettings


def measure_sensitivity(
    settings: Settings, model: Model, evaluator: training.Evaluator, path: pathlib.Path
) -> dict[str, Any]:
    """Measures each layer that `prune.method` may prune and writes what is known after each of them to `path`.

    Layers that `path` holds already are not measured again. Masks change values and not shapes, so all evaluations
    share the evaluator's compiled function.
    """
    result = _start(settings, model, evaluator, path)
    sizes = layer_sizes(settings.prune, model.architecture)
    left = {name: size for name, size in sizes.items() if name not in result["layers"]}
    steps = len(left) * len(result["amounts"])
    with tqdm(total=steps, desc=f"sensitivity, {settings.prune.method}", unit="eval", disable=not steps) as bar:
        for name, size in left.items():
            scores = []
            for amount in result["amounts"]:
                masked = model.masked(make_masks(settings.prune, model, amounts={name: amount}))
                scores.append(evaluator.evaluate(masked.variables, progress=None).map_11point)
                bar.update()
            result["layers"][name] = {"size": size, "map_11point": scores}
            if jax.process_index() == 0:
                write_json(path, result)
    return result


def is_whole(study: StudySettings, result: dict[str, Any]) -> bool:
    """Whether every layer is measured that may be pruned, at the amounts of the study."""
    amounts = result["amounts"] == list(study.sensitivity_amounts)
    return amounts and len(result["layers"]) == result["prunable"]


def layer_sizes(settings: PruneSettings, architecture: Architecture) -> dict[str, int]:
    """{layer that may be pruned: its weights or filters}."""
    if settings.method == "weight":
        return {conv.name: int(np.prod(conv.kernel_shape)) for conv in architecture.convolutions}
    sizes = pruning.group_sizes(architecture)
    return {
        conv.name: conv.layer.filters
        for conv in architecture.convolutions
        if sizes.get(conv.name) and conv.name not in settings.exclude
    }


def total(settings: PruneSettings, architecture: Architecture) -> int:
    """What `prune.amount` is a fraction of: all kernel weights, or all filters but the head's."""
    convolutions = architecture.convolutions
    if settings.method == "weight":
        return sum(int(np.prod(conv.kernel_shape)) for conv in convolutions)
    heads = pruning.head_convolutions(architecture)
    return sum(conv.layer.filters for conv in convolutions if conv.name not in heads)


def _start(settings: Settings, model: Model, evaluator: training.Evaluator, path: pathlib.Path) -> dict[str, Any]:
    if path.exists():
        logging.info("going on with %s", path)
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    original = evaluator.evaluate(model.variables)
    return {
        "method": settings.prune.method,
        "criterion": settings.prune.criterion_name,
        "amounts": list(settings.study.sensitivity_amounts),
        "original": original.map_11point,
        "data": evaluator.dataset.description,
        "protocol": {**dataclasses.asdict(evaluator.protocol), "text": str(evaluator.protocol)},
        "prunable": len(layer_sizes(settings.prune, model.architecture)),
        "total": total(settings.prune, model.architecture),
        "layers": {},
    }
