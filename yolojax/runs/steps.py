"""Single steps of a run, on a network in memory: no workdir has to stay."""

import contextlib
import pathlib
import tempfile

import numpy as np

from yolojax import darknet, training
from yolojax.files import Path
from yolojax.network import Model
from yolojax.runs import labels, latency, masking, removing, rounds, setup
from yolojax.runs.prune import class_names
from yolojax.runs.train import new_network, train_model
from yolojax.runs.workdir import claim
from yolojax.settings import Settings, TrainSettings


def make_model(settings: Settings) -> Model:
    """A network of random weights for the classes of `settings.data`, with the layers and anchors of `settings.model`.

    Raises ValueError for data without labels, and layers or a size that do not fit.
    """
    settings = setup.with_size(settings, darknet.read_cfg(settings.model.cfg))
    labels.require_labels(settings.data.source, "a new network")
    train_set = setup.open_split(settings.data, settings.data.train_split, ())
    return setup.at_size(settings, new_network(settings, train_set))


def prune_model(settings: Settings, model: Model, *, with_images: bool) -> Model:
    """The network within the budget of `settings.prune`: smaller, or with weights that are 0 for that method.

    `with_images`, the training split of `settings.data` is there for a repair and for a criterion. Raises ValueError
    for what cannot be asked of this network.
    """
    _check_alone(settings, with_images=with_images)
    settings = setup.with_size(settings, model.architecture)
    masking.check(latency.with_table(settings, model.architecture).prune, model, settings.eval.size)
    train_set = None
    if with_images:
        train_set = setup.open_split(settings.data, settings.data.train_split, class_names(settings, model))
    with tempfile.TemporaryDirectory() as folder:
        settings, _, masks, _ = latency.choose(settings, model, train_set, pathlib.Path(folder))
        if settings.prune.method == "weight":
            return model.masked(masks)
        return removing.smaller_model(settings, model, masks, train_set, pathlib.Path(folder))


def train_further(settings: Settings, model: Model, *, workdir: Path = "", teacher: Model | None = None) -> Model:
    """The network after training on `settings.data`; weights that are 0 stay so.

    A `workdir` keeps checkpoints and the log, and the same training goes on from there. Raises ValueError for a workdir
    of another one, and for data without labels, unless the settings take the `teacher` alone.
    """
    settings = setup.with_size(settings, model.architecture)
    about = settings.train
    about.check()
    _check_teacher(about, teacher)
    if about.labels != "teacher":
        labels.require_labels(settings.data.source, "training")
    setup.check(settings, model.architecture)
    train_set = setup.open_split(settings.data, settings.data.train_split, class_names(settings, model))
    training.require_names(model, train_set.names, train_set.description)
    dead = any(not np.all(layer["kernel"]) for layer in model.params.values())
    masks = rounds.masks_of_zeros(model) if dead else None
    networks = [model, teacher] if teacher else [model]
    with contextlib.ExitStack() as held:
        if workdir:
            folder = held.enter_context(claim(settings, workdir, networks=networks))
        else:
            folder = pathlib.Path(held.enter_context(tempfile.TemporaryDirectory()))
        return train_model(settings, model, train_set, folder, masks, teacher=teacher)


def _check_alone(settings: Settings, *, with_images: bool) -> None:
    """Raises ValueError for what needs labels and has none, and for what only a run does after its pruning."""
    if with_images:
        labels.check_pruning(settings.replace(train={"steps": 0, "epochs": 0}))
    asked = rounds.while_training(settings.prune)
    asked += ["prune.cluster_bits"] if settings.prune.cluster_bits else []
    if asked:
        raise ValueError(f"{asked[0]} is for what comes after the pruning, in a run of python -m yolojax.prune")


def _check_teacher(about: TrainSettings, teacher: Model | None) -> None:
    if about.taught and teacher is None:
        raise ValueError("train.labels=teacher and train.distill learn from the unpruned network; give it as teacher")
    if teacher is not None and not about.taught:
        raise ValueError("a teacher needs distill=1, to learn from it beside the labels, or labels='teacher', alone")
    if about.distill_layers:
        raise ValueError("train.distill_layers compare filter by filter, which needs the masks of a pruning run")
