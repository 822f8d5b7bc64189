import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from tests import helpers
from tests.export import networks
from yolojax import network, pruning
from yolojax.network import Convolutional, fast, winograd

apply = jax.jit(network.apply, static_argnums=0)
apply_fast = jax.jit(network.apply_fast, static_argnums=0)


def assert_close(found, expected, tolerance=1e-4):
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.parametrize("tile", [2, 4])
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 4, 4), (1, 5, 7), (3, 8, 6), (1, 13, 2)])
def test_winograd_is_a_convolution(tile, shape):
    rng = np.random.default_rng(tile)
    x = rng.normal(size=(*shape, 3)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, 3, 5)).astype(np.float32)
    expected = lax.conv_general_dilated(x, kernel, (1, 1), [(1, 1)] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC"))
    found = jax.jit(winograd.convolve, static_argnums=2)(x, winograd.transform_kernel(kernel, tile), tile)
    assert_close(found, expected, 1e-5)


@pytest.mark.parametrize("tile", [2, 4])
def test_the_transforms_are_exact(tile):
    transforms, rng = winograd.TRANSFORMS[tile], np.random.default_rng(0)
    values, taps = rng.normal(size=tile + 2), rng.normal(size=3)
    found = transforms.output @ ((transforms.kernel @ taps) * (transforms.inputs @ values))
    np.testing.assert_allclose(found, [values[i : i + 3] @ taps for i in range(tile)], atol=1e-12)


@pytest.mark.parametrize("forced", ["direct", "patches", "winograd2", "winograd4", None])
@pytest.mark.parametrize("seed", range(3))
def test_every_method_gives_the_same_head(forced, seed, monkeypatch):
    architecture = networks.random_architecture(seed)
    variables = helpers.random_variables(architecture)

    def choose(layer, channels, side, platform):
        fits = layer.size == 3 and layer.stride == 1 and layer.padding == 1
        if forced is None:
            monkeypatch.setattr(fast, "LEAST_CHANNELS", 1)
            return real(layer, channels, side, platform)
        return forced if fits else "direct"

    real = fast.method
    monkeypatch.setattr(fast, "method", choose)
    prepared = network.prepare_fast(architecture, variables, size=32, platform="cpu")
    net = architecture.net
    images = jax.random.uniform(jax.random.key(0), (2, net.height, net.width, net.channels))
    assert_close(apply_fast(architecture, prepared, images), apply(architecture, variables, images))


def test_a_removed_network_too():
    architecture = helpers.small_architecture()
    variables = helpers.random_variables(architecture)
    masks = pruning.filter_masks(architecture, variables["params"], 0.4)
    smaller, small = pruning.remove_filters(architecture, variables, masks)
    prepared = network.prepare_fast(smaller, small, size=32)
    images = jax.random.uniform(jax.random.key(0), (1, 32, 32, 3))
    assert_close(apply_fast(smaller, prepared, images), apply(smaller, small, images))


def test_the_choice():
    conv = Convolutional(64, 3, padding=1)
    assert fast.method(conv, 64, 13, "cpu") == "winograd2"
    assert fast.method(conv, 64, 52, "cpu") == "winograd4"
    assert fast.method(conv, 64, 416, "cpu") == "direct"
    assert fast.method(conv, 3, 416, "cpu") == "patches"
    assert fast.method(conv, 8, 13, "cpu") == "direct"
    assert fast.method(dataclasses.replace(conv, stride=2), 64, 13, "cpu") == "direct"
    assert fast.method(Convolutional(64), 64, 13, "cpu") == "product"
    assert {fast.method(conv, 64, side, "gpu") for side in (13, 52)} == {"direct"}


def test_memory_that_is_kept(capfd):
    assert network.keep_freed_memory() in (True, False)
    assert jnp.ones(3).sum() == 3
