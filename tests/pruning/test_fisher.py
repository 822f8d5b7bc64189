import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import helpers
from yolojax import detection, network, pruning
from yolojax.network import Architecture

FULL = helpers.small_architecture()
BATCHES = [helpers.random_batch(np.random.default_rng(seed), 2, 32) for seed in (0, 1)]


def without_batch_norm(index):
    plain = dataclasses.replace(FULL.layers[index], batch_normalize=False)
    return Architecture(FULL.net, (*FULL.layers[:index], plain, *FULL.layers[index + 1 :]))


def gate_slope(architecture, variables, name, filter_, batch):
    """How fast the loss changes when all that a filter gives grows: its kernel and bias, or scale and bias."""

    def loss(gate):
        leaves = {"scale", "bias"} if "scale" in variables["params"][name] else {"kernel", "bias"}
        layer = dict(variables["params"][name])
        for key in leaves:
            mine = np.broadcast_to(np.arange(layer[key].shape[-1]), layer[key].shape) == filter_
            layer[key] = jnp.where(mine, layer[key] * gate, layer[key])
        params = {**variables["params"], name: layer}
        head = network.apply(
            architecture, {**variables, "params": params}, network.to_input(architecture, batch["image"])
        )
        return detection.region_loss(architecture, head, batch["truth"], seen=10**6)

    return jax.grad(loss)(np.float32(1))


@pytest.mark.parametrize("architecture", [FULL, without_batch_norm(2)], ids=["all", "one without batch norm"])
def test_it_is_the_sum_of_squares_of_each_images_slope(architecture):
    variables = helpers.random_variables(architecture)
    scores = pruning.filter_fisher(architecture, variables, iter(BATCHES))
    assert scores.keys() == variables["params"].keys()
    images = [{key: leaf[i : i + 1] for key, leaf in batch.items()} for batch in BATCHES for i in range(2)]
    for name in ("conv_00", "conv_02", "conv_08", "conv_12"):
        slope = jax.jit(lambda filter_, batch, name=name: gate_slope(architecture, variables, name, filter_, batch))
        for filter_ in (0, 3):
            expected = sum(float(slope(filter_, image)) ** 2 for image in images)
            np.testing.assert_allclose(scores[name][filter_], expected, rtol=1e-3, atol=1e-6)


def test_without_a_batch():
    with pytest.raises(ValueError, match="batches hold no batch, expected at least one"):
        pruning.filter_fisher(FULL, helpers.random_variables(FULL), [])
