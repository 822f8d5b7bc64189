import dataclasses
import json

import numpy as np
import pytest

from tests.browser import opened
from yolojax import darknet, export, network, pruning, runs
from yolojax.reporting import stages
from yolojax.reporting.report import to_markdown
from yolojax.runs import setup
from yolojax.runs.train import new_network
from yolojax.runs.workdir import PRUNING, check_same_run, claim


@pytest.fixture
def pruning_recipe(recipe, trained):
    return recipe.replace(model={"start": str(trained / "model.weights")})


def test_training_leaves_a_network_for_every_reader(trained):
    architecture, variables = darknet.load(trained / "model.cfg", trained / "model.weights")
    assert architecture.region.classes == 2
    assert darknet.read_names(trained / "model.names") == ("blue", "red")
    assert darknet.read_header(trained / "model.weights").seen == 48
    checkpoint = export.load_model(trained)
    assert checkpoint.architecture == architecture
    kernel = checkpoint.params["conv_00"]["kernel"]
    np.testing.assert_array_equal(kernel, variables["params"]["conv_00"]["kernel"])
    evaluation = json.loads((trained / "evaluation.json").read_text())
    assert evaluation["images"] == 10
    assert "confidence >= 0.005" in evaluation["protocol_text"]


@pytest.fixture(scope="module")
def filter_run(recipe, trained, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("filter")
    report = runs.run_pruning(recipe.replace(model={"start": str(trained / "model.weights")}), workdir)
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
    for part in ("# 40% of the filters pruned", "confidence >= 0.005", "| **retrained** |", "| red |", "| conv_00 |"):
        assert part in text
    for name, start in {"pictures.jpg": b"\xff\xd8", "layers.svg": b"<?xml", "curves.svg": b"<?xml"}.items():
        assert (workdir / name).read_bytes().startswith(start)
        assert f"({name}" in text


@pytest.mark.slow
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_its_page_and_that_of_the_training_open_in_a_browser(browser, filter_run, trained, width, dark):
    workdir, report = filter_run
    with opened(browser, workdir / "report.html", width=width, dark=dark) as seen:
        assert seen.inner_text("h1 + p") == stages.verdict(report.stages)
        assert seen.inner_text("table tr:has(strong) td") == "retrained"
        assert seen.locator("figure img").count() == 3
    with opened(browser, trained / "report.html", width=width, dark=dark) as seen:
        assert seen.inner_text("h1 + p").startswith("mAP ")
        assert seen.locator("figure img").count() == 3


def test_a_run_ends_with_a_short_table_and_where_its_page_is(filter_run, pruning_recipe, tmp_path, capsys):
    _, report = filter_run
    runs.run_training(pruning_recipe.replace(train={"steps": 1}), tmp_path / "trained")
    *table, page = capsys.readouterr().out.strip().splitlines()
    assert table[0].split() == ["network", "MACs", "parameters", "compressed", "MB", "mAP"]
    assert table[1].split()[0] == "trained"
    assert page == f"see {tmp_path / 'trained' / 'report.html'}"
    lines = stages.summary(report.stages, tmp_path / "report.html").strip().splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["original", "pruned", "retrained"]
    assert max(map(len, lines)) <= 100
    assert lines[-1] == f"see {tmp_path / 'report.html'}"


def test_a_network_that_was_not_done_is_told(filter_run):
    _, report = filter_run
    for score, told in ((0.4, False), (0.5, False), (0.6, True)):
        scored = [
            dataclasses.replace(each, evaluation=dataclasses.replace(each.evaluation, map_11point=value))
            for each, value in zip(report.stages, (0.5, 0.5, score), strict=True)
        ]
        text = to_markdown(dataclasses.replace(report, stages=scored))
        assert ("may not have been done training" in text) == told
        assert (f"`--config.train.steps={report.retrain_steps}`" in text) == told


def test_a_run_without_pictures_has_a_page(pruning_recipe, tmp_path):
    nothing = pruning_recipe.replace(eval={"pictures": 0}, train={"steps": 0, "epochs": 0})
    runs.run_pruning(nothing, tmp_path)
    assert not (tmp_path / "pictures.jpg").exists()
    assert "pictures" not in (tmp_path / "report.md").read_text()
    assert (tmp_path / "report.html").exists()


def test_the_layers_by_what_they_cost(filter_run):
    workdir, report = filter_run
    smaller = pruning.layer_macs(darknet.read_cfg(workdir / "model.cfg"), 32, 32)
    assert {row.name: row.macs_left for row in report.layers} == smaller
    assert sum(row.nonzeros for row in report.layers) == report.stages[-1].nonzero
    total = sum(row.macs for row in report.layers)
    cells = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in stages.layer_table(report.layers, report.stages)
    ]
    table = {line[0]: dict(zip(cells[0], line, strict=True)) for line in cells[2:]}
    first = report.layers[0]
    assert table["conv_00"]["of all"] == f"{first.macs / total:.1%}"
    assert table["conv_00"]["of it"] == f"{smaller['conv_00'] / first.macs:.1%}"
    assert "ms" not in cells[0]


