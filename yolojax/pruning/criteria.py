"""Scores: how much each weight or filter matters. Pure functions of (architecture, params)."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from yolojax.network import Architecture

Scores = dict[str, jax.Array]


def weight_magnitude(architecture: Architecture, params: Mapping[str, Any]) -> Scores:
    """{convolution: |kernel|}, the kernel's shape (Han et al. 2015, section 3)."""
    return {conv.name: jnp.abs(params[conv.name]["kernel"]) for conv in architecture.convolutions}


def filter_l1(architecture: Architecture, params: Mapping[str, Any]) -> Scores:
    """{convolution: (filters,)}: the L1 norm of each filter's kernel (Li et al. 2016, section 3.1)."""
    return {
        conv.name: jnp.sum(jnp.abs(params[conv.name]["kernel"]), axis=(0, 1, 2)) for conv in architecture.convolutions
    }


def filter_mean_square(architecture: Architecture, params: Mapping[str, Any]) -> Scores:
    """{convolution: (filters,)}: each filter's mean square, over the L2 norm of its layer's (the study's).

    A layer of zeros scores 0; a NaN weight makes NaN of its whole layer's scores.
    """

    def score(kernel: jax.Array) -> jax.Array:
        means = jnp.mean(jnp.square(kernel), axis=(0, 1, 2))
        norm = jnp.sqrt(jnp.sum(jnp.square(means)))
        return means / jnp.where(norm == 0, jnp.ones_like(norm), norm)

    return {conv.name: score(params[conv.name]["kernel"]) for conv in architecture.convolutions}


Criterion = Callable[[Architecture, Mapping[str, Any]], Scores]
WEIGHT_CRITERIA: dict[str, Criterion] = {"magnitude": weight_magnitude}
FILTER_CRITERIA: dict[str, Criterion] = {"mean_square": filter_mean_square, "l1": filter_l1}
