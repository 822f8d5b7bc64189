"""Greedy non-maximum suppression per class (Darknet's `do_nms_sort`), on the device and exact."""

import jax
import jax.numpy as jnp
from jax import lax

from yolojax.detection.boxes import iou_xywh


def nms(
    boxes: jax.Array, scores: jax.Array, *, iou_threshold: float = 0.45, score_threshold: float = 0.005
) -> jax.Array:
    """Scores with 0 where a box is below the threshold, or overlaps a better kept one of its class too much.

    Args:
      boxes: (B, N, 4) xywh.
      scores: (B, N, C); equal scores rank by index.
      iou_threshold: a larger IoU suppresses.
      score_threshold: a smaller score is dropped.

    Returns:
      (B, N, C), like `scores`.
    """

    def one(image: tuple[jax.Array, jax.Array]) -> jax.Array:
        return _nms_image(*image, iou_threshold, score_threshold)

    return lax.map(one, (boxes, scores))


def _nms_image(boxes: jax.Array, scores: jax.Array, iou_threshold: float, score_threshold: float) -> jax.Array:
    overlap = iou_xywh(boxes[:, None], boxes[None]) > iou_threshold  # (N, N)

    def one_class(column: jax.Array) -> jax.Array:
        order = jnp.argsort(-column, stable=True)
        candidate = (column >= score_threshold)[order]
        # Whether i, better than j, would suppress it.
        above = jnp.triu(overlap[order][:, order], k=1)

        def body(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            kept, _ = state
            again = candidate & ~jnp.any(above & kept[:, None], axis=0)
            return again, jnp.any(again != kept)

        # Round k settles every box whose chain of suppressors has length k, so the fixed point is the greedy answer.
        kept, _ = lax.while_loop(lambda state: state[1], body, (candidate, jnp.array(True)))
        return jnp.where(jnp.zeros_like(kept).at[order].set(kept), column, 0.0)

    return lax.map(one_class, scores.T).T
