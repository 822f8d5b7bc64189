"""Networks to export: random ones of every layer kind, and their arrays."""

import dataclasses
import functools
import re

import jax
import numpy as np

from yolojax import detection, export, network, pruning
from yolojax.network import (
    Architecture,
    Avgpool,
    Convolutional,
    Cost,
    Maxpool,
    Net,
    Region,
    Reorg,
    Route,
    Shape,
    Softmax,
)

ANCHORS = ((1.6, 1.2), (2.5, 3.0))
CLASSES = 3
HEIGHT, WIDTH = 16, 24

apply = functools.partial(jax.jit, static_argnums=0)(network.apply)


@functools.partial(jax.jit, static_argnums=(0, 3))
def detect(architecture, variables, images, suppression):
    """Boxes (B, N, 4) xywh, and scores (B, N, C) before and after suppression, by yolojax's own functions."""
    boxes, scores = detection.decode(architecture, network.apply(architecture, variables, images))
    limits = {"iou_threshold": suppression.iou_threshold, "score_threshold": suppression.score_threshold}
    return boxes, scores, detection.nms(boxes, scores, **limits)


def random_architecture(seed: int) -> Architecture:
    """Every layer kind in a random order with random sizes; three of them halve a map of 16x24."""
    rng = np.random.default_rng(seed)
    layers = [_convolution(rng)]
    for kind in rng.permutation(["conv", "conv", "conv", "halving conv", "pool", "halving pool", "route", "reorg"]):
        layers += _layers(str(kind), rng, Architecture(Net(HEIGHT, WIDTH), tuple(layers)).shapes)
    head = Convolutional(len(ANCHORS) * (5 + CLASSES))
    return Architecture(Net(HEIGHT, WIDTH), (*layers, head, Region(ANCHORS, CLASSES)))


def with_region(architecture: Architecture, **changes) -> Architecture:
    """The same network with other fields of its region layer."""
    region = dataclasses.replace(architecture.region, **changes)
    return dataclasses.replace(architecture, layers=(*architecture.layers[:-1], region))


def classifier() -> Architecture:
    """Its probabilities of five classes, as of an ImageNet network."""
    conv = Convolutional(6, 3, padding=1, batch_normalize=True, activation="leaky")
    layers = (conv, Maxpool(2, 2, 1), conv, Convolutional(5), Avgpool(), Softmax(), Cost())
    return Architecture(Net(HEIGHT, WIDTH), layers)


def _layers(kind: str, rng: np.random.Generator, shapes: tuple[Shape, ...]) -> list[network.Layer]:
    match kind:
        case "conv":
            return [_convolution(rng)]
        case "halving conv":
            return [Convolutional(6, 3, stride=2, padding=1, batch_normalize=True, activation="leaky")]
        case "pool":
            return [(Maxpool(2, 1, 1), Maxpool(3, 1, 2))[rng.integers(2)]]
        case "halving pool":
            return [(Maxpool(2, 2, 0), Maxpool(2, 2, 1), Maxpool(3, 2, 2))[rng.integers(3)]]
        case "route":
            fitting = [i for i, shape in enumerate(shapes) if shape[:2] == shapes[-1][:2]]
            chosen = rng.choice(fitting, rng.integers(1, 4))
            return [Route(tuple(int(i) - len(shapes) * int(rng.integers(2)) for i in chosen))]
    return [Convolutional(8, 1, activation="leaky"), Reorg(2)]


def _convolution(rng: np.random.Generator) -> Convolutional:
    size = int(rng.choice([1, 3, 5]))
    normalised, activation = bool(rng.integers(2)), str(rng.choice(["leaky", "linear"]))
    return Convolutional(int(rng.integers(3, 9)), size, 1, size // 2, normalised, activation)


def random_variables(architecture: Architecture, seed: int = 0) -> network.Variables:
    """Arrays in which every leaf matters, with activations near 1."""
    rng = np.random.default_rng(seed)
    limits = {"bias": (-0.5, 0.5), "mean": (-0.5, 0.5), "scale": (0.5, 1.5), "var": (0.5, 2.0)}

    def leaf(path: tuple, shape: tuple[int, ...]) -> np.ndarray:
        if path[-1].key == "kernel":
            return rng.normal(0, (2 / np.prod(shape[:3])) ** 0.5, shape).astype(np.float32)
        return rng.uniform(*limits[path[-1].key], shape).astype(np.float32)

    shapes = network.variable_shapes(architecture)
    return jax.tree_util.tree_map_with_path(leaf, shapes, is_leaf=lambda node: isinstance(node, tuple))


def random_images(architecture: Architecture, batch: int, seed: int = 0) -> np.ndarray:
    """(batch, height, width, 3) float32 in 0..1."""
    net = architecture.net
    return np.random.default_rng(seed).random((batch, net.height, net.width, net.channels), np.float32)


def removed(architecture: Architecture, variables: network.Variables, amount: float = 0.4):
    """The masked variables, and the smaller pair without the dropped filters."""
    masks = pruning.filter_masks(architecture, variables["params"], amount)
    masked = network.Model(architecture, variables).masked(masks).variables
    return masked, pruning.remove_filters(architecture, variables, masks)


def example(path) -> str:
    """The Python in a file's card."""
    (code,) = re.findall(r"```python\n(.*?)```", export.card_path(path).read_text(), re.DOTALL)
    return code


def even_network() -> tuple[Architecture, network.Variables]:
    """All scores are exactly 1/4 and all boxes of a size, so that ties and thresholds decide everything."""
    region = Region(((3.0, 3.0), (1.0, 1.0)), 2)
    architecture = Architecture(Net(8, 8), (Convolutional(4, 3, 2, 1), Convolutional(14), region))
    return architecture, jax.tree.map(np.zeros_like, random_variables(architecture))
