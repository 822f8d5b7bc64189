import importlib.util

import numpy as np
import pytest

from tests import helpers
from tests.export import networks
from yolojax import darknet, export, network, runtimes

NAMES = ("a", "b", "c", "d")
INSTALLED = [name for name, runtime in runtimes.RUNTIMES.items() if runtime.installed]
needs_openvino = pytest.mark.skipif(not importlib.util.find_spec("openvino"), reason="openvino is not installed")


@pytest.fixture(scope="module")
def model():
    architecture = helpers.small_architecture()
    return network.Model(architecture, helpers.random_variables(architecture), NAMES)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((3, 32, 32, 3), np.float32)


def relative(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("name", INSTALLED)
def test_the_head_is_that_of_the_network(model, images, name):
    expected = np.asarray(networks.apply(model.architecture, model.variables, images))
    session = runtimes.RUNTIMES[name].load(runtimes.make_program(model), batch=3)
    found = session(images)
    assert found.dtype == np.float32
    assert relative(found, expected) < (0.05 if "bf16" in name else 1e-4)
    np.testing.assert_array_equal(session(images), found)
    assert relative(session(1 - images), expected) > 0.1


@pytest.mark.parametrize("name", INSTALLED)
def test_seconds_of_layers_name_each_convolution_or_none(model, images, name):
    session = runtimes.RUNTIMES[name].load(runtimes.make_program(model), batch=3)
    seconds = session.layer_seconds(session.arrange(images), 2)
    if name == "jax":
        assert seconds == {}
    else:
        assert {conv.name for conv in model.architecture.convolutions} <= set(seconds)
        assert all(value >= 0 for value in seconds.values())
        assert sum(seconds.values()) > 0


@pytest.mark.parametrize(
    ("to", "name"),
    [("onnx", "onnxruntime"), ("onnx", "opencv"), pytest.param("openvino", "openvino", marks=needs_openvino)],
)
def test_a_file_says_what_it_is(model, images, tmp_path, to, name):
    path = tmp_path / f"m.{'xml' if to == 'openvino' else to}"
    options = export.FORMATS[to].options()
    export.FORMATS[to].write(path, model, export.Facts("somewhere", NAMES), options)
    program = runtimes.open_program(path)
    assert (program.architecture, program.names, program.size) == (model.architecture, NAMES, 32)
    found = runtimes.RUNTIMES[name].load(program, batch=3)(images)
    expected = np.asarray(networks.apply(model.architecture, model.variables, images))
    assert relative(found, expected) < 1e-4
    with pytest.raises(ValueError, match="jax does not read"):
        runtimes.RUNTIMES["jax"].load(program)
    with pytest.raises(ValueError, match="for images of 32 pixels; convert it with --size 64"):
        runtimes.open_program(path, size=64)


def test_a_file_of_weights_opens_at_any_size(model, tmp_path):
    darknet.save(model.architecture, model.variables, tmp_path / "m.cfg", tmp_path / "m.weights")
    assert runtimes.open_program(tmp_path / "m.weights").size == 32
    program = runtimes.open_program(tmp_path / "m.weights", size=64)
    assert (program.size, program.architecture.shapes[-1][:2]) == (64, (8, 8))
    with pytest.raises(ValueError, match="size 33 does not fit in reorg"):
        runtimes.open_program(tmp_path / "m.weights", size=33)


def test_files_that_cannot_be_measured(model, tmp_path):
    export.write_onnx(model.architecture, model.variables, tmp_path / "nms.onnx", suppression=export.Suppression())
    with pytest.raises(ValueError, match="suppresses boxes itself"):
        runtimes.open_program(tmp_path / "nms.onnx")
    (tmp_path / "no.onnx").write_bytes(b"\xff" * 40)
    with pytest.raises(ValueError, match=r"no\.onnx is not an ONNX file"):
        runtimes.open_program(tmp_path / "no.onnx")
    foreign = export.onnx_model(model.architecture, model.variables)
    del foreign.metadata_props[:]
    (tmp_path / "other.onnx").write_bytes(foreign.SerializeToString())
    with pytest.raises(ValueError, match="does not say which layers it has"):
        runtimes.open_program(tmp_path / "other.onnx")


def test_the_choice_of_a_runtime(model):
    program = runtimes.make_program(model)
    assert runtimes.choose("", program).name == runtimes.fastest(program).name == INSTALLED[0]
    assert runtimes.choose("jax", program).name == "jax"
    with pytest.raises(ValueError, match="runtime 'tvm', expected one of openvino, onnxruntime"):
        runtimes.choose("tvm", program)
    with pytest.raises(ValueError, match="XLA settles its own"):
        runtimes.RUNTIMES["jax"].load(program, threads=1)


def test_a_race_takes_turns(monkeypatch):
    calls = []
    monkeypatch.setattr("yolojax.runtimes.timing.REST", 0)
    times = runtimes.race({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=2)
    assert "".join(calls) == "ab" + 2 * "aaaabbbb"
    assert times["a"].calls == 6
    assert 0 <= times["a"].low <= times["a"].median <= times["a"].high


def test_without_onnx_a_network_runs_in_jax(model, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "onnx" else real(name, *rest))
    program = runtimes.make_program(model)
    assert runtimes.fastest(program).name == "jax"
    with pytest.raises(ValueError, match=r"the runtime opencv needs onnx; pip install yolojax\[runtimes\]"):
        runtimes.RUNTIMES["opencv"].load(program)
