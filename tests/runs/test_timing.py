"""Milliseconds in a report."""

import json

import pytest

from yolojax import runs
from yolojax.reporting import entries
from yolojax.settings import Settings


@pytest.fixture(scope="module")
def run(recipe: Settings, trained, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("timed")
    settings = recipe.replace(
        model={"start": str(trained)},
        train={"steps": 0, "epochs": 0},
        prune={"budget": "macs=40%"},
        eval={"runtime": "onnxruntime"},
    )
    return runs.run_pruning(settings, workdir), workdir


def test_networks_of_the_same_layers_have_the_same_time(run):
    report, _ = run
    speeds = {stage.name: stage.speed for stage in report.stages}
    assert list(speeds) == ["original", "pruned", "removed"]
    assert speeds["original"] == speeds["pruned"] != speeds["removed"]
    assert speeds["original"].where.startswith("ONNX Runtime 1.")
    assert speeds["removed"].timing.calls > 10
    assert speeds["removed"].layers.keys() >= {row.name for row in report.layers}


def test_the_layers_have_their_milliseconds(run):
    report, workdir = run
    before, after = (report.stages[number].speed.layers["conv_00"] for number in (0, -1))
    text = (workdir / "report.md").read_text()
    (row,) = [line for line in text.splitlines() if line.startswith("| conv_00 |")]
    assert f"| {1e3 * before:.3f} | {1e3 * after:.3f} |" in row


def test_the_page_begins_with_the_verdict(run):
    report, workdir = run
    lines = (workdir / "report.md").read_text().splitlines()
    times = report.stages[0].speed.timing.median / report.stages[-1].speed.timing.median
    faster = f"{times:.1f} times faster" if times >= 1 else f"{1 / times:.1f} times slower"
    assert lines[2].startswith(f"**{report.stages[-1].macs / report.stages[0].macs:.0%} of the MACs, {faster}, ")
    assert f"| {1e3 * report.stages[0].speed.timing.median:.2f} |" in "\n".join(lines)


def test_a_comparison_knows_the_time(run):
    report, workdir = run
    (entry,) = entries.read_run(workdir)[-1:]
    assert entry.milliseconds == pytest.approx(1e3 * report.stages[-1].speed.timing.median)
    assert entry.unpruned.milliseconds == pytest.approx(1e3 * report.stages[0].speed.timing.median)
    assert json.loads((workdir / "report.json").read_text())["stages"]["removed"]["speed"]["where"] == entry.where


def test_a_runtime_that_is_not_there_shows_before_the_work(recipe, trained, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="the runtime openvino needs openvino and onnx; pip install"):
        runs.run_pruning(recipe.replace(model={"start": str(trained)}, eval={"runtime": "openvino"}), tmp_path / "run")
    assert not (tmp_path / "run").exists()
