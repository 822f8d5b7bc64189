"""The main job: measure a network, prune it, measure, retrain, measure again, and keep the smaller network."""

import dataclasses
import pathlib
import time

import jax
import numpy as np
from absl import logging

from yolojax import data, detection, export, network, pruning, training
from yolojax.files import Path, write_json
from yolojax.network import Masks, Model
from yolojax.pruning import Scores
from yolojax.reporting import pictures, report
from yolojax.runs import labels, masking, setup
from yolojax.runs.train import train_model
from yolojax.runs.workdir import PRUNING, claim
from yolojax.settings import Settings


@dataclasses.dataclass(frozen=True)
class Subject:
    """An unpruned network with its data, and what was measured of it."""

    model: Model
    train_set: data.Dataset
    eval_set: data.Dataset
    evaluator: training.Evaluator
    original: report.Stage


def run_pruning(settings: Settings, workdir: Path) -> report.Report:
    """Prunes and retrains.

    Leaves in `workdir`: report.json, report.md and its pictures; samples.json, the detections in them; model.cfg,
    .weights and .names of the retrained network (the smaller one where filters were pruned); masks.npz; the checkpoints
    of the retraining.
    """
    model = setup.open_start(settings)
    settings = setup.with_size(settings, model.architecture)
    check(settings, model)
    with claim(settings, workdir, sections=PRUNING) as folder:
        return prune_and_retrain(settings, open_subject(settings, model), folder)


def open_checked(settings: Settings) -> Model:
    """The network to prune; what the settings ask for is tried on it, so that a mistake shows before the long work."""
    model = setup.open_start(settings)
    check(settings, model)
    return model


def check(settings: Settings, model: Model) -> None:
    """Raises ValueError for what cannot be asked of this network and these data; before data are touched."""
    setup.check(settings, model.architecture)
    labels.check_pruning(settings)
    masking.check(settings.prune, model, settings.eval.size)


def open_subject(settings: Settings, model: Model) -> Subject:
    """Opens the data and measures the network; where the data have no labels, what it finds stands in for them."""
    eval_set = setup.open_split(settings.data, settings.data.eval_split, class_names(settings, model))
    train_set = setup.open_split(settings.data, settings.data.train_split, eval_set.names)
    training.require_names(model, eval_set.names, eval_set.description)
    if eval_set.labelled:
        model = dataclasses.replace(model, names=eval_set.names)
    evaluator = setup.make_evaluator(settings, model.architecture, eval_set)
    found, seconds = predict("original", model, evaluator)
    if not eval_set.labelled:
        evaluator = evaluator.agreeing_with(found)
        log_agreement(evaluator)
    original = make_stage("original", settings, model, evaluator, found, seconds)
    return Subject(model, train_set, evaluator.dataset, evaluator, original)


def class_names(settings: Settings, model: Model) -> tuple[str, ...]:
    """The network's; numbers where it has none and the data have no labels to take them from, else ()."""
    if model.names or data.has_labels(settings.data.source):
        return model.names
    return tuple(f"class {label}" for label in range(model.architecture.region.classes))


def log_agreement(evaluator: training.Evaluator) -> None:
    """Says what stands in for labels; warns where that is nothing."""
    objects = sum(len(annotation.objects.labels) for annotation in evaluator.annotations)
    description = evaluator.dataset.description
    logging.info("%s has no labels: the numbers are %s", description, training.AGREEMENT)
    if not objects:
        logging.warning("%s: the unpruned network finds no object, so the agreement says nothing", description)


def prune_and_retrain(settings: Settings, subject: Subject, workdir: pathlib.Path) -> report.Report:
    """`run_pruning` of a network that is open and measured."""
    went_on = any((workdir / "checkpoints").glob("[0-9]*"))
    if went_on and settings.train.nothing:
        raise ValueError(f"{workdir} holds a retraining, and this run has none; give a new --workdir")
    start, model, evaluator = time.monotonic(), subject.model, subject.evaluator
    scores = score(settings, model, subject.train_set)
    masks = masking.make_masks(settings.prune, model, scores, size=settings.eval.size)
    masked = model.masked(masks)
    stages = [subject.original, measure("pruned", settings, masked, evaluator)]
    left = masked
    if settings.prune.method == "filter":
        left = smaller_model(settings, subject, masks, workdir)
        evaluator = setup.make_evaluator(settings, left.architecture, subject.eval_set)
        if settings.prune.repair or settings.train.nothing:
            stages.append(measure("repaired" if settings.prune.repair else "removed", settings, left, evaluator))
    begin = time.monotonic()
    if not settings.train.nothing:
        masks_left = masks if settings.prune.method == "weight" else None
        removed = masks if settings.prune.method == "filter" else None
        left = train_model(
            settings, left, subject.train_set, workdir, masks_left, evaluator, teacher=model, removed=removed
        )
        seconds = time.monotonic() - begin
        stages.append(measure("retrained", settings, left, evaluator))
    else:
        seconds = 0.0

    if jax.process_index() == 0:
        export.save_darknet(left, workdir / "model")
        save_masks(workdir / "masks.npz", masks)
    result = report.Report(
        settings=settings,
        train_set=subject.train_set.description,
        eval_set=subject.eval_set.description,
        stages=stages,
        layers=pruning.layer_table(model.architecture, masked.variables, masks),
        masked_filter_parameters=pruning.masked_filter_parameters(model.params, masks),
        off_grid=off_grid(settings, model, scores),
        retrain_seconds=None if went_on else seconds,
        total_seconds=None if went_on else time.monotonic() - start,
    )
    if jax.process_index() == 0:
        report.write(result, subject.eval_set, workdir)
    return result


