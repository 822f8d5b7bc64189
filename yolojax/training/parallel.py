"""The devices: the only file that knows about pmap. Everything else sees whole states and host batches."""

import functools
from collections.abc import Callable, Mapping
from typing import TypeVar

import flax.jax_utils
import jax
import jax.numpy as jnp
import optax
from jax.typing import DTypeLike

from yolojax import data
from yolojax.network import AnyArray, Architecture, Variables
from yolojax.training.distillation import Teacher
from yolojax.training.losses import LossFn, region_loss
from yolojax.training.state import TrainState
from yolojax.training.steps import predict_step, teacher_step, train_step

AXIS = "batch"
Tree = TypeVar("Tree")
# Per device, each (devices,).
Metrics = dict[str, jax.Array]
Leaves = Mapping[str, AnyArray]
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
    teacher: Teacher | None = None,
    seed: int = 0,
    dtype: DTypeLike = jnp.float32,
) -> StepFn:
    """`step(replicated state, host batch) -> (replicated state, metrics)`; the given state is consumed.

    Without `loss_fn` it minimises the region loss. With a `teacher`, the loss gets what it makes of the batch as more
    leaves, and the maps of the convolutions that the teacher compares. The rest is as in `train_step`.

    Raises ValueError for a teacher whose head has other anchors or classes, or scores them in another way.
    """
    step = functools.partial(
        train_step,
        architecture=architecture,
        optimizer=optimizer,
        loss_fn=loss_fn or region_loss(architecture),
        axis_name=AXIS,
        layers=tuple(teacher.kept) if teacher else (),
        seed=seed,
        dtype=dtype,
    )
    mapped = jax.pmap(step, axis_name=AXIS, donate_argnums=0)
    teach = _compile_teacher(architecture, teacher, dtype) if teacher else None

    def run(state: TrainState, batch: data.Batch) -> tuple[TrainState, Metrics]:
        shares: Leaves = shard(batch)
        if teach:
            shares = {**shares, **teach(shares["image"])}
        state, metrics = mapped(state, shares)
        _wait_on_cpu(state)
        return state, metrics

    return run


def _compile_teacher(
    architecture: Architecture, teacher: Teacher, dtype: DTypeLike
) -> Callable[[AnyArray], dict[str, jax.Array]]:
    """`teach(images (devices, b, H, W, 3)) -> leaves (devices, ...)`, see `teacher_step`; they stay on the devices."""
    learns, teaches = architecture.region, teacher.model.architecture.region
    if (learns.anchors, learns.classes) != (teaches.anchors, teaches.classes):
        raise ValueError(
            f"the teacher has {teaches.classes} classes and anchors {teaches.anchors}, expected {learns.classes} and "
            f"{learns.anchors}, as the network that learns"
        )
    if learns.softmax != teaches.softmax:
        raise ValueError(f"the teacher has softmax={int(teaches.softmax)}, expected {int(learns.softmax)}")
    step = functools.partial(
        teacher_step, architecture=teacher.model.architecture, kept=teacher.kept, axis_name=AXIS, dtype=dtype
    )
    mapped, variables = jax.pmap(step, axis_name=AXIS), replicate(teacher.model.variables)

    def teach(images: AnyArray) -> dict[str, jax.Array]:
        leaves: dict[str, jax.Array] = mapped(variables, images)
        _wait_on_cpu(leaves)
        return leaves

    return teach


def _wait_on_cpu(results: object) -> None:
    """Collectives of forced CPU devices can deadlock when several steps are in flight."""
    if jax.default_backend() == "cpu":
        jax.block_until_ready(results)


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
