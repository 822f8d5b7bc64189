import pathlib

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import helpers
from yolojax import darknet, network, pruning
from yolojax.network import ACTIVATIONS, Architecture, Avgpool, Convolutional, Cost, Maxpool, Net, Reorg, Route, Softmax

CFGS = pathlib.Path(__file__).parents[2] / "third_party" / "darknet"


def assert_masked_is_removed(architecture, variables, masks, seed=0):
    masked = network.Model(architecture, variables).masked(masks).variables
    smaller, removed = pruning.remove_filters(architecture, variables, masks)
    shape = (2, architecture.net.height, architecture.net.width, 3)
    images = np.random.default_rng(seed).random(shape, np.float32)
    expected = np.asarray(network.apply(architecture, masked, images))
    found = np.asarray(network.apply(smaller, removed, images))
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    return smaller


def random_variables(architecture, seed):
    """Like helpers.random_variables, without a compilation."""
    rng = np.random.default_rng(seed)
    limits = {"bias": (-0.5, 0.5), "mean": (-0.5, 0.5), "scale": (0.5, 1.5), "var": (0.5, 2.0)}

    def leaf(path, shape):
        if path[-1].key == "kernel":
            return rng.normal(0, (2 / np.prod(shape[:3])) ** 0.5, shape).astype(np.float32)
        return rng.uniform(*limits[path[-1].key], shape).astype(np.float32)

    shapes = network.variable_shapes(architecture)
    return jax.tree.map_with_path(leaf, shapes, is_leaf=lambda x: isinstance(x, tuple))


