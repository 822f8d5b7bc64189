"""What a network is made of: one small frozen dataclass per Darknet section.

A kind of layer has a `kind`, which names its layers, a `stride`, and an `output_shape`, which also checks its fields.
What else has to know the kinds says so with `assert_never`, so mypy lists the places that a new one needs.
"""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from yolojax.network.activations import ACTIVATIONS

Options = tuple[tuple[str, str], ...]


class ArchitectureError(ValueError):
    """Layers that do not fit together. `layer` is the index of the first that does not, None for the whole."""

    def __init__(self, message: str, layer: int | None = None):
        super().__init__(message)
        self.layer = layer


class IndivisibleError(ArchitectureError):
    """A map that a reorg does not divide; it would at another input size."""


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


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnyLayer:
    """What the section of any layer may say.

    With `stopbackward`, training changes neither this layer nor any before it. `options` are those that no field has,
    kept as text and printed back.
    """

    stopbackward: bool = False
    options: Options = ()


@dataclasses.dataclass(frozen=True)
class Convolutional(AnyLayer):
    """A convolution; `padding` is in pixels on each side.

    With `groups`, the g-th part of the filters reads the g-th part of the input's channels alone. With `dontload` it is
    not read from a `.weights` file, as if no byte stood for it there.
    """

    kind: ClassVar[str] = "conv"
    filters: int
    size: int = 1
    stride: int = 1
    padding: int = 0
    batch_normalize: bool = False
    activation: str = "linear"
    groups: int = dataclasses.field(default=1, kw_only=True)
    dontload: bool = dataclasses.field(default=False, kw_only=True)

    def output_shape(self, sources: Sequence[Shape]) -> Shape:
        """The shape of its map. Raises ArchitectureError for fields that make no convolution."""
        _require_positive(filters=self.filters, size=self.size, stride=self.stride, groups=self.groups)
        if sources[0].channels % self.groups or self.filters % self.groups:
            raise ArchitectureError(
                f"{sources[0].channels} channels and {self.filters} filters do not divide by groups = {self.groups}"
            )
        if self.padding < 0:
            raise ArchitectureError(f"padding must not be negative, got {self.padding}")
        if self.activation not in ACTIVATIONS:
            raise ArchitectureError(f"activation {self.activation!r}, expected one of {', '.join(ACTIVATIONS)}")
        return _window(sources[0], self.size, self.stride, 2 * self.padding, self.filters)


@dataclasses.dataclass(frozen=True)
class Maxpool(AnyLayer):
    """Max pooling; `padding` pixels in all, the larger half after."""

    kind: ClassVar[str] = "maxpool"
    size: int
    stride: int
    padding: int

    def output_shape(self, sources: Sequence[Shape]) -> Shape:
        """The shape of its map. Raises ArchitectureError for a window that does not work."""
        _require_positive(size=self.size, stride=self.stride)
        if not 0 <= self.padding < self.size:
            raise ArchitectureError(f"padding must be in 0..{self.size - 1}, got {self.padding}")
        return _window(sources[0], self.size, self.stride, self.padding, sources[0].channels)


@dataclasses.dataclass(frozen=True)
class Route(AnyLayer):
    """Channels of earlier layers, concatenated. A negative entry of `layers` counts back from this layer."""

    kind: ClassVar[str] = "route"
    stride: ClassVar[int] = 1
    layers: tuple[int, ...]

    def output_shape(self, sources: Sequence[Shape]) -> Shape:
        """The shape of the joined map. Raises ArchitectureError for maps of different sizes."""
        height, width, _ = sources[0]
        if any(source[:2] != (height, width) for source in sources):
            sizes = ", ".join(f"{source.width}x{source.height}" for source in sources)
            raise ArchitectureError(f"route joins maps of different sizes: {sizes}")
        return Shape(height, width, sum(source.channels for source in sources))


