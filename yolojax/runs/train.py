"""Training a network on a data set: from nothing, from a backbone, or from another network."""

import dataclasses
import functools
import pathlib
from typing import Any

import jax
import ml_collections
import numpy as np
from absl import logging

from yolojax import darknet, data, network, training
from yolojax.runs import setup
from yolojax.files import replacing


def run_training(config: ml_collections.ConfigDict, workdir: str | pathlib.Path) -> training.Evaluation:
    """Trains by `config` and measures; leaves in `workdir` checkpoints, model.cfg/.weights/.names, evaluation.json."""
    with setup.claim(config, workdir) as folder:
        return train_and_measure(config, folder)


def train_and_measure(config: ml_collections.ConfigDict, workdir: pathlib.Path) -> training.Evaluation:
    """`run_training` in a folder that is claimed."""
    model = setup.open_start(config) if config.model else None
    train_set = setup.open_split(config, config.train_split, model.names if model else ())
    eval_set = setup.open_split(config, config.eval_split, train_set.names)
    if model is None:
        cells = config.size // darknet.read_cfg(config.cfg).stride
        model = training.new_model(
            config.cfg,
            train_set.names,
            seed=config.seed,
            anchors=setup.make_anchors(config, train_set, cells),
            backbone=config.backbone,
            cutoff=config.cutoff,
        )
    training.require_names(model, train_set.names, train_set.description)
    model = dataclasses.replace(model, names=train_set.names)
    evaluator = setup.make_evaluator(config, model.architecture, eval_set)
    model = train_model(config, model, train_set, workdir, evaluator=evaluator)
    save_darknet(model, workdir / "model")
    result = evaluator.evaluate(model.variables)
    setup.write_json(workdir / "evaluation.json", result.to_json())
    logging.info("mAP %.4f (11-point), %.4f (area) on %s", result.map_11point, result.map_area, eval_set.description)
    return result


def train_model(
    config: ml_collections.ConfigDict,
    model: network.Model,
    dataset: data.Dataset,
    workdir: pathlib.Path,
    masks: Any = None,
    evaluator: training.Evaluator | None = None,
) -> network.Model:
    """The model after the config's training; `masks` keep dropped weights at zero. Resumes from `workdir`.

    `evaluator` measures every `config.eval_every` steps.
    """
    for size in config.sizes:
        training.check_size(model.architecture, size)
    steps = config.steps or config.epochs * -(-len(dataset) // config.batch_size)
    rate = training.learning_rate_schedule(
        config.schedule, peak=config.learning_rate, warmup_steps=config.warmup_steps, steps=steps
    )
    optimizer = training.make_optimizer(
        config.optimizer, rate, momentum=config.momentum, decay=config.decay, masks=masks
    )
    training.check_batch_size(config.batch_size)
    batches = data.train_batches(
        dataset,
        batch_size=config.batch_size,
        sizes=tuple(config.sizes),
        seed=config.seed,
        max_boxes=config.max_boxes,
        augment=setup.augmentation(config),
        process_index=jax.process_index(),
        process_count=jax.process_count(),
        threads=config.threads,
    )
    state = training.fit(
        training.create_state(model.variables, optimizer, seen=model.seen),
        training.compile_train_step(model.architecture, optimizer, dtype=setup.compute_dtype(config)),
        batches,
        architecture=model.architecture,
        names=model.names,
        workdir=workdir,
        settings=training.LoopSettings(steps, config.log_every, config.save_every, config.eval_every),
        learning_rate=rate,
        evaluate=functools.partial(_map, evaluator) if evaluator else None,
        name_image=dataset.image_id,
    )
    variables = jax.tree.map(np.asarray, state.variables)
    return dataclasses.replace(model, variables=variables, seen=int(state.seen))


def _map(evaluator: training.Evaluator, variables: Any) -> dict[str, float]:
    result = evaluator.evaluate(variables, progress="evaluate")
    return {"map_11point": result.map_11point, "map_area": result.map_area}


def save_darknet(model: network.Model, stem: pathlib.Path) -> None:
    """Writes `stem`.cfg, .weights and .names, on process 0."""
    if jax.process_index() > 0:
        return
    darknet.save(
        model.architecture, model.variables, stem.with_suffix(".cfg"), stem.with_suffix(".weights"), seen=model.seen
    )
    with replacing(stem.with_suffix(".names")) as beside:
        beside.write_text("".join(f"{name}\n" for name in model.names))
