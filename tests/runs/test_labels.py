"""Pictures without labels: a whole run on them, and what is refused."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from tests import helpers
from yolojax import darknet, export, pruning, runs, runtimes, studies, training
from yolojax.reporting.report import to_markdown
from yolojax.settings import Settings

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> pathlib.Path:
    """m.cfg and m.weights of a random network without class names, and a folder of pictures."""
    folder = tmp_path_factory.mktemp("unlabelled")
    helpers.save_network(folder, helpers.small_architecture(classes=2), seen=3)
    helpers.make_devkit(folder / "squares", count=30)
    return folder


@pytest.fixture(scope="module")
def unlabelled(files) -> Settings:
    return Settings().replace(
        model={"start": str(files / "m.weights")},
        data={"source": f"images:{files / 'squares' / 'JPEGImages'}", "threads": 1},
        train={"steps": 0, "epochs": 0, "batch_size": 4},
        eval={"size": 0, "batch_size": 4, "pictures": 2},
        prune={"budget": "macs=60%", "repair": True, "images": 8},
    )


@pytest.fixture(scope="module")
def run(unlabelled, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("run") / "repair"
    return workdir, runs.run_pruning(unlabelled, workdir)


def test_a_network_and_pictures_are_enough(run, files):
    workdir, report = run
    assert [stage.name for stage in report.stages] == ["original", "pruned", "repaired"]
    original, pruned, repaired = report.stages
    assert report.train_set.endswith("trainval (24 images)")
    assert report.eval_set.endswith("test (6 images)")
    assert repaired.macs <= 0.6 * original.macs
    assert 0 < pruned.evaluation.map_area < 1
    assert pruned.evaluation.objects == repaired.evaluation.objects == original.evaluation.objects > 0
    smaller = export.open_model(str(workdir / "model.weights"))
    assert pruning.count_parameters(smaller.params) == repaired.parameters
    assert smaller.names == ()
    assert smaller.seen == 3
    assert json.loads((workdir / "config.json").read_text())["eval"]["size"] == 32
    assert sorted(path.name for path in files.iterdir()) == ["m.cfg", "m.weights", "squares"]


def test_the_unpruned_network_agrees_with_itself(run):
    _, report = run
    evaluation = report.stages[0].evaluation
    assert evaluation.map_11point == evaluation.map_area == evaluation.map_11point_at_025 == 1.0
    found = {name: value for name, value in evaluation.ap_area.items() if value is not None}
    assert found
    assert set(found.values()) == {1.0}


def test_the_report_says_what_to_do_about_much_that_is_lost_and_about_few_pictures(run):
    _, found = run
    for kept, advised in ((0.89, True), (0.91, False)):
        evaluation = dataclasses.replace(found.stages[-1].evaluation, map_11point=kept)
        stages = [*found.stages[:-1], dataclasses.replace(found.stages[-1], evaluation=evaluation)]
        assert ("**What next**" in to_markdown(dataclasses.replace(found, stages=stages))) == advised
    few = dataclasses.replace(found, eval_set="images:x test (5 images, the same in every split)")
    assert "**Few pictures**" in to_markdown(few)
    assert "**Few pictures**" not in to_markdown(found)


def test_the_report_says_what_its_numbers_are(run):
    workdir, report = run
    text = (workdir / "report.md").read_text()
    objects = report.stages[0].evaluation.objects
    assert f"agreement with the unpruned network, not mAP against labels. The unpruned network finds {objects}" in text
    assert "without labels: against what the unpruned network finds at confidence >= 0.25." in text
    assert "| agreement (11-point) | agreement (area) | agreement at 0.25 |" in text
    assert "mAP" not in text.replace("not mAP against labels", "")
    found = json.loads((workdir / "report.json").read_text())
    assert found["measured"] == "agreement with the unpruned network, not mAP against labels"
    assert found["stages"]["pruned"]["evaluation"]["protocol"]["agreement"] is True
    runs.convert(str(workdir / "model.weights"), "compressed", str(workdir / "small.yolojax"))
    assert "- mAP: not known." in (workdir / "small.yolojax.md").read_text()


def test_the_log_says_what_the_numbers_are(unlabelled, tmp_path, caplog):
    caplog.set_level("INFO", "absl")
    runs.run_pruning(unlabelled.replace(prune={"repair": False}), tmp_path)
    texts = [record.getMessage() for record in caplog.records]
    assert texts.count("the network has no class names, so numbers stand for them; data.names=FILE gives some") == 1
    assert [text for text in texts if text.endswith("are agreement with the unpruned network, not mAP against labels")]
    assert [text[:19] for text in texts if "(11-point)" in text] == [
        "original: agreement",
        "pruned: agreement 0",
        "removed: agreement ",
    ]


def test_classes_have_the_networks_names(files, unlabelled, tmp_path):
    for name in ("m.cfg", "m.weights"):
        (tmp_path / name).write_bytes((files / name).read_bytes())
    (tmp_path / "m.names").write_text("blue\nred\n")
    report = runs.run_pruning(unlabelled.replace(model={"start": str(tmp_path / "m.weights")}), tmp_path / "run")
    assert list(report.stages[0].evaluation.ap_area) == ["blue", "red"]
    assert export.open_model(str(tmp_path / "run" / "model.weights")).names == ("blue", "red")


def test_a_network_that_finds_nothing(unlabelled, tmp_path, caplog):
    architecture = helpers.small_architecture(classes=2)
    variables = helpers.random_variables(architecture)
    head = variables["params"][architecture.head_name]
    channels = np.arange(head["bias"].size)
    head["bias"] = np.where(channels % 7 == 4, np.float32(-20), head["bias"])  # objectness
    darknet.save(architecture, variables, tmp_path / "m.cfg", tmp_path / "m.weights")
    runs.run_pruning(unlabelled.replace(model={"start": str(tmp_path / "m.weights")}), tmp_path / "run")
    assert (
        "The unpruned network finds no object, so the numbers say nothing." in (tmp_path / "run/report.md").read_text()
    )
    assert any("finds no object, so the agreement says nothing" in record.getMessage() for record in caplog.records)


def test_a_criterion_that_sees_images_alone(unlabelled, tmp_path, monkeypatch):
    seen = []

    def brightness(architecture, variables, batches):
        seen.extend(batch["image"].shape for batch in batches)
        return pruning.CRITERIA["l1"].score(architecture, variables["params"])

    criterion = pruning.Criterion("brightness", "filter", brightness, pruning.Needs.IMAGES)
    monkeypatch.setitem(pruning.CRITERIA, "brightness", criterion)
    runs.run_pruning(unlabelled.replace(prune={"criterion": "brightness"}), tmp_path)
    assert seen == [(4, 32, 32, 3)] * 2


def test_what_needs_labels_leaves_no_folder(unlabelled, tmp_path):
    place, trained = tmp_path / "refused", unlabelled.replace(train={"steps": 5})
    with pytest.raises(ValueError, match=r"no labels to train on; take train\.steps=0 .*, or train\.labels=teacher"):
        runs.run_pruning(trained, place)
    with pytest.raises(
        ValueError, match=r"prune\.criterion 'taylor' needs labels, and images:.* has none; take one of"
    ):
        runs.run_pruning(unlabelled.replace(prune={"criterion": "taylor"}), place)
    with pytest.raises(ValueError, match="has no labels, which training needs; prune and detect take pictures without"):
        runs.run_training(trained, place)
    with pytest.raises(ValueError, match="has no labels, which a study needs"):
        studies.run_study(trained.replace(prune={"budget": "", "repair": False}), place)
    program = runtimes.open_program(unlabelled.model.start, size=32)
    with pytest.raises(ValueError, match="has no labels, which evaluation needs"):
        runs.evaluate_program(program, unlabelled.data.source, "test", training.Protocol(size=32))
    assert not place.exists()


def test_a_size_of_its_own_is_square(unlabelled, tmp_path):
    architecture = helpers.small_architecture(classes=2).resized(32, 64)
    darknet.save(architecture, helpers.random_variables(architecture), tmp_path / "m.cfg", tmp_path / "m.weights")
    with pytest.raises(ValueError, match=r"the network's own size is 64x32, expected a square; give another size"):
        runs.run_pruning(unlabelled.replace(model={"start": str(tmp_path / "m.weights")}), tmp_path / "run")


def test_training_and_studies_take_the_networks_own_size(recipe, tmp_path):
    evaluation = runs.run_training(recipe.replace(eval={"size": 0}, train={"steps": 1}), tmp_path)
    assert evaluation.protocol.size == 32


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("prune", "--config.train.steps=5"), "has no labels to train on; take train.steps=0"),
        (("prune", "--config.prune.criterion=taylor"), "prune.criterion 'taylor' needs labels"),
        (("train", "--config.train.steps=5"), "has no labels, which training needs"),
        (
            ("study", "--config.train.steps=5", "--config.prune.budget=", "--config.prune.repair=0"),
            "which a study needs",
        ),
        (("prune", "--config.data.source=images:nowhere"), "nowhere: no such folder, expected a folder of pictures"),
    ],
)
def test_refusals_are_one_line(files, tmp_path, arguments, message):
    command, *overrides = arguments
    result = subprocess.run(
        [
            *(sys.executable, "-m", f"yolojax.{command}", "--config", ROOT / "configs" / "repair.py"),
            *(f"--config.model.start={files / 'm.weights'}", f"--config.data.source=images:{files / 'squares'}"),
            *overrides,
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    (line,) = [line for line in result.stderr.strip().splitlines() if "results in" not in line]
    assert line.startswith("error: ")
    assert message in line
    assert list(tmp_path.iterdir()) == []
