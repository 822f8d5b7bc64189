"""The types of the public numeric functions are checked while the tests run, shapes included."""

import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest

from tests import helpers
from yolojax import detection, network
from yolojax.detection.boxes import iou_xywh

ARCHITECTURE = helpers.small_architecture()
HEAD = jnp.zeros((1, 4, 4, 18))
WRONG = {
    "reorg of another rank": lambda: network.reorg(jnp.zeros((4, 4, 4)), 2),
    "images of integers": lambda: network.apply_train(ARCHITECTURE, {}, jnp.zeros((1, 32, 32, 3), jnp.uint8)),
    "truth without a class": lambda: detection.region_loss(ARCHITECTURE, HEAD, jnp.zeros((1, 5, 4))),
    "truth of another batch": lambda: detection.region_loss(ARCHITECTURE, HEAD, jnp.zeros((2, 5, 5))),
    "boxes without scores": lambda: detection.nms(jnp.zeros((1, 6, 4)), jnp.zeros((1, 5, 3))),
    "boxes that do not broadcast": lambda: iou_xywh(jnp.zeros((2, 4)), jnp.zeros((3, 4))),
    "sizes of integers": lambda: detection.kmeans_anchors(np.ones((5, 2), int), 2, seed=0),
    "masks of floats": lambda: network.apply_masks({"a": {"bias": jnp.ones(8)}}, {"a": {"bias": jnp.ones(8)}}),
}


@pytest.mark.parametrize("call", WRONG)
def test_a_call_that_the_types_rule_out(call):
    with pytest.raises(jaxtyping.TypeCheckError):
        WRONG[call]()
