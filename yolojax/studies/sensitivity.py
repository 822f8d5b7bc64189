"""Sensitivity: mAP after dropping a part of one layer alone (the analysis of Han et al. 2015 and Li et al. 2016)."""

import dataclasses
import json
import pathlib

import jax
from absl import logging
from tqdm import tqdm

from yolojax import pruning, training
from yolojax.files import write_json
from yolojax.network import Model
from yolojax.pruning import Scores, Sensitivity
from yolojax.runs.masking import make_masks
from yolojax.settings import Settings, StudySettings


class SensitivityResult(Sensitivity):
    """A sensitivity.json with what it was measured by and on; `prunable` is how many layers it has when it is whole."""

    criterion: str
    data: str
    protocol: dict[str, str | float]
    prunable: int


def measure_sensitivity(
    settings: Settings, model: Model, scores: Scores, evaluator: training.Evaluator, path: pathlib.Path
) -> SensitivityResult:
    """Measures each layer that may be pruned, by `scores`, and writes what is known after each of them to `path`.

    Layers that `path` holds already are not measured again. Masks change values and not shapes, so all evaluations
    share the evaluator's compiled function.
    """
    result = _start(settings, model, evaluator, path)
    about = settings.prune
    sizes = pruning.prunable(model.architecture, about.kind, about.exclude)
    left = {name: size for name, size in sizes.items() if name not in result["layers"]}
    steps = len(left) * len(result["amounts"])
    with tqdm(total=steps, desc=f"sensitivity, {settings.prune.method}", unit="eval", disable=not steps) as bar:
        for name, size in left.items():
            found = []
            for amount in result["amounts"]:
                masked = model.masked(make_masks(about, model, scores, size=settings.eval.size, amounts={name: amount}))
                found.append(evaluator.evaluate(masked.variables, progress=None).map_11point)
                bar.update()
            result["layers"][name] = {"size": size, "map_11point": found}
            if jax.process_index() == 0:
                write_json(path, result)
    return result


def is_whole(study: StudySettings, result: SensitivityResult) -> bool:
    """Whether every layer is measured that may be pruned, at the amounts of the study."""
    amounts = result["amounts"] == list(study.sensitivity_amounts)
    return amounts and len(result["layers"]) == result["prunable"]


def _start(settings: Settings, model: Model, evaluator: training.Evaluator, path: pathlib.Path) -> SensitivityResult:
    if path.exists():
        logging.info("resuming %s", path)
        found: SensitivityResult = json.loads(path.read_text())
        return found
    original = evaluator.evaluate(model.variables)
    return {
        "method": settings.prune.method,
        "criterion": settings.prune.chosen.name,
        "amounts": list(settings.study.sensitivity_amounts),
        "original": original.map_11point,
        "data": evaluator.dataset.description,
        "protocol": {**dataclasses.asdict(evaluator.protocol), "text": str(evaluator.protocol)},
        "prunable": len(pruning.prunable(model.architecture, settings.prune.kind, settings.prune.exclude)),
        "total": pruning.total(model.architecture, settings.prune.kind),
        "layers": {},
    }
