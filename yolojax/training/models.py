"""Opening a network from whatever the user has: a checkpoint folder, or .weights with its .cfg."""

import dataclasses
import pathlib

import jax

from yolojax import darknet, export, network
from yolojax.network import Model
from yolojax.training.checkpoints import load_model
from yolojax.training.stored import check_values


def open_model(path: str, *, cfg: str = "", names: str = "") -> Model:
    """The network at `path`.

    Args:
      path: a checkpoint folder, a run's workdir, a `.weights` file, or a compressed file.
      cfg: the `.cfg` of a `.weights` file; by default the file of the same name beside it.
      names: a file with one class name per line, in place of what the checkpoint tells.

    Raises:
      ValueError: with what is missing or does not fit.
    """
    source = pathlib.Path(path)
    if source.is_dir():
        model = load_model(source)
    else:
        if not source.exists():
            raise ValueError(f"{path}: no such file or folder; expected a checkpoint folder or a .weights file")
        if export.is_compressed(source):
            return _with_names(_load_compressed(source), names)
        cfg_path = pathlib.Path(cfg) if cfg else source.with_suffix(".cfg")
        if not cfg_path.exists():
            raise ValueError(f"{cfg_path}: no such file; a .weights file needs its .cfg")
        architecture, variables = _load_darknet(cfg_path, source)
        model = Model(architecture, variables, seen=darknet.read_header(source).seen)
        beside = source.with_suffix(".names")
        if not names and beside.exists():
            names = str(beside)
    return _with_names(model, names)


def _with_names(model: Model, names: str) -> Model:
    """The model with the names in that file, if one is given; ValueError when their count does not fit."""
    if names:
        model = dataclasses.replace(model, names=tuple(darknet.read_names(names)))
    classes = model.architecture.region.classes
    if model.names and len(model.names) != classes:
        raise ValueError(f"{len(model.names)} class names for a network of {classes} classes: {', '.join(model.names)}")
    return model


def _load_compressed(path: pathlib.Path) -> Model:
    architecture, variables, info = export.read_compressed(path)
    check_values(variables, str(path))
    return Model(architecture, variables, info.names, info.seen)


def _load_darknet(cfg: pathlib.Path, weights: pathlib.Path) -> tuple[network.Architecture, network.Variables]:
    try:
        architecture, variables = darknet.load(cfg, weights)
    except darknet.WeightsError as error:
        raise ValueError(f"{error}; get the file again, or the .cfg that belongs to it") from error
    check_values(variables, str(weights))
    return architecture, variables


def require_names(model: Model, names: tuple[str, ...], source: str) -> None:
    """Raises ValueError when a network detects other classes than `names`, those of the data set `source`."""
    classes = model.architecture.region.classes
    if classes != len(names) or (model.names and model.names != names):
        has = ", ".join(model.names) if model.names else f"{classes} classes"
        raise ValueError(f"the network detects {has}; {source} has {', '.join(names)}")


def new_model(
    cfg: str,
    names: tuple[str, ...],
    *,
    seed: int,
    anchors: tuple[tuple[float, float], ...] = (),
    backbone: str = "",
    cutoff: int = 0,
) -> Model:
    """A random network for a data set's classes, from nothing or with the first `cutoff` layers from `backbone`.

    Args:
      cfg: the layers; the region layer's class count and the head's filters follow `names`.
      names: class names.
      seed: of the random kernels.
      anchors: in place of the cfg's, in cells.
      backbone: a truncated .weights file (`darknet19_448.conv.23`) that holds layers 0..cutoff-1.
      cutoff: how many layers it holds.
    """
    architecture = network.for_classes(darknet.read_cfg(cfg), len(names), anchors)
    variables = network.init(architecture, jax.random.key(seed))
    if backbone:
        variables = darknet.load_backbone(architecture, variables, backbone, cutoff)
    return Model(architecture, variables, names)
