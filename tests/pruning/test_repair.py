import jax
import numpy as np
import pytest

from tests import helpers
from yolojax import network, pruning

ARCHITECTURE = helpers.small_architecture()
IMAGES = np.random.default_rng(1).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def variables():
    return helpers.random_variables(ARCHITECTURE)


@pytest.fixture(scope="module")
def moments(variables):
    return pruning.input_moments(ARCHITECTURE, variables, [IMAGES[:4], IMAGES[4:]])


def head(variables):
    return np.asarray(network.apply(ARCHITECTURE, variables, IMAGES.astype(np.float32) / 255))


def drop(variables, **filters):
    """Masks without these filters of each convolution."""
    masks = jax.tree.map(lambda leaf: np.ones(np.shape(leaf), bool), variables["params"])
    for name, indices in filters.items():
        for leaf in masks[name].values():
            leaf[..., indices] = False
    return masks


def test_moments_by_plain_loops(moments, variables):
    inputs = network.convolution_inputs(ARCHITECTURE, variables, IMAGES.astype(np.float32) / 255)
    assert moments.keys() == {conv.name for conv in ARCHITECTURE.convolutions}
    for name in ("conv_00", "conv_11"):
        cells = np.asarray(inputs[name], np.float64).reshape(-1, inputs[name].shape[-1])
        expected = np.zeros((cells.shape[1] + 1,) * 2)
        for cell in cells:
            one = np.append(cell, 1.0)
            expected += np.outer(one, one)
        np.testing.assert_allclose(moments[name], expected / len(cells), rtol=1e-4, atol=1e-6)


def test_a_channel_that_another_one_repeats_is_made_up_for_exactly():
    variables = jax.tree.map(np.array, helpers.random_variables(ARCHITECTURE))
    for collection in variables.values():
        for leaf in collection["conv_02"].values():
            leaf[..., 5] = leaf[..., 1]
    moments = pruning.input_moments(ARCHITECTURE, variables, [IMAGES])
    masks = drop(variables, conv_02=[5])
    repaired = pruning.repair(ARCHITECTURE, variables, masks, moments, ridge=1e-9)
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
    moments = pruning.input_moments(ARCHITECTURE, variables, [IMAGES])
    repaired = pruning.repair(ARCHITECTURE, variables, drop(variables, conv_02=[3], conv_11=[3]), moments, ridge=1e-9)
    before = head(variables)
    np.testing.assert_allclose(head(repaired), before, atol=1e-4 * np.abs(before).max())


def test_it_predicts_better_than_leaving_out(variables, moments):
    masks = pruning.filter_masks(ARCHITECTURE, variables["params"], 0.3, criterion="l1")
    repaired = pruning.repair(ARCHITECTURE, variables, masks, moments)
    plain = {**variables, "params": pruning.apply_masks(variables["params"], masks)}
    before = head(variables)
    assert np.square(head(repaired) - before).mean() < 0.7 * np.square(head(plain) - before).mean()


def test_dropped_stays_zero_and_removal_gives_the_same_head(variables, moments):
    masks = pruning.filter_masks(ARCHITECTURE, variables["params"], 0.4)
    copies = jax.tree.map(np.copy, variables)
    repaired = pruning.repair(ARCHITECTURE, variables, masks, moments)
    jax.tree.map(np.testing.assert_array_equal, variables, copies)
    for mask, leaf in zip(jax.tree.leaves(masks), jax.tree.leaves(repaired["params"]), strict=True):
        assert np.all(np.asarray(leaf)[~np.asarray(mask)] == 0)
    smaller, small = pruning.remove_filters(ARCHITECTURE, repaired, masks)
    removed = np.asarray(network.apply(smaller, small, IMAGES.astype(np.float32) / 255))
    expected = head(repaired)
    np.testing.assert_allclose(removed, expected, atol=1e-5 * np.abs(expected).max())


def test_without_masks_nothing_changes(variables, moments):
    repaired = pruning.repair(ARCHITECTURE, variables, pruning.keep_all(variables["params"]), moments)
    jax.tree.map(np.testing.assert_array_equal, repaired, variables)


def test_mistakes(variables):
    with pytest.raises(ValueError, match="images hold no batch, expected at least one"):
        pruning.input_moments(ARCHITECTURE, variables, [])
