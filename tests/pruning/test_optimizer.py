import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests import helpers
from yolojax import pruning

SGD = optax.chain(optax.add_decayed_weights(0.1), optax.trace(0.9), optax.scale_by_learning_rate(0.1))
# The decay of every other leaf, like weight decay on kernels only: its state holds no copy of the parameters.
ADAM = optax.chain(
    optax.scale_by_adam(),
    optax.add_decayed_weights(0.01, mask={"conv": {"w": True, "b": False}}),
    optax.scale_by_learning_rate(0.01),
)
both = pytest.mark.parametrize("optimizer", [SGD, ADAM], ids=["sgd", "adam"])


def random_tree(rng):
    w, b = (jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in ((5, 4), 4))
    return {"conv": {"w": w, "b": b}}


def random_masks(rng):
    return {"conv": {"w": jnp.asarray(rng.random((5, 4)) < 0.5), "b": jnp.asarray([True, False, True, False])}}


def one_leaf(values):
    return {"conv": {"w": jnp.asarray(values)}}


def slots(state):
    """The copies of the parameters in the state of a masked SGD or Adam."""
    flat = [jax.tree.leaves(tree, is_leaf=lambda x: isinstance(x, dict)) for tree in state.inner]
    return [tree for trees in flat for tree in trees if isinstance(tree, dict)]


def assert_zero_exactly_where_dropped(tree, masks):
    for leaf, keep in zip(jax.tree.leaves(tree), jax.tree.leaves(masks), strict=True):
        np.testing.assert_array_equal(np.asarray(leaf) != 0, keep)


def train(optimizer, params, state, rng, steps):
    @jax.jit
    def step(params, state, grads):
        updates, state = optimizer.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    with jax.numpy_dtype_promotion("standard"):  # optax's Adam raises a float to an int32 count
        for _ in range(steps):
            params, state = step(params, state, random_tree(rng))
    return params, state


def test_dropped_weights_and_momentum_stay_zero_through_decay_and_nan():
    rng = np.random.default_rng(0)
    masks = random_masks(rng)
    params = pruning.apply_masks(random_tree(rng), masks)
    optimizer = pruning.masked(SGD, masks)
    state = optimizer.init(params)
    chex.assert_trees_all_equal(state.masks, masks)  # the masks are state, so they are saved
    for step in range(100):
        grads = random_tree(rng)
        if step == 50:
            grads = jax.tree.map(lambda leaf, keep: jnp.where(keep, leaf, jnp.nan), grads, masks)
        updates, state = jax.jit(optimizer.update)(grads, state, params)
        params = optax.apply_updates(params, updates)
    for tree in (params, *slots(state)):
        assert_zero_exactly_where_dropped(tree, masks)


@pytest.mark.parametrize("slots", [optax.trace(0.9), optax.scale_by_adam()], ids=["sgd", "adam"])
def test_a_pruned_network_stays_pruned_for_200_steps(slots):
    architecture = helpers.small_architecture()
    params = helpers.random_variables(architecture)["params"]
    masks = pruning.filter_masks(architecture, params, 0.4)
    masks = jax.tree.map(jnp.logical_and, masks, pruning.weight_masks(architecture, params, 0.3))
    params = first = pruning.apply_masks(params, masks)
    chain = optax.chain(slots, optax.add_decayed_weights(0.01), optax.scale_by_learning_rate(0.01))
    optimizer = pruning.masked(chain, masks)

    @jax.jit
    def step(params, state, grads):
        updates, state = optimizer.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    state, rng = optimizer.init(params), np.random.default_rng(0)
    with jax.numpy_dtype_promotion("standard"):
        for _ in range(200):
            grads = jax.tree.map(lambda leaf: rng.standard_normal(leaf.shape, np.float32), params)
            params, state = step(params, state, grads)
            assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(jax.device_get(params)))
    slot_trees = [tree for name in ("trace", "mu", "nu") if (tree := getattr(state.inner[0], name, None)) is not None]
    assert slot_trees
    for tree in (params, *slot_trees):
        assert_zero_exactly_where_dropped(tree, masks)
    moved = jax.tree.map(lambda a, b, keep: bool(np.all((a != b)[keep])), params, first, masks)
    assert all(jax.tree.leaves(moved))


