import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import helpers
from yolojax import network, pruning, training
from yolojax.network import Model
from yolojax.training import parallel
from yolojax.training.steps import teacher_step, train_step

AXIS = "batch"
ARCHITECTURE = helpers.small_architecture()
TEACHER = Model(ARCHITECTURE, helpers.random_variables(ARCHITECTURE))
MASKS = jax.device_get(pruning.filter_masks(ARCHITECTURE, TEACHER.params, 0.4, scope="layer"))
SMALLER = Model(*pruning.remove_filters(ARCHITECTURE, TEACHER.variables, MASKS))
LAYERS = ("conv_06", "conv_11")
TERMS = {"distill_coord", "distill_object", "distill_class"}


def random_heads(count):
    rng = np.random.default_rng(0)
    return [jnp.asarray(rng.standard_normal((2, 2, 3, 18)), jnp.float32) for _ in range(count)]


def with_softmax(softmax):
    region = dataclasses.replace(ARCHITECTURE.region, softmax=softmax)
    return dataclasses.replace(ARCHITECTURE, layers=(*ARCHITECTURE.layers[:-1], region))


def expected_terms(head, teacher_head, softmax=True):
    """Cell by cell, in float64."""
    region, found = ARCHITECTURE.region, dict.fromkeys(("coord", "object", "class"), 0.0)
    batch, rows, columns, _ = head.shape
    for index in np.ndindex(batch, rows, columns, len(region.anchors)):
        ours, theirs = (
            np.asarray(h, np.float64).reshape(batch, rows, columns, -1, 9)[index] for h in (head, teacher_head)
        )
        wanted, anchor = sigmoid(theirs[4]), region.anchors[index[3]]
        area = min(anchor[0] * np.exp(theirs[2]) / columns * anchor[1] * np.exp(theirs[3]) / rows, 1)
        errors = [sigmoid(ours[i]) - sigmoid(theirs[i]) for i in (0, 1)] + [ours[i] - theirs[i] for i in (2, 3)]
        found["coord"] += wanted * (2 - area) * 0.5 * sum(error**2 for error in errors)
        scale = 1 * (1 - wanted) + 5 * wanted
        found["object"] += scale * 0.5 * (sigmoid(ours[4]) - wanted) ** 2
        p, q = (np.exp(h[5:]) / sum(np.exp(h[5:])) if softmax else sigmoid(h[5:]) for h in (theirs, ours))
        found["class"] += wanted * sum(p[c] * np.log(p[c] / q[c]) for c in range(4))
        if not softmax:
            found["class"] += wanted * sum((1 - p[c]) * np.log((1 - p[c]) / (1 - q[c])) for c in range(4))
    return {name: value / batch for name, value in found.items()}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("softmax", [True, False])
def test_the_terms_of_the_head_are_those_of_plain_loops(softmax):
    head, teacher_head = random_heads(2)
    found = jax.jit(training.head_distillation_terms, static_argnums=0)(with_softmax(softmax), head, teacher_head)
    chex.assert_trees_all_close(jax.tree.map(float, found), expected_terms(head, teacher_head, softmax), rtol=1e-5)


@pytest.mark.parametrize("softmax", [True, False])
def test_a_head_that_is_the_teachers_has_nothing_to_learn(softmax):
    (head,) = random_heads(1)
    architecture = with_softmax(softmax)

    def total(head, teacher_head):
        return sum(training.head_distillation_terms(architecture, head, teacher_head).values(), start=jnp.zeros(()))

    value, gradient = jax.value_and_grad(total)(head, head)
    assert value == 0
    np.testing.assert_allclose(gradient, 0, atol=1e-6)
    other = random_heads(2)[1]
    assert np.abs(jax.grad(total)(other, head)).min() > 0
    np.testing.assert_array_equal(jax.grad(total, argnums=1)(other, head), 0)


def test_maps_are_compared_in_units_of_the_teachers_variance():
    rng = np.random.default_rng(0)
    found, target = (jnp.asarray(rng.standard_normal((2, 3, 3, 4)), jnp.float32) for _ in range(2))
    distance = training.map_distance(found, target, jnp.float32(2.5))
    np.testing.assert_allclose(distance, np.mean((np.asarray(found) - np.asarray(target)) ** 2) / 2.5, rtol=1e-6)
    assert training.map_distance(target, target, jnp.float32(0)) == 0
    assert training.map_distance(found, target.astype(jnp.bfloat16), jnp.float32(1)).dtype == jnp.float32


def loss_of(**options):
    return training.distillation_loss(SMALLER.architecture, layers=LAYERS, **options)


def optimizer():
    return training.make_optimizer("sgd", 0.01, momentum=0.9, decay=0.0)


def batch_of(size=8):
    return helpers.random_batch(np.random.default_rng(1), size, 32)


