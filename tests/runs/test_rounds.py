import itertools
import json

import jax
import numpy as np
import optax
import pytest

from yolojax import darknet, export, network, pruning, runs
from yolojax.reporting import figures
from yolojax.runs import rounds, setup
from yolojax.runs.convert import measured


@pytest.fixture
def pruning_recipe(recipe, trained):
    return recipe.replace(model={"start": str(trained / "model.weights")}, train={"steps": 8, "save_every": 3})


def open_pruning(settings):
    model = setup.open_start(settings)
    return model, setup.open_split(settings.data, "trainval", model.names)


def test_filters_in_rounds_meet_the_budget_and_stay_gone(pruning_recipe):
    settings = pruning_recipe.replace(prune={"budget": "macs=40%", "repair": True, "images": 8, "rounds": 3})
    model, train_set = open_pruning(settings)
    gone = []
    for part in (1 / 3, 2 / 3, 1.0):
        share = 0.4**part
        step = settings.replace(prune={"budget": f"macs={100 * share}%", "rounds": round(3 * part)})
        _, masks = rounds.choose(step, model, train_set)
        smaller, _ = pruning.remove_filters(model.architecture, model.variables, masks)
        assert pruning.macs(smaller, 32, 32) <= share * pruning.macs(model.architecture, 32, 32)
        gone.append({name: ~network.alive_filters(masks[name]) for name in masks})
    for fewer, more in itertools.pairwise(gone):
        for name in fewer:
            assert np.all(more[name][fewer[name]]), name


def test_what_is_gone_scores_below_everything_else():
    masks = {"conv_00": {"kernel": np.repeat([[True, False, True]], 2, axis=0), "bias": np.array([True, False, True])}}
    scores = rounds.without_dropped({"conv_00": np.array([0.5, 9.0, -2.0])}, masks)
    np.testing.assert_array_equal(scores["conv_00"], [0.5, -3.0, -2.0])


def test_weights_go_in_rounds_by_the_schedule(pruning_recipe, tmp_path, monkeypatch):
    settings = pruning_recipe.replace(prune={"method": "weight", "amount": 0.9, "rounds": 4})
    model, _ = open_pruning(settings)
    changes = rounds.weights_while_training(
        model.architecture, amount=0.9, criterion=pruning.CRITERIA["magnitude"], scope="global", rounds=4, seed=0
    )
    assert list(changes(pruning.masked(optax.identity(), pruning.keep_all(model.params)), 16)) == [2, 4, 6, 8]
    drawn = {}
    curves = figures.curves
    monkeypatch.setattr(figures, "curves", lambda *paths, **values: drawn.update(values) or curves(*paths, **values))
    report = runs.run_pruning(settings, tmp_path)
    _, variables = darknet.load(tmp_path / "model.cfg", tmp_path / "model.weights")
    kernels = np.concatenate([layer["kernel"].ravel() for layer in variables["params"].values()])
    assert np.count_nonzero(kernels == 0) == round(0.9 * kernels.size)
    packed = np.load(tmp_path / "masks.npz")
    assert sum(
        int(np.unpackbits(packed[name]).sum()) for name in packed if name.endswith("kernel")
    ) == np.count_nonzero(kernels)
    for row in report.layers:  # of what went while training, not of what would have gone at once
        assert row.nonzeros == pruning.count_nonzeros(variables["params"][row.name]), row.name
    original, pruned, retrained = (stage.evaluation.map_11point for stage in report.stages)
    assert (drawn["unpruned"], drawn["before"], drawn["after"]) == (original, original, retrained)
    assert pruned != original


