"""A network from Darknet's two files, and into them."""

from yolojax.darknet.cfg import format_cfg, read_cfg, write_cfg
from yolojax.darknet.weights import read_weights, write_weights
from yolojax.files import Path
from yolojax.network import Architecture, Variables, check_variables


def load(cfg: Path, weights: Path) -> tuple[Architecture, Variables]:
    """The pair (architecture, variables) of two files. Raises CfgError, WeightsError and OSError."""
    architecture = read_cfg(cfg)
    return architecture, read_weights(architecture, weights)


def save(architecture: Architecture, variables: Variables, cfg: Path, weights: Path, *, seen: int = 0) -> None:
    """Writes both files; `seen` is the number of images seen in training. Raises ValueError when they do not fit."""
    format_cfg(architecture)  # what it refuses, before anything is written
    write_weights(architecture, variables, weights, seen=seen)
    write_cfg(architecture, cfg)


def load_backbone(architecture: Architecture, variables: Variables, path: Path, cutoff: int) -> Variables:
    """`variables` with the first `cutoff` layers of a file, whole or truncated: `darknet19_448.conv.23` with 23."""
    check_variables(architecture, variables)
    backbone = read_weights(architecture, path, cutoff=cutoff)
    return {collection: {**variables[collection], **backbone[collection]} for collection in backbone}