@functools.cache
def step_on(devices):
    """The state, metrics and the teacher's leaves of one step on so many devices."""
    teacher = training.make_teacher(TEACHER, LAYERS, MASKS)
    teach = functools.partial(teacher_step, architecture=ARCHITECTURE, kept=teacher.kept, axis_name=AXIS)
    step = functools.partial(
        train_step,
        architecture=SMALLER.architecture,
        optimizer=optimizer(),
        loss_fn=loss_of(map_weight=10.0, loss_fn=training.region_loss(SMALLER.architecture)),
        axis_name=AXIS,
        layers=LAYERS,
    )
    used = jax.devices()[:devices]
    share = {name: leaf.reshape(devices, -1, *leaf.shape[1:]) for name, leaf in batch_of().items()}
    state, variables = jax.tree.map(
        lambda leaf: np.broadcast_to(np.asarray(leaf), (devices, *np.shape(leaf))),
        (training.create_state(SMALLER.variables, optimizer()), TEACHER.variables),
    )
    leaves = jax.block_until_ready(jax.pmap(teach, axis_name=AXIS, devices=used)(variables, share["image"]))
    state, metrics = jax.pmap(step, axis_name=AXIS, devices=used)(state, {**share, **leaves})
    state, metrics = jax.tree.map(lambda leaf: np.asarray(leaf[0]), (state, metrics))
    return state, metrics, jax.device_get(leaves)


def test_the_teacher_gives_its_head_and_the_channels_that_are_left():
    _, metrics, leaves = step_on(1)
    images = network.to_input(ARCHITECTURE, batch_of()["image"])
    head, _, maps = network.apply_with_maps(ARCHITECTURE, TEACHER.variables, images, layers=LAYERS)
    np.testing.assert_allclose(leaves["teacher_head"][0], head, rtol=1e-4, atol=1e-5)
    for name in LAYERS:
        left = MASKS[name]["bias"]
        assert 0 < left.sum() < left.size
        expected = np.asarray(maps[name])[..., left]
        np.testing.assert_allclose(leaves[f"teacher_{name}"][0], expected, rtol=1e-4, atol=1e-5)
        variance = expected.var(axis=(0, 1, 2)).mean()
        np.testing.assert_allclose(leaves[f"teacher_{name}_variance"][0], variance, rtol=1e-4)
    assert metrics.keys() == TERMS | {f"distill_{name}" for name in LAYERS} | {
        *("loss", "coord", "prior", "object", "noobject", "class")
    }


def assert_same(found, expected):
    for a, b in zip(jax.tree.leaves(found[0].variables), jax.tree.leaves(expected[0].variables), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)
    chex.assert_trees_all_close(found[1], expected[1], rtol=1e-4)


def test_the_same_step_on_one_and_on_two_devices():
    assert_same(step_on(2), step_on(1))


def test_a_compiled_step_asks_its_teacher():
    assert jax.local_device_count() > 2
    step = training.compile_train_step(
        SMALLER.architecture,
        optimizer(),
        loss_fn=loss_of(map_weight=10.0, loss_fn=training.region_loss(SMALLER.architecture)),
        teacher=training.make_teacher(TEACHER, LAYERS, MASKS),
    )
    state = training.replicate(training.create_state(SMALLER.variables, optimizer()))
    assert_same(jax.tree.map(parallel.unreplicate, step(state, batch_of())), step_on(1))


def test_the_teacher_alone_teaches_without_labels():
    step = training.compile_train_step(
        SMALLER.architecture,
        optimizer(),
        loss_fn=training.distillation_loss(SMALLER.architecture),
        teacher=training.make_teacher(TEACHER),
    )
    state = training.replicate(training.create_state(SMALLER.variables, optimizer()))
    losses = []
    for _ in range(20):
        state, metrics = step(state, {"image": batch_of()["image"]})
        losses.append(float(metrics["loss"][0]))
    assert metrics.keys() == TERMS | {"loss"}
    assert losses[-1] < losses[0] / 2


def test_masks_hold_under_a_teacher():
    masks = jax.device_get(pruning.weight_masks(ARCHITECTURE, TEACHER.params, 0.5))
    masked = training.make_optimizer("sgd", 0.01, momentum=0.9, decay=0.01, masks=masks)
    step = training.compile_train_step(
        ARCHITECTURE,
        masked,
        loss_fn=training.distillation_loss(ARCHITECTURE, layers=LAYERS),
        teacher=training.make_teacher(TEACHER, LAYERS),
    )
    state = training.replicate(training.create_state(TEACHER.masked(masks).variables, masked))
    for _ in range(2):
        state, _ = step(state, batch_of())
    params = training.unreplicate(state).params
    chex.assert_trees_all_equal(network.apply_masks(params, masks), params)


def test_a_teacher_of_other_classes_is_refused():
    other = helpers.small_architecture(classes=3)
    teacher = training.make_teacher(Model(other, helpers.random_variables(other)))
    logistic = training.make_teacher(Model(with_softmax(False), TEACHER.variables))
    with pytest.raises(ValueError, match=r"the teacher has softmax=0, expected 1"):
        parallel.compile_train_step(ARCHITECTURE, optimizer(), teacher=logistic)
    with pytest.raises(ValueError, match=r"the teacher has 3 classes and anchors .*, expected 4 and"):
        training.compile_train_step(ARCHITECTURE, optimizer(), teacher=teacher)
