"""What a network is made of: one small frozen dataclass per Darknet section.

An `Architecture` is hashable, so it can be a static argument of `jax.jit`. It is checked when it is made: one that
exists has consistent shapes. Layers are counted as Darknet counts them, from 0 after `[net]`; `conv_00/kernel` is the
kernel of layer 0. These names are public API.
"""

import dataclasses
import functools
from collections.abc import Iterator
from typing import ClassVar, NamedTuple

Options = tuple[tuple[str, str], ...]
ACTIVATIONS = ("leaky", "linear")


class ArchitectureError(ValueError):
    """Layers that do not fit together. `layer` is the index of the first that does not, None for the whole."""

    def __init__(self, message: str, layer: int | None = None):
        super().__init__(message)
        self.layer = layer


class Shape(NamedTuple):
    """Height, width and channels of one feature map."""

    height: int
    width: int
    channels: int


@dataclasses.dataclass(frozen=True)
class Net:
    """The input, and Darknet's training options (`options`, kept as text and printed back)."""

    kind: ClassVar[str] = "net"
    height: int
    width: int
    channels: int = 3
    options: Options = ()


@dataclasses.dataclass(frozen=True)
class Convolutional:
    """A convolution; `padding` is in pixels on each side."""

    kind: ClassVar[str] = "conv"
    filters: int
    size: int = 1
    stride: int = 1
    padding: int = 0
    batch_normalize: bool = False
    activation: str = "linear"
    options: Options = ()


@dataclasses.dataclass(frozen=True)
class Maxpool:
    """Max pooling; `padding` pixels in all, the larger half after."""

    kind: ClassVar[str] = "maxpool"
    size: int
    stride: int
    padding: int
    options: Options = ()


@dataclasses.dataclass(frozen=True)
class Route:
    """Channels of earlier layers, concatenated. A negative entry of `layers` counts back from this layer."""

    kind: ClassVar[str] = "route"
    layers: tuple[int, ...]
    options: Options = ()


@dataclasses.dataclass(frozen=True)
class Reorg:
    """Darknet's space-to-channels; not a clean space-to-depth (see `network.module.reorg`)."""

    kind: ClassVar[str] = "reorg"
    stride: int
    options: Options = ()


@dataclasses.dataclass(frozen=True)
class Region:
    """The detection layer: `anchors` are (width, height) pairs in cells of the head."""

    kind: ClassVar[str] = "region"
    anchors: tuple[tuple[float, float], ...]
    classes: int
    coord_scale: float = 1.0
    object_scale: float = 1.0
    noobject_scale: float = 1.0
    class_scale: float = 1.0
    thresh: float = 0.5
    rescore: bool = False
    options: Options = ()


Layer = Convolutional | Maxpool | Route | Reorg | Region


@dataclasses.dataclass(frozen=True)
class ConvolutionInfo:
    """One convolution with what its place in the network settles."""

    index: int
    name: str
    layer: Convolutional
    in_channels: int

    @property
    def kernel_shape(self) -> tuple[int, int, int, int]:
        """(height, width, in, out)."""
        return (self.layer.size, self.layer.size, self.in_channels, self.layer.filters)


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
        """The output shape of each layer for an input of `height` x `width`."""
        before = Shape(height, width, self.net.channels)
        shapes: list[Shape] = []
        for index, layer in enumerate(self.layers):
            sources = [shapes[i] if i >= 0 else before for i in self.sources(index)]
            shapes.append(_output_shape(index, layer, sources))
            if isinstance(layer, Region) and index != len(self.layers) - 1:
                raise ArchitectureError("[region] must be the last layer", index)
        return tuple(shapes)

    def sources(self, index: int) -> tuple[int, ...]:
        """The layers that layer `index` reads; -1 is the image."""
        layer = self.layers[index]
        if not isinstance(layer, Route):
            return (index - 1,)
        if not layer.layers:
            raise ArchitectureError("route without layers, expected at least one", index)
        resolved = tuple(i if i >= 0 else index + i for i in layer.layers)
        for written, i in zip(layer.layers, resolved, strict=True):
            if not 0 <= i < index:
                raise ArchitectureError(
                    f"route to layer {written}, expected one of the {index} layers before it", index
                )
        return resolved

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
        """Pixels of the image for each cell of the head; input sizes must be divisible by it."""
        strides: list[int] = []
        for index, layer in enumerate(self.layers):
            before = max(strides[i] if i >= 0 else 1 for i in self.sources(index))
            strides.append(before * getattr(layer, "stride", 1))
        return strides[-1]

    def resized(self, height: int, width: int) -> "Architecture":
        """The same layers for another input size."""
        return dataclasses.replace(self, net=dataclasses.replace(self.net, height=height, width=width))


