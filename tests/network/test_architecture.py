import dataclasses

import jax
import pytest

from yolojax.network import (
    ACTIVATIONS,
    Architecture,
    ArchitectureError,
    Avgpool,
    Convolutional,
    Cost,
    Layer,
    Maxpool,
    Net,
    Region,
    Reorg,
    Route,
    Shape,
    Softmax,
)

NET = Net(height=32, width=64)
# The layer kinds of YOLOv2: a pass-through by route and reorg beside a pooled path, then the head.
EVERY_KIND = Architecture(
    NET,
    (
        Convolutional(8, 3, 1, 1, batch_normalize=True, activation="leaky"),
        Maxpool(2, 2, 1),
        Convolutional(16, 3, 2, 1),
        Maxpool(2, 1, 1),
        Route((-3,)),
        Reorg(2),
        Route((-1, 3)),
        Convolutional(14),
        Region(((1.0, 2.0), (3.0, 4.0)), 2),
    ),
)


def test_shapes_are_darknets() -> None:
    assert EVERY_KIND.shapes == (
        Shape(32, 64, 8),
        Shape(16, 32, 8),
        Shape(8, 16, 16),
        Shape(8, 16, 16),
        Shape(16, 32, 8),
        Shape(8, 16, 32),
        Shape(8, 16, 48),
        Shape(8, 16, 14),
        Shape(8, 16, 14),
    )
    assert EVERY_KIND.shapes_at(64, 32)[-1] == Shape(16, 8, 14)
    assert EVERY_KIND.resized(64, 32).shapes == EVERY_KIND.shapes_at(64, 32)
    assert EVERY_KIND.stride == 4


def test_sources() -> None:
    assert [EVERY_KIND.sources(i) for i in range(9)] == [(-1,), (0,), (1,), (2,), (1,), (4,), (5, 3), (6,), (7,)]


def test_names_and_convolutions() -> None:
    assert [EVERY_KIND.name(i) for i in (0, 1, 4, 5, 8)] == [
        "conv_00",
        "maxpool_01",
        "route_04",
        "reorg_05",
        "region_08",
    ]
    convolutions = EVERY_KIND.convolutions
    assert [conv.name for conv in convolutions] == ["conv_00", "conv_02", "conv_07"]
    assert [conv.kernel_shape for conv in convolutions] == [(3, 3, 3, 8), (3, 3, 8, 16), (1, 1, 48, 14)]
    assert EVERY_KIND.head_name == "conv_07"
    assert EVERY_KIND.region.classes == 2


def test_odd_sizes_follow_darknets_formula() -> None:
    layers = (Convolutional(1, 3, 2, 1), Maxpool(2, 2, 1), Maxpool(3, 2, 2), Maxpool(2, 1, 1), Maxpool(2, 2, 0))
    shapes = Architecture(Net(height=19, width=33), layers).shapes
    assert [shape[:2] for shape in shapes] == [(10, 17), (5, 9), (3, 5), (3, 5), (1, 2)]


def test_hashable_and_static_under_jit() -> None:
    same = dataclasses.replace(EVERY_KIND)
    assert hash(same) == hash(EVERY_KIND)
    assert same == EVERY_KIND
    cells = jax.jit(lambda a, x: x * a.shapes[-1].height, static_argnums=0)
    assert cells(EVERY_KIND, 2) == 16


@pytest.mark.parametrize(
    ("layers", "layer", "message"),
    [
        ((), None, "a network needs at least one layer, got none"),
        ((Convolutional(0),), 0, "filters must be positive, got 0"),
        ((Convolutional(1, size=0),), 0, "size must be positive, got 0"),
        ((Convolutional(1, stride=-1),), 0, "stride must be positive, got -1"),
        ((Convolutional(1, groups=0),), 0, "groups must be positive, got 0"),
        ((Convolutional(4, groups=2),), 0, "3 channels and 4 filters do not divide by groups = 2"),
        ((Convolutional(4, groups=3),), 0, "3 channels and 4 filters do not divide by groups = 3"),
        ((Convolutional(1, padding=-1),), 0, "padding must not be negative, got -1"),
        ((Convolutional(1, activation="mish"),), 0, f"activation 'mish', expected one of {', '.join(ACTIVATIONS)}"),
        ((Convolutional(1, size=33),), 0, "a 64x32 map is too small for this layer"),
        ((Maxpool(2, 2, 2),), 0, "padding must be in 0..1, got 2"),
        ((Maxpool(2, 0, 1),), 0, "stride must be positive, got 0"),
        ((Maxpool(1, 1, 0), Route((1,))), 1, "route to layer 1, expected one of the 1 layers before it"),
        ((Maxpool(1, 1, 0), Route((-2,))), 1, "route to layer -2, expected one of the 1 layers before it"),
        ((Maxpool(1, 1, 0), Maxpool(2, 2, 1), Route((0, 1))), 2, "route joins maps of different sizes: 64x32, 32x16"),
        ((Reorg(2),), 0, "3 channels do not divide by stride² = 4"),
        (
            (Convolutional(9), Reorg(3)),
            1,
            "a 64x32 map does not divide by stride 3; image sizes that do, near 64: 63, 66; near 32: 30, 33",
        ),
        ((Region(((1.0, 1.0),), 3),), 0, "3 channels come in, expected anchors * (5 + classes) = 8"),
        ((Region((), 3),), 0, "anchors must be positive, got 0"),
        ((Convolutional(6), Region(((1.0, 1.0),), 1), Reorg(1)), 1, "[region] must be the last layer"),
        ((Avgpool(), Softmax(), Cost(), Cost()), 2, "[cost] must be the last layer"),
        ((Avgpool(), Softmax(), Avgpool()), 1, "[softmax] must be the last layer, or the one before [cost]"),
        ((Softmax(),), 0, "a 64x32 map, expected 1x1 as [avgpool] gives"),
    ],
)
def test_errors(layers: tuple[Layer, ...], layer: int | None, message: str) -> None:
    with pytest.raises(ArchitectureError) as error:
        Architecture(NET, layers)
    assert (str(error.value), error.value.layer) == (message, layer)


def test_route_without_layers() -> None:
    with pytest.raises(ArchitectureError, match="route"):
        Architecture(NET, (Convolutional(1), Route(())))


@pytest.mark.parametrize("field", ["height", "width", "channels"])
def test_net_sizes(field: str) -> None:
    with pytest.raises(ArchitectureError, match=f"^net {field} must be positive, got 0$"):
        Architecture(dataclasses.replace(NET, **{field: 0}), (Convolutional(1),))


def test_a_backbone_has_no_region() -> None:
    with pytest.raises(ArchitectureError, match="no \\[region\\] layer"):
        _ = Architecture(NET, (Convolutional(1),)).region


def test_a_classifier_ends_in_one_cell_at_any_size() -> None:
    classifier = Architecture(NET, (Convolutional(6, 3, 2, 1), Convolutional(5), Avgpool(), Softmax(), Cost()))
    assert classifier.shapes == (Shape(16, 32, 6), Shape(16, 32, 5), *[Shape(1, 1, 5)] * 3)
    assert classifier.shapes_at(7, 9)[-1] == Shape(1, 1, 5)
    assert [classifier.name(i) for i in (2, 3, 4)] == ["avgpool_02", "softmax_03", "cost_04"]
    assert classifier.head_name == "conv_01"


def test_stride_counts_layers_not_sizes() -> None:
    # 6 x 6 pixels through two padded pools give 2 x 2 cells; a cell still stands for 4 x 4 pixels.
    assert Architecture(Net(6, 6), (Maxpool(2, 2, 1), Maxpool(2, 2, 1))).stride == 4
