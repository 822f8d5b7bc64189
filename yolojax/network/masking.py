"""Masks put on parameters."""

import jax
import jax.numpy as jnp

from yolojax.network.variables import Masks, Params, leaf_paths


def apply_masks(params: Params, masks: Masks) -> dict[str, dict[str, jax.Array]]:
    """The parameters with exactly 0 wherever a mask is False. Raises ValueError for masks of another shape."""
    check_masks(params, masks)
    masked: dict[str, dict[str, jax.Array]] = jax.tree.map(
        lambda leaf, mask: jnp.where(mask, leaf, jnp.zeros_like(leaf)), params, masks
    )
    return masked


def check_masks(params: Params, masks: Masks) -> None:
    """Raises ValueError that names the first leaf which masks lack, have too many or have in another shape."""
    found, expected = ({path: leaf.shape for path, leaf in leaf_paths(tree).items()} for tree in (masks, params))
    for path in sorted(found.keys() | expected.keys()):
        if found.get(path) != expected.get(path):
            came, wanted = found.get(path, "nothing"), expected.get(path, "nothing")
            raise ValueError(f"masks do not fit the parameters: {path} is {came}, expected {wanted}; make new masks")
