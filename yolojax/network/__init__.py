"""The network as a pair (architecture, variables): its description, its Flax module, init and apply."""

from yolojax.network.architecture import Architecture, ConvolutionInfo, for_classes, walk
from yolojax.network.fast import apply_fast, prepare_fast
from yolojax.network.folding import fold_batch_norm, without_batch_norm
from yolojax.network.layers import (
    ArchitectureError,
    Convolutional,
    Layer,
    Maxpool,
    Net,
    Region,
    Reorg,
    Route,
    Shape,
)
from yolojax.network.memory import keep_freed_memory
from yolojax.network.model import Model
from yolojax.network.module import apply, apply_train, init, reorg
from yolojax.network.variables import Variables, check_variables, variable_shapes

__all__ = [
    "Architecture",
    "ArchitectureError",
    "ConvolutionInfo",
    "Convolutional",
    "Layer",
    "Maxpool",
    "Model",
    "Net",
    "Region",
    "Reorg",
    "Route",
    "Shape",
    "Variables",
    "apply",
    "apply_fast",
    "apply_train",
    "check_variables",
    "fold_batch_norm",
    "for_classes",
    "init",
    "keep_freed_memory",
    "prepare_fast",
    "reorg",
    "variable_shapes",
    "walk",
    "without_batch_norm",
]