def for_classes(
    architecture: Architecture, classes: int, anchors: tuple[tuple[float, float], ...] = ()
) -> Architecture:
    """The same network for another number of classes, and other anchors (in cells) if given.

    The head's filters become anchors * (5 + classes); its variables have to be made anew.
    """
    anchors = anchors or architecture.region.anchors
    region = dataclasses.replace(architecture.region, classes=classes, anchors=anchors)
    head = architecture.convolutions[-1]
    conv = dataclasses.replace(head.layer, filters=len(anchors) * (5 + classes))
    before, between = architecture.layers[: head.index], architecture.layers[head.index + 1 : -1]
    return dataclasses.replace(architecture, layers=(*before, conv, *between, region))


def _output_shape(index: int, layer: Layer, sources: list[Shape]) -> Shape:
    height, width, channels = sources[0]
    match layer:
        case Convolutional():
            _require_positive(index, filters=layer.filters, size=layer.size, stride=layer.stride)
            if layer.padding < 0:
                raise ArchitectureError(f"padding must not be negative, got {layer.padding}", index)
            if layer.activation not in ACTIVATIONS:
                raise ArchitectureError(f"activation {layer.activation!r}, expected one of {ACTIVATIONS}", index)
            shape = _window(height, width, layer.size, layer.stride, 2 * layer.padding, layer.filters)
        case Maxpool():
            _require_positive(index, size=layer.size, stride=layer.stride)
            if not 0 <= layer.padding < layer.size:
                raise ArchitectureError(f"padding must be in 0..{layer.size - 1}, got {layer.padding}", index)
            shape = _window(height, width, layer.size, layer.stride, layer.padding, channels)
        case Route():
            if any(s[:2] != (height, width) for s in sources):
                sizes = ", ".join(f"{s.width}x{s.height}" for s in sources)
                raise ArchitectureError(f"route joins maps of different sizes: {sizes}", index)
            shape = Shape(height, width, sum(s.channels for s in sources))
        case Reorg():
            _require_positive(index, stride=layer.stride)
            if channels % layer.stride**2:
                raise ArchitectureError(f"{channels} channels do not divide by stride² = {layer.stride**2}", index)
            if height % layer.stride or width % layer.stride:
                raise ArchitectureError(f"a {width}x{height} map does not divide by stride {layer.stride}", index)
            shape = Shape(height // layer.stride, width // layer.stride, channels * layer.stride**2)
        case Region():
            _require_positive(index, classes=layer.classes, anchors=len(layer.anchors))
            expected = len(layer.anchors) * (5 + layer.classes)
            if channels != expected:
                raise ArchitectureError(
                    f"{channels} channels come in, expected anchors * (5 + classes) = {expected}", index
                )
            shape = sources[0]
    if shape.height <= 0 or shape.width <= 0:
        raise ArchitectureError(f"a {width}x{height} map is too small for this layer", index)
    return shape


def _require_positive(index: int, **values: int) -> None:
    for name, value in values.items():
        if value <= 0:
            raise ArchitectureError(f"{name} must be positive, got {value}", index)


def _window(height: int, width: int, size: int, stride: int, padding: int, channels: int) -> Shape:
    return Shape((height + padding - size) // stride + 1, (width + padding - size) // stride + 1, channels)
