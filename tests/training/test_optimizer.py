import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from yolojax import training


def tree(rng):
    return {
        "conv_00": {
            "kernel": jnp.asarray(rng.normal(size=(3, 4)), jnp.float32),
            "bias": jnp.asarray(rng.normal(size=4), jnp.float32),
        }
    }


def test_sgd_is_darknets():
    rng = np.random.default_rng(0)
    params = tree(rng)
    optimizer = training.make_optimizer("sgd", 0.1, momentum=0.9, decay=0.01)
    state = optimizer.init(params)
    weights = {name: np.asarray(leaf) for name, leaf in params["conv_00"].items()}
    updates = {name: np.zeros_like(leaf) for name, leaf in weights.items()}
    for _ in range(5):
        grads = tree(rng)
        step, state = optimizer.update(grads, state, params)
        params = optax.apply_updates(params, step)
        for name in weights:  # update_convolutional_layer: decay, then the step, then momentum
            decay = 0.01 if name == "kernel" else 0.0
            updates[name] -= np.asarray(grads["conv_00"][name]) + decay * weights[name]
            weights[name] = weights[name] + 0.1 * updates[name]
            updates[name] *= 0.9
    for name in weights:
        np.testing.assert_allclose(params["conv_00"][name], weights[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_dropped_weights_and_their_slots_stay_zero(kind):
    rng = np.random.default_rng(1)
    masks = jax.tree.map(lambda leaf: jnp.asarray(rng.random(leaf.shape) < 0.5), tree(rng))
    params = jax.tree.map(lambda p, m: jnp.where(m, p, jnp.zeros_like(p)), tree(rng), masks)
    first = params
    optimizer = training.make_optimizer(kind, 0.1, momentum=0.9, decay=0.01, masks=masks)
    state = optimizer.init(params)

    @jax.jit
    @jax.numpy_dtype_promotion("standard")  # optax's Adam is not strict
    def step(params, state, grads):
        updates, state = optimizer.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    for _ in range(50):
        params, state = step(params, state, tree(rng))
    for keep, before, after in zip(*map(jax.tree.leaves, (masks, first, params)), strict=True):
        assert np.all(np.asarray(after)[~np.asarray(keep)] == 0.0)
        assert np.all(np.asarray(after != before)[np.asarray(keep)])
    flat_masks = [np.asarray(m) for m in jax.tree.leaves(masks)]
    slots = [leaf for leaf in jax.tree.leaves(state) if getattr(leaf, "dtype", None) == jnp.float32 and leaf.ndim]
    assert len(slots) == {"sgd": 2, "adam": 4}[kind]
    for i, slot in enumerate(slots):
        dropped = ~flat_masks[i % 2]
        assert np.all(np.asarray(slot)[dropped] == 0.0)
        assert np.any(np.asarray(slot)[~dropped] != 0.0)


def test_schedules():
    constant = training.learning_rate_schedule("constant", peak=0.5, warmup_steps=0, steps=10)
    assert float(constant(0)) == float(constant(9)) == 0.5
    cosine = training.learning_rate_schedule("cosine", peak=1.0, warmup_steps=4, steps=14)
    np.testing.assert_allclose([cosine(i) for i in (0, 2, 4, 9, 14)], [0, 0.5, 1, 0.505, 0.01], atol=1e-6)


def test_unknown_names():
    with pytest.raises(ValueError, match="optimizer 'rmsprop', expected 'sgd' or 'adam'"):
        training.make_optimizer("rmsprop", 0.1, momentum=0.9, decay=0.0)
    with pytest.raises(ValueError, match="schedule 'step', expected"):
        training.learning_rate_schedule("step", peak=1.0, warmup_steps=0, steps=1)
