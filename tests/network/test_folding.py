import jax
import numpy as np
import pytest

from tests.export import networks
from yolojax import network
from yolojax.network import Architecture, Convolutional, Net


def test_a_filter_by_hand():
    architecture = Architecture(Net(2, 2, 1), (Convolutional(2, batch_normalize=True), Convolutional(1)))
    kernel = np.array([3.0, 5.0], np.float32).reshape(1, 1, 1, 2)
    last = {"kernel": np.ones((1, 1, 2, 1), np.float32), "bias": np.array([7.0], np.float32)}
    first = {"kernel": kernel, "bias": np.array([1.0, -1.0], np.float32), "scale": np.array([2.0, 0.0], np.float32)}
    statistics = {"mean": np.array([10.0, 4.0], np.float32), "var": np.array([0.25 - 1e-5, 9.0], np.float32)}
    variables = {"params": {"conv_00": first, "conv_01": last}, "batch_stats": {"conv_00": statistics}}
    folded = network.fold_batch_norm(architecture, variables)
    np.testing.assert_allclose(folded["conv_00"]["kernel"].ravel(), [12, 0], rtol=1e-6)  # a factor of 2 / 0.5
    np.testing.assert_allclose(folded["conv_00"]["bias"], [1 - 40, -1], rtol=1e-6)
    np.testing.assert_array_equal(folded["conv_01"]["kernel"], last["kernel"])
    np.testing.assert_array_equal(folded["conv_01"]["bias"], last["bias"])
    assert {leaf.dtype for leaf in jax.tree.leaves(folded)} == {np.dtype("float32")}


def test_the_folded_pair_gives_the_same_head():
    architecture = networks.random_architecture(0)
    variables = networks.random_variables(architecture)
    plain = network.without_batch_norm(architecture)
    folded = {"params": network.fold_batch_norm(architecture, variables), "batch_stats": {}}
    images = networks.random_images(architecture, 2)
    expected = networks.apply(architecture, variables, images)
    np.testing.assert_allclose(networks.apply(plain, folded, images), expected, atol=1e-5)
    assert plain.shapes == architecture.shapes


def test_what_cannot_be_folded_is_told():
    architecture = Architecture(Net(2, 2), (Convolutional(2, batch_normalize=True),))
    variables = networks.random_variables(architecture)
    variables["batch_stats"]["conv_00"]["var"][1] = -2
    with pytest.raises(ValueError, match="batch_stats/conv_00/var: holds -2"):
        network.fold_batch_norm(architecture, variables)
    with pytest.raises(ValueError, match="batch_stats/conv_00/mean: missing"):
        network.fold_batch_norm(architecture, {**variables, "batch_stats": {}})
