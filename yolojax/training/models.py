"""A network for a data set: a new one, and whether an old one detects its classes."""

import jax

from yolojax import darknet, network, runtimes
from yolojax.network import Model


def require_names(model: Model | runtimes.Program, names: tuple[str, ...], source: str) -> None:
    """Raises ValueError when a network detects other classes than `names`, those of the data set `source`."""
    classes = model.architecture.region.classes
    if classes != len(names) or (model.names and model.names != names):
        has = ", ".join(model.names) if model.names else f"{classes} classes"
        raise ValueError(
            f"the network detects {has}; {source} has {', '.join(names)}: take data of the network's classes, or first "
            "train it on these, by python -m yolojax.train with model.start"
        )


def new_head(
    model: Model, names: tuple[str, ...], *, seed: int, anchors: tuple[tuple[float, float], ...] = ()
) -> Model:
    """The model for other classes: a random head, all layers before it kept, and no image seen.

    Args:
      model: of any classes.
      names: class names.
      seed: of the head's random kernel.
      anchors: in place of the model's, in cells.
    """
    architecture = network.for_classes(model.architecture, len(names), anchors)
    head, fresh = architecture.head_name, network.init(architecture, jax.random.key(seed))
    variables = {
        collection: {name: fresh[collection][name] if name == head else layer for name, layer in layers.items()}
        for collection, layers in model.variables.items()
    }
    return Model(architecture, variables, names)


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
      backbone: a .weights file that begins with layers 0..cutoff-1, such as `darknet19_448.conv.23`.
      cutoff: how many layers are taken from it.
    """
    architecture = network.for_classes(darknet.read_cfg(cfg), len(names), anchors)
    variables = network.init(architecture, jax.random.key(seed))
    if backbone:
        variables = darknet.load_backbone(architecture, variables, backbone, cutoff)
    return Model(architecture, variables, names)