def test_a_run_that_is_done_gives_the_same_again(filter_run, pruning_recipe):
    workdir, report = filter_run
    before = (workdir / "model.weights").read_bytes()
    again = runs.run_pruning(pruning_recipe, workdir)
    assert again.retrain_seconds is None
    assert "how long it took is not known" in (workdir / "report.md").read_text()
    assert (workdir / "model.weights").read_bytes() == before
    assert again.stages[2].evaluation.map_area == report.stages[2].evaluation.map_area
    with pytest.raises(ValueError, match=r"holds a retraining, and this run has none; give a new --workdir"):
        runs.run_pruning(pruning_recipe.replace(train={"steps": 0, "epochs": 0}), workdir)
    with pytest.raises(ValueError, match=r"is at step \d+, past the 2 of this run; give a new --workdir"):
        runs.run_pruning(pruning_recipe.replace(train={"steps": 2}), workdir)


def test_weights_stay_dropped_through_retraining(pruning_recipe, trained, tmp_path):
    report = runs.run_pruning(pruning_recipe.replace(prune={"method": "weight", "amount": 0.8}), tmp_path)
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


def test_filters_on_a_grid_and_what_that_costs(pruning_recipe, tmp_path):
    report = runs.run_pruning(pruning_recipe.replace(prune={"round_to": 2}, train={"steps": 1}), tmp_path)
    architecture = darknet.read_cfg(tmp_path / "model.cfg")
    assert all(conv.layer.filters % 2 == 0 for conv in architecture.convolutions[:-1])
    assert report.off_grid["parameters"] < report.stages[2].parameters
    assert report.off_grid["macs"] < report.stages[2].macs
    assert f"{report.off_grid['parameters']:,} parameters in place of" in (tmp_path / "report.md").read_text()


def test_to_a_budget_with_repair_and_no_training(pruning_recipe, tmp_path):
    recipe = pruning_recipe.replace(
        prune={"budget": "macs=50%", "repair": True, "images": 8}, train={"steps": 0, "epochs": 0}
    )
    report = runs.run_pruning(recipe, tmp_path)
    assert [stage.name for stage in report.stages] == ["original", "pruned", "repaired"]
    original, _, repaired = report.stages
    assert repaired.macs <= original.macs / 2
    assert json.loads((tmp_path / "removal.json").read_text())["max_difference"] <= 1e-5
    assert pruning.macs(darknet.read_cfg(tmp_path / "model.cfg"), 32, 32) == repaired.macs
    text = (tmp_path / "report.md").read_text()
    assert "# Filters pruned to macs=50%" in text
    assert "- Repaired by images of" in text
    assert "without labels, not retrained; measured on" in text
    assert "curves.svg" not in text
    assert export.open_model(str(tmp_path / "model.weights")).seen == 48
    with pytest.raises(ValueError, match=r"train\.steps and train\.epochs are both 0"):
        runs.run_training(recipe, tmp_path / "training")


@pytest.mark.parametrize("budget", ["weights=5%", "bytes=30%"])
def test_weights_to_a_budget(pruning_recipe, tmp_path, budget):
    recipe = pruning_recipe.replace(prune={"method": "weight", "budget": budget}, train={"steps": 1})
    original, pruned, retrained = runs.run_pruning(recipe, tmp_path).stages
    assert retrained.nonzero <= pruned.nonzero < original.nonzero
    model = export.open_model(str(tmp_path / "model.weights"))
    if budget.startswith("bytes"):
        assert 0.29 * original.weights_bytes < pruned.compressed_bytes <= 0.3 * original.weights_bytes
    else:
        assert pruning.count_weights(model.params) == int(0.05 * pruning.total(model.architecture, "weight"))


def test_a_criterion_that_sees_batches(pruning_recipe, tmp_path):
    recipe = pruning_recipe.replace(prune={"criterion": "taylor", "images": 4}, train={"steps": 0, "epochs": 0})
    report = runs.run_pruning(recipe, tmp_path)
    assert [stage.name for stage in report.stages] == ["original", "pruned", "removed"]
    assert report.stages[2].parameters < report.stages[0].parameters


def test_retraining_a_pruned_checkpoint(recipe, filter_run, tmp_path):
    workdir, _ = filter_run
    runs.run_training(recipe.replace(model={"start": str(workdir)}, train={"steps": 3}), tmp_path)
    assert darknet.read_cfg(tmp_path / "model.cfg") == darknet.read_cfg(workdir / "model.cfg")


