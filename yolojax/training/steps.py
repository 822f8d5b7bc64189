"""One training step and one prediction step: pure functions of one device's share of the batch."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax

from yolojax import detection, network
from yolojax.training.state import TrainState

Batch = dict[str, jax.Array]


def train_step(
    state: TrainState,
    batch: Batch,
    *,
    architecture: network.Architecture,
    optimizer: optax.GradientTransformation,
    axis_name: str,
    dtype: Any = jnp.float32,
) -> tuple[TrainState, dict[str, jax.Array]]:
    """One step on the mean loss of the whole batch.

    Args:
      state: the same on every device.
      batch: `image` (b, H, W, 3) uint8 and `truth` (b, T, 5) float32, this device's share.
      architecture: the network; static.
      optimizer: made by `make_optimizer`.
      axis_name: the mapped axis over which gradients, BN statistics and metrics are averaged.
      dtype: what to compute in; parameters stay float32.

    Returns:
      The next state, and `loss` with its terms, averaged over the axis.
    """
    # Darknet counts a batch as seen before its forward pass.
    seen = state.seen + batch["image"].shape[0] * lax.psum(1, axis_name)

    def loss_fn(params: Any) -> tuple[jax.Array, Any]:
        variables = {"params": params, "batch_stats": state.batch_stats}
        images = to_float(batch["image"])
        head, batch_stats = network.apply_train(architecture, variables, images, axis_name=axis_name, dtype=dtype)
        terms = detection.region_loss_terms(architecture, head, batch["truth"], seen=seen)
        return sum(terms.values(), start=jnp.zeros(())), (batch_stats, terms)

    grads, (batch_stats, terms) = jax.grad(loss_fn, has_aux=True)(state.params)
    grads, terms = lax.pmean((grads, terms), axis_name)
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    state = TrainState(
        step=state.step + 1,
        seen=seen,
        params=optax.apply_updates(state.params, updates),
        batch_stats=batch_stats,
        opt_state=opt_state,
    )
    return state, {"loss": sum(terms.values(), start=jnp.zeros(())), **terms}


def predict_step(
    variables: Any,
    batch: Batch,
    *,
    architecture: network.Architecture,
    axis_name: str,
    score_threshold: float,
    nms_iou: float,
    dtype: Any = jnp.float32,
) -> Batch:
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
    head = network.apply(architecture, variables, to_float(batch["image"]), dtype=dtype)
    boxes, scores = detection.decode(architecture, head)
    scores = detection.nms(boxes, scores, iou_threshold=nms_iou, score_threshold=score_threshold)
    rest = {name: leaf for name, leaf in batch.items() if name != "image"}
    return lax.all_gather({"boxes": boxes, "scores": scores, **rest}, axis_name, tiled=True)


def to_float(images: jax.Array) -> jax.Array:
    """uint8 in 0..255 -> float32 in 0..1."""
    return images.astype(jnp.float32) / 255.0
