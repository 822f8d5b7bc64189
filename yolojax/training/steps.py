"""One step of training, of a teacher and of prediction: pure functions of one device's share of the batch."""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Float, Int, Key, UInt8

from yolojax import detection, network
from yolojax.network import BatchStats, Params, Variables
from yolojax.training.losses import Batch, LossFn, Scalar
from yolojax.training.state import Count, TrainState


def train_step(
    state: TrainState,
    batch: Batch,
    *,
    architecture: network.Architecture,
    optimizer: optax.GradientTransformation,
    loss_fn: LossFn,
    axis_name: str,
    layers: Sequence[str] = (),
    seed: int = 0,
    dtype: DTypeLike = jnp.float32,
) -> tuple[TrainState, dict[str, Scalar]]:
    """One step on the mean loss of the whole batch.

    Args:
      state: the same on every device.
      batch: this device's share: `image` (b, H, W, 3) uint8, and what the loss takes.
      architecture: the network; static.
      optimizer: made by `make_optimizer`.
      loss_fn: what is minimised, such as `region_loss(architecture)`.
      axis_name: the mapped axis over which gradients, BN statistics and metrics are averaged.
      layers: convolutions whose maps the loss takes, as leaves of the batch of these names.
      seed: of what a network with dropout drops.
      dtype: what to compute in; parameters stay float32.

    Returns:
      The next state, and `loss` with its terms, averaged over the axis.
    """
    # Darknet counts a batch as seen before its forward pass.
    seen = state.seen + batch["image"].shape[0] * lax.psum(1, axis_name)

    keys = _image_keys(seed, state.step, batch["image"].shape[0], axis_name) if architecture.has_dropout else None

    def loss(params: Params) -> tuple[Scalar, tuple[BatchStats, dict[str, Scalar]]]:
        variables = {"params": params, "batch_stats": state.batch_stats}
        images = network.to_input(architecture, batch["image"])
        head, batch_stats, maps = network.apply_with_maps(
            architecture, variables, images, layers=layers, train=True, axis_name=axis_name, keys=keys, dtype=dtype
        )
        terms = loss_fn(head, {**batch, **maps}, seen=seen)
        return sum(terms.values(), start=jnp.zeros(())), (batch_stats, terms)

    grads, (batch_stats, terms) = jax.grad(loss, has_aux=True)(state.params)
    grads, terms = lax.pmean((grads, terms), axis_name)
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    state = TrainState(
        step=state.step + 1,
        seen=seen,
        params=optax.apply_updates(state.params, updates),
        batch_stats=batch_stats,
        opt_state=opt_state,
    )
    return state, {**terms, "loss": sum(terms.values(), start=jnp.zeros(()))}


def _image_keys(seed: int, step: Count, images: int, axis_name: str) -> Key[jax.Array, " images"]:
    """A random key for each image of this device's share, by the step and the image's place in the whole batch.

    So it is the same on any number of devices and processes, and in a run that was stopped and goes on. Of p processes
    each has every p-th image of the batch (`data.train_batches`).
    """
    processes = jax.process_count()
    devices = lax.psum(1, axis_name) // processes
    process, device = jnp.divmod(lax.axis_index(axis_name), devices)
    places = process + processes * (device * images + jnp.arange(images, dtype=jnp.int32))
    return jax.vmap(jax.random.fold_in, (None, 0))(jax.random.fold_in(jax.random.key(seed), step), places)


def teacher_step(
    variables: Variables,
    images: UInt8[jax.Array, "batch height width _"],
    *,
    architecture: network.Architecture,
    kept: Mapping[str, Int[np.ndarray, " channels"]],
    axis_name: str,
    dtype: DTypeLike = jnp.float32,
) -> dict[str, jax.Array]:
    """What another network learns from this one, with running BN statistics, as leaves of its batch.

    Args:
      variables: the teacher's, the same on every device.
      images: (b, H, W, 3) uint8, this device's share.
      architecture: the teacher's; static.
      kept: {convolution: channels of its map that are compared}.
      axis_name: the mapped axis over which variances are taken.
      dtype: what to compute in.

    Returns:
      `teacher_head` (b, ...) float32; for each `conv_12` of `kept` also `teacher_conv_12`, its map with the kept
      channels, and `teacher_conv_12_variance`, a float32 scalar: the mean of the channels' variances.
    """
    head, _, maps = network.apply_with_maps(
        architecture, variables, network.to_input(architecture, images), layers=tuple(kept), dtype=dtype
    )
    leaves = {"teacher_head": head}
    for name, channels in kept.items():
        target = maps[name][..., channels]
        leaves |= {f"teacher_{name}": target, f"teacher_{name}_variance": _variance(target, axis_name)}
    return leaves


def _variance(x: Float[jax.Array, "batch rows columns channels"], axis_name: str) -> Scalar:
    """The mean of the channels' variances, each over the images and cells of all devices."""
    x = x.astype(jnp.float32)
    mean = lax.pmean(jnp.mean(x, axis=(0, 1, 2), keepdims=True), axis_name)
    return lax.pmean(jnp.mean(jnp.square(x - mean)), axis_name)


def find(
    architecture: network.Architecture, head: jax.Array, *, score_threshold: float, nms_iou: float
) -> tuple[jax.Array, jax.Array]:
    """Boxes (B, N, 4) xywh and scores (B, N, C) of a head, decoded; 0 is the score of what NMS takes away."""
    boxes, scores = detection.decode(architecture, head)
    return boxes, detection.nms(boxes, scores, iou_threshold=nms_iou, score_threshold=score_threshold)


def predict_step(
    variables: Variables,
    batch: Batch,
    *,
    architecture: network.Architecture,
    axis_name: str,
    score_threshold: float,
    nms_iou: float,
    dtype: DTypeLike = jnp.float32,
) -> dict[str, jax.Array]:
    """Boxes and scores after per-class NMS, of the batch of all devices.

    Args:
      variables: the network's, the same on every device.
      batch: `image` (b, H, W, 3) uint8; its other leaves (b, ...) are passed on.
      architecture: the network; static.
      axis_name: the mapped axis; every device returns the results of all.
      score_threshold: lower scores count as no detection.
      nms_iou: a box that overlaps a better one of its class by more is suppressed.
      dtype: what to compute in.

    Returns:
      `boxes` (B, N, 4) centre x, y, width, height relative to the image, `scores` (B, N, C), 0 where there is no
      detection, and the other leaves of `batch`, for the B images of all devices.
    """
    head = network.apply(architecture, variables, network.to_input(architecture, batch["image"]), dtype=dtype)
    boxes, scores = find(architecture, head, score_threshold=score_threshold, nms_iou=nms_iou)
    rest = {name: leaf for name, leaf in batch.items() if name != "image"}
    return lax.all_gather({"boxes": boxes, "scores": scores, **rest}, axis_name, tiled=True)