def random_layer(draw, shapes):
    """A layer that fits behind layers of these output shapes."""
    height, _, channels = shapes[-1]
    choices = ["conv", "route", "route"]
    if channels % 2 == 0 and channels <= 32:
        choices.append("groups")
    if height % 2 == 0 and height > 2:
        choices.append("maxpool")
    choices += [Reorg(s) for s in (2, 4) if height % s == 0 and channels % s**2 == 0 and channels <= 32]
    choice = draw(st.sampled_from(choices))
    if choice == "conv":
        size, filters = draw(st.sampled_from([1, 3])), draw(st.sampled_from([4, 6, 8, 10, 16]))
        bn, activation = draw(st.booleans()), draw(st.sampled_from(list(ACTIVATIONS)))
        return Convolutional(filters, size, padding=size // 2, batch_normalize=bn, activation=activation)
    if choice == "groups":
        groups = draw(st.sampled_from([2, channels]))
        return Convolutional(channels, 3, padding=1, batch_normalize=True, activation="leaky", groups=groups)
    if choice == "maxpool":
        return Maxpool(2, 2, 1)
    if choice == "route":
        fitting = [i for i, shape in enumerate(shapes) if shape[:2] == shapes[-1][:2]]
        return Route(tuple(draw(st.lists(st.sampled_from(fitting), min_size=1, max_size=3))))
    return choice


@st.composite
def architectures(draw):
    """Random layers of every kind on a 16x16 image, around one reorg at least, nested and unaligned ones included.

    Some are classifiers.
    """
    filters = draw(st.sampled_from([8, 12, 16]))
    layers = [Convolutional(filters, 3, padding=1, batch_normalize=True, activation="leaky")]
    for _ in range(draw(st.integers(0, 3))):
        layers.append(random_layer(draw, Architecture(Net(16, 16), tuple(layers)).shapes))
    fitting = [
        i
        for i, (height, _, channels) in enumerate(Architecture(Net(16, 16), tuple(layers)).shapes)
        if height % 2 == channels % 4 == 0
    ]
    layers += [Route((draw(st.sampled_from(fitting)),)), Reorg(2)]
    for _ in range(draw(st.integers(0, 3))):
        layers.append(random_layer(draw, Architecture(Net(16, 16), tuple(layers)).shapes))
    ends = draw(st.sampled_from([(), (Avgpool(),), (Avgpool(), Softmax(), Cost())]))
    return Architecture(Net(16, 16), (*layers, Convolutional(5, 1), *ends))


@settings(max_examples=20, deadline=None, derandomize=True)
@given(architectures(), st.integers(0, 2**16))
def test_masked_is_removed_on_random_architectures(architecture, seed):
    variables = random_variables(architecture, seed)
    rng = np.random.default_rng(seed)
    masks = jax.tree.map(lambda leaf: np.ones(leaf.shape, bool), variables["params"])
    for name, size in pruning.group_sizes(architecture).items():
        if size:
            keep = rng.random(masks[name]["bias"].size // size) < 0.6
            keep[rng.integers(keep.size)] = True
            keep = np.repeat(keep, size)
            masks[name] = {leaf: np.broadcast_to(keep, mask.shape) for leaf, mask in masks[name].items()}
    assert_masked_is_removed(architecture, variables, masks, seed)


def test_two_reorgs_in_a_row_need_only_the_larger_group():
    conv = Convolutional(32, 1, batch_normalize=True, activation="leaky")
    architecture = Architecture(Net(16, 16), (conv, Reorg(2), Reorg(4), Convolutional(3, 1)))
    variables = random_variables(architecture, 0)
    masks = jax.tree.map(lambda leaf: np.ones(leaf.shape, bool), variables["params"])
    smaller = assert_masked_is_removed(architecture, variables, drop(masks, "conv_00", list(range(16))))
    assert smaller.layers[0].filters == 16
    assert smaller.convolutions[-1].in_channels == 16 * 4 * 16


@pytest.mark.slow
@pytest.mark.parametrize("name", ["yolov2-voc", "yolov2-tiny-voc"])
def test_masked_is_removed_on_yolov2(name):
    architecture = darknet.read_cfg(CFGS / f"{name}.cfg").resized(64, 64)
    variables = random_variables(architecture, 0)
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


def test_filters_that_a_convolution_with_groups_reads_are_not_removed():
    conv = Convolutional(8, 1, activation="leaky")
    layers = (conv, conv, Convolutional(8, 3, padding=1, groups=8), conv, Convolutional(3))
    architecture = Architecture(Net(16, 16), layers)
    variables = random_variables(architecture, 0)
    masks = jax.tree.map(lambda leaf: np.ones(leaf.shape, bool), variables["params"])
    for name, reason in (
        ("conv_01", "conv_02 reads them in groups"),
        ("conv_02", "they belong to groups of equal size"),
    ):
        with pytest.raises(ValueError, match=f"^{name}: its filters cannot be removed, {reason}; keep all$"):
            pruning.remove_filters(architecture, variables, drop(masks, name, [1]))
    masks = drop(drop(masks, "conv_00", [0, 5]), "conv_03", [2])
    smaller = assert_masked_is_removed(architecture, variables, masks)
    assert [conv.kernel_shape[2:] for conv in smaller.convolutions] == [(3, 6), (6, 8), (1, 8), (8, 7), (7, 3)]


@pytest.mark.parametrize(
    ("name", "filters", "message"),
    [
        ("conv_12", [0], "conv_12: its filters cannot be removed, they are the output"),
        (
            "conv_08",
            [1, 2],
            "conv_08: feeds a reorg, so filters go in aligned groups of 4; a part was dropped of filters 0 to 3; drop",
        ),
        ("conv_00", list(range(8)), "conv_00: all 8 filters are dropped; keep at least one"),
    ],
)
def test_what_cannot_be_removed(name, filters, message):
    architecture, variables, masks = small()
    with pytest.raises(ValueError, match=message):
        pruning.remove_filters(architecture, variables, drop(masks, name, filters))


@pytest.mark.parametrize("activation", ["logistic", "plse"])
def test_an_activation_that_is_not_zero_at_zero(activation):
    layers = (Convolutional(8, 3, padding=1, activation=activation), Convolutional(8, 3, padding=1), Convolutional(4))
    architecture = Architecture(Net(8, 8), layers)
    params = random_variables(architecture, 0)["params"]
    masks = pruning.filter_masks(architecture, params, 0.5)
    assert np.all(masks["conv_00"]["bias"])
    assert not np.all(masks["conv_01"]["bias"])
    reason = rf"a dropped one still gives {activation}\(0\), which is not 0"
    with pytest.raises(ValueError, match=f"conv_00, whose filters all have to stay: {reason}; leave it out"):
        pruning.filter_masks(architecture, params, {"conv_00": 0.5})
    masks = drop(jax.tree.map(lambda leaf: np.ones(leaf.shape, bool), params), "conv_00", [1])
    with pytest.raises(ValueError, match=f"conv_00: its filters cannot be removed, {reason}; keep all"):
        pruning.remove_filters(architecture, random_variables(architecture, 0), masks)


def test_masks_of_another_network_are_refused():
    architecture, variables, masks = small()
    smaller, removed = pruning.remove_filters(architecture, variables, drop(masks, "conv_00", [0]))
    with pytest.raises(ValueError, match=r"conv_00/bias is \(8,\), expected \(7,\); make new masks"):
        pruning.remove_filters(smaller, removed, masks)
    with pytest.raises(ValueError, match="conv_02/bias is nothing, expected"):
        pruning.apply_masks(variables["params"], {k: v for k, v in masks.items() if k != "conv_02"})
