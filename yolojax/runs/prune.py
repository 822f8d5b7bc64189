"""The main job: measure a network, prune it, measure, retrain, measure again, and keep the smaller network."""

import dataclasses
import functools
import pathlib
import tempfile
import time

import jax
import numpy as np
from absl import logging

from yolojax import data, export, network, pruning, training
from yolojax.files import Path
from yolojax.network import Masks, Model
from yolojax.reporting import report
from yolojax.reporting.stages import Stage, summary
from yolojax.runs import labels, latency, masking, measuring, removing, rounds, setup, timing
from yolojax.runs.train import steps_of, train_model
from yolojax.runs.workdir import PRUNING, claim, holds_training
from yolojax.settings import Settings


@dataclasses.dataclass(frozen=True)
class Subject:
    """An unpruned network with its data, and what was measured of it."""

    model: Model
    train_set: data.Dataset
    eval_set: data.Dataset
    evaluator: training.Evaluator
    original: Stage


def run_pruning(settings: Settings, workdir: Path) -> report.Report:
    """Prunes and retrains.

    Leaves in `workdir`: report.json, report.html, report.md and its pictures; samples.json, the detections in them;
    model.cfg, .weights and .names of the retrained network (the smaller one where filters were pruned); masks.npz; the
    checkpoints of the retraining.
    """
    model = setup.open_start(settings)
    settings = setup.with_size(settings, model.architecture)
    check(settings, model)
    with claim(settings, workdir, sections=PRUNING) as folder:
        result = prune_and_retrain(settings, open_subject(settings, model), folder)
        if jax.process_index() == 0:
            print(summary(result.stages, folder / "report.html"))
        return result


def check(settings: Settings, model: Model) -> None:
    """Raises ValueError for what cannot be asked of this network and these data; before data are touched.

    What the settings ask for is tried on the network, so that a mistake shows before the long work.
    """
    setup.check(settings, model.architecture)
    labels.check_pruning(settings)
    masking.check(latency.with_table(settings, model.architecture).prune, model, settings.eval.size)
    rounds.check(settings)
    timing.check(settings.eval)
    if settings.prune.cluster_bits:
        export.require("constriction")


def open_subject(settings: Settings, model: Model) -> Subject:
    """Opens the data and measures the network; where the data have no labels, what it finds stands in for them."""
    eval_set = setup.open_split(settings.data, settings.data.eval_split, class_names(settings, model))
    train_set = setup.open_split(settings.data, settings.data.train_split, eval_set.names)
    training.require_names(model, eval_set.names, eval_set.description)
    if eval_set.labelled:
        model = dataclasses.replace(model, names=eval_set.names)
    model = setup.at_size(settings, model)
    evaluator = setup.make_evaluator(settings, model.architecture, eval_set)
    found, seconds = measuring.predict("original", model, evaluator)
    if not eval_set.labelled:
        evaluator = evaluator.agreeing_with(found)
        measuring.log_agreement(evaluator)
    original = measuring.make_stage("original", settings, model, evaluator, found, seconds)
    return Subject(model, train_set, evaluator.dataset, evaluator, original)


def class_names(settings: Settings, model: Model) -> tuple[str, ...]:
    """The network's; numbers where it has none and the data have no labels to take them from, else ()."""
    if model.names or data.has_labels(settings.data.source):
        return model.names
    logging.info("the network has no class names, so numbers stand for them; data.names=FILE gives some")
    return network.names_or_numbers(model.architecture, ())


