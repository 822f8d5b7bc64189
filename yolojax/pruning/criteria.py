"""Criteria: how much each weight or filter matters. To add one: its function, and its line in `CRITERIA`."""

import dataclasses
import enum
import functools
from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp

from yolojax.network import Architecture, Leaf, Params
from yolojax.pruning.prunable import Kind
from yolojax.pruning.taylor import filter_taylor
from yolojax.pruning.types import Scores

Scope = Literal["global", "layer"]


class Needs(enum.Enum):
    """What a criterion's function is called with."""

    PARAMS = "params"  # (architecture, params)
    STATISTICS = "batch_stats"  # (architecture, variables)
    IMAGES = "images"  # (architecture, variables, batches), of which it reads the images alone
    BATCHES = "batches"  # (architecture, variables, batches), labels and all

    @property
    def data(self) -> bool:
        """Whether it is called with batches."""
        return self in (Needs.IMAGES, Needs.BATCHES)


@dataclasses.dataclass(frozen=True)
class Criterion:
    """A way to score, with what was published about it.

    Attributes:
      name: as `filter_masks` and configs take it.
      kind: `weight` or `filter`: what it scores.
      score: a pure function of what `needs` says that returns {convolution: scores}, (filters,) or the kernel's shape.
        What scores lowest is dropped first. Scores of weights are not negative.
      needs: the parameters alone, the batch norm's statistics as well, or batches of training images as well, with
        their labels or without.
      scope: what it was published with: `global` ranks all layers together, `layer` takes the same share of each.
      reference: where it was published.
    """

    name: str
    kind: Kind
    score: Callable[..., Scores]
    needs: Needs = Needs.PARAMS
    scope: Scope = "global"
    reference: str = ""


# Compiled by themselves, so that masks are made of the very numbers that a call returns.
_compiled = functools.partial(jax.jit, static_argnums=0)


@_compiled
def weight_magnitude(architecture: Architecture, params: Params) -> Scores:
    """{convolution: |kernel|}, the kernel's shape (Han et al. 2015, section 3)."""
    return {conv.name: jnp.abs(params[conv.name]["kernel"]) for conv in architecture.convolutions}


@_compiled
def filter_l1(architecture: Architecture, params: Params) -> Scores:
    """{convolution: (filters,)}: the L1 norm of each filter's kernel (Li et al. 2016, section 3.1)."""
    return {
        conv.name: jnp.sum(jnp.abs(params[conv.name]["kernel"]), axis=(0, 1, 2)) for conv in architecture.convolutions
    }


@_compiled
def filter_mean_square(architecture: Architecture, params: Params) -> Scores:
    """{convolution: (filters,)}: each filter's mean square, over the L2 norm of its layer's (the study's).

    A layer of zeros scores 0; a NaN weight makes NaN of its whole layer's scores.
    """

    def score(kernel: Leaf) -> jax.Array:
        means = jnp.mean(jnp.square(kernel), axis=(0, 1, 2))
        norm = jnp.sqrt(jnp.sum(jnp.square(means)))
        return means / jnp.where(norm == 0, jnp.ones_like(norm), norm)

    return {conv.name: score(params[conv.name]["kernel"]) for conv in architecture.convolutions}


@_compiled
def filter_bn_scale(architecture: Architecture, params: Params) -> Scores:
    """{convolution: (filters,)}: the size of each filter's batch norm scale, |γ| (Liu et al. 2017, section 3).

    The filters of a convolution without batch norm score infinity, so they stay.
    """
    return {
        conv.name: jnp.abs(params[conv.name]["scale"])
        if conv.layer.batch_normalize
        else jnp.full(conv.layer.filters, jnp.inf)
        for conv in architecture.convolutions
    }


@_compiled
def filter_lamp(architecture: Architecture, params: Params) -> Scores:
    """{convolution: (filters,)}: s² over the sum of the squares not smaller in the layer, s the filter's L1 norm.

    LAMP (Lee et al. 2021) with filters in place of weights: what is left of a layer is worth more the less
    of it is left, so layers compare.
    """

    def score(norms: jax.Array) -> jax.Array:
        order = jnp.argsort(norms, stable=True)
        squares = jnp.square(norms[order])
        left = jnp.cumsum(squares[::-1])[::-1]
        lamp = squares / jnp.where(left == 0, jnp.ones_like(left), left)
        return jnp.zeros_like(norms).at[order].set(lamp)

    return {name: score(jnp.asarray(norms)) for name, norms in filter_l1(architecture, params).items()}


CRITERIA: dict[str, Criterion] = {
    criterion.name: criterion
    for criterion in (
        Criterion("magnitude", "weight", weight_magnitude, reference="Han et al. 2015"),
        Criterion("mean_square", "filter", filter_mean_square, reference="the study"),
        Criterion("l1", "filter", filter_l1, scope="layer", reference="Li et al. 2016"),
        Criterion("lamp", "filter", filter_lamp, reference="Lee et al. 2021"),
        Criterion("bn_scale", "filter", filter_bn_scale, reference="Liu et al. 2017"),
        Criterion("taylor", "filter", filter_taylor, Needs.BATCHES, reference="Molchanov et al. 2019"),
    )
}
# The study's.
DEFAULT_CRITERIA: dict[Kind, str] = {"weight": "magnitude", "filter": "mean_square"}
