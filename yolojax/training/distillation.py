"""Learning from another network's outputs: the distance to its head, and to maps inside it.

The teacher's outputs are leaves of the batch: `teacher_head`, and for each convolution that is compared, as `conv_12`,
`teacher_conv_12` and `teacher_conv_12_variance`. The learning network's own map is the leaf `conv_12`.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float, Int

from yolojax import network
from yolojax.detection.region import region_boxes, split_head
from yolojax.network import Architecture, Masks, Model
from yolojax.training.losses import Batch, LossFn, Scalar

Terms = dict[str, Scalar]
SMALLEST_VARIANCE = 1e-6  # of a map that is the same everywhere


@dataclasses.dataclass(frozen=True)
class Teacher:
    """The network that another one learns from.

    `kept` has the convolutions whose maps are compared: {name: the channels that the other network still has}.
    """

    model: Model
    kept: Mapping[str, Int[np.ndarray, " channels"]] = dataclasses.field(default_factory=dict)


def make_teacher(model: Model, layers: Sequence[str] = (), removed: Masks | None = None) -> Teacher:
    """The teacher of a network that was made from `model` by removing filters.

    Args:
      model: the unpruned network.
      layers: names of the convolutions whose maps are compared.
      removed: the masks by which filters were removed; None where the learning network has them all.
    """
    filters = {conv.name: conv.layer.filters for conv in model.architecture.convolutions}
    kept = {
        name: np.arange(filters[name]) if removed is None else np.flatnonzero(network.alive_filters(removed[name]))
        for name in layers
    }
    return Teacher(model, kept)


def distillation_loss(
    architecture: Architecture,
    *,
    head_weight: float = 1.0,
    map_weight: float = 1.0,
    layers: Sequence[str] = (),
    loss_fn: LossFn | None = None,
) -> LossFn:
    """The terms of `loss_fn`, and the weighted distance to a teacher's head and maps.

    Args:
      architecture: the learning network's.
      head_weight: of `head_distillation_terms`, in the log as `distill_coord`, `distill_object` and `distill_class`.
      map_weight: of `map_distance` at each of `layers`, in the log as `distill_conv_12`.
      layers: convolutions whose maps are compared; the teacher has to give the same ones.
      loss_fn: such as `region_loss(architecture)`; None learns from the teacher alone, and no label is read.
    """

    def loss(head: Float[jax.Array, "batch rows columns channels"], batch: Batch, *, seen: Int[jax.Array, ""]) -> Terms:
        terms = dict(loss_fn(head, batch, seen=seen)) if loss_fn else {}
        if head_weight:
            distances = head_distillation_terms(architecture, head, batch["teacher_head"])
            terms |= {f"distill_{name}": head_weight * value for name, value in distances.items()}
        for name in layers:
            target, variance = batch[f"teacher_{name}"], batch[f"teacher_{name}_variance"]
            terms[f"distill_{name}"] = map_weight * map_distance(batch[name], target, variance)
        return terms

    return loss


def head_distillation_terms(
    architecture: Architecture,
    head: Float[jax.Array, "batch rows columns channels"],
    teacher_head: Float[jax.Array, "batch rows columns channels"],
) -> Terms:
    """How far a head is from a teacher's, summed over cells and anchors and averaged over the batch.

    The teacher takes the truth's place in the region loss, with the same scales. Where it sees no object, its box and
    classes mean nothing, so its objectness weights them (Mehta & Ozturk 2018, "Object detection at 200 frames per
    second"). Classes are compared as probabilities (Chen et al. 2017, "Learning efficient object detection models with
    knowledge distillation"). For equal heads all terms are 0, and so are their gradients.

    Args:
      architecture: its region layer gives anchors, classes and scales; the teacher has the same.
      head: the learning network's logits, float32.
      teacher_head: the teacher's, of the same images; no gradient flows into it.

    Returns:
      The float32 scalars, with σ(to) the teacher's objectness:
      `coord`: σ(to) coord_scale (2 - w h) / 2 times the squared errors of σ(tx), σ(ty), tw, th;
      `object`: half the squared error of σ(to), scaled from noobject_scale to object_scale as σ(to) goes from 0 to 1;
      `class`: σ(to) class_scale KL(the teacher's probabilities, the network's); the sum over the classes where each has
        a logistic score of its own.
    """
    region = architecture.region
    ours = split_head(architecture, head)
    theirs = split_head(architecture, lax.stop_gradient(teacher_head))
    wanted = jax.nn.sigmoid(theirs.objectness)
    boxes = region_boxes(architecture, theirs)
    area = jnp.minimum(boxes[..., 2] * boxes[..., 3], 1.0)
    squares = jnp.square(jax.nn.sigmoid(ours.xy) - jax.nn.sigmoid(theirs.xy)) + jnp.square(ours.wh - theirs.wh)
    object_scale = region.noobject_scale + (region.object_scale - region.noobject_scale) * wanted
    if region.softmax:
        divergence = _divergence(jax.nn.log_softmax(theirs.classes), jax.nn.log_softmax(ours.classes))
    else:
        divergence = sum(
            (
                _divergence(jax.nn.log_sigmoid(s * theirs.classes), jax.nn.log_sigmoid(s * ours.classes))
                for s in (1, -1)
            ),
            start=jnp.zeros_like(wanted),
        )
    cells = {
        "coord": 0.5 * region.coord_scale * (2 - area) * wanted * jnp.sum(squares, axis=-1),
        "object": 0.5 * object_scale * jnp.square(jax.nn.sigmoid(ours.objectness) - wanted),
        "class": region.class_scale * wanted * divergence,
    }
    return {name: jnp.sum(values) / head.shape[0] for name, values in cells.items()}


def _divergence(
    log_theirs: Float[jax.Array, "*cells classes"], log_ours: Float[jax.Array, "*cells classes"]
) -> Float[jax.Array, "*cells"]:
    return jnp.sum(jnp.exp(log_theirs) * (log_theirs - log_ours), axis=-1)


def map_distance(
    found: Float[jax.Array, "batch rows columns channels"],
    target: Float[jax.Array, "batch rows columns channels"],
    variance: Float[jax.Array, ""],
) -> Scalar:
    """The mean squared difference of two maps over `variance`: the share of the target's variance that is missed.

    `variance` is the mean of the variances of the target's channels, over the images of all devices; so layers of
    any width and range compare (Romero et al. 2015, "FitNets", without its adapter).
    """
    difference = found.astype(jnp.float32) - lax.stop_gradient(target).astype(jnp.float32)
    return jnp.mean(jnp.square(difference)) / jnp.maximum(variance, SMALLEST_VARIANCE)
