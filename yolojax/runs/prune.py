"""The main job: measure a network, prune it, measure, retrain, measure again, and keep the smaller network."""

import dataclasses
import pathlib
import time
from typing import Any

import jax
import ml_collections
import numpy as np
from absl import logging

from yolojax import data, export, network, pruning, training
from yolojax.reporting import pictures, report
from yolojax.runs import masking, setup
from yolojax.runs.train import train_model


@dataclasses.dataclass(frozen=True)
class Subject:
    """An unpruned network with its data, and what was measured of it."""

    model: network.Model
    train_set: data.Dataset
    eval_set: data.Dataset
    evaluator: training.Evaluator
    original: report.Stage


def open_subject(config: ml_collections.ConfigDict) -> Subject:
    """Opens the network and the data that `config` names and measures the network."""
    model = setup.open_start(config)
    eval_set = setup.open_split(config, config.eval_split, model.names)
    train_set = setup.open_split(config, config.train_split, eval_set.names)
    training.require_names(model, eval_set.names, eval_set.description)
    model = dataclasses.replace(model, names=eval_set.names)
    masking.make_masks(config, model)  # A mistake in the config shows before the long work.
    evaluator = setup.make_evaluator(config, model.architecture, eval_set)
    return Subject(model, train_set, eval_set, evaluator, measure("original", config, model, evaluator))


def run_pruning(config: ml_collections.ConfigDict, workdir: str | pathlib.Path) -> report.Report:
    """Prunes and retrains by `config`.

    Leaves in `workdir`: report.json, report.md and its pictures; samples.json, the detections in them; model.cfg,
    .weights and .names of the retrained network (the smaller one where filters were pruned); masks.npz; the checkpoints
    of the retraining.
    """
    with setup.claim(config, workdir) as folder:
        return prune_and_retrain(config, open_subject(config), folder)


def prune_and_retrain(config: ml_collections.ConfigDict, subject: Subject, workdir: pathlib.Path) -> report.Report:
    """`run_pruning` of a network that is open and measured."""
    start, model, evaluator = time.monotonic(), subject.model, subject.evaluator
    masks = masking.make_masks(config, model)
    masked = masking.masked_model(model, masks)
    pruned = measure("pruned", config, masked, evaluator)

    if config.method == "filter":
        smaller, masks_left = removed_model(masked, masks), None
        setup.write_json(workdir / "removal.json", {"max_difference": head_difference(masked, smaller, config.size)})
        evaluator = setup.make_evaluator(config, smaller.architecture, subject.eval_set)
    else:
        smaller, masks_left = masked, masks
    went_on = any((workdir / "checkpoints").glob("[0-9]*"))
    seconds = time.monotonic()
    retrained_model = train_model(config, smaller, subject.train_set, workdir, masks_left, evaluator)
    seconds = time.monotonic() - seconds
    retrained = measure("retrained", config, retrained_model, evaluator)

    if jax.process_index() == 0:
        export.save_darknet(retrained_model, workdir / "model")
        save_masks(workdir / "masks.npz", masks)
    result = report.Report(
        config=config,
        train_set=subject.train_set.description,
        eval_set=subject.eval_set.description,
        stages=(subject.original, pruned, retrained),
        layers=pruning.layer_table(model.architecture, masked.variables, masks),
        masked_filter_parameters=pruning.masked_filter_parameters(model.variables["params"], masks),
        off_grid=off_grid(config, model),
        retrain_seconds=None if went_on else seconds,
        total_seconds=None if went_on else time.monotonic() - start,
    )
    report.write(result, subject.eval_set, workdir)
    return result


def measure(
    name: str, config: ml_collections.ConfigDict, model: network.Model, evaluator: training.Evaluator
) -> report.Stage:
    """Evaluates one network of a run."""
    start = time.monotonic()
    found = evaluator.predict(model.variables, progress=f"evaluate {name}")
    seconds = time.monotonic() - start
    result = training.score(evaluator.annotations, found, model.names, evaluator.protocol, seconds=seconds)
    logging.info("%s: mAP %.4f (11-point)", name, result.map_11point)
    samples = pictures.sample(found, config.pictures)
    return report.make_stage(name, model.architecture, model.variables, result, config.size, samples)


def off_grid(config: ml_collections.ConfigDict, model: network.Model) -> dict[str, int] | None:
    """Parameters and MACs that would be left without the config's `round_to`; None where it asks for nothing."""
    if config.method != "filter" or config.round_to == 1:
        return None
    config = config.copy_and_resolve_references()
    config.round_to = 1
    smaller = removed_model(model, masking.make_masks(config, model))
    return {
        "parameters": pruning.count_parameters(smaller.variables["params"]),
        "macs": pruning.macs(smaller.architecture, config.size, config.size),
    }


def removed_model(model: network.Model, masks: Any) -> network.Model:
    """The model without its dropped filters."""
    architecture, variables = pruning.remove_filters(model.architecture, model.variables, masks)
    return dataclasses.replace(model, architecture=architecture, variables=variables)


def head_difference(masked: network.Model, removed: network.Model, size: int) -> float:
    """The largest difference of two heads on a random image, relative to the largest value."""
    image = jax.random.uniform(jax.random.key(0), (1, size, size, masked.architecture.net.channels))
    first, second = (
        np.asarray(jax.jit(network.apply, static_argnums=0)(m.architecture, m.variables, image))
        for m in (masked, removed)
    )
    return float(np.max(np.abs(first - second)) / np.max(np.abs(first)))


def save_masks(path: pathlib.Path, masks: Any) -> None:
    """Writes masks as an .npz with one bit array per leaf, named by its path; `np.unpackbits` reads them."""
    leaves = jax.tree_util.tree_leaves_with_path(masks)
    packed: dict[str, Any] = {"/".join(k.key for k in path): np.packbits(np.asarray(leaf)) for path, leaf in leaves}
    np.savez_compressed(path, **packed)
