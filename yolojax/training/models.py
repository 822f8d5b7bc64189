"""A network for a data set: a new one, and whether an old one detects its classes."""

import jax

from yolojax import darknet, network, runtimes
from yolojax.network import Model


def require_names(model: Model | runtimes.Program, names: tuple[str, ...], source: str) -> None:
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
