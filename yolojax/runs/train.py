"""Training a network on a data set: from nothing, from a backbone, or from another network."""

import dataclasses
import pathlib
from collections.abc import Callable

import grain
import jax
import numpy as np
import optax
from absl import logging

from yolojax import darknet, data, export, pruning, training
from yolojax.files import Path, write_json
from yolojax.network import Architecture, Masks, Model, Variables
from yolojax.reporting import trained
from yolojax.reporting.stages import Stage, summary
from yolojax.runs import labels, measuring, rounds, setup, timing, transfer
from yolojax.runs.workdir import claim
from yolojax.settings import Settings, TrainSettings


def run_training(settings: Settings, workdir: Path) -> training.Evaluation:
    """Trains and measures.

    Leaves in `workdir`: checkpoints, model.cfg/.weights/.names, report.html, report.md and its pictures,
    evaluation.json.
    """
    start = transfer.open_start(settings) if settings.model.start else None
    settings.train.check()
    if settings.train.taught:
        raise ValueError(
            "train.distill and train.labels=teacher learn from the unpruned network, which only a pruning run has; "
            "use python -m yolojax.prune"
        )
    labels.require_labels(settings.data.source, "training")
    architecture = start.architecture if start else darknet.read_cfg(settings.model.cfg)
    settings = setup.with_size(settings, architecture)
    setup.check(settings, architecture)
    timing.check(settings.eval)
    with claim(settings, workdir) as folder:
        stage = train_and_measure(settings, start, folder)
        if jax.process_index() == 0:
            print(summary([stage], folder / "report.html"))
        return stage.evaluation


def train_and_measure(settings: Settings, start: Model | None, workdir: pathlib.Path) -> Stage:
    """`run_training` in a folder that is claimed; without a `start` the network is new."""
    other = transfer.other_classes(settings, start) if start else ()
    train_set = setup.open_split(settings.data, settings.data.train_split, other or (start.names if start else ()))
    eval_set = setup.open_split(settings.data, settings.data.eval_split, train_set.names)
    if start and other:
        model = transfer.with_new_head(settings, start, train_set)
    else:
        model = start or new_network(settings, train_set)
    training.require_names(model, train_set.names, train_set.description)
    model = setup.at_size(settings, dataclasses.replace(model, names=train_set.names))
    evaluator = setup.make_evaluator(settings, model.architecture, eval_set)
    model = train_model(settings, model, train_set, workdir, evaluator=evaluator)
    (stage,) = timing.timed(
        settings.eval, [measuring.measure("trained", settings, model, evaluator)], {"trained": model}
    )
    result = stage.evaluation
    if jax.process_index() == 0:
        export.save_darknet(model, workdir / "model")
        steps = steps_of(settings.train, len(train_set))
        told = trained.Training(
            settings=settings,
            train_set=train_set.description,
            eval_set=eval_set.description,
            stage=stage,
            layers=pruning.layer_table(model.architecture, model.variables),
            steps=steps,
        )
        trained.write(told, eval_set, workdir)
        about = {"eval_set": eval_set.description, "steps": steps, "config": settings.to_json()}
        write_json(workdir / "evaluation.json", {**result.to_json(), **about})  # the last one: a run with it is done
    logging.info("mAP %.4f (11-point), %.4f (area) on %s", result.map_11point, result.map_area, eval_set.description)
    return stage


def new_network(settings: Settings, train_set: data.Dataset) -> Model:
    """A network of random weights, or with a backbone, for the classes of the training set."""
    seed, size = settings.train.seed, settings.eval.size
    return training.new_model(
        settings.model.cfg,
        train_set.names,
        seed=seed,
        anchors=setup.make_anchors(
            settings.model, darknet.read_cfg(settings.model.cfg), train_set, size=size, seed=seed
        ),
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
    *,
    teacher: Model | None = None,
    removed: Masks | None = None,
    shrink: float = 1.0,
    changes: rounds.Changes | None = None,
) -> Model:
    """The model after its training. Resumes from `workdir`.

    Args:
      settings: the section `train` says how.
      model: what is trained.
      dataset: its images, and its labels unless the settings leave them out.
      workdir: gets checkpoints and the log.
      masks: keep dropped weights at zero.
      evaluator: measures every `train.eval_every` steps.
      teacher: the unpruned network, for settings that learn from it; without one, labels alone are learned.
      removed: the masks by which filters of the teacher were removed; None where the model has all of them.
      shrink: by what factor its MACs are fewer than the unpruned network's; with `train.stretch` it earns steps.
      changes: what becomes of the state after certain steps, where masks change.
    """
    about = settings.train
    steps = steps_of(about, len(dataset), shrink)
    rate = training.learning_rate_schedule(
        about.schedule, peak=about.learning_rate, warmup_steps=about.warmup_steps, steps=steps
    )
    frozen = model.architecture.frozen
    if frozen:
        logging.info("stopbackward: training leaves %s as they are", ", ".join(sorted(frozen)))
    optimizer = training.make_optimizer(
        about.optimizer, rate, momentum=about.momentum, decay=about.decay, masks=masks, frozen=frozen
    )
    state = training.fit(
        training.create_state(model.variables, optimizer, seen=model.seen),
        compile_step(settings, model.architecture, optimizer, teacher, removed),
        make_batches(settings, dataset),
        architecture=model.architecture,
        names=model.names,
        workdir=workdir,
        settings=training.LoopSettings(steps, about.log_every, about.save_every, about.eval_every),
        learning_rate=rate,
        evaluate=_map_of(evaluator) if evaluator else None,
        name_image=dataset.image_id,
        changes=changes(optimizer, steps) if changes else {},
    )
    variables = jax.tree.map(np.asarray, state.variables)
    return dataclasses.replace(model, variables=variables, seen=int(state.seen))


def steps_of(settings: TrainSettings, images: int, shrink: float = 1.0) -> int:
    """How many steps a training takes on so many images; a network that is `shrink` times smaller has earned more."""
    steps = settings.steps or settings.epochs * -(-images // settings.batch_size)
    return round(steps * max(1.0, min(settings.stretch, shrink)))


def compile_step(
    settings: Settings,
    architecture: Architecture,
    optimizer: optax.GradientTransformation,
    teacher: Model | None = None,
    removed: Masks | None = None,
) -> training.StepFn:
    """The training step; with a teacher it learns from that what the settings say, else from labels."""
    about, lessons = settings.train, None
    loss_fn = training.LOSSES[about.loss](architecture)
    if teacher and about.taught:
        lessons = training.make_teacher(teacher, about.distill_layers, removed)
        loss_fn = training.distillation_loss(
            architecture,
            head_weight=about.distill_head,
            map_weight=about.distill_features,
            layers=about.distill_layers,
            loss_fn=None if about.labels == "teacher" else loss_fn,
        )
    return training.compile_train_step(
        architecture,
        optimizer,
        loss_fn=loss_fn,
        teacher=lessons,
        seed=about.seed,
        dtype=setup.DTYPES[settings.model.dtype],
    )


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
