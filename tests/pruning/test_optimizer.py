import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests import helpers
from yolojax import pruning


def test_dropped_weights_and_momentum_stay_zero_through_decay_and_nan():
    rng = np.random.default_rng(0)
    masks = {"w": jnp.asarray(rng.random((5, 4)) < 0.5)}
    params = {"w": jnp.where(masks["w"], jnp.asarray(rng.normal(size=(5, 4)), jnp.float32), jnp.zeros((5, 4)))}
    optimizer = optax.chain(
        pruning.zero_dropped(masks), optax.add_decayed_weights(0.1), optax.trace(0.9), optax.scale_by_learning_rate(0.1)
    )
    state = optimizer.init(params)
    np.testing.assert_array_equal(state[0]["w"], masks["w"])  # the masks are state, so they are saved
    for step in range(100):
        grads = {"w": jnp.asarray(rng.normal(size=(5, 4)), jnp.float32)}
        if step == 50:
            grads = {"w": jnp.where(masks["w"], grads["w"], jnp.nan)}
        updates, state = jax.jit(optimizer.update)(grads, state, params)
        params = optax.apply_updates(params, updates)
    keep = np.asarray(masks["w"])
    for leaf in (params["w"], state[2].trace["w"]):
        assert np.all(np.asarray(leaf)[~keep] == 0.0)
        assert np.all(np.asarray(leaf)[keep] != 0.0)


@pytest.mark.parametrize("slots", [optax.trace(0.9), optax.scale_by_adam()], ids=["sgd", "adam"])
def test_a_pruned_network_stays_pruned_for_200_steps(slots):
    architecture = helpers.small_architecture()
    params = helpers.random_variables(architecture)["params"]
    masks = pruning.filter_masks(architecture, params, 0.4)
    masks = jax.tree.map(jnp.logical_and, masks, pruning.weight_masks(architecture, params, 0.3))
    params = first = pruning.apply_masks(params, masks)
    optimizer = optax.chain(
        pruning.zero_dropped(masks), slots, optax.add_decayed_weights(0.01), optax.scale_by_learning_rate(0.01)
    )

    @jax.jit
    def step(params, state, grads):
        updates, state = optimizer.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    state, rng = optimizer.init(params), np.random.default_rng(0)
    with jax.numpy_dtype_promotion("standard"):  # optax's Adam raises a float to an int32 count
        for _ in range(200):
            grads = jax.tree.map(lambda leaf: rng.standard_normal(leaf.shape, np.float32), params)
            params, state = step(params, state, grads)
            assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(jax.device_get(params)))
    slot_trees = [tree for name in ("trace", "mu", "nu") if (tree := getattr(state[1], name, None)) is not None]
    assert slot_trees
    for tree in (params, *slot_trees):
        assert jax.tree.structure(tree) == jax.tree.structure(masks)
        for keep, leaf in zip(jax.tree.leaves(masks), jax.tree.leaves(tree), strict=True):
            assert np.all(np.asarray(leaf)[~np.asarray(keep)] == 0.0)
            assert np.all(np.asarray(leaf)[np.asarray(keep)] != 0.0)
    moved = jax.tree.map(lambda a, b, keep: bool(np.all((a != b)[keep])), params, first, masks)
    assert all(jax.tree.leaves(moved))


def test_a_step_that_donates_its_state_leaves_the_masks_alone():
    masks, params = {"w": jnp.asarray([True, False])}, {"w": jnp.asarray([1.0, 0.0])}
    optimizer = pruning.zero_dropped(masks)
    step = jax.jit(optimizer.update, donate_argnums=1)
    _, state = step(params, optimizer.init(params))
    np.testing.assert_array_equal(masks["w"], [True, False])
    np.testing.assert_array_equal(state["w"], [True, False])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite_becomes_zero_where_dropped_compiled_or_not(bad):
    optimizer = pruning.zero_dropped({"w": jnp.asarray([True, False, True])})
    state = optimizer.init({"w": jnp.zeros(3)})
    grads = {"w": jnp.asarray([1.0, bad, bad], jnp.float32)}
    # Compiled, XLA turns a product with a mask into a select; only the plain call tells the two apart.
    for update in (optimizer.update, jax.jit(optimizer.update)):
        np.testing.assert_array_equal(update(grads, state)[0]["w"], [1.0, 0.0, bad])


def test_without_masks_everything_passes():
    params = {"w": jnp.asarray([1.0, 0.0])}
    optimizer = pruning.zero_dropped()
    updates, state = optimizer.update({"w": jnp.asarray([2.0, 3.0])}, optimizer.init(params))
    np.testing.assert_array_equal(updates["w"], [2.0, 3.0])
    assert state["w"].dtype == bool
