"""The network in JAX, on its default backend."""

import functools

import jax
import numpy as np

from yolojax import network
from yolojax.network import Model
from yolojax.runtimes.runtime import Session


class JaxSession(Session):
    """`network.apply`, jitted."""

    def __init__(self, model: Model):
        self._variables = jax.device_put(model.variables)
        self._apply = jax.jit(functools.partial(network.apply, model.architecture))

    def arrange(self, images: np.ndarray) -> np.ndarray:
        """As they are."""
        return images

    def run(self, arranged: np.ndarray) -> np.ndarray:
        return np.asarray(self._apply(self._variables, arranged))
