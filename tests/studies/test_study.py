import json
import re

import pytest

from configs import study_base
from yolojax import export, pruning, runs, studies
from yolojax.runs import prune as prune_run
from yolojax.runs import setup
from yolojax.studies import rows as study_rows
from yolojax.studies import run as study_run

ROWS = ("control", "filter50", "filter50-seed1", "weight80", "weight80-seed1", "control-seed1")


@pytest.fixture(scope="module")
def study_config(config):
    config = config.copy_and_resolve_references()
    for fields in (study_base.prune_base.PRUNING, study_base.STUDY):
        config.update(fields)
    config.update(filter_amounts=(0.5,), weight_amounts=(0.8,), seeds=(0, 1), sensitivity_amounts=(0.4, 0.8))
    config.update(sensitivity_split="test", steps=3, eval_every=2, log_every=1, baseline={"steps": 8})
    return config


@pytest.fixture(scope="module")
def study(study_config, tmp_path_factory):
    """The workdir of a study in which two rows are still to be run."""
    workdir = tmp_path_factory.mktemp("study")
    studies.run_study(study_config, workdir, rows=["filter50", "filter50-seed1", "control", "sensitivity-filter"])
    return workdir


def test_a_second_start_runs_only_the_rows_that_are_left(study, study_config):
    assert not (study / "weight80").exists()
    before = {path: path.stat().st_mtime_ns for path in study.glob("*/report.json")}
    network = (study / "baseline" / "model.weights").stat().st_mtime_ns
    assert len(before) == 3
    studies.run_study(study_config, study)
    assert {path.parent.name for path in study.glob("*/report.json")} == set(ROWS)
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    assert (study / "baseline" / "model.weights").stat().st_mtime_ns == network
    result = json.loads((study / "study.json").read_text())
    assert list(result["rows"]) == ["control", "filter50", "weight80"]
    assert [len(reports) for reports in result["rows"].values()] == [2, 2, 2]


def test_the_rows_are_pruning_runs_of_their_seeds(study):
    first, second = (json.loads((study / name / "report.json").read_text()) for name in ("filter50", "filter50-seed1"))
    assert (first["config"]["seed"], second["config"]["seed"]) == (0, 1)
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


def test_mistakes(study, study_config):
    with pytest.raises(ValueError, match=r"no row 'filter30'; this study has control, control-seed1, filter50"):
        studies.run_study(study_config, study, rows=["filter30"])
    other = study_config.copy_and_resolve_references()
    other.learning_rate = 0.5
    with pytest.raises(ValueError, match=r"baseline holds a run with other settings: learning_rate 0\.01 is now 0\.5"):
        studies.run_study(other, study)


def test_what_a_study_may_change(study, study_config):
    config = study_run.with_model(study_config, study)
    row = study_rows.choose_rows(config, ["control"])[0]
    assert study_run.is_done(config, row, study)
    config.seeds, config.weight_amounts = (0, 7), (0.5, 0.8)
    assert study_run.is_done(config, row, study)
    config.steps += 1
    assert not study_run.is_done(config, row, study)
    with setup.claim(study_run.row_config(config, row), study / row.name):  # it went on, and was stopped
        pass
    assert not study_run.is_done(config, row, study)
    config.steps, config.seed = config.steps - 1, 3
    assert study_run.is_done(config, row, study)  # a row has its own
    config.momentum = 0.5
    with pytest.raises(ValueError, match=r"control holds a run with other settings: momentum 0\.9 is now 0\.5"):
        study_run.is_done(config, row, study)


def test_a_control_of_any_seed_is_the_control(study, study_config):
    row = study_rows.choose_rows(study_config, ["control-seed1"])[0]
    assert (row.name, row.kind) == ("control-seed1", "control")
    (group,) = study_rows.group_rows([row], study)
    assert group.name == "control"


def test_sensitivity_against_masks_made_by_hand(study, study_config):
    result = json.loads((study / "sensitivity-filter" / "sensitivity.json").read_text())
    assert result["method"] == "filter"
    model = export.open_model(str(study / "baseline" / "model.weights"))
    assert "conv_11" in result["layers"]
    assert len(result["layers"]) == result["prunable"] == len(model.architecture.convolutions) - 1
    subject_config = study_config.copy_and_resolve_references()
    subject_config.update(model=str(study / "baseline" / "model.weights"), method="filter", amount=0.0)
    subject = prune_run.open_subject(subject_config)
    masks = pruning.filter_masks(model.architecture, model.variables["params"], {"conv_11": 0.8})
    params = pruning.apply_masks(model.variables["params"], masks)
    expected = subject.evaluator.evaluate({**model.variables, "params": params}).map_11point
    assert result["layers"]["conv_11"]["map_11point"][1] == expected


def test_amounts_by_sensitivity(study, study_config, tmp_path):
    config = study_config.copy_and_resolve_references()
    config.update(model=str(study / "baseline" / "model.weights"), method="filter", amount=0.3)
    config.amounts = str(study / "sensitivity-filter" / "sensitivity.json")
    report = runs.run_pruning(config, tmp_path / "run")
    dropped = sum(layer.filters_dropped for layer in report.layers)
    total = sum(layer.filters for layer in report.layers[:-1])
    assert abs(dropped - 0.3 * total) <= len(report.layers) * 4
    assert "amounts per layer by their sensitivity" in (tmp_path / "run" / "report.md").read_text()
    config.method = "weight"
    with pytest.raises(ValueError, match="is about pruning by filter, the config prunes by weight"):
        runs.run_pruning(config, tmp_path / "other")
