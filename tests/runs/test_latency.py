"""A budget of milliseconds."""

import dataclasses
import json

import pytest

from yolojax import darknet, network, pruning, runs, studies
from yolojax.runs import latency
from yolojax.runtimes import LatencyTable
from yolojax.settings import Settings


@pytest.fixture
def settings(recipe: Settings, trained, tmp_path, monkeypatch) -> Settings:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("yolojax.runtimes.latency.NETWORKS", 4)
    monkeypatch.setattr("yolojax.runtimes.latency.CALLS", 3)
    monkeypatch.setattr("yolojax.runtimes.timing.REST", 0)
    return recipe.replace(
        model={"start": str(trained)},
        train={"steps": 0, "epochs": 0},
        prune={"budget": "latency=90%", "floor": 0.2},
        eval={"runtime": "onnxruntime"},
    )


@pytest.fixture
def pretended(monkeypatch):
    """Layers that take what their channels say, and calls of 8.5 ms of 10: a tenth of a millisecond is hard to time."""

    def measure(architecture, runtime, *, size):
        names = [architecture.name(index) for index in range(len(architecture.layers))]
        layers = dict.fromkeys(names, (1e-5, 1e-6, 1e-6, 1e-6))
        table = LatencyTable(layers, (0.0, 1.0), grid=1, unpruned=1.0, where=runtime.version, error=0.0)
        return dataclasses.replace(table, unpruned=table.seconds(architecture))

    monkeypatch.setattr("yolojax.runtimes.measure_latency", measure)
    monkeypatch.setattr("yolojax.runtimes.time_networks", lambda *_, **__: [8.5e-3, 1e-2])


def test_the_table_is_made_once_and_stays_with_the_run(settings, pretended, tmp_path, monkeypatch):
    # How long networks of a tenth of a millisecond take is pretended: the third choice is the nearest that holds.
    measured = iter([5e-3, 7e-3, 8e-3, 9.5e-3, 7.5e-3])
    monkeypatch.setattr("yolojax.runtimes.time_networks", lambda *_, **__: [next(measured), 1e-2])
    calls, choose = [], latency.rounds.choose
    monkeypatch.setattr(latency.rounds, "choose", lambda *given: calls.append(given) or choose(*given))
    report = runs.run_pruning(settings, tmp_path / "run")
    assert len(calls) == latency.TRIES
    assert (report.latency.target, report.latency.measured) == (pytest.approx(9e-3), 8e-3)
    assert report.latency.where.startswith("ONNX Runtime")
    (cached,) = (tmp_path / "cache" / "yolojax").iterdir()
    first, kept = (json.loads(path.read_text()) for path in (cached, tmp_path / "run" / "latency.json"))
    assert first["layers"] == kept["layers"]
    assert kept["correction"] != first["correction"] == 1
    assert "- At most 9.00 ms in ONNX Runtime" in (tmp_path / "run" / "report.md").read_text()

    # A retraining that goes on chooses the same, whatever it measures; another run finds the table.
    _, model, train_set = calls[-1]
    (tmp_path / "run" / "checkpoints" / "1").mkdir(parents=True)
    monkeypatch.setattr("yolojax.runtimes.time_networks", lambda *_, **__: [1e-4, 2e-4])
    monkeypatch.setattr("yolojax.runtimes.measure_latency", lambda *_, **__: pytest.fail("measured again"))
    _, _, masks, _ = latency.choose(settings, model, train_set, tmp_path / "run")
    assert json.loads((tmp_path / "run" / "latency.json").read_text()) == kept
    counts = {name: int(network.alive_filters(mask).sum()) for name, mask in masks.items()}
    smaller = darknet.read_cfg(tmp_path / "run" / "model.cfg")
    assert counts == {conv.name: conv.layer.filters for conv in smaller.convolutions}
    assert runs.run_pruning(settings, tmp_path / "again").latency is not None


def test_the_table_of_another_run_serves_a_row_of_a_study(settings, pretended, tmp_path, monkeypatch):
    runs.run_pruning(settings, tmp_path / "run")
    kept = tmp_path / "run" / "latency.json"
    monkeypatch.setattr("yolojax.runtimes.measure_latency", lambda *_, **__: pytest.fail("measured again"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    row = f"fast prune.budget=latency=80% prune.latency_table={kept}"
    study = settings.replace(prune={"budget": ""}, study={"rows": (row,), "control": False})
    studies.run_study(study, tmp_path / "study")
    report = json.loads((tmp_path / "study" / "fast" / "report.json").read_text())
    assert report["latency"]["where"] == json.loads(kept.read_text())["where"]


def test_a_run_without_training_begins_with_the_table_as_it_was_measured(settings, pretended, tmp_path):
    runs.run_pruning(settings, tmp_path / "a")
    stale = json.loads((tmp_path / "a" / "latency.json").read_text()) | {"correction": 3.0}
    (tmp_path / "a" / "latency.json").write_text(json.dumps(stale))
    again = runs.run_pruning(settings, tmp_path / "a")
    assert json.loads((tmp_path / "a" / "latency.json").read_text())["correction"] == 1
    assert again.latency.measured == 8.5e-3


def test_the_table_of_another_network(settings, pretended, tmp_path):
    runs.run_pruning(settings, tmp_path / "run")
    table = json.loads((tmp_path / "run" / "latency.json").read_text())
    table["layers"]["conv_77"] = table["layers"].pop("conv_00")
    (tmp_path / "other.json").write_text(json.dumps(table))
    other = settings.replace(prune={"latency_table": str(tmp_path / "other.json")})
    with pytest.raises(ValueError, match=r"other\.json: conv_00 is in one of the table and the network"):
        runs.run_pruning(other, tmp_path / "new")
    missing = settings.replace(prune={"latency_table": str(tmp_path / "missing.json")})
    with pytest.raises(FileNotFoundError, match=r"missing\.json"):
        runs.run_pruning(missing, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"eval": {"runtime": "none"}}, "needs a runtime; give eval.runtime one"),
        ({"eval": {"runtime": "jax"}}, "jax does not tell what each layer takes"),
    ],
)
def test_mistakes(settings, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        runs.run_pruning(settings.replace(**changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("text", "value", "share"),
    [("latency=5ms", 0.005, False), ("latency=40%", 0.4, True), ("latency=0.5s", 0.5, False)],
)
def test_budgets_of_time(text, value, share):
    budget = pruning.parse_budget(text)
    assert (budget.unit, budget.value, budget.share) == ("latency", pytest.approx(value), share)


@pytest.mark.parametrize("text", ["latency=5M", "latency=5", "macs=5ms", "params=3s"])
def test_budgets_of_another_unit(text):
    with pytest.raises(ValueError, match=r"expected (latency|macs|params) in"):
        pruning.parse_budget(text)
