import jax
import numpy as np
import pytest

from tests import helpers
from yolojax import network, pruning
from yolojax.network import Architecture, Convolutional, Net

ARCHITECTURE = helpers.small_architecture()
IMAGES = np.random.default_rng(1).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def variables():
    return helpers.random_variables(ARCHITECTURE)


def head(variables):
    return np.asarray(network.apply(ARCHITECTURE, variables, IMAGES.astype(np.float32) / 255))


def drop(variables, **filters):
    """Masks without these filters of each convolution."""
    masks = jax.tree.map(lambda leaf: np.ones(np.shape(leaf), bool), variables["params"])
    for name, indices in filters.items():
        for leaf in masks[name].values():
            leaf[..., indices] = False
    return masks


def test_a_channel_that_another_one_repeats_is_made_up_for_exactly():
    variables = jax.tree.map(np.array, helpers.random_variables(ARCHITECTURE))
    for collection in variables.values():
        for leaf in collection["conv_02"].values():
            leaf[..., 5] = leaf[..., 1]
    masks = drop(variables, conv_02=[5])
    repaired = pruning.repair(ARCHITECTURE, variables, masks, [IMAGES], ridge=1e-5)
    plain = {**variables, "params": pruning.apply_masks(variables["params"], masks)}
    before, masked, after = head(variables), head(plain), head(repaired)
    scale = np.abs(before).max()
    assert np.abs(masked - before).max() / scale > 0.01
    np.testing.assert_allclose(after, before, atol=1e-4 * scale)


def test_a_constant_channel_goes_into_the_mean_or_the_bias():
    variables = jax.tree.map(np.array, helpers.random_variables(ARCHITECTURE))
    for name in ("conv_02", "conv_11"):  # read by a 1x1 convolution with batch norm, and by the head without
        variables["params"][name]["scale"][3] = 0.0
        variables["params"][name]["bias"][3] = 0.7
    repaired = pruning.repair(ARCHITECTURE, variables, drop(variables, conv_02=[3], conv_11=[3]), [IMAGES], ridge=1e-5)
    before = head(variables)
    np.testing.assert_allclose(head(repaired), before, atol=1e-4 * np.abs(before).max())


def test_it_predicts_better_than_leaving_out(variables):
    masks = pruning.filter_masks(ARCHITECTURE, variables["params"], 0.3, criterion="l1")
    repaired = pruning.repair(ARCHITECTURE, variables, masks, [IMAGES])
    plain = {**variables, "params": pruning.apply_masks(variables["params"], masks)}
    before = head(variables)
    assert np.square(head(repaired) - before).mean() < 0.7 * np.square(head(plain) - before).mean()


def test_dropped_stays_zero_and_removal_gives_the_same_head(variables):
    masks = pruning.filter_masks(ARCHITECTURE, variables["params"], 0.4)
    copies = jax.tree.map(np.copy, variables)
    repaired = pruning.repair(ARCHITECTURE, variables, masks, [IMAGES])
    jax.tree.map(np.testing.assert_array_equal, variables, copies)
    for mask, leaf in zip(jax.tree.leaves(masks), jax.tree.leaves(repaired["params"]), strict=True):
        assert np.all(np.asarray(leaf)[~np.asarray(mask)] == 0)
    smaller, small = pruning.remove_filters(ARCHITECTURE, repaired, masks)
    removed = np.asarray(network.apply(smaller, small, IMAGES.astype(np.float32) / 255))
    expected = head(repaired)
    np.testing.assert_allclose(removed, expected, atol=1e-5 * np.abs(expected).max())


def test_a_layer_is_refitted_to_the_unpruned_by_plain_least_squares(variables):
    """The second convolution, by NumPy from patches that a loop gathers, without a ridge."""
    masks = drop(variables, conv_00=[1, 4])
    repaired = pruning.repair(ARCHITECTURE, variables, masks, [IMAGES], ridge=1e-12)
    name = ARCHITECTURE.convolutions[1].name
    inputs = np.asarray(network.convolution_inputs(ARCHITECTURE, variables, IMAGES.astype(np.float32) / 255)[name])
    inputs = np.pad(inputs.astype(np.float64), ((0, 0), (1, 1), (1, 1), (0, 0)))
    patches = np.stack(
        [
            image[i : i + 3, j : j + 3].ravel()
            for image in inputs
            for i in range(image.shape[0] - 2)
            for j in range(image.shape[1] - 2)
        ]
    )
    kernel = np.asarray(variables["params"][name]["kernel"], np.float64)
    kept = np.setdiff1d(np.arange(kernel.shape[2]), [1, 4])
    fewer = patches.reshape(len(patches), 9, -1)[:, :, kept].reshape(len(patches), -1)
    fewer = np.append(fewer, np.ones((len(fewer), 1)), axis=1)
    target = patches @ kernel.reshape(-1, kernel.shape[-1])
    expected, *_ = np.linalg.lstsq(fewer, target)
    found = repaired["params"][name]["kernel"][:, :, kept].reshape(-1, kernel.shape[-1])
    np.testing.assert_allclose(fewer[:, :-1] @ found, fewer @ expected - expected[-1], atol=2e-3 * np.abs(target).max())
    shift = variables["batch_stats"][name]["mean"] - repaired["batch_stats"][name]["mean"]
    np.testing.assert_allclose(shift, expected[-1], atol=2e-3 * np.abs(target).max())


def test_errors_below_are_made_up_for(variables):
    """A convolution that reads whole inputs, but from a network that is pruned further down, is refitted too."""
    masks = drop(variables, conv_00=[1, 4])
    repaired = pruning.repair(ARCHITECTURE, variables, masks, [IMAGES])
    last = ARCHITECTURE.convolutions[2].name
    assert not np.array_equal(repaired["params"][last]["kernel"], variables["params"][last]["kernel"])
    first = ARCHITECTURE.convolutions[1].name
    only = {**repaired, "params": {**variables["params"], **{n: repaired["params"][n] for n in ("conv_00", first)}}}
    only["batch_stats"] = {**variables["batch_stats"], first: repaired["batch_stats"][first]}
    before = head(variables)
    assert np.square(head(repaired) - before).mean() < np.square(head(only) - before).mean()


def test_behind_a_convolution_with_groups_errors_are_made_up_for():
    conv = Convolutional(12, 3, padding=1, batch_normalize=True, activation="leaky")
    grouped = Convolutional(12, 3, padding=1, batch_normalize=True, activation="leaky", groups=4)
    architecture = Architecture(Net(32, 32), (conv, conv, grouped, conv, Convolutional(5)))
    variables = helpers.random_variables(architecture)
    masks = drop(variables, conv_00=[1, 4])
    repaired = pruning.repair(architecture, variables, masks, [IMAGES])
    plain = {**variables, "params": pruning.apply_masks(variables["params"], masks)}
    assert np.array_equal(repaired["params"]["conv_02"]["kernel"], variables["params"]["conv_02"]["kernel"])
    before, after, without = (
        np.asarray(network.apply(architecture, each, IMAGES.astype(np.float32) / 255))
        for each in (variables, repaired, plain)
    )
    assert np.square(after - before).mean() < 0.7 * np.square(without - before).mean()


def test_without_masks_nothing_changes(variables):
    repaired = pruning.repair(ARCHITECTURE, variables, pruning.keep_all(variables["params"]), [IMAGES])
    jax.tree.map(np.testing.assert_array_equal, repaired, variables)


def test_mistakes(variables):
    with pytest.raises(ValueError, match="images hold no batch, expected at least one"):
        pruning.repair(ARCHITECTURE, variables, pruning.keep_all(variables["params"]), [])
