"""stopbackward: what training leaves as it is, against Darknet's rule and against a network without it."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import helpers
from yolojax import network, pruning, training
from yolojax.network import Architecture, Convolutional, Maxpool, Net, Region, Route
from yolojax.training.steps import train_step

CONV = Convolutional(6, 3, padding=1, batch_normalize=True, activation="leaky")
# The route reads layer 0, below the layer that stops.
PLAIN = Architecture(
    Net(16, 16),
    (CONV, CONV, Maxpool(2, 1, 1), CONV, Route((-1, 0)), Convolutional(14), Region(((1.0, 1.0), (2.0, 2.0)), 2)),
)


def stopping(index: int) -> Architecture:
    layers = list(PLAIN.layers)
    layers[index] = dataclasses.replace(layers[index], stopbackward=True)
    return dataclasses.replace(PLAIN, layers=tuple(layers))


BATCH = helpers.random_batch(np.random.default_rng(1), 4, 16, classes=2)
VARIABLES = helpers.random_variables(PLAIN)


@functools.partial(jax.jit, static_argnums=0)
def gradients(architecture: Architecture) -> dict[str, dict[str, jax.Array]]:
    def loss(params: network.Params) -> jax.Array:
        head, _, maps = network.apply_with_maps(
            architecture,
            {**VARIABLES, "params": params},
            jnp.float32(BATCH["image"]) / 255,
            layers=("conv_00", "conv_03"),
            train=True,
        )
        terms = training.region_loss(architecture)(head, BATCH, seen=jnp.int32(0))
        # Maps inside count as well, as where a teacher's are learned.
        return sum((*terms.values(), *map(jnp.sum, maps.values())), start=jnp.zeros(()))

    return jax.grad(loss)(VARIABLES["params"])


@pytest.mark.parametrize(
    ("index", "frozen"), [(0, {"conv_00"}), (1, {"conv_00", "conv_01"}), (2, {"conv_00", "conv_01"})]
)
def test_gradients_end_at_the_layer_that_stops(index: int, frozen: set[str]) -> None:
    """`backward_network` breaks before that layer's own backward; all above it is as if nothing were said."""
    assert stopping(index).frozen == frozen
    found, plain = gradients(stopping(index)), gradients(PLAIN)
    for name, layer in found.items():
        for leaf, value in layer.items():
            assert np.any(plain[name][leaf])
            expected = np.zeros_like(value) if name in frozen else plain[name][leaf]
            np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_training_leaves_frozen_layers_to_the_bit(kind: str) -> None:
    architecture = stopping(2)
    optimizer = training.make_optimizer(kind, 1e-2, momentum=0.9, decay=0.1, frozen=architecture.frozen)
    state = training.create_state(VARIABLES, optimizer)
    step = functools.partial(
        train_step,
        architecture=architecture,
        optimizer=optimizer,
        loss_fn=training.region_loss(architecture),
        axis_name="devices",
    )
    mapped = jax.jit(jax.vmap(step, in_axes=(None, 0), axis_name="devices"))
    for _ in range(3):
        with jax.numpy_dtype_promotion("standard"):  # optax's Adam is not strict
            after, _ = mapped(state, jax.tree.map(lambda leaf: leaf[None], BATCH))
        state = jax.tree.map(lambda leaf: leaf[0], after)
    for name, layer in VARIABLES["params"].items():
        for leaf, before in layer.items():
            assert np.array_equal(state.params[name][leaf], before) == (name in architecture.frozen)
    # As in Darknet, statistics follow the batches.
    assert np.all(np.asarray(state.batch_stats["conv_00"]["mean"]) != VARIABLES["batch_stats"]["conv_00"]["mean"])


def test_pruning_scores_and_removes_frozen_filters_like_others() -> None:
    architecture, batches = stopping(2), [BATCH]
    params, statistics = VARIABLES["params"], VARIABLES["batch_stats"]
    found, expected = (
        pruning.scores("taylor", a, params, kind="filter", batch_stats=statistics, batches=batches)
        for a in (architecture, PLAIN)
    )
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    masks = pruning.filter_masks(architecture, params, 0.4, criterion="l1")
    smaller, _ = pruning.remove_filters(architecture, VARIABLES, masks)
    assert smaller.frozen == architecture.frozen
    assert smaller.layers[0] == dataclasses.replace(CONV, filters=4)