def prune_and_retrain(settings: Settings, subject: Subject, workdir: pathlib.Path) -> report.Report:
    """`run_pruning` of a network that is open and measured."""
    went_on = holds_training(workdir)
    if went_on and settings.train.nothing:
        raise ValueError(f"{workdir} holds a retraining, and this run has none; give a new --workdir")
    start, model, filters = time.monotonic(), subject.model, settings.prune.method == "filter"
    if filters:
        masking.log_what_stays(model.architecture)
    settings, scores, masks, timed = latency.choose(settings, model, subject.train_set, workdir)
    masked = model.masked(masks)
    stages = [subject.original, measuring.measure("pruned", settings, masked, subject.evaluator)]
    left, evaluator = masked, subject.evaluator
    if filters:
        left = removing.smaller_model(settings, model, masks, subject.train_set, workdir)
        evaluator = setup.make_evaluator(settings, left.architecture, subject.eval_set)
        if settings.prune.repair or settings.train.nothing:
            name = "repaired" if settings.prune.repair else "removed"
            stages.append(measuring.measure(name, settings, left, evaluator))
    if settings.prune.restart:
        left = restarted(settings, left)
    begin = time.monotonic()
    if not settings.train.nothing:
        left = retrain(settings, subject, left, masks, evaluator, workdir)
    seconds = time.monotonic() - begin
    if not settings.train.nothing:
        stages.append(measuring.measure("retrained", settings, left, evaluator))
    if settings.prune.cluster_bits:
        stages.append(cluster(settings, left, evaluator, workdir / "model.compressed"))

    if settings.prune.gradual:  # what went while training
        masks = rounds.masks_of_zeros(left)
    if jax.process_index() == 0:
        export.save_darknet(left, workdir / "model")
        save_masks(workdir / "masks.npz", masks)
    whole = {"original", "pruned"}  # what is masked has its old shapes
    networks = {stage.name: subject.model if stage.name in whole else left for stage in stages}
    stages = timing.timed(settings.eval, stages, networks)
    result = report.Report(
        settings=settings,
        train_set=subject.train_set.description,
        eval_set=subject.eval_set.description,
        stages=stages,
        layers=pruning.layer_table(model.architecture, model.variables, masks, (left.architecture, left.params)),
        masked_filter_parameters=pruning.masked_filter_parameters(model.params, masks),
        off_grid=None if timed else removing.off_grid(settings, model, scores),
        latency=timed,
        retrain_steps=steps_of(settings.train, len(subject.train_set), shrink(settings, subject, left)),
        retrain_seconds=None if went_on else seconds,
        total_seconds=None if went_on else time.monotonic() - start,
    )
    if jax.process_index() == 0:
        report.write(result, subject.eval_set, workdir)
    return result


def retrain(
    settings: Settings,
    subject: Subject,
    left: Model,
    masks: Masks,
    evaluator: training.Evaluator,
    workdir: pathlib.Path,
) -> Model:
    """The model after its retraining, in which single weights may go as well."""
    about, weights, changes = settings.prune, None, None
    plan = functools.partial(rounds.weights_while_training, left.architecture, seed=about.seed)
    if about.gradual:
        changes = plan(
            amount=rounds.dropped_share(masks),
            criterion=about.chosen,
            scope=about.chosen_scope,
            rounds=about.rounds,
        )
        left = dataclasses.replace(left, variables=subject.model.variables)
    elif about.method == "weight":
        weights = masks
    elif about.then_weights:
        criterion = pruning.CRITERIA[about.then_criterion]
        changes = plan(amount=about.then_weights, criterion=criterion, scope=criterion.scope, rounds=about.then_rounds)
    if changes:
        weights = pruning.keep_all(left.params)
    return train_model(
        settings,
        left,
        subject.train_set,
        workdir,
        weights,
        evaluator,
        teacher=subject.model,
        removed=masks if about.method == "filter" else None,
        shrink=shrink(settings, subject, left),
        changes=changes,
    )


def shrink(settings: Settings, subject: Subject, left: Model) -> float:
    """By what factor the MACs of an image have become fewer."""
    before, after = (
        pruning.macs(model.architecture, settings.eval.size, settings.eval.size) for model in (subject.model, left)
    )
    return before / after


def restarted(settings: Settings, model: Model) -> Model:
    """The model with random weights: a control, of what its shape alone is worth."""
    variables = network.init(model.architecture, jax.random.key(settings.train.seed))
    return dataclasses.replace(model, variables=variables, seen=0)


def cluster(settings: Settings, model: Model, evaluator: training.Evaluator, path: pathlib.Path) -> Stage:
    """Writes the compressed file in which each kernel has 2**bits values at most, and measures the network in it."""
    with tempfile.TemporaryDirectory() as scratch:
        # Every process measures, and may not see the file of the first.
        path = path if jax.process_index() == 0 else pathlib.Path(scratch) / path.name
        export.write_compressed(
            path,
            model.architecture,
            model.variables,
            names=model.names,
            seen=model.seen,
            values="clustered",
            bits=settings.prune.cluster_bits,
        )
        size, (_, variables, _) = path.stat().st_size, export.read_compressed(path)
    clustered = dataclasses.replace(model, variables=variables)
    stage = measuring.measure("clustered", settings, clustered, evaluator)
    return dataclasses.replace(stage, compressed_bytes=size)


def save_masks(path: pathlib.Path, masks: Masks) -> None:
    """Writes masks as an .npz with one bit array per leaf, named by its path; `np.unpackbits` reads them."""
    packed = {name: np.packbits(np.asarray(leaf)) for name, leaf in network.leaf_paths(masks).items()}
    np.savez_compressed(path, **packed)  # type: ignore[arg-type]
