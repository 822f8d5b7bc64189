"""From settings to the objects of a run."""

import dataclasses
import itertools
import pathlib
from collections.abc import Iterator

import jax.numpy as jnp
from absl import logging

from yolojax import darknet, data, detection, export, network, training
from yolojax.network import Architecture, Model
from yolojax.settings import DataSettings, ModelSettings, Settings, TrainSettings

DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}
Anchors = tuple[tuple[float, float], ...]


def open_start(settings: Settings) -> Model:
    """The network to start from; a .cfg beside a .weights file goes before the one in the settings."""
    start = settings.model.start
    if not start:
        raise ValueError("model.start is empty, expected the network to prune: a .weights file or the workdir of a run")
    path = pathlib.Path(start)
    cfg = "" if path.is_dir() or path.with_suffix(".cfg").exists() else settings.model.cfg
    return export.open_model(start, cfg=cfg, names=settings.data.names)


def check(settings: Settings, architecture: Architecture) -> None:
    """Raises ValueError for channels, sizes, layers and a batch that do not fit, and data that are not there.

    It touches none.
    """
    network.check_channels(architecture)
    for size in (*(() if settings.train.nothing else settings.train.sizes), settings.eval.size):
        network.check_size(architecture, size)
    training.check_batch_size(settings.train.batch_size)
    network.check_convolutions(architecture, settings.train.distill_layers, "train.distill_layers")
    about = settings.data
    splits = [about.train_split, about.eval_split]
    data.check_source(about.source, *(split for split in splits if not is_held_out(about, split)))


def open_architecture(settings: Settings) -> Architecture:
    """The layers of the network to start from; those of the cfg where there is none."""
    return open_start(settings).architecture if settings.model.start else darknet.read_cfg(settings.model.cfg)


def with_size(settings: Settings, architecture: Architecture) -> Settings:
    """The settings with the network's own input size in place of 0, which the log tells from another one.

    Raises ValueError where a size is 0 and the network's own is not square.
    """
    size, sizes = settings.eval.size, settings.train.sizes
    if settings.model.start or not size:  # a new network takes the size that is asked for as its own
        size = network.choose_size(architecture, size)
    if 0 in sizes:
        sizes = tuple(side or network.own_size(architecture) for side in sizes)
    return settings.replace(eval={"size": size}, train={"sizes": sizes})


def at_size(settings: Settings, model: Model) -> Model:
    """The model with the size at which it is measured as its own, so that what is saved is used as it was measured."""
    size = settings.eval.size
    return dataclasses.replace(model, architecture=model.architecture.resized(size, size))


def is_held_out(settings: DataSettings, split: str) -> bool:
    """Whether the split is the share of the training images that is not trained on."""
    return bool(settings.hold_out) and data.split_name(split) == "validation"


def open_split(settings: DataSettings, split: str, names: tuple[str, ...]) -> data.Dataset:
    """A split of the data set; `names` (or the names file of the settings) settles the order of its classes.

    With `data.hold_out` the validation split is a share of the training split, which then has the rest.
    """
    wanted = tuple(darknet.read_names(settings.names)) if settings.names else ()
    held_out = is_held_out(settings, split)
    place = settings.train_split if held_out else split
    dataset = data.open_dataset(settings.source, place, data_dir=settings.dir or None, names=names or wanted or None)
    if held_out or (settings.hold_out and data.split_name(split) == data.split_name(settings.train_split)):
        dataset = data.hold_out(dataset, settings.hold_out)[held_out]
    if wanted and wanted != dataset.names:
        raise ValueError(
            f"{settings.names} has {', '.join(wanted)}; {dataset.description} has {', '.join(dataset.names)}"
        )
    return dataset


def make_evaluator(settings: Settings, architecture: Architecture, dataset: data.Dataset) -> training.Evaluator:
    """The evaluator of an architecture under the protocol of the settings."""
    protocol = training.Protocol(
        settings.eval.size, settings.eval.score_threshold, settings.eval.nms_iou, agreement=not dataset.labelled
    )
    return training.Evaluator(
        architecture,
        dataset,
        protocol,
        batch_size=settings.eval.batch_size,
        dtype=DTYPES[settings.model.dtype],
        threads=settings.data.threads,
    )


def augmentation(settings: TrainSettings) -> data.AugmentConfig:
    """Darknet's augmentation with the amounts of the settings."""
    return data.AugmentConfig(
        jitter=settings.jitter,
        hue=settings.hue,
        saturation=settings.saturation,
        exposure=settings.exposure,
        flip=settings.flip,
    )


def plain_batches(settings: Settings, dataset: data.Dataset | None, images: int) -> Iterator[data.Batch]:
    """At least `images` of the data set in batches of `train.batch_size`, as they are; the same on every process.

    Raises ValueError where there is none.
    """
    if dataset is None:
        raise ValueError("a criterion or a repair needs images, and no data are given")
    batches = data.train_batches(
        dataset,
        batch_size=settings.train.batch_size,
        sizes=(settings.eval.size,),
        seed=settings.train.seed,
        max_boxes=settings.data.max_boxes,
        threads=settings.data.threads,
    )
    return itertools.islice(batches, -(-images // settings.train.batch_size))


def make_anchors(
    settings: ModelSettings, architecture: Architecture, dataset: data.Dataset, *, size: int, seed: int
) -> Anchors:
    """Anchors by k-means over the training set's shapes, in cells of the head at `size` pixels; () for the cfg's."""
    if settings.anchors == "cfg":
        return ()
    sizes = data.box_sizes(dataset) * architecture.shapes_at(size, size)[-1].width
    anchors = detection.kmeans_anchors(sizes, len(architecture.region.anchors), seed=seed)
    logging.info(
        "k-means anchors (cells): %s; mean IoU %.3f", anchors.round(2).tolist(), detection.mean_iou(sizes, anchors)
    )
    return tuple((round(float(w), 4), round(float(h), 4)) for w, h in anchors)
