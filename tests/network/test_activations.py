import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from yolojax.network import ACTIVATIONS, Architecture, Convolutional, Net, apply
from yolojax.network.activations import CONSTANT_AT_ZERO


def _plse(x: float) -> float:
    if x < -4:
        return 0.01 * (x + 4)
    return 0.01 * (x - 4) + 1 if x > 4 else 0.125 * x + 0.5


def _stair(x: float) -> float:
    n = math.floor(x)
    return math.floor(x / 2) if n % 2 == 0 else (x - n) + math.floor(x / 2)


def _lhtan(x: float) -> float:
    if x < 0:
        return 0.001 * x
    return 0.001 * (x - 1) + 1 if x > 1 else x


# `activations.h`: the function, and its slope from its own result, as Darknet's backward pass takes it.
DARKNET: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "leaky": (lambda x: x if x > 0 else 0.1 * x, lambda y: 1 if y > 0 else 0.1),
    "linear": (lambda x: x, lambda y: 1),
    "relu": (lambda x: x * (x > 0), lambda y: y > 0),
    "logistic": (lambda x: 1 / (1 + math.exp(-x)), lambda y: (1 - y) * y),
    "tanh": (lambda x: (math.exp(2 * x) - 1) / (math.exp(2 * x) + 1), lambda y: 1 - y * y),
    "elu": (lambda x: x if x >= 0 else math.exp(x) - 1, lambda y: (y >= 0) + (y < 0) * (y + 1)),
    "selu": (
        lambda x: 1.0507 * x if x >= 0 else 1.0507 * 1.6732 * (math.exp(x) - 1),
        lambda y: (y >= 0) * 1.0507 + (y < 0) * (y + 1.0507 * 1.6732),
    ),
    "ramp": (lambda x: x * (x > 0) + 0.1 * x, lambda y: (y > 0) + 0.1),
    "relie": (lambda x: x if x > 0 else 0.01 * x, lambda y: 1 if y > 0 else 0.01),
    "loggy": (lambda x: 2 / (1 + math.exp(-x)) - 1, lambda y: 2 * (1 - (y + 1) / 2) * (y + 1) / 2),
    "hardtan": (lambda x: min(max(x, -1), 1), lambda y: 1 if -1 < y < 1 else 0),
    "lhtan": (_lhtan, lambda y: 1 if 0 < y < 1 else 0.001),
    "plse": (_plse, lambda y: 0.01 if y < 0 or y > 1 else 0.125),
    "stair": (_stair, lambda y: 0 if math.floor(y) == y else 1),
}
POINTS = np.array([-6.3, -4.2, -3.6, -2.7, -1.2, -0.7, -0.1, 0.1, 0.6, 1.3, 2.2, 3.7, 4.4, 7.9], np.float32)


def test_every_one_of_darknets() -> None:
    assert DARKNET.keys() == ACTIVATIONS.keys()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_value_and_slope_are_darknets(name: str) -> None:
    function, slope = DARKNET[name]
    expected = [function(float(x)) for x in POINTS]
    np.testing.assert_allclose(ACTIVATIONS[name](jnp.asarray(POINTS)), expected, rtol=1e-5, atol=1e-6)
    slopes = jax.vmap(jax.grad(ACTIVATIONS[name]))(jnp.asarray(POINTS))
    np.testing.assert_allclose(slopes, [slope(y) for y in expected], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_in_a_network_it_follows_the_bias(name: str) -> None:
    variables = {
        "params": {"conv_00": {"kernel": np.ones((1, 1, 1, 2), np.float32), "bias": np.array([0.5, -2], np.float32)}},
        "batch_stats": {},
    }
    architecture = Architecture(Net(1, 1, 1), (Convolutional(2, activation=name),))
    head = apply(architecture, variables, np.full((1, 1, 1, 1), 0.25, np.float32))
    np.testing.assert_allclose(head.ravel(), [DARKNET[name][0](x) for x in (0.75, -1.75)], rtol=1e-5)


def test_those_that_are_not_zero_at_zero() -> None:
    found = {name for name, function in ACTIVATIONS.items() if float(function(jnp.zeros(()))) != 0}
    assert found == CONSTANT_AT_ZERO
