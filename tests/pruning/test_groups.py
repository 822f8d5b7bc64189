import pytest

from yolojax import pruning
from yolojax.network import Architecture, Convolutional, Maxpool, Net, Reorg, Route
from yolojax.pruning.groups import grid_unit


def conv(filters):
    return Convolutional(filters, 1)


def sizes(*layers):
    return list(pruning.group_sizes(Architecture(Net(48, 48), (*layers, conv(3)))).values())


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ((conv(8),), [1, 0]),  # the head stays
        ((conv(8), Reorg(2)), [4, 0]),
        ((conv(8), Maxpool(2, 2, 1), Route((-1,)), Reorg(2)), [4, 0]),
        ((conv(8), conv(4), Reorg(2)), [1, 4, 0]),
        ((conv(8), conv(12), Route((-1, -2)), Reorg(2)), [4, 4, 0]),
        ((conv(6), conv(10), Route((0, 1)), Reorg(2)), [0, 0, 0]),  # a group would span both
        ((conv(16), Reorg(2), Reorg(2)), [4, 0]),
        ((conv(16), Reorg(4)), [16, 0]),
        ((conv(32), Reorg(2), Reorg(4)), [16, 0]),
        ((conv(8), Reorg(2), Reorg(4)), [0, 0]),  # 16 channels behind the first span two of its blocks
        ((conv(36), Reorg(2), Route((0,)), Reorg(3)), [36, 0]),
        ((conv(8), conv(8), Reorg(2), Maxpool(2, 2, 0), Route((0,)), conv(4)), [1, 4, 1, 0]),
    ],
)
def test_group_sizes(layers, expected):
    assert sizes(*layers) == expected


def test_filters_of_groups_and_those_that_they_read_stay():
    """Through a pool and a route too; what reads them loses filters like others."""
    grouped = Convolutional(8, 3, padding=1, groups=4)
    layers = (conv(8), conv(4), conv(4), Maxpool(2, 1, 1), Route((-1, 1)), grouped, conv(8), conv(3))
    architecture = Architecture(Net(48, 48), layers)
    names = ("conv_00", "conv_01", "conv_02", "conv_05", "conv_06", "conv_07")
    assert pruning.group_sizes(architecture) == dict(zip(names, [1, 0, 0, 0, 1, 0], strict=True))
    assert pruning.reasons_to_stay(architecture) == {
        "conv_01": "conv_05 reads them in groups",
        "conv_02": "conv_05 reads them in groups",
        "conv_05": "they belong to groups of equal size",
        "conv_07": "they are the output",
    }
    assert list(pruning.prunable(architecture, "filter")) == ["conv_00", "conv_06"]
    assert pruning.prunable(architecture, "weight")["conv_05"] == 3 * 3 * 2 * 8


def test_every_convolution_that_is_the_output_stays():
    architecture = Architecture(Net(16, 16), (conv(8), conv(4), Route((0, 1))))
    assert pruning.group_sizes(architecture) == {"conv_00": 0, "conv_01": 0}
    assert pruning.head_convolutions(architecture) == {"conv_00", "conv_01"}


def test_the_image_is_never_pruned():
    architecture = Architecture(Net(16, 16, 4), (Reorg(2), Route((0,)), conv(8), conv(3)))
    assert pruning.group_sizes(architecture) == {"conv_02": 1, "conv_03": 0}
    assert set(pruning.channel_origins(architecture)[0][:, 0]) == {-1}


def test_origins_follow_a_route_and_a_reorg():
    architecture = Architecture(Net(8, 8), (conv(4), conv(2), Route((1, 0)), Route((0,)), Reorg(2), conv(1)))
    origins = [o.tolist() for o in pruning.channel_origins(architecture)]
    assert origins[2] == [[1, 0], [1, 1], [0, 0], [0, 1], [0, 2], [0, 3]]
    assert origins[4] == [[0, 0], [0, 1], [0, 2], [0, 3]] * 4


@pytest.mark.parametrize(
    ("filters", "size", "multiple", "unit"),
    [
        (64, 1, 8, 8),
        (32, 1, 8, 8),
        (31, 1, 8, 1),
        (16, 1, 8, 1),
        (64, 4, 8, 2),
        (64, 4, 3, 3),
        (44, 4, 3, 1),
        (5, 1, 1, 1),
    ],
)
def test_a_layer_narrower_than_four_steps_has_no_grid(filters, size, multiple, unit):
    assert grid_unit(filters, size, multiple) == unit
