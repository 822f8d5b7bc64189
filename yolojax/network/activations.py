"""Darknet's activation functions (`activations.h`), by their names in a `.cfg`."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

LEAKY_SLOPE = 0.1
RELIE_SLOPE = 0.01
RAMP_SLOPE = 0.1
SELU_SCALE, SELU_ALPHA = 1.0507, 1.6732  # as many digits as Darknet has
Function = Callable[[jax.Array], jax.Array]


def leaky(x: jax.Array) -> jax.Array:
    """x, or a tenth of it below 0."""
    return nn.leaky_relu(x, LEAKY_SLOPE)


def relie(x: jax.Array) -> jax.Array:
    """x, or a hundredth of it below 0."""
    return nn.leaky_relu(x, RELIE_SLOPE)


def ramp(x: jax.Array) -> jax.Array:
    """ReLU, and a tenth of x everywhere."""
    return nn.relu(x) + RAMP_SLOPE * x


def selu(x: jax.Array) -> jax.Array:
    """The scaled ELU of Klambauer et al. 2017."""
    return SELU_SCALE * nn.elu(x, SELU_ALPHA)


def loggy(x: jax.Array) -> jax.Array:
    """2 σ(x) - 1."""
    return jnp.tanh(x / 2)


def hardtan(x: jax.Array) -> jax.Array:
    """x, held in -1..1."""
    return jnp.clip(x, -1, 1)


def lhtan(x: jax.Array) -> jax.Array:
    """x in 0..1, of slope .001 outside."""
    return 0.999 * jnp.clip(x, 0, 1) + 0.001 * x


def plse(x: jax.Array) -> jax.Array:
    """A logistic function of three straight pieces: .5 + x / 8 in -4..4, of slope .01 outside."""
    return 0.115 * jnp.clip(x, -4, 4) + 0.01 * x + 0.5


def stair(x: jax.Array) -> jax.Array:
    """Steps of 1 for each 2 of x: flat over the first half, a slope of 1 over the second."""
    step = jnp.floor(x / 2)
    return step + nn.relu(x - 2 * step - 1)


ACTIVATIONS: dict[str, Function] = {
    "leaky": leaky,
    "linear": lambda x: x,
    "relu": nn.relu,
    "logistic": nn.sigmoid,
    "tanh": jnp.tanh,
    "elu": nn.elu,
    "selu": selu,
    "ramp": ramp,
    "relie": relie,
    "loggy": loggy,
    "hardtan": hardtan,
    "lhtan": lhtan,
    "plse": plse,
    "stair": stair,
}
# Not 0 at 0: a filter that is masked still gives a constant.
CONSTANT_AT_ZERO = frozenset({"logistic", "plse"})
