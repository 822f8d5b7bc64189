import jax.numpy as jnp
import numpy as np
import pytest

from yolojax import network
from yolojax.network import Architecture, Convolutional, Model, Net, Region

ARCHITECTURE = Architecture(Net(2, 2, 1), (Convolutional(2, batch_normalize=True),))
PARAMS = {
    "conv_00": {
        "kernel": np.array([3.0, 5.0], np.float32).reshape(1, 1, 1, 2),
        "bias": np.array([1.0, -1.0], np.float32),
        "scale": np.array([2.0, 4.0], np.float32),
    }
}
STATISTICS = {"conv_00": {"mean": np.zeros(2, np.float32), "var": np.ones(2, np.float32)}}
MODEL = Model(ARCHITECTURE, {"params": PARAMS, "batch_stats": STATISTICS}, ("cat",), 7)


def test_the_parts():
    assert MODEL.params is PARAMS
    assert MODEL.batch_stats is STATISTICS


def test_other_parameters_leave_the_rest():
    other = MODEL.with_params({})
    assert (other.params, other.batch_stats) == ({}, STATISTICS)
    assert (other.architecture, other.names, other.seen) == (ARCHITECTURE, ("cat",), 7)
    assert MODEL.params is PARAMS


def test_masked():
    second = np.array([False, True])
    masks = {"conv_00": {"kernel": second.reshape(1, 1, 1, 2), "bias": jnp.array([True, True]), "scale": second}}
    masked = MODEL.masked(masks)
    np.testing.assert_array_equal(masked.params["conv_00"]["kernel"].ravel(), [0, 5])
    np.testing.assert_array_equal(masked.params["conv_00"]["bias"], [1, -1])
    np.testing.assert_array_equal(masked.params["conv_00"]["scale"], [0, 4])
    assert masked.batch_stats is STATISTICS
    assert PARAMS["conv_00"]["kernel"].ravel().tolist() == [3, 5]


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ({}, r"conv_00/bias is nothing, expected \(2,\); make new masks"),
        (
            {"conv_00": {"kernel": np.ones((1, 1, 1, 2), bool), "bias": np.ones(3, bool), "scale": np.ones(2, bool)}},
            r"conv_00/bias is \(3,\), expected \(2,\)",
        ),
        (
            {
                "conv_00": {name: np.ones(leaf.shape, bool) for name, leaf in PARAMS["conv_00"].items()},
                "conv_01": {"bias": np.ones(1, bool)},
            },
            r"conv_01/bias is \(1,\), expected nothing",
        ),
    ],
)
def test_masks_that_do_not_fit(masks, message):
    with pytest.raises(ValueError, match=message):
        MODEL.masked(masks)
    with pytest.raises(ValueError, match=message):
        network.check_masks(PARAMS, masks)


def test_classes_without_names_have_numbers():
    architecture = Architecture(Net(2, 2), (Convolutional(7), Region(((1.0, 1.0),), 2)))
    assert network.names_or_numbers(architecture, ("blue", "red")) == ("blue", "red")
    assert network.names_or_numbers(architecture, ()) == ("class 0", "class 1")
