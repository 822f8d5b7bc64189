"""How large a network in a `.cfg` may be: a few lines of text could ask for any amount of memory and time."""

import math
from typing import assert_never

from yolojax.network import (
    Architecture,
    ArchitectureError,
    Avgpool,
    Convolutional,
    Cost,
    Dropout,
    Maxpool,
    Region,
    Reorg,
    Route,
    Softmax,
)

# Each at the input size of [net]. yolov2 at 608: 51 million, 12 million (the first layer's map), 4 thousand million.
MAX_PARAMETERS = 10**9
MAX_VALUES = 2**28
MAX_OPERATIONS = 10**13
MAX_CLASSES = 100_000
MAX_STRIDE = 2**16


def check_limits(architecture: Architecture) -> None:
    """Raises ArchitectureError for the first layer that passes a limit, with what it would need.

    The limits: parameters of all layers, values in one map, multiply-adds (or comparisons) in one layer, classes, and
    pixels in each direction that one cell stands for.
    """
    net = architecture.net
    if math.prod((net.height, net.width, net.channels)) > MAX_VALUES:
        raise ArchitectureError(
            f"[net] of {net.width}x{net.height} pixels and {net.channels} channels, "
            f"expected at most {MAX_VALUES} values"
        )
    convolutions = {conv.index: conv for conv in architecture.convolutions}
    parameters = 0
    for index, (layer, shape) in enumerate(zip(architecture.layers, architecture.shapes, strict=True)):
        values = math.prod(shape)
        _require(values, MAX_VALUES, "values in this layer's map", index)
        match layer:
            case Convolutional():
                kernel = math.prod(convolutions[index].kernel_shape)
                parameters += kernel
                _require(parameters, MAX_PARAMETERS, "parameters up to this layer", index)
                _require(kernel * shape.height * shape.width, MAX_OPERATIONS, "multiply-adds in this layer", index)
            case Maxpool():
                _require(values * layer.size**2, MAX_OPERATIONS, "comparisons in this layer", index)
            case Region():
                _require(layer.classes, MAX_CLASSES, "classes", index)
            case Route() | Reorg() | Dropout() | Avgpool() | Softmax() | Cost():  # an operation for each value at most
                pass
            case _:
                assert_never(layer)
    if architecture.stride > MAX_STRIDE:
        raise ArchitectureError(f"strides that multiply to more than {MAX_STRIDE}, expected fewer or smaller ones")


def _require(found: int, limit: int, what: str, index: int) -> None:
    if found > limit:
        raise ArchitectureError(f"{found} {what}, expected at most {limit}", index)
