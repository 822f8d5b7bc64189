"""Opening a network from any format that can be read."""

import dataclasses
import pathlib

from yolojax import darknet
from yolojax.export.checks import check_model
from yolojax.export.formats import FORMATS, readable
from yolojax.files import Path
from yolojax.network import Model


def open_model(path: Path, *, cfg: Path = "", names: Path = "") -> Model:
    """The network at `path`.

    Args:
      path: a checkpoint folder, a run's workdir, or a file of any format that can be read: `.weights`, safetensors,
        compressed. A file that no other format recognises is taken for Darknet's.
      cfg: the `.cfg` of a `.weights` file; by default the file of the same name beside it. Folders have their own.
      names: a file with one class name per line, in place of the model's own. A file without names takes those in
        the `.names` beside it.

    Raises:
      ValueError: with what is missing or does not fit.
    """
    source = pathlib.Path(path)
    if not source.exists():
        raise ValueError(f"{path}: no such file or folder; expected {readable()}")
    if (source / "model.weights").is_file() and not (source / "checkpoints").is_dir():  # a run that trained nothing
        source, cfg = source / "model.weights", ""  # its layers lie in it, as in a checkpoint
    entry = next(entry for entry in reversed(FORMATS.values()) if entry.recognises(source))
    if entry.read is None:
        raise ValueError(f"{path} is {entry.what}, which is an output: expected {readable()}")
    model = entry.read(source, cfg or None)
    check_model(model, str(path))
    if not names and not model.names and source.is_file() and (beside := source.with_suffix(".names")).exists():
        names = beside
    return _with_names(model, names)


def _with_names(model: Model, names: Path) -> Model:
    """The model with the names in that file, if one is given; ValueError when their count does not fit."""
    if names:
        model = dataclasses.replace(model, names=darknet.read_names(names))
    classes = model.architecture.region.classes
    if model.names and len(model.names) != classes:
        raise ValueError(f"{len(model.names)} class names for a network of {classes} classes: {', '.join(model.names)}")
    return model
