import dataclasses
import pathlib

import jax
import numpy as np

from tests import helpers
from yolojax import darknet, network, pruning
from yolojax.network import Architecture, Convolutional, Maxpool, Net

CFGS = pathlib.Path(__file__).parents[2] / "third_party" / "darknet"


def two_layers():
    architecture = Architecture(Net(8, 8), (Convolutional(4, 3, padding=1, batch_normalize=True), Convolutional(2, 1)))
    params = jax.tree.map(np.ones_like, jax.device_get(network.init(architecture, jax.random.key(0))["params"]))
    return architecture, params


def test_by_hand():
    architecture, params = two_layers()
    assert pruning.count_parameters(params) == (3 * 3 * 3 * 4 + 4 + 4) + (4 * 2 + 2)
    assert pruning.macs(architecture) == 8 * 8 * (3 * 3 * 3 * 4) + 8 * 8 * (4 * 2)
    assert pruning.macs(architecture, 4, 16) == 4 * 16 * (3 * 3 * 3 * 4) + 4 * 16 * (4 * 2)
    assert pruning.dense_bytes(architecture) == 20 + 4 * (108 + 4 * 4 + 8 + 2)
    params["conv_00"]["kernel"][:, :, :, 0] = 0
    assert pruning.count_nonzeros(params) == 126 - 27
    assert pruning.sparsity(params)["conv_00/kernel"] == 0.25
    assert pruning.sparsity(params)["conv_00/bias"] == 0


def test_groups_by_hand():
    layers = (Convolutional(8, 1), Convolutional(8, 3, padding=1, batch_normalize=True, groups=8), Convolutional(2, 1))
    architecture = Architecture(Net(4, 4), layers)
    params = network.init(architecture, jax.random.key(0))["params"]
    assert pruning.layer_macs(architecture)["conv_01"] == 4 * 4 * 9 * 8
    assert pruning.count_parameters(params) == (3 * 8 + 8) + (9 * 8 + 8 + 8) + (8 * 2 + 2)
    assert pruning.dense_bytes(architecture) == 20 + 4 * (3 * 8 + 8 + 9 * 8 + 4 * 8 + 8 * 2 + 2)
    masks = pruning.weight_masks(architecture, params, 0.5)
    assert sum(int(np.sum(layer["kernel"])) for layer in masks.values()) == (3 * 8 + 9 * 8 + 8 * 2) // 2


def test_layer_table_and_the_studys_count():
    architecture, params = two_layers()
    masks = jax.tree.map(lambda leaf: np.ones(leaf.shape, bool), params)
    for mask in masks["conv_00"].values():
        mask[..., 1] = False
    # The filter's own 27 + 2, but not the two weights of the next layer that it fed.
    assert pruning.masked_filter_parameters(params, masks) == 126 - 29
    masked = pruning.apply_masks(params, masks)
    first, second = pruning.layer_table(architecture, {"params": params}, masks, (architecture, masked))
    assert (first.name, first.filters, first.filters_dropped) == ("conv_00", 4, 1)
    assert (first.parameters, first.nonzeros, first.sparsity) == (116, 87, 0.25)
    assert (second.filters_dropped, second.sparsity, second.macs, second.macs_left) == (0, 0, 512, 512)
    conv, head = architecture.layers
    smaller = Architecture(Net(8, 8), (dataclasses.replace(conv, filters=3), head))
    left = jax.tree.map(np.ones_like, jax.device_get(network.init(smaller, jax.random.key(1))["params"]))
    first, second = pruning.layer_table(architecture, {"params": params}, masks, (smaller, left))
    assert (first.nonzeros, second.parameters, second.nonzeros) == (87, 4 * 2 + 2, 3 * 2 + 2)
    assert (first.macs, first.macs_left) == (8 * 8 * 27 * 4, 8 * 8 * 27 * 3)
    assert (second.macs, second.macs_left) == (512, 8 * 8 * 3 * 2)


def test_the_published_networks():
    for name, parameters, size in [("yolov2-voc", 50_655_389, 202_704_264), ("yolov2-tiny-voc", None, 63_471_560)]:
        architecture = darknet.read_cfg(CFGS / f"{name}.cfg")
        shapes = network.variable_shapes(architecture)["params"]
        count = sum(int(np.prod(shape)) for layer in shapes.values() for shape in layer.values())
        assert parameters in (None, count)
        assert pruning.dense_bytes(architecture) == size
        if name == "yolov2-voc":  # what a fraction of weights is of
            assert sum(int(np.prod(layer["kernel"])) for layer in shapes.values()) == 50_634_592


def test_dense_bytes_is_the_files_size(tmp_path):
    architecture = helpers.small_architecture()
    darknet.save(architecture, helpers.random_variables(architecture), tmp_path / "a.cfg", tmp_path / "a.weights")
    assert (tmp_path / "a.weights").stat().st_size == pruning.dense_bytes(architecture)


def test_macs_of_yolov2_are_half_of_darknets_flops():
    """AlexeyAB's Darknet prints 29.371 BFLOPs in all for yolov2-voc at 416, max pools included."""
    architecture = darknet.read_cfg(CFGS / "yolov2-voc.cfg")
    by_hand = pools = 0
    for layer, shape in zip(architecture.layers, architecture.shapes, strict=True):
        if isinstance(layer, Maxpool):
            pools += shape.height * shape.width * shape.channels * layer.size**2
    for conv in architecture.convolutions:
        height, width, filters = architecture.shapes[conv.index]
        by_hand += height * width * filters * conv.in_channels * conv.layer.size**2
    assert pruning.macs(architecture) == by_hand == 14_680_167_424
    assert round((2 * by_hand + pools) / 1e9, 3) == 29.371
