"""The devices: the only file that knows about pmap. Everything else sees whole states and host batches."""

import functools
from collections.abc import Callable
from typing import TypeVar

import flax.jax_utils
import jax
import jax.numpy as jnp
import optax
from jax.typing import DTypeLike

from yolojax import data
from yolojax.network import Architecture, Variables
from yolojax.training.losses import LossFn, region_loss
from yolojax.training.state import TrainState
from yolojax.training.steps import predict_step, train_step

AXIS = "batch"
Tree = TypeVar("Tree")
# Per device, each (devices,).
Metrics = dict[str, jax.Array]
StepFn = Callable[[TrainState, data.Batch], tuple[TrainState, Metrics]]


def check_batch_size(batch_size: int) -> None:
    """Raises ValueError when a global batch does not divide over the devices of all processes."""
    if batch_size <= 0 or batch_size % jax.device_count():
        raise ValueError(
            f"batch_size {batch_size} does not divide over {jax.device_count()} devices; use a multiple of that"
        )


def round_up_batch(batch_size: int) -> int:
    """The smallest batch of at least `batch_size` that divides over the devices; for prediction, which pads."""
    return -(-batch_size // jax.device_count()) * jax.device_count()


def replicate(tree: Tree) -> Tree:
    """A copy on each local device."""
    # Under pmap's own axis name: with another sharding the second step would compile again.
    return flax.jax_utils.replicate(tree, axis_name=AXIS)


def unreplicate(tree: Tree) -> Tree:
    """One device's copy, as NumPy arrays."""
    return jax.device_get(flax.jax_utils.unreplicate(tree))


def shard(batch: data.Batch) -> data.Batch:
    """(b, ...) -> (devices, b / devices, ...) at each leaf."""
    devices = jax.local_device_count()
    return {name: leaf.reshape(devices, -1, *leaf.shape[1:]) for name, leaf in batch.items()}


def compile_train_step(
    architecture: Architecture,
    optimizer: optax.GradientTransformation,
    *,
    loss_fn: LossFn | None = None,
    dtype: DTypeLike = jnp.float32,
) -> StepFn:
    """`step(replicated state, host batch) -> (replicated state, metrics)`; the given state is consumed.

    Without `loss_fn` it minimises the region loss. The rest is as in `train_step`.
    """
    step = functools.partial(
        train_step,
        architecture=architecture,
        optimizer=optimizer,
        loss_fn=loss_fn or region_loss(architecture),
        axis_name=AXIS,
        dtype=dtype,
    )
    mapped = jax.pmap(step, axis_name=AXIS, donate_argnums=0)
    wait = jax.default_backend() == "cpu"

    def run(state: TrainState, batch: data.Batch) -> tuple[TrainState, Metrics]:
        state, metrics = mapped(state, shard(batch))
        if wait:  # Collectives of forced CPU devices can deadlock when several steps are in flight.
            jax.block_until_ready(state)
        return state, metrics

    return run


def compile_predict_step(
    architecture: Architecture, *, score_threshold: float, nms_iou: float, dtype: DTypeLike = jnp.float32
) -> Callable[[Variables, data.Batch], data.Batch]:
    """`predict(replicated variables, host batch) -> results of the batch of all processes`, as NumPy arrays."""
    step = functools.partial(
        predict_step,
        architecture=architecture,
        axis_name=AXIS,
        score_threshold=score_threshold,
        nms_iou=nms_iou,
        dtype=dtype,
    )
    mapped = jax.pmap(step, axis_name=AXIS)

    def run(variables: Variables, batch: data.Batch) -> data.Batch:
        return unreplicate(mapped(variables, shard(batch)))

    return run
