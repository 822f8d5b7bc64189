"""The head's channels as boxes and scores (Darknet's `region_layer.c`; YOLOv2 paper, section 2)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from yolojax.network import AnyArray, Architecture


class RegionLogits(NamedTuple):
    """The head by meaning."""

    xy: Float[AnyArray, "batch height width anchors 2"]
    wh: Float[AnyArray, "batch height width anchors 2"]
    objectness: Float[AnyArray, "batch height width anchors"]
    classes: Float[AnyArray, "batch height width anchors classes"]


def split_head(architecture: Architecture, head: Float[AnyArray, "batch height width outputs"]) -> RegionLogits:
    """The head's A*(5+C) channels, for each anchor tx, ty, tw, th, to, classes, in parts."""
    region = architecture.region
    batch, height, width, _ = head.shape
    head = head.reshape(batch, height, width, len(region.anchors), 5 + region.classes)
    return RegionLogits(head[..., :2], head[..., 2:4], head[..., 4], head[..., 5:])


def region_boxes(architecture: Architecture, logits: RegionLogits) -> Float[Array, "batch height width anchors 4"]:
    """Boxes xywh relative to the image: x = (i + σ(tx)) / W, w = anchor * exp(tw) / W."""
    _, height, width, _, _ = logits.xy.shape
    rows, columns = jnp.meshgrid(
        jnp.arange(height, dtype=jnp.float32), jnp.arange(width, dtype=jnp.float32), indexing="ij"
    )
    cells = jnp.stack([columns, rows], axis=-1)[None, :, :, None, :]
    anchors = jnp.asarray(architecture.region.anchors, jnp.float32)[None, None, None]
    size = jnp.asarray([width, height], jnp.float32)[None, None, None, None]
    centre = (cells + jax.nn.sigmoid(logits.xy)) / size
    return jnp.concatenate([centre, anchors * jnp.exp(logits.wh) / size], axis=-1)


def decode(
    architecture: Architecture, head: Float[AnyArray, "batch height width outputs"]
) -> tuple[Float[Array, "batch boxes 4"], Float[Array, "batch boxes classes"]]:
    """Boxes xywh relative to the image, height * width * anchors of them, and scores σ(to) p.

    p is the softmax over the classes, or where the region layer has `softmax=0` the σ of each.
    """
    logits = split_head(architecture, head)
    boxes = region_boxes(architecture, logits)
    probability = jax.nn.softmax if architecture.region.softmax else jax.nn.sigmoid
    scores = jax.nn.sigmoid(logits.objectness)[..., None] * probability(logits.classes)
    batch = head.shape[0]
    return boxes.reshape(batch, -1, 4), scores.reshape(batch, -1, architecture.region.classes)
