"""Training a network on a data set: from nothing, from a backbone, or from another network."""

import dataclasses
import pathlib
from collections.abc import Callable

import grain
import jax
import numpy as np
from absl import logging

from yolojax import darknet, data, export, training
from yolojax.files import Path, write_json
from yolojax.network import Masks, Model, Variables
from yolojax.runs import labels, setup
from yolojax.runs.workdir import claim
from yolojax.settings import Settings


def run_training(settings: Settings, workdir: Path) -> training.Evaluation:
    """Trains and measures; leaves in `workdir` checkpoints, model.cfg/.weights/.names, evaluation.json."""
    start = setup.open_start(settings) if settings.model.start else None
    settings.train.check()
    labels.require_labels(settings.data.source, "training")
    architecture = start.architecture if start else darknet.read_cfg(settings.model.cfg)
    settings = setup.with_size(settings, architecture)
    setup.check(settings, architecture)
    with claim(settings, workdir) as folder:
        return train_and_measure(settings, start, folder)


def train_and_measure(settings: Settings, start: Model | None, workdir: pathlib.Path) -> training.Evaluation:
    """`run_training` in a folder that is claimed; without a `start` the network is new."""
    train_set = setup.open_split(settings.data, settings.data.train_split, start.names if start else ())
    eval_set = setup.open_split(settings.data, settings.data.eval_split, train_set.names)
    model = start or new_network(settings, train_set)
    training.require_names(model, train_set.names, train_set.description)
    model = dataclasses.replace(model, names=train_set.names)
    evaluator = setup.make_evaluator(settings, model.architecture, eval_set)
    model = train_model(settings, model, train_set, workdir, evaluator=evaluator)
    result = evaluator.evaluate(model.variables)
    if jax.process_index() == 0:
        export.save_darknet(model, workdir / "model")
        write_json(workdir / "evaluation.json", result.to_json())
    logging.info("mAP %.4f (11-point), %.4f (area) on %s", result.map_11point, result.map_area, eval_set.description)
    return result


def new_network(settings: Settings, train_set: data.Dataset) -> Model:
    """A network of random weights, or with a backbone, for the classes of the training set."""
    seed = settings.train.seed
    return training.new_model(
        settings.model.cfg,
        train_set.names,
        seed=seed,
        anchors=setup.make_anchors(settings.model, train_set, size=settings.eval.size, seed=seed),
        backbone=settings.model.backbone,
        cutoff=settings.model.cutoff,
    )


def train_model(
    settings: Settings,
    model: Model,
    dataset: data.Dataset,
    workdir: pathlib.Path,
    masks: Masks | None = None,
    evaluator: training.Evaluator | None = None,
) -> Model:
    """The model after its training; `masks` keep dropped weights at zero. Resumes from `workdir`.

    `evaluator` measures every `train.eval_every` steps.
    """
    about = settings.train
    steps = about.steps or about.epochs * -(-len(dataset) // about.batch_size)
    rate = training.learning_rate_schedule(
        about.schedule, peak=about.learning_rate, warmup_steps=about.warmup_steps, steps=steps
    )
    optimizer = training.make_optimizer(about.optimizer, rate, momentum=about.momentum, decay=about.decay, masks=masks)
    state = training.fit(
        training.create_state(model.variables, optimizer, seen=model.seen),
        training.compile_train_step(
            model.architecture,
            optimizer,
            loss_fn=training.LOSSES[about.loss](model.architecture),
            dtype=setup.DTYPES[settings.model.dtype],
        ),
        make_batches(settings, dataset),
        architecture=model.architecture,
        names=model.names,
        workdir=workdir,
        settings=training.LoopSettings(steps, about.log_every, about.save_every, about.eval_every),
        learning_rate=rate,
        evaluate=_map_of(evaluator) if evaluator else None,
        name_image=dataset.image_id,
    )
    variables = jax.tree.map(np.asarray, state.variables)
    return dataclasses.replace(model, variables=variables, seen=int(state.seen))


def make_batches(settings: Settings, dataset: data.Dataset) -> grain.DatasetIterator[data.Batch]:
    """This process's share of the training batches, without end."""
    about = settings.train
    return data.train_batches(
        dataset,
        batch_size=about.batch_size,
        sizes=about.sizes,
        seed=about.seed,
        max_boxes=settings.data.max_boxes,
        augment=setup.augmentation(about),
        process_index=jax.process_index(),
        process_count=jax.process_count(),
        threads=settings.data.threads,
    )


def _map_of(evaluator: training.Evaluator) -> Callable[[Variables], dict[str, float]]:
    def evaluate(variables: Variables) -> dict[str, float]:
        result = evaluator.evaluate(variables, progress="evaluate")
        return {"map_11point": result.map_11point, "map_area": result.map_area}

    return evaluate
