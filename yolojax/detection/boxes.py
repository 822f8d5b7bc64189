"""Boxes as arrays; `xywh` is centre x, centre y, width, height."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from yolojax.network import AnyArray


def iou_xywh(a: Float[AnyArray, "*#boxes 4"], b: Float[AnyArray, "*#boxes 4"]) -> Float[Array, "*#boxes"]:
    """Intersection over union of boxes that broadcast against each other; 0 where the union is empty."""
    overlap = jnp.minimum(a[..., :2] + a[..., 2:] / 2, b[..., :2] + b[..., 2:] / 2) - jnp.maximum(
        a[..., :2] - a[..., 2:] / 2, b[..., :2] - b[..., 2:] / 2
    )
    overlap = jnp.maximum(overlap, 0.0)
    intersection = overlap[..., 0] * overlap[..., 1]
    union = a[..., 2] * a[..., 3] + b[..., 2] * b[..., 3] - intersection
    return jnp.where(union > 0, intersection / jnp.where(union > 0, union, 1.0), 0.0)
