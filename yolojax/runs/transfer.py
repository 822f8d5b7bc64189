"""From a network of some classes to one for the classes of the data."""

import dataclasses

from absl import logging

from yolojax import darknet, data, training
from yolojax.network import Model
from yolojax.runs import setup
from yolojax.settings import Settings


def other_classes(settings: Settings, start: Model) -> tuple[str, ...]:
    """The classes of the data, where the network to start from does not detect them all; () where it does.

    A network without names is taken to detect as many classes as it has. () too with `model.transfer` off: opening the
    data then tells whether the two go together.
    """
    about = settings.data
    if not settings.model.transfer:
        return ()
    names = (
        darknet.read_names(about.names) if about.names else data.class_names(about.source, about.train_split, about.dir)
    )
    classes = start.architecture.region.classes
    known = set(names) <= set(start.names) if start.names else len(names) == classes
    return () if known else names


def with_new_head(settings: Settings, start: Model, train_set: data.Dataset) -> Model:
    """The network with a random head for the classes of the training set; the log says so."""
    size, seed = settings.eval.size, settings.train.seed
    anchors = setup.make_anchors(settings.model, start.architecture, train_set, size=size, seed=seed)
    model = training.new_head(start, train_set.names, seed=seed, anchors=anchors)
    logging.info(
        "%s detects %s, the data have %s: all layers are kept but the head, %s, which is new",
        settings.model.start,
        ", ".join(start.names) or f"{start.architecture.region.classes} classes",
        ", ".join(train_set.names),
        model.architecture.head_name,
    )
    return model


def open_start(settings: Settings) -> Model:
    """The network to start from; a names file of the settings is its own where it has as many classes."""
    if not (settings.model.transfer and settings.data.names):
        return setup.open_start(settings)
    model = setup.open_start(settings.replace(data={"names": ""}))
    names = darknet.read_names(settings.data.names)
    return dataclasses.replace(model, names=names) if len(names) == model.architecture.region.classes else model
