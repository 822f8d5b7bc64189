"""The main job: measure a network, prune it, measure, retrain, measure again, and keep the smaller network."""

import dataclasses
import pathlib
import time
from typing import Any

import jax
import ml_collections
import numpy as np
from absl import logging

from yolojax import network, pruning, training
from yolojax.experiments import pictures, report, setup
from yolojax.experiments.train_run import save_darknet, train_model


def run_pruning(config: ml_collections.ConfigDict, workdir: str | pathlib.Path) -> report.Report:
    """Prunes and retrains by `config`.

    Leaves in `workdir`: report.json, report.md and its pictures; model.cfg, .weights and .names of the retrained
    network (the smaller one where filters were pruned); masks.npz; the checkpoints of the retraining.
    """
    workdir, start = pathlib.Path(workdir), time.monotonic()
    model = setup.open_start(config)
    eval_set = setup.open_split(config, config.eval_split, model.names)
    train_set = setup.open_split(config, config.train_split, eval_set.names)
    training.require_names(model, eval_set.names, eval_set.description)
    model = dataclasses.replace(model, names=eval_set.names)
    masks = make_masks(config, model)
    setup.start_run(config, workdir)

    stages: list[report.Stage] = []
    evaluator = setup.make_evaluator(config, model.architecture, eval_set)
    gallery = pictures.Gallery(eval_set, config.pictures)

    def measure(name: str, model: training.Model, evaluator: training.Evaluator, **stage: Any) -> None:
        found = evaluator.predict(model.variables, progress=f"evaluate {name}")
        result = training.score(evaluator.annotations, found, model.names, evaluator.protocol)
        logging.info("%s: mAP %.4f (11-point)", name, result.map_11point)
        gallery.add(f"{name} {result.map_11point:.3f}", found)
        stages.append(report.make_stage(name, model.architecture, model.variables, result, config.size, **stage))

    measure("original", model, evaluator)
    masked = masked_model(model, masks)
    measure("pruned", masked, evaluator)

    if config.method == "filter":
        smaller, masks_left = removed_model(masked, masks), None
        setup.write_json(workdir / "removal.json", {"max_difference": head_difference(masked, smaller, config.size)})
        evaluator = setup.make_evaluator(config, smaller.architecture, eval_set)
    else:
        smaller, masks_left = masked, masks
    seconds = time.monotonic()
    retrained = train_model(config, smaller, train_set, workdir, masks_left)
    seconds = time.monotonic() - seconds
    measure("retrained", retrained, evaluator)

    if jax.process_index() == 0:
        save_darknet(retrained, workdir / "model")
        save_masks(workdir / "masks.npz", masks)
    result = report.Report(
        config=config,
        train_set=train_set.description,
        eval_set=eval_set.description,
        stages=stages,
        layers=pruning.layer_table(model.architecture, masked.variables, masks),
        masked_filter_parameters=pruning.masked_filter_parameters(model.variables["params"], masks),
        retrain_seconds=seconds,
        total_seconds=time.monotonic() - start,
    )
    report.write(result, gallery, workdir)
    return result


def make_masks(config: ml_collections.ConfigDict, model: training.Model) -> Any:
    """The masks that the config asks for."""
    params, scope = model.variables["params"], report.scope(config)
    if config.method == "weight":
        return pruning.weight_masks(model.architecture, params, config.amount, scope=scope, criterion=config.criterion)
    if config.method == "filter":
        return pruning.filter_masks(
            model.architecture,
            params,
            config.amount,
            scope=scope,
            criterion=config.criterion,
            min_filters=config.min_filters,
            exclude=tuple(config.exclude),
        )
    raise ValueError(f"method {config.method!r}, expected 'filter' or 'weight'")


def masked_model(model: training.Model, masks: Any) -> training.Model:
    """The model with dropped weights at zero."""
    params = pruning.apply_masks(model.variables["params"], masks)
    return dataclasses.replace(model, variables={**model.variables, "params": params})


def removed_model(model: training.Model, masks: Any) -> training.Model:
    """The model without its dropped filters."""
    architecture, variables = pruning.remove_filters(model.architecture, model.variables, masks)
    return dataclasses.replace(model, architecture=architecture, variables=variables)


def head_difference(masked: training.Model, removed: training.Model, size: int) -> float:
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
