"""A whole network: its layers, checked together, and the walk over them.

An `Architecture` is hashable, so it can be a static argument of `jax.jit`. It is checked when it is made: one that
exists has consistent shapes. Layers are counted as Darknet counts them, from 0 after `[net]`; `conv_00/kernel` is the
kernel of layer 0. These names are public API.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar, assert_never

from yolojax.network.layers import (
    ArchitectureError,
    Avgpool,
    Convolutional,
    Cost,
    Dropout,
    IndivisibleError,
    Layer,
    Maxpool,
    Net,
    Region,
    Reorg,
    Route,
    Shape,
    Softmax,
)

T = TypeVar("T")
REACH = 128  # pixels, in which a size is looked for that fits


@dataclasses.dataclass(frozen=True)
class ConvolutionInfo:
    """One convolution with what follows from its place in the network."""

    index: int
    name: str
    layer: Convolutional
    in_channels: int

    @property
    def kernel_shape(self) -> tuple[int, int, int, int]:
        """(height, width, in, out), in which `in` are the channels of one group."""
        return (self.layer.size, self.layer.size, self.in_channels // self.layer.groups, self.layer.filters)


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A whole network. Raises ArchitectureError when the layers do not fit together."""

    net: Net
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        if not self.layers:
            raise ArchitectureError("a network needs at least one layer, got none")
        for field in ("height", "width", "channels"):
            if getattr(self.net, field) <= 0:
                raise ArchitectureError(f"net {field} must be positive, got {getattr(self.net, field)}")
        self.shapes  # noqa: B018  computing them is the check

    @functools.cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """The output shape of each layer at the size that `[net]` gives."""
        return self.shapes_at(self.net.height, self.net.width)

    def shapes_at(self, height: int, width: int) -> tuple[Shape, ...]:
        """The output shape of each layer for an input of `height` x `width`, by Darknet's formulas.

        Raises ArchitectureError for a size that a layer cannot work on; for a reorg it names the next that all can.
        """
        try:
            return self._shapes_at(height, width)
        except IndivisibleError as error:
            near = "; ".join(f"near {side}: {self._next_sides(side)}" for side in dict.fromkeys((width, height)))
            raise ArchitectureError(f"{error}; image sizes that do, {near}", error.layer) from error

    def _shapes_at(self, height: int, width: int) -> tuple[Shape, ...]:
        image = Shape(height, width, self.net.channels)
        return tuple(walk(self, image, self._output_shape))

    def _next_sides(self, side: int) -> str:
        """The nearest sides that every layer can work on, below and above; a side does not depend on the other."""
        below, above = range(side, max(side - REACH, 0), -1), range(side, side + REACH)
        found = [next(filter(self._fits, sides), None) for sides in (below, above)]
        return ", ".join(str(side) for side in dict.fromkeys(found) if side) or "none"

    def _fits(self, side: int) -> bool:
        try:
            self._shapes_at(side, side)
        except ArchitectureError:
            return False
        return True

    def _output_shape(self, index: int, layer: Layer, sources: Sequence[Shape]) -> Shape:
        try:
            shape = layer.output_shape(sources)
        except ArchitectureError as error:
            error.layer = index
            raise
        if shape.height <= 0 or shape.width <= 0:
            width, height = sources[0].width, sources[0].height
            raise ArchitectureError(f"a {width}x{height} map is too small for this layer", index)
        self._check_place(index, layer)
        return shape

    def _check_place(self, index: int, layer: Layer) -> None:
        after = self.layers[index + 1 :]
        if isinstance(layer, Region | Cost) and after:
            raise ArchitectureError(f"[{layer.kind}] must be the last layer", index)
        if isinstance(layer, Softmax) and any(not isinstance(other, Cost) for other in after):
            raise ArchitectureError("[softmax] must be the last layer, or the one before [cost]", index)

    def sources(self, index: int) -> tuple[int, ...]:
        """The layers that layer `index` reads; -1 is the image."""
        layer = self.layers[index]
        match layer:
            case Route():
                return _resolved(layer, index)
            case Convolutional() | Maxpool() | Reorg() | Region() | Dropout() | Avgpool() | Softmax() | Cost():
                return (index - 1,)
            case _:
                assert_never(layer)

    def name(self, index: int) -> str:
        """The name of layer `index`, as in `conv_00`."""
        return f"{self.layers[index].kind}_{index:02d}"

    @functools.cached_property
    def convolutions(self) -> tuple[ConvolutionInfo, ...]:
        """The convolutions in the order of the layers, which is the order of a `.weights` file."""
        return tuple(self._convolutions())

    def _convolutions(self) -> Iterator[ConvolutionInfo]:
        for index, layer in enumerate(self.layers):
            if isinstance(layer, Convolutional):
                (source,) = self.sources(index)
                channels = self.shapes[source].channels if source >= 0 else self.net.channels
                yield ConvolutionInfo(index, self.name(index), layer, channels)

    @functools.cached_property
    def frozen(self) -> frozenset[str]:
        """The convolutions that training leaves as they are: up to the last layer with `stopbackward`, that included.

        Darknet's backward pass goes down the layers and ends there, also where a route reads a layer further down.
        """
        last = max((index for index, layer in enumerate(self.layers) if layer.stopbackward), default=-1)
        return frozenset(conv.name for conv in self.convolutions if conv.index <= last)

    @property
    def has_dropout(self) -> bool:
        """Whether training needs random numbers."""
        return any(isinstance(layer, Dropout) for layer in self.layers)

    @property
    def region(self) -> Region:
        """The detection layer; ArchitectureError when there is none (a backbone)."""
        if isinstance(self.layers[-1], Region):
            return self.layers[-1]
        raise ArchitectureError("this network has no [region] layer, so it does not detect")

    @property
    def head_name(self) -> str:
        """The convolution that makes the head: the last one. Its filters are the head's channels."""
        return self.convolutions[-1].name

    @functools.cached_property
    def stride(self) -> int:
        """Pixels of the image for each cell of the head, but at the border of a size that it does not divide."""
        return walk(self, 1, lambda index, layer, sources: max(sources) * layer.stride)[-1]

    def resized(self, height: int, width: int) -> "Architecture":
        """The same layers for another input size."""
        return dataclasses.replace(self, net=dataclasses.replace(self.net, height=height, width=width))