def test_weights_in_rounds_are_the_same_after_a_stop(pruning_recipe, tmp_path):
    settings = pruning_recipe.replace(prune={"then_weights": 0.5, "then_rounds": 2, "budget": "params=60%"})
    runs.run_pruning(settings, tmp_path / "whole")
    stopped = tmp_path / "stopped"
    runs.run_pruning(settings, stopped)
    for late in ("6", "8"):  # back to step 3: one of two changes is done
        for path in sorted((stopped / "checkpoints" / late).rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        (stopped / "checkpoints" / late).rmdir()
    runs.run_pruning(settings, stopped)
    assert (stopped / "model.weights").read_bytes() == (tmp_path / "whole" / "model.weights").read_bytes()


def test_filters_then_weights_then_clusters_in_one_report(pruning_recipe, tmp_path):
    settings = pruning_recipe.replace(
        prune={"budget": "macs=50%", "repair": True, "images": 8, "then_weights": 0.6, "cluster_bits": 3},
        train={"stretch": 4.0},
    )
    report = runs.run_pruning(settings, tmp_path)
    assert [stage.name for stage in report.stages] == ["original", "pruned", "repaired", "retrained", "clustered"]
    original, _, repaired, retrained, clustered = report.stages
    assert repaired.macs == retrained.macs <= 0.5 * original.macs
    kernels = sum(layer["kernel"].size for layer in export.open_model(str(tmp_path)).params.values())
    assert retrained.parameters - retrained.nonzero == round(0.6 * kernels)
    path = tmp_path / "model.compressed"
    assert clustered.compressed_bytes == path.stat().st_size < retrained.compressed_bytes
    _, variables, info = export.read_compressed(path)
    assert info.values == "clustered"
    assert all(np.unique(layer["kernel"]).size <= 2**3 + 1 for layer in variables["params"].values())
    written = json.loads((tmp_path / "report.json").read_text())
    written["stages"]["clustered"]["evaluation"]["map_area"] = -1.0
    (tmp_path / "report.json").write_text(json.dumps(written))
    told = measured(str(tmp_path), export.open_model(tmp_path))
    assert told.map_area == retrained.evaluation.map_area  # model.weights are not clustered
    steps = round(8 * min(4.0, original.macs / retrained.macs))
    assert report.retrain_steps == steps > 8
    assert json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])["step"] == steps
    text = (tmp_path / "report.md").read_text()
    assert f"{steps} steps (8, stretched as the network has fewer MACs)" in text
    assert "60% of the weights left gone while retraining (magnitude)" in text


def test_the_control_from_random_weights_keeps_the_shape_alone(pruning_recipe, tmp_path):
    settings = pruning_recipe.replace(
        prune={"budget": "macs=50%", "restart": True}, train={"steps": 1, "learning_rate": 1e-5}
    )
    report = runs.run_pruning(settings, tmp_path)
    assert report.stages[-1].macs <= 0.5 * report.stages[0].macs
    found, expected = darknet.load(tmp_path / "model.cfg", tmp_path / "model.weights")
    drawn = network.init(found, jax.random.key(settings.train.seed))
    kernel = expected["params"]["conv_00"]["kernel"]
    assert np.corrcoef(kernel.ravel(), np.asarray(drawn["params"]["conv_00"]["kernel"]).ravel())[0, 1] > 0.99
    assert darknet.read_header(tmp_path / "model.weights").seen == 4  # one batch: a network that has seen nothing else


@pytest.mark.parametrize(
    ("prune", "message"),
    [
        ({"restart": True}, "prune.restart needs training"),
        ({"then_weights": 0.5}, "prune.then_weights needs training"),
        ({"method": "weight", "rounds": 3}, "prune.rounds needs training"),
    ],
)
def test_what_happens_while_training_needs_training(pruning_recipe, tmp_path, prune, message):
    settings = pruning_recipe.replace(prune=prune, train={"steps": 0, "epochs": 0})
    with pytest.raises(ValueError, match=message):
        runs.run_pruning(settings, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("prune", [{"method": "weight", "rounds": 9}, {"then_weights": 0.5, "then_rounds": 9}])
def test_more_rounds_than_steps(pruning_recipe, tmp_path, prune):
    with pytest.raises(ValueError, match=r"train\.steps 8, expected at least 9: weights go in so many rounds"):
        runs.run_pruning(pruning_recipe.replace(prune=prune), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_mistakes_in_the_fields(recipe):
    with pytest.raises(ValueError, match=r"prune.then_weights and prune.restart are for filters"):
        recipe.replace(prune={"method": "weight", "then_weights": 0.5})
    with pytest.raises(ValueError, match=r"prune.then_criterion 'l1', expected one of magnitude, weight_lamp"):
        recipe.replace(prune={"then_criterion": "l1"})
