import json
import re

import pytest

from yolojax import export, pruning, runs, studies
from yolojax.runs.prune import open_checked, open_subject
from yolojax.runs.workdir import PRUNING, claim
from yolojax.studies.rows import choose_rows, group_rows
from yolojax.studies.run import is_done, row_settings, with_start

ROWS = ("control", "filter50", "filter50-seed1", "weight80", "weight80-seed1", "control-seed1")


@pytest.fixture(scope="module")
def study_recipe(recipe):
    return recipe.replace(
        train={"steps": 3, "eval_every": 2, "log_every": 1},
        study={
            "filter_amounts": (0.5,),
            "weight_amounts": (0.8,),
            "seeds": (0, 1),
            "sensitivity_amounts": (0.4, 0.8),
            "sensitivity_split": "test",
            "baseline_steps": 8,
        },
    )


@pytest.fixture(scope="module")
def study(study_recipe, tmp_path_factory):
    """The workdir of a study in which two rows are still to be run."""
    workdir = tmp_path_factory.mktemp("study")
    studies.run_study(study_recipe, workdir, rows=["filter50", "filter50-seed1", "control", "sensitivity-filter"])
    return workdir


def test_a_second_start_runs_only_the_rows_that_are_left(study, study_recipe):
    assert not (study / "weight80").exists()
    before = {path: path.stat().st_mtime_ns for path in study.glob("*/report.json")}
    network = (study / "baseline" / "model.weights").stat().st_mtime_ns
    assert len(before) == 3
    studies.run_study(study_recipe, study)
    assert {path.parent.name for path in study.glob("*/report.json")} == set(ROWS)
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    assert (study / "baseline" / "model.weights").stat().st_mtime_ns == network
    result = json.loads((study / "study.json").read_text())
    assert list(result["rows"]) == ["control", "filter50", "weight80"]
    assert [len(reports) for reports in result["rows"].values()] == [2, 2, 2]


def test_the_rows_are_pruning_runs_of_their_seeds(study):
    first, second = (json.loads((study / name / "report.json").read_text()) for name in ("filter50", "filter50-seed1"))
    assert (first["config"]["train"]["seed"], second["config"]["train"]["seed"]) == (0, 1)
    assert first["stages"]["pruned"]["evaluation"]["map_area"] == second["stages"]["pruned"]["evaluation"]["map_area"]
    assert (study / "filter50" / "model.weights").read_bytes() != (
        study / "filter50-seed1" / "model.weights"
    ).read_bytes()
    control = json.loads((study / "control" / "report.json").read_text())["stages"]
    assert control["retrained"]["nonzero"] == control["original"]["nonzero"]


def test_the_page_needs_no_other_file(study):
    text = (study / "study.md").read_text()
    for part in ("50,655,389", "10,147,712", "confidence >= 0.005", "| 50 |", "±"):
        assert part in text
    page = (study / "study.html").read_text()
    assert "<table>" in page
    sources = re.findall(r'src="([^"]*)"', page)
    assert len(sources) == len(re.findall(r"!\[", text)) >= 8
    assert all(source.startswith("data:image/") for source in sources)


def test_mistakes(study, study_recipe):
    with pytest.raises(ValueError, match=r"no row 'filter30'; this study has control, control-seed1, filter50"):
        studies.run_study(study_recipe, study, rows=["filter30"])
    other = study_recipe.replace(train={"learning_rate": 0.5})
    with pytest.raises(ValueError, match=r"baseline holds .* other settings: train\.learning_rate 0\.01 is now 0\.5"):
        studies.run_study(other, study)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prune": {"budget": "macs=50%"}}, "the rows of a study are amounts"),
        ({"prune": {"repair": True}}, "the rows of a study are amounts"),
        ({"train": {"steps": 0, "epochs": 0}}, r"train\.steps and train\.epochs are both 0"),
    ],
)
def test_what_no_row_can_be(study_recipe, tmp_path, fields, message):
    with pytest.raises(ValueError, match=message):
        studies.run_study(study_recipe.replace(**fields), tmp_path / "study")
    assert not (tmp_path / "study").exists()


def test_what_a_study_may_change(study, study_recipe):
    recipe = with_start(study_recipe, study)
    (row,) = choose_rows(recipe.study, ["control"])
    assert is_done(recipe, row, study)
    recipe = recipe.replace(study={"seeds": (0, 7), "weight_amounts": (0.5, 0.8)})
    assert is_done(recipe, row, study)
    longer = recipe.replace(train={"steps": recipe.train.steps + 1})
    assert not is_done(longer, row, study)
    with claim(row_settings(longer, row), study / row.name, sections=PRUNING):  # it went on, and was stopped
        pass
    assert not is_done(longer, row, study)
    assert is_done(recipe.replace(train={"seed": 3}), row, study)  # a row has its own
    with pytest.raises(ValueError, match=r"control holds a run with other settings: train\.momentum 0\.9 is now 0\.5"):
        is_done(recipe.replace(train={"momentum": 0.5}), row, study)


def test_a_control_of_any_seed_is_the_control(study, study_recipe):
    (row,) = choose_rows(study_recipe.study, ["control-seed1"])
    assert (row.name, row.kind) == ("control-seed1", "control")
    (group,) = group_rows([row], study)
    assert group.name == "control"


def test_sensitivity_against_masks_made_by_hand(study, study_recipe):
    result = json.loads((study / "sensitivity-filter" / "sensitivity.json").read_text())
    assert result["method"] == "filter"
    model = export.open_model(str(study / "baseline" / "model.weights"))
    assert "conv_11" in result["layers"]
    assert len(result["layers"]) == result["prunable"] == len(model.architecture.convolutions) - 1
    unpruned = study_recipe.replace(model={"start": str(study / "baseline" / "model.weights")}, prune={"amount": 0.0})
    subject = open_subject(unpruned, open_checked(unpruned))
    masked = model.masked(pruning.filter_masks(model.architecture, model.params, {"conv_11": 0.8}))
    expected = subject.evaluator.evaluate(masked.variables).map_11point
    assert result["layers"]["conv_11"]["map_11point"][1] == expected


def test_amounts_by_sensitivity(study, study_recipe, tmp_path):
    analysis = str(study / "sensitivity-filter" / "sensitivity.json")
    recipe = with_start(study_recipe, study).replace(prune={"amount": 0.3, "amounts": analysis})
    report = runs.run_pruning(recipe, tmp_path / "run")
    dropped = sum(layer.filters_dropped for layer in report.layers)
    total = sum(layer.filters for layer in report.layers[:-1])
    assert abs(dropped - 0.3 * total) <= len(report.layers) * 4
    assert "amounts per layer by their sensitivity" in (tmp_path / "run" / "report.md").read_text()
    with pytest.raises(ValueError, match="was measured for method filter, the config prunes by weight"):
        runs.run_pruning(recipe.replace(prune={"method": "weight"}), tmp_path / "other")
