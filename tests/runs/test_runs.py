import json

import numpy as np
import pytest

from configs import prune_base
from yolojax import darknet, export, network, pruning, runs
from yolojax.runs import setup


def prune_config(config, trained, **fields):
    config = config.copy_and_resolve_references()
    config.update(prune_base.PRUNING)
    config.update({"model": str(trained / "model.weights"), **fields})
    return config


def test_training_leaves_a_network_for_every_reader(trained):
    architecture, variables = darknet.load(trained / "model.cfg", trained / "model.weights")
    assert architecture.region.classes == 2
    assert darknet.read_names(trained / "model.names") == ("blue", "red")
    assert darknet.read_header(trained / "model.weights").seen == 48
    checkpoint = export.load_model(trained)
    assert checkpoint.architecture == architecture
    kernel = checkpoint.variables["params"]["conv_00"]["kernel"]
    np.testing.assert_array_equal(kernel, variables["params"]["conv_00"]["kernel"])
    evaluation = json.loads((trained / "evaluation.json").read_text())
    assert evaluation["images"] == 10
    assert "confidence >= 0.005" in evaluation["protocol_text"]


@pytest.fixture(scope="module")
def filter_run(config, trained, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("filter")
    report = runs.run_pruning(prune_config(config, trained), workdir)
    return workdir, report


def test_the_main_job_leaves_a_smaller_network(filter_run, trained):
    workdir, _ = filter_run
    before, _ = darknet.load(trained / "model.cfg", trained / "model.weights")
    architecture, variables = darknet.load(workdir / "model.cfg", workdir / "model.weights")
    stages = json.loads((workdir / "report.json").read_text())["stages"]
    assert list(stages) == ["original", "pruned", "retrained"]
    assert stages["retrained"]["parameters"] == pruning.count_parameters(variables["params"])
    assert stages["retrained"]["parameters"] < stages["original"]["parameters"] == stages["pruned"]["parameters"]
    assert stages["pruned"]["nonzero"] < stages["original"]["nonzero"]
    assert stages["retrained"]["macs"] == pruning.macs(architecture, 32, 32) < pruning.macs(before, 32, 32)
    assert stages["retrained"]["weights_bytes"] == (workdir / "model.weights").stat().st_size
    assert json.loads((workdir / "removal.json").read_text())["max_difference"] <= 1e-5
    network.check_variables(architecture, variables)


def test_the_report_is_for_people_too(filter_run):
    workdir, _ = filter_run
    text = (workdir / "report.md").read_text()
    for part in ("# 40% of the filters pruned", "confidence >= 0.005", "| retrained |", "| red |", "| conv_00 |"):
        assert part in text
    for name in ("pictures.png", "layers.png", "loss.png"):
        assert (workdir / name).read_bytes().startswith(b"\x89PNG")
        assert name in text


def test_a_run_that_is_done_gives_the_same_again(filter_run, config, trained):
    workdir, report = filter_run
    before = (workdir / "model.weights").read_bytes()
    again = runs.run_pruning(prune_config(config, trained), workdir)
    assert again.retrain_seconds is None
    assert "it is not known how long it took" in (workdir / "report.md").read_text()
    assert (workdir / "model.weights").read_bytes() == before
    assert again.stages[2].evaluation.map_area == report.stages[2].evaluation.map_area
    with pytest.raises(ValueError, match=r"is at step \d+, past the 2 of this run; give a new --workdir"):
        runs.run_pruning(prune_config(config, trained, steps=2), workdir)


def test_weights_stay_dropped_through_retraining(config, trained, tmp_path):
    fields = {"method": "weight", "criterion": "magnitude", "amount": 0.8}
    report = runs.run_pruning(prune_config(config, trained, **fields), tmp_path)
    original, pruned, retrained = report.stages
    _, variables = darknet.load(tmp_path / "model.cfg", tmp_path / "model.weights")
    kernels = [layer["kernel"] for layer in variables["params"].values()]
    total = sum(kernel.size for kernel in kernels)
    assert sum(np.count_nonzero(kernel) for kernel in kernels) == total - round(0.8 * total)
    assert retrained.nonzero == pruned.nonzero < original.nonzero
    _, before = darknet.load(trained / "model.cfg", trained / "model.weights")
    kept = variables["params"]["conv_12"]["kernel"] != 0
    assert np.any(variables["params"]["conv_12"]["kernel"][kept] != before["params"]["conv_12"]["kernel"][kept])
    kernel = variables["params"]["conv_00"]["kernel"]
    with np.load(tmp_path / "masks.npz") as masks:
        mask = np.unpackbits(masks["conv_00/kernel"], count=kernel.size).reshape(kernel.shape)
    assert np.all(kernel[mask == 0] == 0)


def test_filters_on_a_grid_and_what_that_costs(config, trained, tmp_path):
    report = runs.run_pruning(prune_config(config, trained, round_to=8, steps=1), tmp_path)
    architecture = darknet.read_cfg(tmp_path / "model.cfg")
    assert all(conv.layer.filters % 8 == 0 or conv.layer.filters == 4 for conv in architecture.convolutions[:-1])
    assert report.off_grid["parameters"] < report.stages[2].parameters
    assert report.off_grid["macs"] < report.stages[2].macs
    assert f"{report.off_grid['parameters']:,} parameters in place of" in (tmp_path / "report.md").read_text()


def test_retraining_a_pruned_checkpoint(config, filter_run, tmp_path):
    workdir, _ = filter_run
    config = config.copy_and_resolve_references()
    config.update(model=str(workdir), steps=3)
    runs.run_training(config, tmp_path)
    assert darknet.read_cfg(tmp_path / "model.cfg") == darknet.read_cfg(workdir / "model.cfg")


def test_mistakes_in_a_config(config, trained, tmp_path):
    for fields, message in [
        ({"method": "neuron"}, "method 'neuron', expected 'filter' or 'weight'"),
        ({"model": "nowhere.weights"}, "nowhere.weights: no such file or folder"),
        ({"data": "imagenet"}, "data 'imagenet', expected voc2007"),
        ({"dtype": "float16"}, "dtype 'float16', expected one of float32, bfloat16"),
        ({"steps": 0, "epochs": 0}, "steps and epochs are both 0"),
        ({"learning_rate": float("nan")}, "learning_rate nan, expected at least 0"),
        ({"jitter": 1.5}, r"jitter 1.5, expected 0\.\.1"),
        ({"batch_size": 3}, "batch_size 3 does not divide over 4 devices"),
        ({"sizes": (33,)}, "size 33, expected a positive multiple of the network's stride 8"),
    ]:
        with pytest.raises(ValueError, match=message):
            runs.run_pruning(prune_config(config, trained, **fields), tmp_path / "mistake")


def test_another_network_under_the_same_name(config, tmp_path):
    config = config.copy_and_resolve_references()
    config.model = str(tmp_path / "m.weights")
    (tmp_path / "m.weights").write_bytes(b"one")
    with setup.claim(config, tmp_path / "run") as folder:
        (folder / "checkpoints").mkdir()
    with setup.claim(config, tmp_path / "run"):
        pass
    (tmp_path / "m.weights").write_bytes(b"two")
    with pytest.raises(ValueError, match=r"other settings: SHA-256 of the model's file .* is now"):
        setup.check_same_run(config, tmp_path / "run")


def test_names_of_another_number_than_the_data(config, tmp_path):
    (tmp_path / "three.names").write_text("a\nb\nc\n")
    config = config.copy_and_resolve_references()
    config.data, config.names = "shapes", str(tmp_path / "three.names")
    with pytest.raises(ValueError, match=r"three\.names has a, b, c; shapes trainval .* has circle, sq"):
        runs.run_training(config, tmp_path / "run")
