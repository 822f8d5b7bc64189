import jax
import numpy as np
import pytest

from tests import helpers
from yolojax import network, pruning
from yolojax.network import Architecture, Convolutional, Net, Route

ARCHITECTURE = helpers.small_architecture()
RNG = np.random.default_rng(3)
BATCHES = [{"image": RNG.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)} for count in (4, 2)]


def plain_loop(architecture, variables, readers):
    """`readers`: for each convolution those that read it, and at which input channel its first filter is."""
    images = np.concatenate([batch["image"] for batch in BATCHES]).astype(np.float32) / 255
    inputs = network.convolution_inputs(architecture, variables, images)
    scores = {}
    for conv, places in readers.items():
        filters = variables["params"][conv]["bias"].size
        scores[conv] = np.zeros(filters)
        for reader, first in places:
            cells = np.asarray(inputs[reader], np.float64).reshape(-1, inputs[reader].shape[-1])
            cells = np.concatenate([cells, np.ones((len(cells), 1))], axis=1)
            ridge = 1e-4 * np.mean(cells**2)
            kernel = np.asarray(variables["params"][reader]["kernel"], np.float64)
            for filter_ in range(filters):
                channel = first + filter_
                others, target = np.delete(cells, channel, axis=1), cells[:, channel]
                # 1 / diagonal of the inverse is the Schur complement: the squared error of ridge regression.
                system = others.T @ others / len(cells) + ridge * np.eye(others.shape[1])
                known = others.T @ target / len(cells)
                error = np.mean(target**2) + ridge - known @ np.linalg.solve(system, known)
                scores[conv][filter_] += error * sum(w * w for w in kernel[:, :, channel].ravel())
    return scores


def test_by_regression_on_the_others_channel_by_channel():
    variables = helpers.random_variables(ARCHITECTURE)
    scores = pruning.filter_unpredictability(ARCHITECTURE, variables, iter(BATCHES))
    # conv_04 is read by conv_06 and, through a route, by conv_08; conv_06 behind the 16 channels of the reorg.
    readers = {
        "conv_00": [("conv_02", 0)],
        "conv_02": [("conv_04", 0)],
        "conv_04": [("conv_06", 0), ("conv_08", 0)],
        "conv_06": [("conv_11", 16)],
        "conv_08": [("conv_11", first) for first in (0, 4, 8, 12)],
        "conv_11": [("conv_12", 0)],
    }
    assert scores.keys() == readers.keys()
    for name, expected in plain_loop(ARCHITECTURE, variables, readers).items():
        np.testing.assert_allclose(scores[name], expected, rtol=1e-3)


def test_a_convolution_with_groups_reads_each_channel_as_its_dense_twin():
    """The same kernel with zeros where a filter does not read."""
    conv, head = Convolutional(8, 3, padding=1, activation="leaky"), Convolutional(3)
    grouped, dense = (
        Architecture(Net(16, 16), (conv, Convolutional(4, 3, padding=1, groups=groups), head)) for groups in (2, 1)
    )
    variables = helpers.random_variables(grouped)
    kernel = np.asarray(variables["params"]["conv_01"]["kernel"])
    whole = np.zeros((3, 3, 8, 4), np.float32)
    whole[:, :, :4, :2], whole[:, :, 4:, 2:] = kernel[..., :2], kernel[..., 2:]
    twin = {**variables["params"], "conv_01": {**variables["params"]["conv_01"], "kernel": whole}}
    found = pruning.filter_unpredictability(grouped, variables, iter(BATCHES))
    expected = pruning.filter_unpredictability(dense, {**variables, "params": twin}, iter(BATCHES))
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4)


def test_what_another_channel_repeats_or_nothing_reads_is_worth_least():
    layers = (
        Convolutional(6, 3, padding=1),
        Convolutional(4, 1),  # nothing reads it
        Route((0,)),
        Convolutional(5, 1),
    )
    architecture = Architecture(Net(32, 32), layers)
    variables = jax.tree.map(np.array, helpers.random_variables(architecture))
    for leaf in variables["params"]["conv_00"].values():
        leaf[..., 4] = leaf[..., 1]
    scores = pruning.filter_unpredictability(architecture, variables, BATCHES)
    np.testing.assert_array_equal(scores["conv_01"], 0)
    assert set(np.argsort(scores["conv_00"])[:2]) == {1, 4}


def test_masks_by_name():
    variables = helpers.random_variables(ARCHITECTURE)
    masks = pruning.filter_masks(
        ARCHITECTURE,
        variables["params"],
        {"conv_00": 0.5},
        criterion="unpredictability",
        batch_stats=variables["batch_stats"],
        batches=BATCHES,
    )
    scores = pruning.filter_unpredictability(ARCHITECTURE, variables, BATCHES)["conv_00"]
    np.testing.assert_array_equal(np.flatnonzero(masks["conv_00"]["bias"]), np.sort(np.argsort(scores)[4:]))
    with pytest.raises(ValueError, match="images hold no batch, expected at least one"):
        pruning.filter_unpredictability(ARCHITECTURE, variables, [])
