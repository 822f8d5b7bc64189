import jax.numpy as jnp
import numpy as np
import pytest

from yolojax.network import (
    Architecture,
    Convolutional,
    Maxpool,
    Net,
    alive_filters,
    check_variables,
    leaf_paths,
    variable_shapes,
)

ARCHITECTURE = Architecture(
    Net(8, 8), (Convolutional(4, 3, 1, 1, batch_normalize=True), Maxpool(2, 2, 1), Convolutional(2))
)


def test_shapes() -> None:
    assert variable_shapes(ARCHITECTURE) == {
        "params": {
            "conv_00": {"kernel": (3, 3, 3, 4), "bias": (4,), "scale": (4,)},
            "conv_02": {"kernel": (1, 1, 4, 2), "bias": (2,)},
        },
        "batch_stats": {"conv_00": {"mean": (4,), "var": (4,)}},
    }


def _fitting() -> dict:
    return {
        "params": {
            "conv_00": {"kernel": np.zeros((3, 3, 3, 4)), "bias": np.zeros(4), "scale": jnp.zeros(4)},
            "conv_02": {"kernel": np.zeros((1, 1, 4, 2)), "bias": np.zeros(2)},
        },
        "batch_stats": {"conv_00": {"mean": np.zeros(4), "var": np.zeros(4)}},
    }


def test_fitting_variables_pass() -> None:
    check_variables(ARCHITECTURE, _fitting())


def test_every_difference_is_listed() -> None:
    variables = _fitting()
    variables["params"]["conv_00"]["bias"] = np.zeros((4, 1))
    variables["params"]["conv_02"]["scale"] = np.zeros(2)
    del variables["params"]["conv_02"]["kernel"]
    del variables["batch_stats"]["conv_00"]
    with pytest.raises(ValueError) as error:  # noqa: PT011  the whole message is compared
        check_variables(ARCHITECTURE, variables)
    assert str(error.value).split("\n  ") == [
        "variables do not fit the architecture:",
        "batch_stats/conv_00/mean: missing, expected (4,)",
        "batch_stats/conv_00/var: missing, expected (4,)",
        "params/conv_02/kernel: missing, expected (1, 1, 4, 2)",
        "params/conv_02/scale: unexpected, (2,)",
        "params/conv_00/bias: (4, 1), expected (4,)",
    ]


def test_paths_of_leaves() -> None:
    leaves = leaf_paths({"params": {"conv_01": {"bias": 2}, "conv_00": {"kernel": 1}}, "batch_stats": {}})
    assert leaves == {"params/conv_00/kernel": 1, "params/conv_01/bias": 2}
    assert leaf_paths(variable_shapes(ARCHITECTURE)["params"])["conv_02/kernel"] == (1, 1, 4, 2)
    assert leaf_paths({}) == {}


def test_a_filter_is_alive_while_anything_of_it_is_not_zero() -> None:
    kernel, bias, scale = np.zeros((3, 3, 2, 4), np.float32), np.zeros(4, np.float32), np.zeros(4, np.float32)
    kernel[2, 0, 1, 0], bias[1], scale[3] = -1e-30, np.nan, 2
    expected = [True, True, False, True]
    assert alive_filters({"kernel": kernel, "bias": bias, "scale": scale}).tolist() == expected
    masks = {"kernel": jnp.asarray(kernel != 0), "bias": bias != 0, "scale": scale != 0}
    found = alive_filters(masks)
    assert (found.dtype, found.tolist()) == (np.dtype(bool), expected)
