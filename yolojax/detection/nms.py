"""Greedy non-maximum suppression per class (Darknet's `do_nms_sort`), on the device and exact."""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from yolojax.detection.boxes import iou_xywh
from yolojax.network import AnyArray

CHUNK = 8  # images at once: (N, N) overlaps of that many lie in memory


def nms(
    boxes: Float[AnyArray, "batch boxes 4"],
    scores: Float[AnyArray, "batch boxes classes"],
    *,
    iou_threshold: float = 0.45,
    score_threshold: float = 0.005,
) -> Float[Array, "batch boxes classes"]:
    """Scores with 0 where a box is below the threshold, or overlaps a better kept one of its class too much.

    Args:
      boxes: xywh.
      scores: equal ones rank by index.
      iou_threshold: a larger IoU suppresses.
      score_threshold: a smaller score is dropped.
    """

    def one(image: tuple[jax.Array, jax.Array]) -> jax.Array:
        return _nms_image(*image, iou_threshold, score_threshold)

    return lax.map(one, (boxes, scores), batch_size=CHUNK)


def _nms_image(
    boxes: Float[Array, "boxes 4"], scores: Float[Array, "boxes classes"], iou_threshold: float, score_threshold: float
) -> Float[Array, "boxes classes"]:
    """Round k lets the box of rank k in each class suppress those that rank after it."""
    overlap = iou_xywh(boxes[:, None], boxes[None]) > iou_threshold  # (N, N)
    scores = scores.T  # (C, N)
    order = jnp.argsort(-scores, axis=1, stable=True)
    rank = jnp.argsort(order, axis=1)
    candidate = scores >= score_threshold
    # Candidates rank first, so later rounds could suppress nothing.
    rounds = jnp.max(jnp.sum(candidate, axis=1))

    def body(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        k, kept = state
        box = lax.dynamic_index_in_dim(order, k, axis=1, keepdims=False)  # (C,)
        box_kept = jnp.take_along_axis(kept, box[:, None], axis=1)
        return k + 1, kept & ~(box_kept & overlap[box] & (rank > k))

    _, kept = lax.while_loop(lambda state: state[0] < rounds, body, (jnp.zeros_like(rounds), candidate))
    return jnp.where(kept, scores, 0.0).T
