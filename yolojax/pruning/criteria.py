"""Criteria: how much each weight or filter matters. To add one: its function, and its line in `CRITERIA`."""

import dataclasses
import enum
import functools
import zlib
from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Float

from yolojax.network import Architecture, Leaf, Params
from yolojax.pruning.fisher import filter_fisher
from yolojax.pruning.prunable import Kind
from yolojax.pruning.taylor import filter_taylor
from yolojax.pruning.types import Scores
from yolojax.pruning.unpredictability import filter_unpredictability

Scope = Literal["global", "layer", "erdos_renyi"]
SCOPES: dict[Kind, tuple[Scope, ...]] = {
    "weight": ("global", "layer", "erdos_renyi"),
    "filter": ("global", "layer"),
}


class Needs(enum.Enum):
    """What a criterion's function is called with."""

    PARAMS = "params"  # (architecture, params)
    SEED = "seed"  # (architecture, params, seed)
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
      needs: the parameters alone, a seed as well, the batch norm's statistics as well, or training images,
        with their labels or without.
      scope: what it was published with: `global` ranks all layers together, `layer` takes the same share of each,
        and `erdos_renyi`, of weights, a smaller one of smaller layers.
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
    return _magnitudes(architecture, params)


@_compiled
def filter_l1(architecture: Architecture, params: Params) -> Scores:
    """{convolution: (filters,)}: the L1 norm of each filter's kernel (Li et al. 2016, section 3.1)."""
    return {
        conv.name: jnp.sum(jnp.abs(params[conv.name]["kernel"]), axis=(0, 1, 2)) for conv in architecture.convolutions
    }


@_compiled
def filter_l2(architecture: Architecture, params: Params) -> Scores:
    """{convolution: (filters,)}: the L2 norm of each filter's kernel (He et al. 2018, "Soft Filter Pruning")."""
    return {
        conv.name: jnp.linalg.norm(_rows(params[conv.name]["kernel"]), axis=1) for conv in architecture.convolutions
    }


@_compiled
def filter_fpgm(architecture: Architecture, params: Params) -> Scores:
    """{convolution: (filters,)}: the sum of each filter's distances to the layer's others.

    What lies close to all others, and so to their geometric median, can be replaced by them (He et al. 2019, "Filter
    Pruning via Geometric Median").
    """

    def score(kernel: Leaf) -> jax.Array:
        filters = _rows(kernel)
        squares = jnp.sum(jnp.square(filters), axis=1)
        products = jnp.matmul(filters, filters.T, precision=jax.lax.Precision.HIGHEST)
        # |a - b|² = |a|² + |b|² - 2ab, which rounding takes below 0 for equal filters.
        distances = jnp.sqrt(jnp.maximum(squares[:, None] + squares[None, :] - 2 * products, 0))
        return jnp.sum(jnp.where(jnp.eye(squares.size, dtype=bool), 0.0, distances), axis=1)

    return {conv.name: score(params[conv.name]["kernel"]) for conv in architecture.convolutions}


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
    return {name: _lamp(jnp.asarray(norms)) for name, norms in filter_l1(architecture, params).items()}


@_compiled
def weight_lamp(architecture: Architecture, params: Params) -> Scores:
    """{convolution: w² over the sum of the squares not smaller in the layer}, the kernel's shape.

    Lee et al. 2021, "Layer-adaptive Sparsity for the Magnitude-based Pruning": one threshold over all
    layers then gives each its own amount. The largest weight of each layer scores 1.
    """
    return {
        name: _lamp(sizes.ravel()).reshape(sizes.shape) for name, sizes in _magnitudes(architecture, params).items()
    }


def filter_random(architecture: Architecture, params: Params, seed: int = 0) -> Scores:
    """{convolution: (filters,)}: uniform in [0, 1), by the seed and the layer's name: a control."""
    return {conv.name: _uniform(seed, conv.name, (conv.layer.filters,)) for conv in architecture.convolutions}


def weight_random(architecture: Architecture, params: Params, seed: int = 0) -> Scores:
    """{convolution: uniform in [0, 1)}, the kernel's shape, by the seed and the layer's name: a control."""
    return {conv.name: _uniform(seed, conv.name, conv.kernel_shape) for conv in architecture.convolutions}


def _magnitudes(architecture: Architecture, params: Params) -> dict[str, jax.Array]:
    return {conv.name: jnp.abs(params[conv.name]["kernel"]) for conv in architecture.convolutions}


def _rows(kernel: Leaf) -> Float[jax.Array, "filters weights"]:
    return jnp.reshape(kernel, (-1, kernel.shape[-1])).T


def _lamp(sizes: Float[jax.Array, " n"]) -> Float[jax.Array, " n"]:
    """Each one's square over the sum of the squares not smaller; 0 where all are 0; the first of equals is least."""
    order = jnp.argsort(sizes, stable=True)
    squares = jnp.square(sizes[order])
    left = jnp.cumsum(squares[::-1])[::-1]
    lamp = squares / jnp.where(left == 0, jnp.ones_like(left), left)
    return jnp.zeros_like(sizes).at[order].set(lamp)


def _uniform(seed: int, name: str, shape: tuple[int, ...]) -> jax.Array:
    # Not by the layer's place: a name's scores are the same in every network that has a layer of that shape.
    return jax.random.uniform(jax.random.fold_in(jax.random.key(seed), zlib.crc32(name.encode())), shape)


CRITERIA: dict[str, Criterion] = {
    criterion.name: criterion
    for criterion in (
        Criterion("magnitude", "weight", weight_magnitude, reference="Han et al. 2015"),
        Criterion("weight_lamp", "weight", weight_lamp, reference="Lee et al. 2021"),
        Criterion("weight_random", "weight", weight_random, Needs.SEED, reference="a control"),
        Criterion("mean_square", "filter", filter_mean_square, reference="the study"),
        Criterion("l1", "filter", filter_l1, scope="layer", reference="Li et al. 2016"),
        Criterion("l2", "filter", filter_l2, scope="layer", reference="He et al. 2018"),
        Criterion("fpgm", "filter", filter_fpgm, scope="layer", reference="He et al. 2019"),
        Criterion("lamp", "filter", filter_lamp, reference="Lee et al. 2021"),
        Criterion("bn_scale", "filter", filter_bn_scale, reference="Liu et al. 2017"),
        Criterion("taylor", "filter", filter_taylor, Needs.BATCHES, reference="Molchanov et al. 2019"),
        Criterion("fisher", "filter", filter_fisher, Needs.BATCHES, reference="Liu et al. 2021"),
        Criterion("unpredictability", "filter", filter_unpredictability, Needs.IMAGES, reference="this project"),
        Criterion("random", "filter", filter_random, Needs.SEED, scope="layer", reference="a control"),
    )
}
# The study's.
DEFAULT_CRITERIA: dict[Kind, str] = {"weight": "magnitude", "filter": "mean_square"}