def score(settings: Settings, model: Model, train_set: data.Dataset) -> Scores:
    """The scores by the criterion of the settings, which sees `prune.images` training images where it needs any."""
    if not settings.prune.chosen.needs.data:
        return masking.make_scores(settings.prune, model)
    return masking.make_scores(settings.prune, model, setup.plain_batches(settings, train_set, settings.prune.images))


def measure(name: str, settings: Settings, model: Model, evaluator: training.Evaluator) -> report.Stage:
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
) -> report.Stage:
    """The numbers of one network of a run, by what it `found`."""
    names = evaluator.dataset.names
    result = training.score(evaluator.annotations, found, names, evaluator.protocol, seconds=seconds)
    logging.info("%s: %s %.4f (11-point)", name, result.protocol.quantity, result.map_11point)
    samples = pictures.sample(found, settings.eval.pictures)
    return report.make_stage(name, model, result, settings.eval.size, samples)


def off_grid(settings: Settings, model: Model, scores: Scores) -> dict[str, int] | None:
    """Parameters and MACs that would be left without `prune.round_to`; None where it asks for nothing."""
    if settings.prune.method != "filter" or settings.prune.round_to == 1:
        return None
    free = settings.replace(prune={"round_to": 1})
    smaller = removed_model(model, masking.make_masks(free.prune, model, scores, size=settings.eval.size))
    return {
        "parameters": pruning.count_parameters(smaller.params),
        "macs": pruning.macs(smaller.architecture, settings.eval.size, settings.eval.size),
    }


def smaller_model(settings: Settings, subject: Subject, masks: Masks, workdir: pathlib.Path) -> Model:
    """The model without its dropped filters, repaired where the settings say so; `workdir` gets removal.json."""
    masked = repaired_model(settings, subject, masks) if settings.prune.repair else subject.model.masked(masks)
    smaller = removed_model(masked, masks)
    difference = head_difference(masked, smaller, settings.eval.size)
    if jax.process_index() == 0:
        write_json(workdir / "removal.json", {"max_difference": difference})
    return smaller


def repaired_model(settings: Settings, subject: Subject, masks: Masks) -> Model:
    """The masked model in which what stays stands in for what went, by `prune.images` training images."""
    model, start = subject.model, time.monotonic()
    batches = setup.plain_batches(settings, subject.train_set, settings.prune.images)
    variables = pruning.repair(model.architecture, model.variables, masks, (batch["image"] for batch in batches))
    logging.info("repaired in %.1f s, without labels", time.monotonic() - start)
    return dataclasses.replace(model, variables=variables)


def removed_model(model: Model, masks: Masks) -> Model:
    """The model without its dropped filters."""
    architecture, variables = pruning.remove_filters(model.architecture, model.variables, masks)
    return dataclasses.replace(model, architecture=architecture, variables=variables)


def head_difference(masked: Model, removed: Model, size: int) -> float:
    """The largest difference of two heads on a random image, relative to the largest value."""
    image = jax.random.uniform(jax.random.key(0), (1, size, size, masked.architecture.net.channels))
    first, second = (
        np.asarray(jax.jit(network.apply, static_argnums=0)(m.architecture, m.variables, image))
        for m in (masked, removed)
    )
    return float(np.max(np.abs(first - second)) / np.max(np.abs(first)))


def save_masks(path: pathlib.Path, masks: Masks) -> None:
    """Writes masks as an .npz with one bit array per leaf, named by its path; `np.unpackbits` reads them."""
    packed = {name: np.packbits(np.asarray(leaf)) for name, leaf in network.leaf_paths(masks).items()}
    np.savez_compressed(path, **packed)  # type: ignore[arg-type]
