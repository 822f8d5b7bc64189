import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import helpers
from yolojax import darknet, network, pruning, training
from yolojax.network import Architecture, Convolutional, Dropout, Maxpool, Net, Region
from yolojax.training.steps import train_step

CONV = Convolutional(8, 3, padding=1, batch_normalize=True, activation="leaky")
HEAD = (Convolutional(14), Region(((1.0, 1.0), (2.0, 2.0)), 2))
PLAIN = Architecture(Net(16, 16), (CONV, Maxpool(2, 2, 1), CONV, *HEAD))
ARCHITECTURE = Architecture(Net(16, 16), (CONV, Maxpool(2, 2, 1), Dropout(0.25), CONV, Dropout(0.5), *HEAD))
NAMES = dict(zip(("conv_00", "conv_02", "conv_03"), ("conv_00", "conv_03", "conv_05"), strict=True))
OPTIMIZER = training.make_optimizer("sgd", 1e-2, momentum=0.9, decay=5e-4)


def keys(count: int) -> jax.Array:
    return jax.random.split(jax.random.key(7), count)


def test_dropout_at_inference_does_nothing() -> None:
    variables = helpers.random_variables(PLAIN)
    named = {kind: {NAMES[name]: layer for name, layer in tree.items()} for kind, tree in variables.items()}
    images = np.random.default_rng(0).random((2, 16, 16, 3), np.float32)
    expected = network.apply(PLAIN, variables, images)
    np.testing.assert_array_equal(network.apply(ARCHITECTURE, named, images), expected)


def test_values_are_dropped_and_scaled() -> None:
    architecture = Architecture(Net(64, 64, 1), (Dropout(0.25),))
    images = np.random.default_rng(0).uniform(1, 2, (3, 64, 64, 1)).astype(np.float32)
    empty = {"params": {}, "batch_stats": {}}
    found, _ = network.apply_train(architecture, empty, images, keys=keys(3))
    dropped = np.asarray(found) == 0
    assert 0.23 < dropped.mean() < 0.27
    np.testing.assert_allclose(found[~dropped], images[~dropped] / 0.75, rtol=1e-6)
    assert np.any(dropped[0] != dropped[1])
    alone, _ = network.apply_train(architecture, empty, images[1:2], keys=keys(3)[1:2])
    np.testing.assert_array_equal(alone[0], found[1])


def test_training_without_keys() -> None:
    images = np.zeros((1, 16, 16, 3), np.float32)
    with pytest.raises(ValueError, match="keys is None, expected one for each image: dropout_02 drops"):
        network.apply_train(ARCHITECTURE, helpers.random_variables(ARCHITECTURE), images)


@functools.cache
def state() -> training.TrainState:
    return training.create_state(helpers.random_variables(ARCHITECTURE), OPTIMIZER)


def step(state: training.TrainState, devices: int, seed: int = 0) -> training.TrainState:
    """One step on the same four images, shared by so many devices."""
    batch = helpers.random_batch(np.random.default_rng(1), 4, 16, classes=2)
    shares = {name: jnp.asarray(leaf).reshape(devices, -1, *leaf.shape[1:]) for name, leaf in batch.items()}
    one = functools.partial(
        train_step,
        architecture=ARCHITECTURE,
        optimizer=OPTIMIZER,
        loss_fn=training.region_loss(ARCHITECTURE),
        axis_name="devices",
        seed=seed,
    )
    after, _ = jax.jit(jax.vmap(one, in_axes=(None, 0), axis_name="devices"))(state, shares)
    return jax.tree.map(lambda leaf: np.asarray(leaf[0]), after)


def largest_difference(a: training.TrainState, b: training.TrainState) -> float:
    return max(jax.tree.leaves(jax.tree.map(lambda x, y: float(np.abs(x - y).max()), a.params, b.params)))


def test_a_step_on_any_number_of_devices() -> None:
    one, two, four = (step(state(), devices) for devices in (1, 2, 4))
    assert largest_difference(one, two) < 1e-6
    assert largest_difference(one, four) < 1e-6


def test_what_is_dropped_follows_from_step_and_seed() -> None:
    first = step(state(), 2)
    assert largest_difference(first, step(state(), 2)) == 0
    assert largest_difference(first, step(dataclasses.replace(state(), step=jnp.int32(1)), 2)) > 1e-4
    assert largest_difference(first, step(state(), 2, seed=1)) > 1e-4


def test_cfg_masks_and_removal() -> None:
    architecture = darknet.parse_cfg(darknet.format_cfg(ARCHITECTURE))
    assert architecture == ARCHITECTURE
    variables = helpers.random_variables(architecture)
    masks = pruning.filter_masks(architecture, variables["params"], 0.5)
    smaller, removed = pruning.remove_filters(architecture, variables, masks)
    images = np.random.default_rng(0).random((2, 16, 16, 3), np.float32)
    masked = network.Model(architecture, variables).masked(masks).variables
    expected = np.asarray(network.apply(architecture, masked, images))
    np.testing.assert_allclose(network.apply(smaller, removed, images), expected, atol=1e-5 * np.abs(expected).max())
    with pytest.raises(network.ArchitectureError, match=r"probability must be in \[0, 1\), got 1\.0"):
        Architecture(Net(8, 8), (Dropout(1.0),))
