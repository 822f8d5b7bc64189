"""Sensitivity: mAP after dropping a part of one layer alone (the analysis of Han et al. 2015 and Li et al. 2016)."""

import dataclasses
import json
import pathlib
from collections.abc import Callable

import jax
from absl import logging

from yolojax import pruning, training
from yolojax.files import write_json
from yolojax.network import Masks, Model, Variables
from yolojax.progress import progress
from yolojax.pruning import Scores, Sensitivity
from yolojax.runs import setup
from yolojax.runs.masking import make_masks
from yolojax.runs.prune import Subject
from yolojax.settings import Settings, StudySettings


class SensitivityResult(Sensitivity):
    """A sensitivity.json with what it was measured by and on; `prunable` is how many layers it has when it is whole."""

    criterion: str
    repair: bool
    split: str
    data: str
    protocol: dict[str, str | float]
    prunable: int


def measure_sensitivity(
    settings: Settings, subject: Subject, scores: Scores, evaluator: training.Evaluator, path: pathlib.Path
) -> SensitivityResult:
    """Measures each layer that may be pruned, by `scores`, and writes what is known after each of them to `path`.

    With `prune.repair` each point is measured after the repair. Layers that `path` holds already are not measured
    again. Masks change values and not shapes, so all evaluations share the evaluator's compiled function.
    """
    result = _start(settings, subject.model, evaluator, path)
    about, model = settings.prune, subject.model
    sizes = pruning.prunable(model.architecture, about.kind, about.exclude)
    left = {name: size for name, size in sizes.items() if name not in result["layers"]}
    masked = _masker(settings, subject)
    steps = len(left) * len(result["amounts"])
    what = f"sensitivity, {settings.prune.method}"
    with progress(what=what, unit="eval", total=steps, hidden=not steps) as bar:
        for name, size in left.items():
            found = []
            for amount in result["amounts"]:
                masks = make_masks(about, model, scores, size=settings.eval.size, amounts={name: amount})
                found.append(evaluator.evaluate(masked(masks), progress=None).map_11point)
                bar.update()
            result["layers"][name] = {"size": size, "map_11point": found}
            if jax.process_index() == 0:
                write_json(path, result)
    return result


def is_whole(study: StudySettings, result: SensitivityResult) -> bool:
    """Whether every layer is measured that may be pruned, as the study asks for it."""
    return _is_of(study, result) and len(result["layers"]) == result["prunable"]


def _is_of(study: StudySettings, result: SensitivityResult) -> bool:
    """Whether the analysis was started with the amounts and on the split of the study."""
    return result["amounts"] == list(study.sensitivity_amounts) and result.get("split") == study.sensitivity_split


def _masker(settings: Settings, subject: Subject) -> Callable[[Masks], Variables]:
    """From masks to the variables that are measured: masked, and repaired where the settings say so."""
    model = subject.model
    if not settings.prune.repair:
        return lambda masks: model.masked(masks).variables
    batches = setup.plain_batches(settings, subject.train_set, settings.prune.images)
    images = [batch["image"] for batch in batches]
    return lambda masks: pruning.repair(model.architecture, model.variables, masks, images)


def _start(settings: Settings, model: Model, evaluator: training.Evaluator, path: pathlib.Path) -> SensitivityResult:
    if path.exists():
        found: SensitivityResult = json.loads(path.read_text())
        if _is_of(settings.study, found):
            logging.info("resuming %s", path)
            return found
        logging.info("%s is of other amounts or another split, and is measured again", path)
    original = evaluator.evaluate(model.variables)
    return {
        "method": settings.prune.method,
        "criterion": settings.prune.chosen.name,
        "repair": settings.prune.repair,
        "amounts": list(settings.study.sensitivity_amounts),
        "original": original.map_11point,
        "split": settings.study.sensitivity_split,
        "data": evaluator.dataset.description,
        "protocol": {**dataclasses.asdict(evaluator.protocol), "text": str(evaluator.protocol)},
        "prunable": len(pruning.prunable(model.architecture, settings.prune.kind, settings.prune.exclude)),
        "total": pruning.total(model.architecture, settings.prune.kind),
        "layers": {},
    }
