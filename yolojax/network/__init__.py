"""The network as a pair (architecture, variables): its description, its Flax module, init and apply."""

from yolojax.network.activations import ACTIVATIONS
from yolojax.network.architecture import Architecture, ConvolutionInfo, check_size, for_classes, walk, with_filters
from yolojax.network.folding import fold_batch_norm, without_batch_norm
from yolojax.network.input_size import choose_size, own_size
from yolojax.network.layers import (
    ArchitectureError,
    Convolutional,
    Dropout,
    Layer,
    Maxpool,
    Net,
    Region,
    Reorg,
    Route,
    Shape,
)
from yolojax.network.masking import apply_masks, check_masks
from yolojax.network.memory import keep_freed_memory
from yolojax.network.model import Model
from yolojax.network.module import (
    apply,
    apply_layer,
    apply_train,
    apply_with_maps,
    convolution_inputs,
    init,
    reorg,
    to_float,
)
from yolojax.network.variables import (
    AnyArray,
    BatchStats,
    Leaf,
    Masks,
    Params,
    Shapes,
    Variables,
    alive_filters,
    check_variables,
    leaf_paths,
    variable_shapes,
)

__all__ = [
    "ACTIVATIONS",
    "AnyArray",
    "Architecture",
    "ArchitectureError",
    "BatchStats",
    "ConvolutionInfo",
    "Convolutional",
    "Dropout",
    "Layer",
    "Leaf",
    "Masks",
    "Maxpool",
    "Model",
    "Net",
    "Params",
    "Region",
    "Reorg",
    "Route",
    "Shape",
    "Shapes",
    "Variables",
    "alive_filters",
    "apply",
    "apply_layer",
    "apply_masks",
    "apply_train",
    "apply_with_maps",
    "check_masks",
    "check_size",
    "check_variables",
    "choose_size",
    "convolution_inputs",
    "fold_batch_norm",
    "for_classes",
    "init",
    "keep_freed_memory",
    "leaf_paths",
    "own_size",
    "reorg",
    "to_float",
    "variable_shapes",
    "walk",
    "with_filters",
    "without_batch_norm",
]