@pytest.mark.parametrize(
    ("section", "fields", "message"),
    [
        ("prune", {"method": "filters"}, "prune.method 'filters', expected 'filter' or 'weight'"),
        ("prune", {"amount": 40}, r"prune.amount 40.0, expected from 0 to below 1"),
        ("prune", {"criterion": "l7"}, "prune.criterion 'l7', expected one of mean_square, l1"),
        ("prune", {"exclude": ("conv_99",)}, "exclude names 'conv_99'"),
        ("prune", {"exclude": ("conv_99",), "budget": "macs=60%"}, "exclude names 'conv_99'"),
        ("model", {"start": ""}, "model.start is empty, expected the network to prune"),
        ("model", {"start": "nowhere.weights"}, "nowhere.weights: no such file or folder"),
        ("model", {"dtype": "float16"}, "model.dtype 'float16', expected 'float32' or 'bfloat16'"),
        (
            "prune",
            {"budget": "macs=half"},
            "budget 'macs=half', expected macs or params or bytes or filters or weights or latency and",
        ),
        ("prune", {"budget": "macs=1%"}, "a cost of 4,429 cannot be met, expected at least 35,760"),
        ("prune", {"method": "weight", "repair": True}, "prune.repair is for filters; prune.method is weight"),
        (
            "prune",
            {"method": "weight", "budget": "macs=50%"},
            "'macs=50%', expected weights or params or bytes and how",
        ),
        ("prune", {"method": "weight", "budget": "params=101"}, "a cost of 101 cannot be met, expected at least"),
        ("train", {"learning_rate": float("nan")}, "train.learning_rate nan, expected at least 0"),
        ("train", {"jitter": 1.5}, r"train.jitter 1.5, expected 0\.\.1"),
        ("train", {"distill_features": 1.0}, "train.distill_features 1.0 and train.distill_layers .*: give both"),
        ("train", {"distill_features": 1.0, "distill_layers": ("conv_01",)}, "'conv_01', which is not a convolution"),
        ("train", {"labels": "none"}, "train.labels 'none', expected 'data' or 'teacher'"),
        ("train", {"batch_size": 3}, "batch_size 3 does not divide over 4 devices"),
        ("train", {"sizes": (33,)}, "size 33 does not fit in reorg_09: a 9x9 map does not divide by stride 2"),
    ],
)
def test_mistakes_that_show_before_data_are_touched_leave_no_folder(pruning_recipe, tmp_path, section, fields, message):
    with pytest.raises(ValueError, match=message):
        runs.run_pruning(pruning_recipe.replace(**{section: fields}), tmp_path / "mistake")
    assert not (tmp_path / "mistake").exists()


def test_an_unknown_data_set(pruning_recipe, tmp_path):
    with pytest.raises(ValueError, match="data 'imagenet', expected voc2007"):
        runs.run_pruning(pruning_recipe.replace(data={"source": "imagenet"}), tmp_path / "mistake")


def test_another_network_under_the_same_name(recipe, tmp_path):
    recipe = recipe.replace(model={"start": str(tmp_path / "m.weights")})
    (tmp_path / "m.weights").write_bytes(b"one")
    with claim(recipe, tmp_path / "run") as folder:
        (folder / "checkpoints").mkdir()
    with claim(recipe, tmp_path / "run"):
        pass
    (tmp_path / "m.weights").write_bytes(b"two")
    with pytest.raises(ValueError, match=r"other settings: SHA-256 of the model's file .* is now"):
        check_same_run(recipe, tmp_path / "run")


def test_a_network_that_no_training_made_is_not_replaced_either(recipe, tmp_path):
    recipe = recipe.replace(prune={"amount": 0.3})
    with claim(recipe, tmp_path, sections=PRUNING) as folder:
        (folder / "model.weights").touch()
    with claim(recipe, tmp_path, sections=PRUNING):
        pass
    message = r"holds a run with other settings: prune\.amount 0\.3 is now 0\.5; give a new --workdir or remove it"
    with (
        pytest.raises(ValueError, match=message),
        claim(recipe.replace(prune={"amount": 0.5}), tmp_path, sections=PRUNING),
    ):
        pass


def test_names_of_another_number_than_the_data(recipe, tmp_path):
    (tmp_path / "three.names").write_text("a\nb\nc\n")
    recipe = recipe.replace(data={"source": "shapes", "names": str(tmp_path / "three.names")})
    with pytest.raises(ValueError, match=r"three\.names has a, b, c; shapes trainval .* has circle, sq"):
        runs.run_training(recipe, tmp_path / "run")


def test_a_new_network_has_the_size_at_which_it_is_measured(recipe):
    settings = recipe.replace(eval={"size": 64})
    dataset = setup.open_split(settings.data, "trainval", ())
    model = new_network(settings, dataset)
    assert setup.at_size(settings, model).architecture == model.architecture.resized(64, 64)


def test_size_0_is_the_networks_own(recipe):
    architecture = darknet.read_cfg(recipe.model.cfg)
    found = setup.with_size(recipe.replace(eval={"size": 0}, train={"sizes": (64, 0)}), architecture)
    assert found.eval.size == 32
    assert found.train.sizes == (64, 32)
    with pytest.raises(ValueError, match="the network's own size is 64x32, expected a square; give another size"):
        setup.with_size(recipe.replace(train={"sizes": (0,)}), architecture.resized(32, 64))