def for_classes(
    architecture: Architecture, classes: int, anchors: tuple[tuple[float, float], ...] = ()
) -> Architecture:
    """The same network for another number of classes, and other anchors (in cells) if given.

    The head's filters become anchors * (5 + classes); the variables of the old head do not fit it.
    """
    anchors = anchors or architecture.region.anchors
    region = dataclasses.replace(architecture.region, classes=classes, anchors=anchors)
    head = architecture.convolutions[-1]
    conv = dataclasses.replace(head.layer, filters=len(anchors) * (5 + classes))
    before, between = architecture.layers[: head.index], architecture.layers[head.index + 1 : -1]
    return dataclasses.replace(architecture, layers=(*before, conv, *between, region))


def walk(architecture: Architecture, image: T, visit: Callable[[int, Layer, list[T]], T]) -> list[T]:
    """The value of each layer, in order: the one loop over layers that follows what each of them reads.

    Args:
      architecture: the network.
      image: the value of the image, which the first layer reads.
      visit: from a layer's index, the layer, and the values of the layers that it reads (one, but for a route) to its
        own value. A `match` on the kinds ends in `assert_never`.
    """
    values: list[T] = []
    for index, layer in enumerate(architecture.layers):
        sources = [values[i] if i >= 0 else image for i in architecture.sources(index)]
        values.append(visit(index, layer, sources))
    return values


def _resolved(route: Route, index: int) -> tuple[int, ...]:
    """The layers that a route at `index` joins, counted from the first."""
    if not route.layers:
        raise ArchitectureError("route without layers, expected at least one", index)
    resolved = tuple(i if i >= 0 else index + i for i in route.layers)
    for written, i in zip(route.layers, resolved, strict=True):
        if not 0 <= i < index:
            raise ArchitectureError(f"route to layer {written}, expected one of the {index} layers before it", index)
    return resolved


def check_size(architecture: Architecture, size: int) -> None:
    """Raises ValueError when a layer cannot work on images of `size` pixels; for a reorg it names the next that fit."""
    if size <= 0:
        raise ValueError(f"size {size}, expected a positive number of pixels")
    try:
        architecture.shapes_at(size, size)
    except ArchitectureError as error:
        where = f" in {architecture.name(error.layer)}" if error.layer is not None else ""
        raise ValueError(f"size {size} does not fit{where}: {error}") from error


def check_convolutions(architecture: Architecture, names: Iterable[str], what: str) -> None:
    """Raises ValueError for a name, given by `what`, that no convolution has."""
    known = [conv.name for conv in architecture.convolutions]
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"{what} names {unknown[0]!r}, which is not a convolution; there are {', '.join(known)}")


def with_filters(architecture: Architecture, counts: Mapping[str, int]) -> Architecture:
    """The same network with other numbers of filters; convolutions that `counts` does not name keep theirs."""
    layers = list(architecture.layers)
    for conv in architecture.convolutions:
        layers[conv.index] = dataclasses.replace(conv.layer, filters=counts.get(conv.name, conv.layer.filters))
    return dataclasses.replace(architecture, layers=tuple(layers))
