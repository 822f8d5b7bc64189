"""Boxes as arrays: `xywh` is centre x, centre y, width, height; `xyxy` is left, top, right, bottom."""

import jax
import jax.numpy as jnp


def xywh_to_xyxy(boxes: jax.Array) -> jax.Array:
    """(..., 4) -> (..., 4), in the same unit."""
    centre, half = boxes[..., :2], boxes[..., 2:] / 2
    return jnp.concatenate([centre - half, centre + half], axis=-1)


def xyxy_to_xywh(boxes: jax.Array) -> jax.Array:
    """(..., 4) -> (..., 4), in the same unit."""
    low, high = boxes[..., :2], boxes[..., 2:]
    return jnp.concatenate([(low + high) / 2, high - low], axis=-1)


def iou_xywh(a: jax.Array, b: jax.Array) -> jax.Array:
    """Intersection over union of boxes that broadcast against each other: (..., 4), (..., 4) -> (...).

    0 where the union is empty.
    """
    overlap = jnp.minimum(a[..., :2] + a[..., 2:] / 2, b[..., :2] + b[..., 2:] / 2) - jnp.maximum(
        a[..., :2] - a[..., 2:] / 2, b[..., :2] - b[..., 2:] / 2
    )
    overlap = jnp.maximum(overlap, 0.0)
    intersection = overlap[..., 0] * overlap[..., 1]
    union = a[..., 2] * a[..., 3] + b[..., 2] * b[..., 3] - intersection
    return jnp.where(union > 0, intersection / jnp.where(union > 0, union, 1.0), 0.0)
