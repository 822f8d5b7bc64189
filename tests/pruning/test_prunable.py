from tests import helpers
from yolojax import pruning
from yolojax.network import Architecture, Convolutional, Net, Reorg, Route

SMALL = helpers.small_architecture()


def test_weights_are_those_of_all_kernels():
    kernels = {name: layer["kernel"].size for name, layer in helpers.random_variables(SMALL)["params"].items()}
    assert pruning.prunable(SMALL, "weight") == kernels
    assert list(pruning.prunable(SMALL, "weight")) == [conv.name for conv in SMALL.convolutions]
    assert pruning.total(SMALL, "weight") == sum(kernels.values())


def test_filters_are_those_before_the_head():
    assert pruning.prunable(SMALL, "filter", exclude=("conv_02",)) == {
        "conv_00": 8,
        "conv_04": 8,
        "conv_06": 8,
        "conv_08": 4,
        "conv_11": 16,
    }
    assert pruning.total(SMALL, "filter") == 8 + 8 + 8 + 8 + 4 + 16


def test_filters_out_of_line_with_a_reorg_count_in_the_total_alone():
    layers = (Convolutional(5), Convolutional(6), Convolutional(10), Route((1, 2)), Reorg(2), Convolutional(3))
    architecture = Architecture(Net(8, 8), layers)
    assert pruning.prunable(architecture, "filter") == {"conv_00": 5}
    assert pruning.total(architecture, "filter") == 21
