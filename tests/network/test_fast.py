import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax import lax

from tests import helpers
from tests.export import networks
from yolojax import network, pruning
from yolojax.network import Convolutional, Maxpool, Route, blocks, fast, winograd

apply = jax.jit(network.apply, static_argnums=0)
apply_fast = jax.jit(network.apply_fast, static_argnums=0)


def assert_close(found, expected, tolerance=1e-4):
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


SHAPES = [(1, 1, 1), (2, 4, 4), (1, 5, 7), (3, 8, 6), (1, 13, 2)]
WAYS = {
    "blocks": (blocks.block_kernel, blocks.convolve),
    "winograd2": (functools.partial(winograd.transform_kernel, tile=2), functools.partial(winograd.convolve, tile=2)),
    "winograd4": (functools.partial(winograd.transform_kernel, tile=4), functools.partial(winograd.convolve, tile=4)),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("shape", "pooled"), [(s, False) for s in SHAPES] + [((2, 4, 4), True), ((3, 8, 6), True)])
def test_each_way_is_a_convolution(way, shape, pooled):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(*shape, 3)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, 3, 5)).astype(np.float32)
    expected = lax.conv_general_dilated(x, kernel, (1, 1), [(1, 1)] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC"))
    if pooled:
        expected = nn.max_pool(expected, (2, 2), (2, 2))
    transform, convolve = WAYS[way]
    found = jax.jit(functools.partial(convolve, pooled=pooled))(x, transform(kernel))
    assert_close(found, expected, 1e-5)


@pytest.mark.parametrize("tile", [2, 4])
def test_the_transforms_are_exact(tile):
    transforms, rng = winograd.TRANSFORMS[tile], np.random.default_rng(0)
    values, taps = rng.normal(size=tile + 2), rng.normal(size=3)
    found = transforms.output @ ((transforms.kernel @ taps) * (transforms.inputs @ values))
    np.testing.assert_allclose(found, [values[i : i + 3] @ taps for i in range(tile)], atol=1e-12)


@pytest.mark.parametrize("forced", ["direct", "blocks", "winograd2", "winograd4", None])
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


def test_pooling_goes_along_with_the_convolution_before_it_where_nothing_else_reads_that():
    conv, pool = Convolutional(4, 3, padding=1, activation="leaky"), Maxpool(2, 2, 1)
    layers = (conv, pool, conv, pool, conv, Maxpool(2, 1, 1), conv, pool, Route((-2, -2)), Convolutional(7))
    architecture = network.Architecture(network.Net(24, 24), layers)
    variables = helpers.random_variables(architecture)
    prepared = network.prepare_fast(architecture, variables, size=24, platform="cpu")
    # conv_04's pooling keeps the size, and layer 8 reads what conv_06 gives.
    assert [name for name, conv in prepared.items() if conv.pooled] == ["conv_00", "conv_02"]
    images = jax.random.uniform(jax.random.key(0), (2, 24, 24, 3))
    assert_close(apply_fast(architecture, prepared, images), apply(architecture, variables, images))
    odd = network.prepare_fast(architecture, variables, size=13, platform="cpu")
    assert not any(conv.pooled for conv in odd.values())


def test_the_choice():
    conv = Convolutional(64, 3, padding=1)
    assert fast.method(conv, 64, 13, "cpu") == "winograd2"
    assert fast.method(conv, 64, 52, "cpu") == "winograd4"
    assert fast.method(conv, 3, 416, "cpu") == "blocks"
    assert fast.method(conv, 15, 13, "cpu") == "blocks"
    assert fast.method(dataclasses.replace(conv, stride=2), 64, 13, "cpu") == "direct"
    assert fast.method(Convolutional(64), 64, 13, "cpu") == "product"
    assert {fast.method(conv, 64, side, "gpu") for side in (13, 52)} == {"direct"}


def test_memory_that_is_kept(capfd):
    assert network.keep_freed_memory() in (True, False)
    assert jnp.ones(3).sum() == 3
