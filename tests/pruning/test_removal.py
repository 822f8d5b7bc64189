import pathlib

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import helpers
from yolojax import darknet, network, pruning
from yolojax.network import Architecture, Convolutional, Maxpool, Net, Reorg, Route

CFGS = pathlib.Path(__file__).parents[2] / "third_party" / "darknet"


def assert_masked_is_removed(architecture, variables, masks, seed=0):
    masked = {**variables, "params": pruning.apply_masks(variables["params"], masks)}
    smaller, removed = pruning.remove_filters(architecture, variables, masks)
    shape = (2, architecture.net.height, architecture.net.width, 3)
    images = np.random.default_rng(seed).random(shape, np.float32)
    expected = np.asarray(network.apply(architecture, masked, images))
    found = np.asarray(network.apply(smaller, removed, images))
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    return smaller


@st.composite
def architectures(draw):
    """Random layers of every kind on a 16x16 image; channels in fours, so that a reorg always fits."""
    layers = [Convolutional(8, 3, padding=1, batch_normalize=True, activation="leaky")]
    for _ in range(draw(st.integers(2, 7))):
        shapes = Architecture(Net(16, 16), tuple(layers)).shapes
        height, _, channels = shapes[-1]
        kinds = ["conv", "conv", "route"]
        if height % 2 == 0 and height > 2:
            kinds += ["maxpool", "reorg"] if channels <= 16 else ["maxpool"]
        kind = draw(st.sampled_from(kinds))
        if kind == "conv":
            size = draw(st.sampled_from([1, 3]))
            bn = draw(st.booleans())
            filters = 4 * draw(st.integers(1, 3))
            layers.append(Convolutional(filters, size, padding=size // 2, batch_normalize=bn, activation="leaky"))
        elif kind == "maxpool":
            layers.append(Maxpool(2, 2, 1))
        elif kind == "reorg":
            layers.append(Reorg(2))
        else:
            fitting = [i for i, s in enumerate(shapes) if s[:2] == shapes[-1][:2]]
            layers.append(Route(tuple(draw(st.lists(st.sampled_from(fitting), min_size=1, max_size=3)))))
    layers.append(Convolutional(5, 1))
    return Architecture(Net(16, 16), tuple(layers))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(architectures(), st.integers(0, 2**16))
def test_masked_is_removed_on_random_architectures(architecture, seed):
    variables = helpers.random_variables(architecture, seed)
    rng = np.random.default_rng(seed)
    masks = jax.tree.map(lambda leaf: np.ones(leaf.shape, bool), variables["params"])
    for name, size in pruning.group_sizes(architecture).items():
        if size:
            keep = np.repeat(rng.random(masks[name]["bias"].size // size) < 0.6, size)
            keep[:size] = True
            masks[name] = {leaf: np.broadcast_to(keep, mask.shape) for leaf, mask in masks[name].items()}
    assert_masked_is_removed(architecture, variables, masks, seed)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["yolov2-voc", "yolov2-tiny-voc"])
def test_masked_is_removed_on_yolov2(name):
    architecture = darknet.read_cfg(CFGS / f"{name}.cfg").resized(64, 64)
    variables = helpers.random_variables(architecture)
    masks = pruning.filter_masks(architecture, variables["params"], 0.4)
    smaller = assert_masked_is_removed(architecture, variables, masks)
    assert pruning.macs(smaller) < 0.8 * pruning.macs(architecture)


def small():
    architecture = helpers.small_architecture()
    variables = helpers.random_variables(architecture)
    return architecture, variables, jax.tree.map(lambda leaf: np.ones(leaf.shape, bool), variables["params"])


def drop(masks, name, filters):
    layer = {leaf: mask.copy() for leaf, mask in masks[name].items()}
    for mask in layer.values():
        mask[..., filters] = False
    return {**masks, name: layer}


def test_single_weights_that_are_dropped_become_zero():
    architecture, variables, masks = small()
    masks["conv_02"]["kernel"][0, 0, :, 1] = False
    masks = drop(masks, "conv_02", [5])
    smaller, removed = pruning.remove_filters(architecture, variables, masks)
    assert removed["params"]["conv_02"]["kernel"].shape[-1] == 7
    assert np.all(removed["params"]["conv_02"]["kernel"][0, 0, :, 1] == 0)
    assert removed["params"]["conv_04"]["kernel"].shape[2] == 7
    assert_masked_is_removed(architecture, variables, masks)
    assert smaller != architecture


def test_the_input_is_not_edited():
    architecture, variables, masks = small()
    masks = drop(masks, "conv_00", [0, 3])
    before = jax.tree.map(np.copy, (variables, masks))
    pruning.remove_filters(architecture, variables, masks)
    for a, b in zip(jax.tree.leaves(before), jax.tree.leaves((variables, masks)), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("name", "filters", "message"),
    [
        ("conv_12", [0], "conv_12: its filters cannot be removed, they are the output"),
        ("conv_08", [1, 2], "conv_08: feeds a reorg, so filters go in aligned groups of 4; a part was dropped"),
        ("conv_00", list(range(8)), "conv_00: all 8 filters are dropped; keep at least one"),
    ],
)
def test_what_cannot_be_removed(name, filters, message):
    architecture, variables, masks = small()
    with pytest.raises(ValueError, match=message):
        pruning.remove_filters(architecture, variables, drop(masks, name, filters))
