import chex
import jax
import numpy as np
import pytest

from tests import helpers
from yolojax import detection, network, pruning

ARCHITECTURE = helpers.small_architecture()
VARIABLES = helpers.random_variables(ARCHITECTURE)
BATCHES = [helpers.random_batch(np.random.default_rng(seed), 3, 32) for seed in (0, 1)]


@jax.jit
def slope(tangent, images, truth):
    """How fast the loss changes when the parameters move along `tangent`."""

    def loss(step):
        params = jax.tree.map(lambda leaf, change: leaf + step * change, VARIABLES["params"], tangent)
        head = network.apply(ARCHITECTURE, {**VARIABLES, "params": params}, images)
        return detection.region_loss(ARCHITECTURE, head, truth, seen=10**6)

    return jax.grad(loss)(np.float32(0))


def test_it_is_the_squared_slope_towards_zero_of_each_filter_alone():
    scores = pruning.filter_taylor(ARCHITECTURE, VARIABLES, iter(BATCHES))
    for conv in ARCHITECTURE.convolutions:
        for filter_ in range(0, conv.layer.filters, 3):
            tangent = jax.tree.map(np.zeros_like, VARIABLES["params"])
            for name, leaf in VARIABLES["params"][conv.name].items():
                tangent[conv.name][name][..., filter_] = leaf[..., filter_]
            slopes = [slope(tangent, batch["image"] / np.float32(255), batch["truth"]) for batch in BATCHES]
            expected = np.mean(np.square(slopes))
            np.testing.assert_allclose(scores[conv.name][filter_], expected, rtol=1e-3, atol=1e-6)


def test_masks_by_name_and_without_what_it_needs():
    params, batch_stats = VARIABLES["params"], VARIABLES["batch_stats"]
    scores = pruning.filter_taylor(ARCHITECTURE, VARIABLES, BATCHES)
    expected = pruning.filter_masks(ARCHITECTURE, params, 0.4, criterion=scores)
    found = pruning.filter_masks(
        ARCHITECTURE, params, 0.4, criterion="taylor", batch_stats=batch_stats, batches=BATCHES
    )
    chex.assert_trees_all_equal(found, expected)
    with pytest.raises(ValueError, match=r"criterion 'taylor' needs batches; pass batches=\[\{'image'"):
        pruning.filter_masks(ARCHITECTURE, params, 0.4, criterion="taylor", batch_stats=batch_stats)
    with pytest.raises(ValueError, match=r"criterion 'taylor' needs batch_stats; pass batch_stats=variables\["):
        pruning.filter_masks(ARCHITECTURE, params, 0.4, criterion="taylor", batches=BATCHES)
    with pytest.raises(ValueError, match="batches hold no batch, expected at least one"):
        pruning.filter_masks(ARCHITECTURE, params, 0.4, criterion="taylor", batch_stats=batch_stats, batches=[])