def test_a_step_that_donates_its_state_leaves_the_masks_alone():
    masks, params = one_leaf([True, False]), one_leaf([1.0, 0.0])
    optimizer = pruning.masked(optax.identity(), masks)
    step = jax.jit(optimizer.update, donate_argnums=1)
    _, state = step(params, optimizer.init(params))
    _, changed = pruning.change_masks(optimizer, params, state, masks)
    _, changed = step(params, changed)
    np.testing.assert_array_equal(masks["conv"]["w"], [True, False])
    np.testing.assert_array_equal(changed.masks["conv"]["w"], [True, False])


class TestGradients(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    def test_one_that_is_not_finite_becomes_zero_where_dropped(self):
        # Compiled, XLA turns a product with a mask into a select; only the plain call tells the two apart.
        for bad in (np.nan, np.inf):
            optimizer = pruning.masked(optax.identity(), one_leaf([True, False, True]))
            state = optimizer.init(one_leaf([0.0, 0.0, 0.0]))
            grads = one_leaf([1.0, bad, bad])
            np.testing.assert_array_equal(self.variant(optimizer.update)(grads, state)[0]["conv"]["w"], [1.0, 0.0, bad])


def test_without_masks_everything_passes():
    params = one_leaf([1.0, 0.0])
    optimizer = pruning.masked(optax.identity())
    updates, state = optimizer.update(one_leaf([2.0, 3.0]), optimizer.init(params))
    np.testing.assert_array_equal(updates["conv"]["w"], [2.0, 3.0])
    assert state.masks["conv"]["w"].dtype == bool


@both
def test_masks_that_change_zero_what_they_drop_at_once_and_for_good(optimizer):
    rng = np.random.default_rng(1)
    before, after = random_masks(rng), random_masks(rng)
    optimizer = pruning.masked(optimizer, before)
    params = pruning.apply_masks(random_tree(rng), before)
    params, state = train(optimizer, params, optimizer.init(params), rng, 10)
    changed, new_state = pruning.change_masks(optimizer, params, state, after)
    both_keep = jax.tree.map(jnp.logical_and, before, after)
    assert len(slots(new_state)) == len(slots(state)) > 0
    for old, new in zip((params, *slots(state)), (changed, *slots(new_state)), strict=True):
        assert_zero_exactly_where_dropped(new, both_keep)  # what is brought back starts from 0 as well
        chex.assert_trees_all_equal(new, pruning.apply_masks(old, after))
    chex.assert_trees_all_equal_structs(new_state, state)
    chex.assert_trees_all_equal_dtypes(new_state, state)
    for _ in range(20):
        changed, new_state = train(optimizer, changed, new_state, rng, 1)
        for tree in (changed, *slots(new_state)):
            assert_zero_exactly_where_dropped(tree, after)


@both
def test_changing_masks_is_pure_and_compiles(optimizer):
    rng = np.random.default_rng(2)
    masks = random_masks(rng)
    optimizer = pruning.masked(optimizer)
    params, state = train(optimizer, random_tree(rng), optimizer.init(random_tree(rng)), rng, 3)
    copies = jax.tree.map(np.copy, (params, state))
    plain = pruning.change_masks(optimizer, params, state, masks)
    chex.assert_trees_all_equal((params, state), copies)
    compiled = jax.jit(lambda *arguments: pruning.change_masks(optimizer, *arguments))(params, state, masks)
    chex.assert_trees_all_equal(compiled, plain)


def test_mistakes():
    params, grads, small = one_leaf([0.0, 0.0]), one_leaf([1.0, 1.0]), one_leaf([True])
    optimizer = pruning.masked(SGD, small)
    with pytest.raises(ValueError, match=r"masks do not fit the parameters: conv/w is \(1,\), expected \(2,\)"):
        optimizer.update(grads, optimizer.init(params), params)
    optimizer = pruning.masked(SGD)
    with pytest.raises(ValueError, match=r"masks do not fit the parameters: conv/w is \(1,\), expected \(2,\)"):
        pruning.change_masks(optimizer, params, optimizer.init(params), small)
    with pytest.raises(ValueError, match="opt_state is a tuple, expected the MaskedState of a `masked` optimizer"):
        pruning.change_masks(SGD, params, SGD.init(params), one_leaf([True, False]))
