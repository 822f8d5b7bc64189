"""A network from Darknet's two files, and into them."""

import dataclasses

import jax
from absl import logging

from yolojax.darknet.cfg import format_cfg, read_cfg, write_cfg
from yolojax.darknet.weights import read_weights, truncated, write_weights
from yolojax.files import Path
from yolojax.network import Architecture, Convolutional, Variables, check_variables, init


def load(cfg: Path, weights: Path) -> tuple[Architecture, Variables]:
    """The pair (architecture, variables) of two files. Raises CfgError, WeightsError and OSError.

    A convolution that `dontload` says is not in the file has random values, always the same; the log names it. The pair
    is then whole, so that its architecture says it of none.
    """
    architecture = read_cfg(cfg)
    variables = read_weights(architecture, weights)
    if missing := _not_loaded(architecture):
        logging.warning("%s: %s not read, as dontload=1 says: random values", weights, ", ".join(missing))
        fresh = init(architecture, jax.random.key(0))
        variables = {kind: {**fresh[kind], **variables[kind]} for kind in variables}
    return _all_loaded(architecture), variables


def save(architecture: Architecture, variables: Variables, cfg: Path, weights: Path, *, seen: int = 0) -> None:
    """Writes both files; `seen` is the number of images seen in training. Raises ValueError when they do not fit.

    The .weights has all layers, so the .cfg says `dontload` of none.
    """
    format_cfg(architecture)  # what it refuses, before anything is written
    write_weights(architecture, variables, weights, seen=seen)
    write_cfg(_all_loaded(architecture), cfg)


def _not_loaded(architecture: Architecture) -> list[str]:
    return [conv.name for conv in architecture.convolutions if conv.layer.dontload]


def _all_loaded(architecture: Architecture) -> Architecture:
    if not _not_loaded(architecture):
        return architecture
    layers = (
        dataclasses.replace(layer, dontload=False) if isinstance(layer, Convolutional) else layer
        for layer in architecture.layers
    )
    return dataclasses.replace(architecture, layers=tuple(layers))


def load_backbone(architecture: Architecture, variables: Variables, path: Path, cutoff: int) -> Variables:
    """`variables` with the first `cutoff` layers of a file, whole or truncated: `darknet19_448.conv.23` with 23.

    Convolutions that `dontload` says are not in the file stay as in `variables`; the log names them.
    """
    check_variables(architecture, variables)
    backbone = read_weights(architecture, path, cutoff=cutoff)
    if missing := _not_loaded(truncated(architecture, cutoff)):
        logging.info("%s: %s not read, as dontload=1 says", path, ", ".join(missing))
    return {collection: {**variables[collection], **backbone[collection]} for collection in backbone}
