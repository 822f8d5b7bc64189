import jax
import jax.numpy as jnp
import numpy as np
import optax

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
