"""Measuring the networks of a pruning run."""

import time

from absl import logging

from yolojax import detection, training
from yolojax.network import Model
from yolojax.reporting import pictures, stages
from yolojax.settings import Settings


def log_agreement(evaluator: training.Evaluator) -> None:
    """Says what stands in for labels; warns where that is nothing."""
    objects = sum(len(annotation.objects.labels) for annotation in evaluator.annotations)
    description = evaluator.dataset.description
    logging.info("%s has no labels: the numbers are %s", description, training.AGREEMENT)
    if not objects:
        logging.warning("%s: the unpruned network finds no object, so the agreement says nothing", description)


def measure(name: str, settings: Settings, model: Model, evaluator: training.Evaluator) -> stages.Stage:
    """Evaluates one network of a run."""
    found, seconds = predict(name, model, evaluator)
    return make_stage(name, settings, model, evaluator, found, seconds)


def predict(name: str, model: Model, evaluator: training.Evaluator) -> tuple[list[detection.Detections], float]:
    """What one network of a run finds in each image, and the seconds that this took."""
    start = time.monotonic()
    found = evaluator.predict(model.variables, progress=f"evaluate {name}")
    return found, time.monotonic() - start


def make_stage(
    name: str,
    settings: Settings,
    model: Model,
    evaluator: training.Evaluator,
    found: list[detection.Detections],
    seconds: float,
) -> stages.Stage:
    """The numbers of one network of a run, by what it `found`."""
    names = evaluator.dataset.names
    result = training.score(evaluator.annotations, found, names, evaluator.protocol, seconds=seconds)
    logging.info("%s: %s %.4f (11-point)", name, result.protocol.quantity, result.map_11point)
    samples = pictures.sample(found, settings.eval.pictures)
    return stages.make_stage(name, model, result, settings.eval.size, samples)
