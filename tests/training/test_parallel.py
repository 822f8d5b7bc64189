"""One compilation per image size, counted; none after that, whatever the values."""

import functools
import re

import jax
import numpy as np
import pytest

from tests import helpers
from yolojax import network, pruning, training

SIZES = (32, 48)
COMPILED = "/jax/core/compile/backend_compile_duration"  # also told when the cache on the disk has it
compilations = [0]


def count(event, seconds, **_):
    compilations[0] += event == COMPILED


jax.monitoring.register_event_duration_secs_listener(count)


@pytest.fixture(scope="module")
def architecture():
    return helpers.small_architecture(classes=2)


def test_training_at_several_sizes_compiles_once_for_each(architecture):
    variables = helpers.random_variables(architecture)
    masks = pruning.weight_masks(architecture, variables["params"], 0.5)
    rate = training.learning_rate_schedule("constant", peak=1e-3, warmup_steps=0, steps=20)
    optimizer = training.make_optimizer("sgd", rate, momentum=0.9, decay=5e-4, masks=masks)
    step = training.compile_train_step(architecture, optimizer)
    state = training.replicate(training.create_state(variables, optimizer))
    rng = np.random.default_rng(0)

    def train_and_save(state, sizes):
        before = compilations[0]
        for size in sizes:
            state, _ = step(state, helpers.random_batch(rng, 4, size, classes=2))
        training.unreplicate(state)  # for a checkpoint
        return state, compilations[0] - before

    state, first = train_and_save(state, SIZES)
    assert first >= len(SIZES)
    for _ in range(3):
        state, more = train_and_save(state, SIZES[::-1])
        assert more == 0


def test_one_evaluator_serves_a_network_before_and_after_masking(architecture, squares):
    model = network.Model(architecture, jax.device_get(helpers.random_variables(architecture)))
    evaluator = training.Evaluator(architecture, squares, training.Protocol(size=32), batch_size=4)
    weights = model.masked(pruning.weight_masks(architecture, model.params, 0.5))
    filters = model.masked(pruning.filter_masks(architecture, model.params, 0.3))
    before = compilations[0]
    whole = evaluator.predict(model.variables)
    assert compilations[0] > before
    before = compilations[0]
    masked = [evaluator.predict(each.variables) for each in (weights, filters)]
    again = evaluator.predict(model.variables)
    assert compilations[0] == before
    for a, b in zip(whole, again, strict=True):
        np.testing.assert_array_equal(a.scores, b.scores)
    for other in masked:
        assert any(len(a.scores) != len(b.scores) for a, b in zip(whole, other, strict=True))


def test_batch_norm_takes_one_message_for_each_layer_and_direction(architecture):
    optimizer = training.make_optimizer("sgd", 1e-3, momentum=0.9, decay=5e-4)
    loss = training.region_loss(architecture)
    step = functools.partial(
        training.train_step, architecture=architecture, optimizer=optimizer, loss_fn=loss, axis_name="batch"
    )
    state = training.replicate(training.create_state(helpers.random_variables(architecture), optimizer))
    batch = helpers.random_batch(np.random.default_rng(0), 4, 32, classes=2)
    shares = {name: leaf.reshape(jax.device_count(), -1, *leaf.shape[1:]) for name, leaf in batch.items()}
    text = jax.pmap(step, axis_name="batch").lower(state, shares).compile().as_text()
    layers = sum(conv.layer.batch_normalize for conv in architecture.convolutions)
    found = {kind: len(re.findall(rf" {kind}(?:-start)?\(", text)) for kind in ("all-gather", "reduce-scatter")}
    assert jax.device_count() > 1
    assert found == {"all-gather": layers, "reduce-scatter": layers}
