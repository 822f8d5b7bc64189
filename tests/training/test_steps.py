import functools

import jax
import numpy as np
import pytest

from tests import helpers
from yolojax import darknet, network, training
from yolojax.network import module
from yolojax.training import parallel

AXIS = "batch"


def darknet_updates(folder, seen):
    """For each leaf the change by one training step: ours, and that of Darknet's CPU code."""
    architecture, variables = darknet.load(folder / "mini.cfg", folder / "mini.weights")
    _, after = darknet.load(folder / "mini.cfg", folder / f"after_one_step_seen{seen}.weights")
    oracle = np.load(folder / "forward.npz")
    optimizer = training.make_optimizer("sgd", 0.01, momentum=0.9, decay=0.0005)
    state = training.create_state(variables, optimizer, seen=seen)
    # The step divides by 255.
    batch = {"image": oracle["images_nchw"].transpose(0, 2, 3, 1) * 255, "truth": oracle["truth"]}
    loss_fn = training.region_loss(architecture)
    step = functools.partial(
        training.train_step, architecture=architecture, optimizer=optimizer, loss_fn=loss_fn, axis_name=AXIS
    )
    mapped = jax.pmap(step, axis_name=AXIS, devices=jax.devices()[:1])
    state, _ = mapped(*jax.tree.map(lambda leaf: np.asarray(leaf)[None], (state, batch)))
    assert int(state.seen[0]) == seen + 4
    ours = jax.tree.map(lambda new, old: np.asarray(new[0]) - old, state.variables, variables)
    darknets = jax.tree.map(lambda new, old: new - old, after, variables)
    return ours, darknets


def relative_difference(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


@pytest.mark.parametrize("seen", [0, 100000])
def test_one_step_is_darknets(shared_data, seen):
    """Darknet's CPU code divides the variance by N - 1 where we, and its GPU code, divide by N."""
    ours, darknets = darknet_updates(shared_data / "darknet-oracle", seen)
    for name, layer in darknets["params"].items():
        for leaf, update in layer.items():
            assert relative_difference(ours["params"][name][leaf], update) < 1e-2, (name, leaf)
    params = [jax.tree.leaves(tree["params"]) for tree in (ours, darknets)]
    flat = [np.concatenate([leaf.ravel() for leaf in leaves]) for leaves in params]
    assert relative_difference(*flat) < 6e-3


@pytest.mark.parametrize("seen", [0, 100000])
def test_with_darknets_variance_the_last_layer_agrees_to_float_rounding(shared_data, seen, monkeypatch):
    def statistics(self, x, train):
        count = x.size // x.shape[-1]
        running = self.variable("batch_stats", "mean", None).value
        mean = x.mean((0, 1, 2))
        var = jax.numpy.square(x - mean[None, None, None]).sum((0, 1, 2)) / (count - 1)
        assert train
        assert running.shape == mean.shape
        return mean, jax.numpy.square(jax.numpy.sqrt(var) + 1e-6) - 1e-5

    monkeypatch.setattr(module.ConvolutionLayer, "_statistics", statistics)
    ours, darknets = darknet_updates(shared_data / "darknet-oracle", seen)
    for leaf in ("kernel", "bias"):
        assert relative_difference(ours["params"]["conv_16"][leaf], darknets["params"]["conv_16"][leaf]) < 1e-5


def run_steps(devices: int, masks=None, steps: int = 3):
    architecture = helpers.small_architecture()
    variables = helpers.random_variables(architecture)
    optimizer = training.make_optimizer("sgd", 0.01, momentum=0.9, decay=0.01, masks=masks)
    state = training.create_state(variables, optimizer)
    loss_fn = training.region_loss(architecture)
    step = functools.partial(
        training.train_step, architecture=architecture, optimizer=optimizer, loss_fn=loss_fn, axis_name=AXIS
    )
    mapped = jax.pmap(step, axis_name=AXIS, devices=jax.devices()[:devices])
    state = jax.tree.map(lambda leaf: np.broadcast_to(np.asarray(leaf), (devices, *leaf.shape)), state)
    rng = np.random.default_rng(0)
    for _ in range(steps):
        batch = helpers.random_batch(rng, 8, 32)
        state, metrics = mapped(state, jax.tree.map(lambda x: x.reshape(devices, -1, *x.shape[1:]), batch))
        jax.block_until_ready(state)
    return jax.tree.map(lambda leaf: np.asarray(leaf[0]), (state, metrics))


@pytest.fixture(scope="module")
def one_device():
    return run_steps(1)


@pytest.mark.parametrize("devices", [2, 4])
def test_the_same_parameters_on_any_number_of_devices(one_device, devices):
    state, metrics = run_steps(devices)
    assert int(state.step) == 3
    assert int(state.seen) == 24
    for a, b in zip(jax.tree.leaves(one_device[0].variables), jax.tree.leaves(state.variables), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(metrics["loss"], one_device[1]["loss"], rtol=1e-4)


def test_loss_is_the_sum_of_its_terms_and_falls():
    _, first = run_steps(1, steps=1)
    terms = [value for name, value in first.items() if name != "loss"]
    np.testing.assert_allclose(first["loss"], sum(terms), rtol=1e-5)
    architecture = helpers.small_architecture()
    optimizer = training.make_optimizer("sgd", 0.01, momentum=0.9, decay=0.0)
    state = parallel.replicate(training.create_state(helpers.random_variables(architecture), optimizer))
    step = training.compile_train_step(architecture, optimizer)
    batch = helpers.random_batch(np.random.default_rng(0), 8, 32)
    losses = []
    for _ in range(30):
        state, metrics = step(state, batch)
        losses.append(float(metrics["loss"][0]))
    assert losses[-1] < losses[0] / 3


def test_bfloat16_keeps_float32_parameters_and_stays_close():
    architecture = helpers.small_architecture()
    variables = helpers.random_variables(architecture)
    images = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    exact = network.apply(architecture, variables, images)
    rough = network.apply(architecture, variables, images, dtype=jax.numpy.bfloat16)
    assert rough.dtype == exact.dtype == np.float32
    error = np.linalg.norm(rough - exact) / np.linalg.norm(exact)
    assert 0 < error < 0.03


def test_a_batch_that_does_not_divide():
    with pytest.raises(ValueError, match="batch_size 6 does not divide over 4 devices"):
        training.check_batch_size(6)
    assert parallel.round_up_batch(6) == 8