@dataclasses.dataclass(frozen=True)
class Reorg(AnyLayer):
    """Darknet's space-to-channels; not a clean space-to-depth (see `network.module.reorg`)."""

    kind: ClassVar[str] = "reorg"
    stride: int

    def output_shape(self, sources: Sequence[Shape]) -> Shape:
        """The shape of the rearranged map. Raises ArchitectureError for one that the stride does not divide."""
        _require_positive(stride=self.stride)
        height, width, channels = sources[0]
        if channels % self.stride**2:
            raise ArchitectureError(f"{channels} channels do not divide by stride² = {self.stride**2}")
        if height % self.stride or width % self.stride:
            raise IndivisibleError(f"a {width}x{height} map does not divide by stride {self.stride}")
        return Shape(height // self.stride, width // self.stride, channels * self.stride**2)


@dataclasses.dataclass(frozen=True)
class Region(AnyLayer):
    """The detection layer: `anchors` are (width, height) pairs in cells of the head.

    With `softmax` a box has one of the classes; without, each class has a logistic score of its own.
    """

    kind: ClassVar[str] = "region"
    stride: ClassVar[int] = 1
    anchors: tuple[tuple[float, float], ...]
    classes: int
    coord_scale: float = 1.0
    object_scale: float = 1.0
    noobject_scale: float = 1.0
    class_scale: float = 1.0
    thresh: float = 0.5
    rescore: bool = False
    softmax: bool = dataclasses.field(default=True, kw_only=True)

    def output_shape(self, sources: Sequence[Shape]) -> Shape:
        """The head's own shape. Raises ArchitectureError for channels that do not fit anchors and classes."""
        _require_positive(classes=self.classes, anchors=len(self.anchors))
        expected = len(self.anchors) * (5 + self.classes)
        if sources[0].channels != expected:
            raise ArchitectureError(
                f"{sources[0].channels} channels come in, expected anchors * (5 + classes) = {expected}"
            )
        return sources[0]


@dataclasses.dataclass(frozen=True)
class Dropout(AnyLayer):
    """In training, sets values to 0 with this `probability` and scales the others up; at inference, nothing."""

    kind: ClassVar[str] = "dropout"
    stride: ClassVar[int] = 1
    probability: float = 0.5

    def output_shape(self, sources: Sequence[Shape]) -> Shape:
        """The map's own shape. Raises ArchitectureError for a probability outside [0, 1)."""
        if not 0 <= self.probability < 1:
            raise ArchitectureError(f"probability must be in [0, 1), got {self.probability}")
        return sources[0]


@dataclasses.dataclass(frozen=True)
class Avgpool(AnyLayer):
    """The mean of each channel over the whole map, in one cell."""

    kind: ClassVar[str] = "avgpool"
    stride: ClassVar[int] = 1  # of no use: one cell, whatever the size of the map

    def output_shape(self, sources: Sequence[Shape]) -> Shape:
        """One cell."""
        return Shape(1, 1, sources[0].channels)


@dataclasses.dataclass(frozen=True)
class Softmax(AnyLayer):
    """A classifier's probabilities: the softmax over the channels of a single cell."""

    kind: ClassVar[str] = "softmax"
    stride: ClassVar[int] = 1

    def output_shape(self, sources: Sequence[Shape]) -> Shape:
        """The map's own shape. Raises ArchitectureError for more than a cell, over all of which Darknet would sum."""
        if sources[0][:2] != (1, 1):
            raise ArchitectureError(f"a {sources[0].width}x{sources[0].height} map, expected 1x1 as [avgpool] gives")
        return sources[0]


@dataclasses.dataclass(frozen=True)
class Cost(AnyLayer):
    """Where Darknet measures a classifier's loss; it gives its input."""

    kind: ClassVar[str] = "cost"
    stride: ClassVar[int] = 1

    def output_shape(self, sources: Sequence[Shape]) -> Shape:
        """The map's own shape."""
        return sources[0]


Layer = Convolutional | Maxpool | Route | Reorg | Region | Dropout | Avgpool | Softmax | Cost


def _require_positive(**values: int) -> None:
    for name, value in values.items():
        if value <= 0:
            raise ArchitectureError(f"{name} must be positive, got {value}")


def _window(source: Shape, size: int, stride: int, padding: int, channels: int) -> Shape:
    """`padding` is in all."""
    height, width = ((side + padding - size) // stride + 1 for side in source[:2])
    return Shape(height, width, channels)
