import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import helpers
from yolojax import detection, network, pruning, training
from yolojax.training import parallel

ARCHITECTURE = helpers.small_architecture()
VARIABLES = helpers.random_variables(ARCHITECTURE)
MASKS = pruning.weight_masks(ARCHITECTURE, VARIABLES["params"], 0.5)
PRUNED = {**VARIABLES, "params": pruning.apply_masks(VARIABLES["params"], MASKS)}
RATE = 0.01


def squared_error(head, batch, *, seen):
    """What a distillation minimises: the distance to another network's head, and a second term for the log."""
    del seen
    assert batch["image"].dtype == jnp.uint8
    return {"distance": jnp.mean(jnp.square(head - batch["target"])), "size": 0.1 * jnp.mean(jnp.square(head))}


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    target = rng.standard_normal((8, 4, 4, 18), np.float32)
    return {**helpers.random_batch(rng, 8, 32), "target": target}


def one_step(loss_fn, batch):
    optimizer = training.make_optimizer("sgd", RATE, momentum=0.9, decay=0.0, masks=MASKS)
    step = training.compile_train_step(ARCHITECTURE, optimizer, loss_fn=loss_fn)
    state, metrics = step(parallel.replicate(training.create_state(PRUNED, optimizer)), batch)
    return parallel.unreplicate(state), parallel.unreplicate(metrics)


def test_the_region_loss_is_the_default_and_registered(batch):
    assert training.LOSSES["region"] is training.region_loss
    default = one_step(None, batch)
    chex.assert_trees_all_equal(one_step(training.region_loss(ARCHITECTURE), batch), default)
    assert default[1].keys() == {"loss", "coord", "prior", "object", "noobject", "class"}


def test_another_loss_is_minimised_under_the_same_masks_and_batch_norm(batch):
    def loss(params):
        images = batch["image"].astype(np.float32) / np.float32(255)
        head, _ = network.apply_train(ARCHITECTURE, {**PRUNED, "params": params}, images)
        return sum(squared_error(head, jax.tree.map(jnp.asarray, batch), seen=8).values())

    value, grads = jax.jit(jax.value_and_grad(loss))(PRUNED["params"])
    expected = jax.tree.map(lambda p, g, m: p - RATE * np.where(m, g, np.float32(0)), PRUNED["params"], grads, MASKS)
    state, metrics = one_step(squared_error, batch)
    chex.assert_trees_all_close(state.params, expected, rtol=1e-4, atol=1e-5)
    chex.assert_trees_all_equal(pruning.apply_masks(state.params, MASKS), state.params)
    assert metrics.keys() == {"loss", "distance", "size"}
    np.testing.assert_allclose(metrics["loss"], value, rtol=1e-5)
    np.testing.assert_allclose(metrics["loss"], metrics["distance"] + metrics["size"], rtol=1e-6)
    region_state, _ = one_step(None, batch)
    chex.assert_trees_all_close(state.batch_stats, region_state.batch_stats, rtol=1e-6)
    assert int(state.seen) == 8


@pytest.mark.parametrize("seen", [0, 20_000])
def test_the_region_loss_is_told_how_many_images_were_seen(batch, seen):
    head = jnp.asarray(batch["target"])
    terms = training.region_loss(ARCHITECTURE)(head, jax.tree.map(jnp.asarray, batch), seen=jnp.int32(seen))
    chex.assert_trees_all_equal(terms, detection.region_loss_terms(ARCHITECTURE, head, batch["truth"], seen=seen))
    assert (terms["prior"] > 0) == (seen == 0)
