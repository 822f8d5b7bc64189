"""The optimizer: Darknet's SGD, or Adam for short trainings from nothing; masks wrap the whole of it."""

import functools
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

import jax
import optax

from yolojax import pruning
from yolojax.network import Masks

T = TypeVar("T")


# (peak, steps after the warm-up) -> the rate at each of them.
SCHEDULES: dict[str, Callable[[float, int], optax.Schedule]] = {
    "constant": lambda peak, steps: optax.constant_schedule(peak),
    "cosine": lambda peak, steps: optax.cosine_decay_schedule(peak, max(steps, 1), alpha=0.01),
}
# (momentum, the weight decay) -> the update's parts, before the learning rate scales it.
OPTIMIZERS: dict[str, Callable[[float, optax.GradientTransformation], list[optax.GradientTransformation]]] = {
    "sgd": lambda momentum, decay: [decay, optax.trace(momentum)],
    "adam": lambda momentum, decay: [optax.scale_by_adam(b1=momentum), decay],
}


def learning_rate_schedule(kind: str, *, peak: float, warmup_steps: int, steps: int) -> optax.Schedule:
    """`constant` (the study's) or `cosine` down to 1% of `peak` over `steps`, after a linear warm-up from 0.

    Raises ValueError for a `kind` that is not in `SCHEDULES`.
    """
    after = _chosen("schedule", kind, SCHEDULES)(peak, steps - warmup_steps)
    if not warmup_steps:
        return after
    return optax.join_schedules([optax.linear_schedule(0.0, peak, warmup_steps), after], [warmup_steps])


def make_optimizer(
    kind: str,
    learning_rate: optax.ScalarOrSchedule,
    *,
    momentum: float,
    decay: float,
    masks: Masks | None = None,
    frozen: Collection[str] = (),
) -> optax.GradientTransformation:
    """The update of one step.

    Args:
      kind: `sgd` (Darknet's: v = momentum v + g + decay w, w -= rate v) or `adam` (decoupled decay).
      learning_rate: a number, or a schedule over steps.
      momentum: of SGD; Adam's first moment.
      decay: weight decay, on kernels only.
      masks: a tree like params, True keeps; dropped weights and their slots then stay exactly 0, and
        `pruning.change_masks` can change them between steps.
      frozen: convolutions whose kernels do not decay, as `architecture.frozen`; they have no gradients either.

    Raises ValueError for a `kind` that is not in `OPTIMIZERS`.
    """
    decaying = functools.partial(_decaying, frozen=frozenset(frozen))
    parts = _chosen("optimizer", kind, OPTIMIZERS)(momentum, optax.add_decayed_weights(decay, mask=decaying))
    optimizer = optax.chain(*parts, optax.scale_by_learning_rate(learning_rate))
    return optimizer if masks is None else pruning.masked(optimizer, masks)


def _chosen(argument: str, kind: str, known: Mapping[str, T]) -> T:
    if kind not in known:
        raise ValueError(f"{argument} {kind!r}, expected {' or '.join(map(repr, known))}")
    return known[kind]


def _decaying(params: optax.Params, frozen: frozenset[str]) -> optax.Params:
    """The tree with True at the kernels that are not frozen, False at scales and biases."""
    return jax.tree_util.tree_map_with_path(
        lambda path, _: path[-1].key == "kernel" and path[-2].key not in frozen, params
    )
