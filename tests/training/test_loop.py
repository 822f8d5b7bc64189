import json

import jax
import numpy as np
import pytest

from tests import helpers
from yolojax import data, training

AUGMENT = data.AugmentConfig(jitter=0.2, hue=0.1, saturation=1.5, exposure=1.5, flip=True)


def train(dataset, workdir, steps, *, masks=None, learning_rate=0.01):
    architecture = helpers.small_architecture(classes=2)
    variables = helpers.random_variables(architecture)
    rate = training.learning_rate_schedule("constant", peak=learning_rate, warmup_steps=0, steps=steps)
    optimizer = training.make_optimizer("sgd", rate, momentum=0.9, decay=5e-4, masks=masks)
    batches = data.train_batches(
        dataset, batch_size=4, sizes=(32,), seed=3, max_boxes=5, augment=AUGMENT, threads=1, prefetch=2
    )
    return training.fit(
        training.create_state(variables, optimizer),
        training.compile_train_step(architecture, optimizer),
        batches,
        architecture=architecture,
        names=dataset.names,
        workdir=workdir,
        settings=training.LoopSettings(steps, log_every=2, save_every=4),
        learning_rate=rate,
    )


def assert_same(a, b):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_array_equal(x, y)


def test_same_seed_same_run_and_a_stopped_run_ends_the_same(squares, tmp_path):
    whole = train(squares, tmp_path / "whole", 8)
    train(squares, tmp_path / "stopped", 4)
    resumed = train(squares, tmp_path / "stopped", 8)
    assert_same(whole, resumed)
    assert int(resumed.step) == 8
    assert int(resumed.seen) == 32
    # A run that is done is not trained further.
    assert_same(train(squares, tmp_path / "stopped", 8), resumed)
    assert training.load_model(tmp_path / "stopped").names == ("blue", "red")


def test_metrics_are_lines_of_json(squares, tmp_path):
    train(squares, tmp_path, 4)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4]
    assert all(np.isfinite(line["loss"]) and line["images_per_second"] > 0 for line in lines)
    assert list((tmp_path / "tensorboard").iterdir())


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint(squares, tmp_path):
    train(squares, tmp_path, 4)
    with pytest.raises(ValueError, match=r"the loss is not finite at step \d+"):
        train(squares, tmp_path, 40, learning_rate=1e30)
    kept = training.load_model(tmp_path)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(kept.variables))
