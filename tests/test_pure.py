"""Each numeric function gives the same compiled and not, from NumPy and from JAX arrays, and leaves its input alone."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from tests import helpers
from yolojax import detection, network
from yolojax.detection.boxes import iou_xywh
from yolojax.network.module import maxpool

ARCHITECTURE = helpers.small_architecture()
VARIABLES = helpers.random_variables(ARCHITECTURE)
RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(size=(2, 32, 32, 3)).astype(np.float32)
MAP = RNG.normal(size=(2, 4, 6, 8)).astype(np.float32)
HEAD = RNG.normal(size=(2, 4, 4, 18)).astype(np.float32)
BOXES = RNG.uniform(0.2, 0.8, (2, 16, 4)).astype(np.float32)
SCORES = RNG.uniform(size=(2, 16, 3)).astype(np.float32)
TRUTH = helpers.random_batch(RNG, 2, 32)["truth"]
MASKS = {
    name: {leaf: RNG.uniform(size=v.shape) < 0.5 for leaf, v in layer.items()}
    for name, layer in VARIABLES["params"].items()
}


class Pure(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    @parameterized.named_parameters(
        ("reorg", functools.partial(network.reorg, stride=2), MAP),
        ("maxpool", functools.partial(maxpool, size=2, stride=1, padding=1), MAP),
        ("apply", functools.partial(network.apply, ARCHITECTURE), VARIABLES, IMAGES),
        ("apply_train", functools.partial(network.apply_train, ARCHITECTURE), VARIABLES, IMAGES),
        ("apply_masks", network.apply_masks, VARIABLES["params"], MASKS),
        ("iou_xywh", iou_xywh, BOXES[:, :, None], BOXES[:, None]),
        ("decode", functools.partial(detection.decode, ARCHITECTURE), HEAD),
        ("nms", detection.nms, BOXES, SCORES),
        ("region_loss_terms", functools.partial(detection.region_loss_terms, ARCHITECTURE), HEAD, TRUTH),
    )
    def test_variants_agree(self, function, *arguments):
        given = jax.tree.map(np.copy, arguments)
        found = self.variant(function)(*arguments)
        chex.assert_tree_all_finite(found)
        chex.assert_trees_all_close(found, _compiled(function, arguments), rtol=2e-5, atol=2e-6)
        chex.assert_trees_all_equal(arguments, given)


def _compiled(function, arguments):
    return jax.jit(function)(*jax.tree.map(jnp.asarray, arguments))
