"""Keeping dropped weights at zero while training, under masks that may change in between."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from yolojax.network import Masks, Params, apply_masks, check_masks


class MaskedState(NamedTuple):
    """The masks, and the state of the optimizer that they wrap. Both are saved with a training's state."""

    masks: optax.Params
    inner: optax.OptState


def masked(optimizer: optax.GradientTransformation, masks: Masks | None = None) -> optax.GradientTransformation:
    """The whole `optimizer`, which sees gradients of 0 for dropped weights.

    With the weights at 0 to begin with (`apply_masks`), momentum has nothing to gather and decay nothing to decay: they
    and their slots stay exactly 0. The masks are state, so they are saved with the optimizer, and `change_masks` does
    not compile the step again.

    Args:
      optimizer: what to wrap, a chain as a whole. From a gradient, slots and a weight of 0 it has to make an update of
        0, as SGD and Adam do.
      masks: a tree like params, True keeps; without any, all is kept until `change_masks`.

    The update raises ValueError for masks that do not fit the gradients.
    """

    def init(params: optax.Params) -> MaskedState:
        return MaskedState(_copy(masks) if masks is not None else _keep_all(params), optimizer.init(params))

    def update(
        updates: optax.Updates, state: MaskedState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, MaskedState]:
        check_masks(updates, state.masks)
        # What comes out is 0 already; zeroing it again would cost the last step's fused multiply-add.
        updates, inner = optimizer.update(_zero(state.masks, updates), state.inner, params)
        return updates, MaskedState(state.masks, inner)

    return optax.GradientTransformation(init, update)


def change_masks(
    optimizer: optax.GradientTransformation, params: Params, opt_state: optax.OptState, masks: Masks
) -> tuple[Params, MaskedState]:
    """The parameters and the optimizer's state under other masks.

    Args:
      optimizer: made by `masked`.
      params: the parameters.
      opt_state: the optimizer's state.
      masks: a tree like params, True keeps.

    Returns:
      Newly dropped weights, and whatever the optimizer gathered for them, are exactly 0. A weight that is brought back
      starts from 0, as it was while dropped; everything else is as it was.

    Raises ValueError for masks that do not fit, and for the state of an optimizer that holds no masks.
    """
    if not isinstance(opt_state, MaskedState):
        raise ValueError(f"opt_state is a {type(opt_state).__name__}, expected the MaskedState of a `masked` optimizer")
    check_masks(params, masks)
    # Maps over what is like params in the state: the slots.
    changed = optax.tree_utils.tree_map_params(optimizer, lambda slot, keep: _zero(keep, slot), opt_state, masks)
    return apply_masks(params, masks), MaskedState(_copy(masks), changed.inner)


def _keep_all(params: optax.Params) -> optax.Params:
    # `tree_map_params` gives a stand-in for the parameters, so these are not params to `masks.keep_all`.
    return jax.tree.map(lambda leaf: jnp.ones(leaf.shape, bool), params)


def _copy(masks: Masks) -> optax.Params:
    # A step that donates its state must not delete the caller's masks.
    return jax.tree.map(lambda mask: jnp.array(mask, bool), masks)


def _zero(masks: optax.Params, tree: optax.Updates) -> optax.Updates:
    # `where` and not a product: a gradient that is not finite must not pass as NaN.
    return jax.tree.map(lambda mask, leaf: jnp.where(mask, leaf, jnp.zeros_like(leaf)), masks, tree)
