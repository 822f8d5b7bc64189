import dataclasses
import functools
import json

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import helpers
from yolojax import data, export, network, pruning, training

AUGMENT = data.AugmentConfig(jitter=0.2, hue=0.1, saturation=1.5, exposure=1.5, flip=True)


def train(
    dataset,
    workdir,
    steps,
    *,
    kind="sgd",
    masks=None,
    learning_rate=0.01,
    evaluate=None,
    changes=None,
    watch=None,
    loss_fn=None,
):
    architecture = helpers.small_architecture(classes=2)
    variables = helpers.random_variables(architecture)
    if masks:
        variables = network.Model(architecture, variables).masked(masks).variables
    rate = training.learning_rate_schedule("constant", peak=learning_rate, warmup_steps=0, steps=steps)
    optimizer = training.make_optimizer(kind, rate, momentum=0.9, decay=5e-4, masks=masks)
    batches = data.train_batches(
        dataset, batch_size=4, sizes=(32,), seed=3, max_boxes=5, augment=AUGMENT, threads=1, prefetch=2
    )
    compiled = training.compile_train_step(architecture, optimizer, loss_fn=loss_fn)

    def step(state, batch):
        state, metrics = compiled(state, batch)
        if watch:
            watch(training.unreplicate(state))
        return state, metrics

    return training.fit(
        training.create_state(variables, optimizer),
        step,
        batches,
        architecture=architecture,
        names=dataset.names,
        workdir=workdir,
        settings=training.LoopSettings(steps, log_every=2, save_every=4, eval_every=2),
        learning_rate=rate,
        evaluate=evaluate,
        name_image=dataset.image_id,
        changes={step: functools.partial(change, optimizer) for step, change in (changes or {}).items()},
    )


def test_same_seed_same_run_and_a_stopped_run_ends_the_same(squares, tmp_path):
    whole = train(squares, tmp_path / "whole", 8)
    train(squares, tmp_path / "stopped", 4)
    resumed = train(squares, tmp_path / "stopped", 8)
    chex.assert_trees_all_equal(whole, resumed)
    assert int(resumed.step) == 8
    assert int(resumed.seen) == 32
    # A run that is done is not trained further.
    chex.assert_trees_all_equal(train(squares, tmp_path / "stopped", 8), resumed)
    assert export.load_model(tmp_path / "stopped").names == ("blue", "red")


def prune_more(optimizer, state):
    """A state without every other filter's kernel, which training has moved until then."""
    masks = jax.tree.map(np.copy, state.opt_state.masks)
    for layer in masks.values():
        layer["kernel"][..., ::2] = False
    params, opt_state = pruning.change_masks(optimizer, state.params, state.opt_state, masks)
    return dataclasses.replace(state, params=params, opt_state=opt_state)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_masks_that_change_at_step_10_hold_to_the_end_and_through_stops(kind, squares, tmp_path):
    architecture = helpers.small_architecture(classes=2)
    params = helpers.random_variables(architecture)["params"]
    masks = jax.device_get(pruning.weight_masks(architecture, params, 0.3))
    seen = []
    options = {"kind": kind, "masks": masks, "changes": {10: prune_more}, "learning_rate": 1e-3}
    with jax.numpy_dtype_promotion("standard"):  # optax's Adam is not strict
        whole = train(squares, tmp_path / "whole", 30, watch=seen.append, **options)
        for stop in (9, 10, 30):  # before the change, and right after it
            resumed = train(squares, tmp_path / "stopped", stop, **options)
    chex.assert_trees_all_equal(whole, resumed)
    assert int(whole.step) == len(seen) == 30
    checked = 0
    for state in seen:
        kept = state.opt_state.masks
        for name, layer in kept.items():
            assert np.any(layer["kernel"][..., ::2]) == (state.step <= 10)
            slots = [
                getattr(part, slot)[name]["kernel"]
                for part in state.opt_state.inner
                for slot in part._fields
                if slot in ("trace", "mu", "nu")
            ]
            assert len(slots) == {"sgd": 1, "adam": 2}[kind]
            for leaf in (state.params[name]["kernel"], *slots):
                assert np.all(leaf[~layer["kernel"]] == 0)
                checked += 1
    assert checked == 30 * len(kept) * {"sgd": 2, "adam": 3}[kind]


def test_a_change_before_the_first_step_is_refused(squares, tmp_path):
    with pytest.raises(ValueError, match="changes at step 0, expected steps from 1 on"):
        train(squares, tmp_path, 2, changes={0: prune_more})


def test_metrics_are_lines_of_json(squares, tmp_path):
    train(squares, tmp_path, 4)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4]
    assert all(np.isfinite(line["loss"]) and line["images_per_second"] > 0 for line in lines)
    assert list((tmp_path / "tensorboard").iterdir())


def test_the_terms_of_any_loss_are_logged(squares, tmp_path):
    def loss(head, batch, *, seen):
        assert batch.keys() == {"image", "truth", "index"}
        return {"square": jnp.mean(jnp.square(head)), "dark": jnp.mean((batch["image"] < 128).astype(jnp.float32))}

    train(squares, tmp_path, 4, loss_fn=loss)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4]
    for line in lines:
        assert line["loss"] == pytest.approx(line["square"] + line["dark"])
        assert 0 < line["dark"] < 1
        assert "coord" not in line


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint(squares, tmp_path):
    train(squares, tmp_path, 4)
    with pytest.raises(ValueError, match=r"the loss is not finite at step \d+ \(images \d{6}, "):
        train(squares, tmp_path, 40, learning_rate=1e30)
    kept = export.load_model(tmp_path)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(kept.variables))


def test_the_best_evaluation_so_far_survives_a_stop(squares, tmp_path):
    scores = iter([0.3, 0.7, 0.5])
    seen = []

    def evaluate(variables):
        seen.append(variables)
        return {"map_11point": next(scores)}

    train(squares, tmp_path, 4, evaluate=evaluate)
    train(squares, tmp_path, 6, evaluate=evaluate)
    assert len(seen) == 3
    assert set(seen[0]) == {"params", "batch_stats"}
    with training.Checkpoints(tmp_path / "checkpoints") as checkpoints:
        state = jax.device_get(train(squares, tmp_path, 6))
        _, extra = checkpoints.restore(state, helpers.small_architecture(classes=2))
    assert extra["best"] == {"step": 4, "map_11point": 0.7}
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(line["step"], line["map_11point"]) for line in lines if "map_11point" in line] == [
        (2, 0.3),
        (4, 0.7),
        (6, 0.5),
    ]


def test_the_lines_of_lost_steps_are_written_again(squares, tmp_path):
    train(squares, tmp_path, 4)
    before = (tmp_path / "metrics.jsonl").read_text()
    with (tmp_path / "metrics.jsonl").open("a") as lines:
        lines.write('{"step": 6, "loss": 99.0}\n{"step": 8, "lo')
    train(squares, tmp_path, 6)
    text = (tmp_path / "metrics.jsonl").read_text()
    assert text.startswith(before)
    assert [json.loads(line)["step"] for line in text.splitlines()] == [2, 4, 6]
    assert "99.0" not in text


def test_debug_nans_stops_at_the_operation(squares, tmp_path):
    with jax.debug_nans(True), pytest.raises(FloatingPointError, match="nan"):
        train(squares, tmp_path, 8, learning_rate=1e30)
