"""Keeping dropped weights at zero while training."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from yolojax.pruning.masks import keep_all


def zero_dropped(masks: Any = None) -> optax.GradientTransformation:
    """Zeroes the gradients of dropped weights; the first in an `optax.chain`.

    With the weights at 0 to begin with, momentum has nothing to gather and weight decay nothing to decay: the weights
    and all later slots stay exactly 0. The masks are the transformation's state, so they are saved with the optimizer
    and are no constants of the compiled step. Without masks the state keeps everything: the shape to restore one into.
    """

    def init(params: Any) -> Any:
        if masks is None:
            return keep_all(params)
        # A copy: a step that donates its state must not delete the caller's masks.
        return jax.tree.map(lambda mask, leaf: jnp.broadcast_to(jnp.array(mask, bool), leaf.shape), masks, params)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        del params
        # `where` and not a product: a gradient that is not finite must not pass as NaN.
        return jax.tree.map(lambda mask, leaf: jnp.where(mask, leaf, jnp.zeros_like(leaf)), state, updates), state

    return optax.GradientTransformation(init, update)
