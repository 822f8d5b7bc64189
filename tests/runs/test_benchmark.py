import dataclasses
import json

import pytest

from tests import helpers
from yolojax import darknet, runs
from yolojax.runs.benchmark import Measured, slower, verdict
from yolojax.runtimes import Timing


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")
    for name, size in (("large", 64), ("small", 32)):
        architecture = helpers.small_architecture(size)
        darknet.save(
            architecture, helpers.random_variables(architecture), folder / f"{name}.cfg", folder / f"{name}.weights"
        )
    return folder


def test_networks_and_runtimes_take_turns(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("yolojax.runtimes.timing.REST", 0)
    models = [str(folder / f"{name}.weights") for name in ("large", "small")]
    rows = runs.benchmark(models, tmp_path / "out", names=["onnxruntime", "jax"], batches=(1, 2), rounds=2)
    keys = [(row.network, row.runtime, row.batch, row.size) for row in rows]
    assert keys == [
        (f"{name}.weights", runtime, batch, size)
        for batch in (1, 2)
        for name, size in (("large", 64), ("small", 32))
        for runtime in ("onnxruntime", "jax")
    ]
    assert rows[0].first is None
    assert rows[2].first is rows[0]
    assert rows[2].macs == rows[0].macs / 4
    assert rows[2].of_ideal == pytest.approx(rows[2].speed_up / 4)
    assert rows[0].layers.keys() >= {"conv_00", "conv_12"}
    content = json.loads((tmp_path / "out" / "benchmark.json").read_text())
    assert [row["timing"]["median"] for row in content["rows"]] == [row.timing.median for row in rows]
    page = (tmp_path / "out" / "benchmark.md").read_text()
    assert "## Layers in onnxruntime, ms" in page
    assert "Layers in jax" not in page
    assert (tmp_path / "out" / "benchmark.svg").stat().st_size > 1000
    out = capsys.readouterr().out
    assert "ONNX Runtime " in out
    assert "large.weights" in out


def test_a_pruned_network_that_is_slower_is_named_with_its_layers():
    first = Measured(
        "whole", "onnxruntime", 1, 32, 100, Timing(2e-3, 2e-3, 2e-3, 9), {"conv_00": 1e-3, "conv_02": 1e-3}
    )
    worse = {"conv_00": 1.75e-3, "conv_02": 0.9e-3}
    odd = Measured("odd", "onnxruntime", 1, 32, 80, Timing(2.5e-3, 2e-3, 3e-3, 9), worse, first)
    fast = dataclasses.replace(odd, network="fast", timing=Timing(1e-3, 1e-3, 1e-3, 9))
    assert slower([first, odd, fast]) == [
        "odd is slower than whole in onnxruntime at batch 1, 2.50 ms in place of 2.00, with 80% of its MACs; "
        "slower layers: conv_00 (1.00 -> 1.75 ms)"
    ]


def test_the_verdict_is_the_fastest_other_network_at_the_same_batch():
    first = Measured("whole", "onnxruntime", 1, 32, 100, Timing(2e-3, 2e-3, 2e-3, 9), {})
    alike = dataclasses.replace(first, runtime="openvino", timing=Timing(1e-4, 1e-4, 1e-4, 9))
    small = dataclasses.replace(first, network="small", runtime="openvino", timing=Timing(8e-4, 8e-4, 8e-4, 9))
    larger_batch = dataclasses.replace(small, batch=8, timing=Timing(1e-4, 1e-4, 1e-4, 9))
    found = verdict([first, alike, small, larger_batch], mark="")
    assert found == ["small in openvino (0.80 ms) is 2.5 times as fast as whole in onnxruntime (2.00 ms).", ""]
    assert verdict([first, alike]) == []
    slow = dataclasses.replace(small, timing=Timing(4e-3, 4e-3, 4e-3, 9))
    assert "is 2.0 times slower than" in verdict([first, slow])[0]


@pytest.mark.parametrize(
    ("models", "changes", "message"),
    [
        ([], {}, "no network given"),
        (["small"], {"names": ["tvm"]}, "runtime 'tvm', expected one of"),
        (["small"], {"size": 33}, "size 33 does not fit"),
        (["small"], {"rounds": 0}, "rounds 0, expected 1 or more"),
        (["small", "small"], {}, "is given twice"),
        (["nowhere"], {}, "nowhere.weights: no such file or folder"),
    ],
)
def test_mistakes(folder, tmp_path, models, changes, message):
    with pytest.raises(ValueError, match=message):
        runs.benchmark([str(folder / f"{name}.weights") for name in models], tmp_path / "out", **changes)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["0", "x", "", "1.5"])
def test_a_batch_that_is_none(text):
    with pytest.raises(ValueError, match="expected whole numbers from 1 on"):
        runs.parse_batch(text)
