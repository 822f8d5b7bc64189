"""The optimizer: Darknet's SGD, or Adam for short trainings from nothing; masks wrap the whole of it."""

import jax
import optax

from yolojax import pruning
from yolojax.network import Masks


def learning_rate_schedule(kind: str, *, peak: float, warmup_steps: int, steps: int) -> optax.Schedule:
    """`constant` (the study's) or `cosine` down to 1% of `peak` over `steps`, after a linear warm-up from 0.

    Raises ValueError for another `kind`.
    """
    if kind == "constant":
        after: optax.Schedule = optax.constant_schedule(peak)
    elif kind == "cosine":
        after = optax.cosine_decay_schedule(peak, max(steps - warmup_steps, 1), alpha=0.01)
    else:
        raise ValueError(f"schedule {kind!r}, expected 'constant' or 'cosine'")
    if not warmup_steps:
        return after
    return optax.join_schedules([optax.linear_schedule(0.0, peak, warmup_steps), after], [warmup_steps])


def make_optimizer(
    kind: str, learning_rate: optax.ScalarOrSchedule, *, momentum: float, decay: float, masks: Masks | None = None
) -> optax.GradientTransformation:
    """The update of one step.

    Args:
      kind: `sgd` (Darknet's: v = momentum v + g + decay w, w -= rate v) or `adam` (decoupled decay).
      learning_rate: a number, or a schedule over steps.
      momentum: of SGD; Adam's first moment.
      decay: weight decay, on kernels only.
      masks: a tree like params, True keeps; dropped weights and their slots then stay exactly 0, and
        `pruning.change_masks` can change them between steps.

    Raises ValueError for another `kind`.
    """
    decay_kernels = optax.add_decayed_weights(decay, mask=is_kernel)
    if kind == "sgd":
        parts = [decay_kernels, optax.trace(momentum)]
    elif kind == "adam":
        parts = [optax.scale_by_adam(b1=momentum), decay_kernels]
    else:
        raise ValueError(f"optimizer {kind!r}, expected 'sgd' or 'adam'")
    optimizer = optax.chain(*parts, optax.scale_by_learning_rate(learning_rate))
    return optimizer if masks is None else pruning.masked(optimizer, masks)


def is_kernel(params: optax.Params) -> optax.Params:
    """The tree with True at the kernels, False at scales and biases."""
    return jax.tree_util.tree_map_with_path(lambda path, _: path[-1].key == "kernel", params)
