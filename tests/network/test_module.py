from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import helpers
from yolojax import network
from yolojax.network import Architecture, Avgpool, Convolutional, Cost, Maxpool, Net, Region, Reorg, Route, Softmax
from yolojax.network.module import maxpool

JIT = pytest.mark.parametrize("jit", [True, False], ids=["jit", "eager"])


def _normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def _darknet_reorg(x: np.ndarray, s: int) -> np.ndarray:
    """`reorg_cpu` with forward=0 over the flat (C, H, W) buffer, as Darknet calls it for a forward pass."""
    channels, height, width = x.shape
    flat, out, depth = x.ravel(), np.empty(x.size, x.dtype), channels // s**2
    for k, j, i in np.ndindex(channels, height, width):
        c2, offset = k % depth, k // depth
        source = (i * s + offset % s) + width * s * ((j * s + offset // s) + height * s * c2)
        out[i + width * (j + height * k)] = flat[source]
    return out.reshape(channels * s**2, height // s, width // s)


@pytest.mark.parametrize("shape", [(4, 4, 6), (8, 2, 2), (12, 6, 4), (64, 4, 4)])
def test_reorg_equals_darknets_loop(shape: tuple[int, int, int]) -> None:
    x = np.arange(2 * np.prod(shape), dtype=np.float32).reshape(2, *shape)
    expected = np.stack([_darknet_reorg(image, 2) for image in x])
    np.testing.assert_array_equal(
        network.reorg(jnp.asarray(x.transpose(0, 2, 3, 1)), 2), expected.transpose(0, 2, 3, 1)
    )


def test_reorg_of_stride_three() -> None:
    x = _normal(18, 6, 9)
    result = network.reorg(jnp.asarray(x.transpose(1, 2, 0)[None]), 3)
    np.testing.assert_array_equal(result[0], _darknet_reorg(x, 3).transpose(1, 2, 0))


def _darknet_maxpool(x: np.ndarray, size: int, stride: int, padding: int) -> np.ndarray:
    """`forward_maxpool_layer` on one (H, W, C) map."""
    height, width, channels = x.shape
    out = np.full(((height + padding - size) // stride + 1, (width + padding - size) // stride + 1, channels), -np.inf)
    for i, j, n, m in np.ndindex(*out.shape[:2], size, size):
        row, column = i * stride + n - padding // 2, j * stride + m - padding // 2
        if 0 <= row < height and 0 <= column < width:
            out[i, j] = np.maximum(out[i, j], x[row, column])
    return out.astype(x.dtype)


@pytest.mark.parametrize(("height", "width"), [(4, 6), (5, 7), (13, 13), (2, 3)])
@pytest.mark.parametrize(
    ("size", "stride", "padding"), [(2, 1, 1), (2, 2, 1), (2, 2, 0), (3, 2, 2), (3, 1, 2), (1, 1, 0)]
)
def test_maxpool_equals_darknets_loop(height: int, width: int, size: int, stride: int, padding: int) -> None:
    x = _normal(height, width, 2) - 5  # all below 0, so that a padding of zeros would show
    result = maxpool(jnp.asarray(x[None]), size, stride, padding)
    np.testing.assert_array_equal(result[0], _darknet_maxpool(x, size, stride, padding))


@JIT
def test_maxpool_gradient_goes_to_the_maximum(jit: bool) -> None:
    gradient = jax.grad(lambda x: maxpool(x, 2, 2, 1).sum())
    x = jnp.array([[1.0, 4.0, 7.0], [3.0, 2.0, 8.0], [5.0, 6.0, 9.0]])[None, :, :, None]
    result = (jax.jit(gradient) if jit else gradient)(x)
    np.testing.assert_array_equal(result[0, :, :, 0], [[0, 1, 0], [0, 0, 1], [0, 1, 1]])


def _darknet_maxpool_gradient(x: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """`backward_maxpool_layer` for size 2, stride 2 on one (H, W, C) map: to the first of the largest."""
    out = np.zeros_like(x)
    for i, j, c in np.ndindex(*gradient.shape):
        window = x[2 * i : 2 * i + 2, 2 * j : 2 * j + 2, c]
        row, column = divmod(int(np.argmax(window)), 2)
        out[2 * i + row, 2 * j + column, c] += gradient[i, j, c]
    return out


@JIT
def test_the_gradient_of_a_halving_pool_is_darknets_with_ties_too(jit: bool) -> None:
    x = np.random.default_rng(0).integers(0, 3, (2, 8, 6, 5)).astype(np.float32)  # most windows have a tie
    gradient = _normal(2, 4, 3, 5, seed=1)
    pull = lambda x: jax.vjp(lambda x: maxpool(x, 2, 2, 1), x)[1](jnp.asarray(gradient))[0]  # noqa: E731
    result = (jax.jit(pull) if jit else pull)(jnp.asarray(x))
    expected = [_darknet_maxpool_gradient(*pair) for pair in zip(x, gradient, strict=True)]
    np.testing.assert_array_equal(result, np.stack(expected))


def test_the_gradient_of_a_halving_pool_has_a_slope() -> None:
    """Products with a Hessian go forward over a gradient."""
    x, slope = _normal(1, 4, 6, 2), _normal(1, 4, 6, 2, seed=1)
    gradient = jax.grad(lambda x: jnp.sum(jnp.square(maxpool(x, 2, 2, 1))))
    largest = np.asarray(jax.grad(lambda x: jnp.sum(maxpool(x, 2, 2, 1)))(x))
    np.testing.assert_allclose(jax.jvp(gradient, (x,), (slope,))[1], 2 * largest * slope, rtol=1e-6)


@pytest.mark.parametrize(("groups", "filters"), [(2, 6), (4, 4), (4, 8)])
def test_a_convolution_with_groups_equals_loops(groups: int, filters: int) -> None:
    """Those of as many groups as channels too, with one filter for each or two."""
    layer = Convolutional(filters, 3, 2, 1, activation="leaky", groups=groups)
    architecture = Architecture(Net(7, 6, 4), (layer,))
    variables, x = helpers.random_variables(architecture), _normal(2, 7, 6, 4)
    leaves = variables["params"]["conv_00"]
    assert leaves["kernel"].shape == (3, 3, 4 // groups, filters)
    parts = zip(np.split(x, groups, axis=3), np.split(np.asarray(leaves["kernel"]), groups, axis=3), strict=True)
    linear = np.concatenate([_convolve(part, kernel, 2, 1) for part, kernel in parts], axis=3) + leaves["bias"]
    expected = np.where(linear > 0, linear, 0.1 * linear)
    np.testing.assert_allclose(network.apply(architecture, variables, x), expected, rtol=1e-5, atol=1e-5)


def test_a_classifiers_last_layers_equal_numpy() -> None:
    architecture = Architecture(Net(5, 4), (Convolutional(6, 3), Avgpool(), Softmax(), Cost()))
    variables = helpers.random_variables(architecture)
    x = _normal(2, 5, 4, 3)
    layer = variables["params"]["conv_00"]
    means = (_convolve(x, layer["kernel"], 1, 0) + layer["bias"]).mean((1, 2))
    expected = np.exp(means) / np.exp(means).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(network.apply(architecture, variables, x)[:, 0, 0], expected, rtol=1e-5)


def _convolve(x: np.ndarray, kernel: np.ndarray, stride: int, padding: int) -> np.ndarray:
    """Cross-correlation of (B, H, W, I) with (h, w, I, O) by plain loops, in float64."""
    x = np.pad(x.astype(np.float64), ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    size = kernel.shape[0]
    height, width = ((side - size) // stride + 1 for side in x.shape[1:3])
    out = np.empty((len(x), height, width, kernel.shape[-1]))
    for i, j in np.ndindex(height, width):
        patch = x[:, i * stride : i * stride + size, j * stride : j * stride + size]
        out[:, i, j] = np.einsum("bhwi,hwio->bo", patch, kernel)
    return out


def _variables(layer: Convolutional) -> dict[str, Any]:
    vector = layer.filters
    params = {"kernel": _normal(layer.size, layer.size, 3, vector), "bias": _normal(vector, seed=1)}
    if not layer.batch_normalize:
        return {"params": {"conv_00": params}, "batch_stats": {}}
    params["scale"] = _normal(vector, seed=2)
    statistics = {"mean": _normal(vector, seed=3), "var": np.square(_normal(vector, seed=4)) + np.float32(0.01)}
    return {"params": {"conv_00": params}, "batch_stats": {"conv_00": statistics}}


@JIT
@pytest.mark.parametrize(
    "layer",
    [
        Convolutional(4, 3, 1, 1, batch_normalize=True, activation="leaky"),
        Convolutional(4, 3, 2, 0, batch_normalize=True),
        Convolutional(4, 1, 1, 0, activation="leaky"),
        Convolutional(4, 2, 3, 2),
    ],
)
def test_convolution_equals_loops(layer: Convolutional, jit: bool) -> None:
    variables, images = _variables(layer), _normal(2, 7, 5, 3, seed=9)
    params = variables["params"]["conv_00"]
    expected = _convolve(images, params["kernel"], layer.stride, layer.padding)
    if layer.batch_normalize:
        statistics = variables["batch_stats"]["conv_00"]
        expected = (expected - statistics["mean"]) / np.sqrt(statistics["var"] + 1e-5) * params["scale"]
    expected = expected + params["bias"]
    if layer.activation == "leaky":
        expected = np.where(expected > 0, expected, 0.1 * expected)
    apply = jax.jit(network.apply, static_argnums=0) if jit else network.apply
    head = apply(Architecture(Net(7, 5), (layer,)), variables, jnp.asarray(images))
    np.testing.assert_allclose(head, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


NORMALISED = Convolutional(4, 3, 1, 1, batch_normalize=True, activation="leaky")


def test_apply_train_equals_numpy() -> None:
    variables, images = _variables(NORMALISED), _normal(4, 6, 6, 3, seed=9)
    params, before = variables["params"]["conv_00"], variables["batch_stats"]["conv_00"]
    x = _convolve(images, params["kernel"], 1, 1)
    mean, var = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    x = (x - mean) / np.sqrt(var + 1e-5) * params["scale"] + params["bias"]
    head, after = network.apply_train(Architecture(Net(6, 6), (NORMALISED,)), variables, jnp.asarray(images))
    np.testing.assert_allclose(head, np.where(x > 0, x, 0.1 * x), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(after["conv_00"]["mean"], 0.99 * before["mean"] + 0.01 * mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(after["conv_00"]["var"], 0.99 * before["var"] + 0.01 * var, rtol=1e-5)
    np.testing.assert_array_equal(before["mean"], _normal(4, seed=3))


def test_apply_train_without_batch_norm_has_no_statistics() -> None:
    layer = Convolutional(2)
    _, statistics = network.apply_train(Architecture(Net(4, 4), (layer,)), _variables(layer), jnp.ones((1, 4, 4, 3)))
    assert statistics == {}


def test_four_devices_equal_one() -> None:
    architecture = Architecture(Net(6, 6), (NORMALISED,))
    # Different statistics on each device, so that averaging variances around each one's own mean would show.
    images = _normal(4, 6, 6, 3) + np.arange(4, dtype=np.float32)[:, None, None, None]
    variables = _variables(NORMALISED)

    def loss(params: Any, images: jax.Array, axis_name: str | None) -> Any:
        tree = {"params": params, "batch_stats": variables["batch_stats"]}
        head, statistics = network.apply_train(architecture, tree, images, axis_name=axis_name)
        return jnp.mean(jnp.square(head)), (head, statistics)

    def on_each(images: jax.Array) -> Any:
        gradients, (head, statistics) = jax.grad(loss, has_aux=True)(variables["params"], images, "batch")
        return jax.lax.pmean(gradients, "batch"), head, statistics

    gradients, head, statistics = jax.pmap(on_each, axis_name="batch")(images[:, None])
    expected, (whole, running) = jax.grad(loss, has_aux=True)(variables["params"], jnp.asarray(images), None)
    np.testing.assert_allclose(head[:, 0], whole, rtol=1e-4, atol=1e-5)
    for device in range(4):
        chex.assert_trees_all_close(jax.tree.map(lambda x, d=device: x[d], statistics), running, rtol=1e-5)
        chex.assert_trees_all_close(jax.tree.map(lambda x, d=device: x[d], gradients), expected, rtol=1e-3, atol=1e-5)


ODD = Architecture(
    Net(height=24, width=40, channels=1),
    (
        Convolutional(5, 3, 1, 1, batch_normalize=True, activation="leaky"),
        Maxpool(2, 2, 1),
        Convolutional(8, 3, 1, 1, batch_normalize=True, activation="leaky"),
        Maxpool(2, 2, 1),
        Convolutional(3, 3, 1, 1),
        Maxpool(2, 1, 1),
        Route((2,)),
        Reorg(2),
        Route((-1, 5)),
        Convolutional(21),
        Region(((1.0, 1.0), (2.0, 1.0), (3.0, 3.0)), 2),
    ),
)


def test_init_and_apply_shapes() -> None:
    variables = network.init(ODD, jax.random.key(0))
    network.check_variables(ODD, variables)
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    assert network.apply(ODD, variables, jnp.ones((3, 24, 40, 1))).shape == (3, 6, 10, 21)
    assert network.apply(ODD, variables, jnp.ones((2, 8, 16, 1))).shape == (2, 2, 4, 21)
    assert network.apply(ODD, {"params": variables["params"], **variables}, jnp.ones((0, 8, 8, 1))).shape == (
        0,
        2,
        2,
        21,
    )


def test_init_is_the_identity_in_batch_norm_and_differs_by_key() -> None:
    first, second = network.init(ODD, jax.random.key(0)), network.init(ODD, jax.random.key(1))
    statistics, params = first["batch_stats"]["conv_00"], first["params"]["conv_00"]
    assert [float(v) for v in (statistics["mean"][0], statistics["var"][0], params["scale"][0], params["bias"][0])] == [
        0.0,
        1.0,
        1.0,
        0.0,
    ]
    assert not np.array_equal(params["kernel"], second["params"]["conv_00"]["kernel"])
    again = network.init(ODD, jax.random.key(0))
    chex.assert_trees_all_equal(first, again)


def test_init_without_batch_norm_has_both_collections() -> None:
    assert network.init(Architecture(Net(4, 4), (Convolutional(2),)), jax.random.key(0))["batch_stats"] == {}


def test_bfloat16_compute_keeps_float32_at_both_ends() -> None:
    variables, images = network.init(ODD, jax.random.key(0)), jnp.asarray(_normal(2, 24, 40, 1))
    exact = network.apply(ODD, variables, images)
    head = network.apply(ODD, variables, images, dtype=jnp.bfloat16)
    assert head.dtype == jnp.float32
    error = np.abs(head - exact).max() / np.abs(exact).max()
    assert 1e-5 < error < 0.05
    _, statistics = network.apply_train(ODD, variables, images, dtype=jnp.bfloat16)
    assert {leaf.dtype for leaf in jax.tree.leaves(statistics)} == {jnp.dtype("float32")}


@pytest.mark.parametrize("shape", [(32, 32, 3), (1, 3, 32, 32), (1, 32, 32, 1)])
def test_images_of_another_shape(shape: tuple[int, ...]) -> None:
    architecture = helpers.small_architecture()
    variables = helpers.random_variables(architecture)
    with pytest.raises(ValueError, match=r"expected \(batch, height, width, 3\)"):
        network.apply(architecture, variables, jnp.zeros(shape))


def test_maps_are_what_the_next_convolution_reads() -> None:
    architecture = helpers.small_architecture()
    variables, images = helpers.random_variables(architecture), jnp.asarray(_normal(2, 32, 32, 3))
    inputs = network.convolution_inputs(architecture, variables, images)
    layers = ("conv_04", "conv_11", "conv_12")
    head, statistics, maps = network.apply_with_maps(architecture, variables, images, layers=layers)
    assert maps.keys() == set(layers)
    np.testing.assert_array_equal(maps["conv_04"], inputs["conv_08"])
    np.testing.assert_array_equal(maps["conv_11"], inputs["conv_12"])
    np.testing.assert_array_equal(maps["conv_12"], head)
    np.testing.assert_array_equal(head, network.apply(architecture, variables, images))
    chex.assert_trees_all_equal(statistics, variables["batch_stats"])


def test_maps_in_training_are_those_of_that_pass() -> None:
    architecture = helpers.small_architecture()
    variables, images = helpers.random_variables(architecture), jnp.asarray(_normal(2, 32, 32, 3))
    head, statistics, maps = network.apply_with_maps(architecture, variables, images, layers=("conv_12",), train=True)
    expected = network.apply_train(architecture, variables, images)
    chex.assert_trees_all_equal((head, statistics), expected)
    np.testing.assert_array_equal(maps["conv_12"], head)
    with pytest.raises(ValueError, match="layers name 'conv_01', which is not a convolution; there are conv_00, "):
        network.apply_with_maps(architecture, variables, images, layers=("conv_01",))


def test_layer_by_layer_it_is_the_whole_network() -> None:
    architecture = helpers.small_architecture()
    variables = helpers.random_variables(architecture)
    images = jnp.asarray(np.random.default_rng(0).uniform(size=(2, 32, 32, 3)).astype(np.float32))
    maps = network.walk(
        architecture, images, lambda index, _, inputs: network.apply_layer(architecture, index, variables, inputs)
    )
    np.testing.assert_allclose(maps[-1], network.apply(architecture, variables, images), rtol=1e-5, atol=1e-5)
