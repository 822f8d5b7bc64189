"""YOLOv2's region loss as Darknet computes it (`forward_region_layer`)."""

import math

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32, Int

from yolojax.detection.boxes import iou_xywh
from yolojax.detection.region import region_boxes, split_head
from yolojax.network import AnyArray, Architecture

PRIOR_IMAGES = 12_800
PRIOR_SCALE = 0.01


def region_loss(
    architecture: Architecture,
    head: Float32[AnyArray, "batch height width outputs"],
    truth: Float32[AnyArray, "batch objects 5"],
    seen: Int[AnyArray, ""] | int = 0,
) -> Float32[Array, ""]:
    """The sum of `region_loss_terms`, a float32 scalar."""
    terms = region_loss_terms(architecture, head, truth, seen)
    return sum(terms.values(), start=jnp.zeros((), jnp.float32))


def region_loss_terms(
    architecture: Architecture,
    head: Float32[AnyArray, "batch height width outputs"],
    truth: Float32[AnyArray, "batch objects 5"],
    seen: Int[AnyArray, ""] | int = 0,
) -> dict[str, Float32[Array, ""]]:
    """The loss, summed over the batch and divided by its size; the gradient times B is minus Darknet's delta.

    Args:
      architecture: its region layer gives anchors, scales, thresh and rescore.
      head: as `network.apply` gives it; A*(5+C) outputs.
      truth: x, y, w, h relative to the image, class; all-zero rows are padding.
      seen: images seen in training; below 12,800 every cell is also pulled to its anchor.

    Returns:
      The scalars `coord`, `prior`, `object`, `noobject`, `class`.
    """
    region = architecture.region
    logits = split_head(architecture, head)
    boxes = lax.stop_gradient(region_boxes(architecture, logits))
    xy, objectness = jax.nn.sigmoid(logits.xy), jax.nn.sigmoid(logits.objectness)
    batch, height, width, anchors = objectness.shape

    real = jnp.any(truth != 0, axis=-1)  # (B, T)
    slots = _slots(architecture, truth, real, height, width)
    owner = _owners(slots, (batch, height, width, anchors))  # (B, H, W, A): index of the truth, -1 without
    responsible = owner >= 0
    target = jnp.take_along_axis(truth, jnp.maximum(owner, 0).reshape(batch, -1, 1), axis=1)
    target = target.reshape(batch, height, width, anchors, 5)

    # (B, H, W, A, T): how well each prediction fits any truth.
    ious = iou_xywh(boxes[..., None, :], truth[:, None, None, None, :, :4])
    best = jnp.max(jnp.where(real[:, None, None, None], ious, 0.0), axis=-1)
    empty = ~responsible & (best <= region.thresh)
    wanted = iou_xywh(boxes, target[..., :4]) if region.rescore else jnp.ones_like(objectness)

    target_xy, target_wh = _targets(architecture, target, height, width)
    coord_weight = region.coord_scale * (2 - target[..., 2] * target[..., 3])
    squares = jnp.sum((xy - target_xy) ** 2 + (logits.wh - target_wh) ** 2, axis=-1)
    prior = jnp.sum((xy - 0.5) ** 2 + logits.wh**2, axis=-1)
    early = jnp.asarray(seen) < PRIOR_IMAGES
    if region.softmax:
        labels = target[..., 4].astype(jnp.int32)
        surprise = -jnp.take_along_axis(jax.nn.log_softmax(logits.classes), labels[..., None], axis=-1)[..., 0]
    else:
        found = _classes(slots, truth[..., 4], logits.classes.shape)
        surprise = jnp.sum(jax.nn.softplus(logits.classes) - jnp.where(found, logits.classes, 0.0), axis=-1)

    def total(where: Bool[Array, "*cells"], values: Float32[Array, "*cells"]) -> Float32[Array, ""]:
        return jnp.sum(jnp.where(where, values, 0.0)) / batch

    return {
        "coord": total(responsible, 0.5 * coord_weight * squares),
        "prior": total(~responsible & early, 0.5 * PRIOR_SCALE * prior),
        "object": total(responsible, 0.5 * region.object_scale * (wanted - objectness) ** 2),
        "noobject": total(empty, 0.5 * region.noobject_scale * objectness**2),
        "class": total(responsible, region.class_scale * surprise),
    }


def _slots(
    architecture: Architecture,
    truth: Float32[AnyArray, "batch objects 5"],
    real: Bool[Array, "batch objects"],
    height: int,
    width: int,
) -> Int[Array, "batch objects"]:
    """For each truth the cell of its centre and the anchor that fits its shape best, as a flat (H, W, A) index.

    That of padding is one more than the last.
    """
    anchors = jnp.asarray(architecture.region.anchors, jnp.float32)
    size = jnp.asarray([width, height], jnp.float32)[None, None]
    shapes = truth[..., 2:4] * size  # in cells
    smaller = jnp.minimum(shapes[:, :, None], anchors[None, None])
    intersection = smaller[..., 0] * smaller[..., 1]
    union = (shapes[..., 0] * shapes[..., 1])[..., None] + (anchors[:, 0] * anchors[:, 1])[None, None] - intersection
    anchor = jnp.argmax(intersection / union, axis=-1)  # ties to the first
    cell = jnp.clip((truth[..., :2] * size).astype(jnp.int32), 0, jnp.asarray([width - 1, height - 1])[None, None])
    flat = (cell[..., 1] * width + cell[..., 0]) * len(architecture.region.anchors) + anchor
    return jnp.where(real, flat, height * width * len(architecture.region.anchors))


def _owners(
    slots: Int[Array, "batch objects"], shape: tuple[int, int, int, int]
) -> Int[Array, "batch height width anchors"]:
    """The last truth of each cell and anchor, or -1."""
    owner = jnp.full((shape[0], math.prod(shape[1:])), -1, jnp.int32)
    order = jnp.broadcast_to(jnp.arange(slots.shape[1], dtype=jnp.int32)[None], slots.shape)
    owner = owner.at[jnp.arange(shape[0])[:, None], slots].max(order, mode="drop")  # padding falls outside
    return owner.reshape(shape)


def _classes(
    slots: Int[Array, "batch objects"], labels: Float32[AnyArray, "batch objects"], shape: tuple[int, ...]
) -> Bool[Array, "batch height width anchors classes"]:
    """The classes of all truths of each cell and anchor: Darknet's `delta_region_class` adds those of later ones."""
    batch, *cells, classes = shape
    found = jnp.zeros((batch, math.prod(cells), classes), bool)
    found = found.at[jnp.arange(batch)[:, None], slots, labels.astype(jnp.int32)].set(True, mode="drop")
    return found.reshape(shape)


def _targets(
    architecture: Architecture, target: Float32[Array, "batch {height} {width} anchors 5"], height: int, width: int
) -> tuple[Float32[Array, "batch {height} {width} anchors 2"], Float32[Array, "batch {height} {width} anchors 2"]]:
    """Where σ(txy) and twh should be; finite where there is no truth."""
    size = jnp.asarray([width, height], jnp.float32)[None, None, None, None]
    anchors = jnp.asarray(architecture.region.anchors, jnp.float32)[None, None, None]
    centre = target[..., :2] * size
    cell = jnp.clip(jnp.floor(centre), 0, size - 1)
    shape = jnp.maximum(target[..., 2:4] * size, 1e-6)
    return centre - cell, jnp.log(shape / anchors)
