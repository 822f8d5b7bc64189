"""The network as a pair (architecture, variables): its description, its Flax module, init and apply."""

from yolojax.network.architecture import (
    Architecture,
    ArchitectureError,
    Convolutional,
    ConvolutionInfo,
    Layer,
    Maxpool,
    Net,
    Region,
    Reorg,
    Route,
    Shape,
    for_classes,
)
from yolojax.network.module import apply, apply_train, init, reorg
from yolojax.network.variables import Variables, check_variables, variable_shapes

__all__ = [
    "Architecture",
    "ArchitectureError",
    "ConvolutionInfo",
    "Convolutional",
    "Layer",
    "Maxpool",
    "Net",
    "Region",
    "Reorg",
    "Route",
    "Shape",
    "Variables",
    "apply",
    "apply_train",
    "check_variables",
    "for_classes",
    "init",
    "reorg",
    "variable_shapes",
]
