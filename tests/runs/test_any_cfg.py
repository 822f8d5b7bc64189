"""A network with what only some `.cfg` files have, from training to pruning, exports and detection.

It reads grey images, its classes are logistic, a convolution has groups, and its first layers are frozen.
"""

import dataclasses
import json
import pathlib

import cv2
import jax
import numpy as np
import onnxruntime
import pytest

from tests import helpers
from yolojax import darknet, export, network, pruning, runs, runtimes, training
from yolojax.network import Architecture


def architecture() -> Architecture:
    plain = helpers.small_architecture(classes=2)
    layers = list(plain.layers)
    layers[6] = dataclasses.replace(layers[6], groups=4)
    layers[1] = dataclasses.replace(layers[1], stopbackward=True)
    layers[-1] = dataclasses.replace(plain.region, softmax=False)
    return Architecture(dataclasses.replace(plain.net, channels=1), tuple(layers))


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> pathlib.Path:
    """A network of random weights."""
    folder = tmp_path_factory.mktemp("any")
    helpers.save_network(folder, architecture())
    return folder / "m.weights"


@pytest.fixture(scope="module")
def settings(recipe, start):
    return recipe.replace(
        model={"start": str(start), "anchors": "cfg"},
        train={"sizes": (32,), "steps": 2, "save_every": 2},
        prune={"criterion": "taylor", "amount": 0.3, "images": 4},
    )


@pytest.fixture(scope="module")
def pruned(settings, tmp_path_factory) -> pathlib.Path:
    """The workdir of a run that prunes, repairs and retrains, with the unpruned network as a second teacher."""
    workdir = tmp_path_factory.mktemp("pruned") / "run"
    runs.run_pruning(settings.replace(prune={"repair": True}, train={"distill": 1.0}), workdir)
    return workdir


def test_training_leaves_what_is_frozen(settings, start, tmp_path):
    runs.run_training(settings, tmp_path / "run")
    before, after = (export.open_model(path) for path in (start, tmp_path / "run" / "model.weights"))
    assert after.architecture == before.architecture == architecture()
    for name, layer in before.params.items():
        assert np.array_equal(layer["kernel"], after.params[name]["kernel"]) == (name == "conv_00")


def test_what_is_removed_is_what_is_masked(pruned):
    stages = json.loads((pruned / "report.json").read_text())["stages"]
    assert list(stages) == ["original", "pruned", "repaired", "retrained"]
    assert stages["retrained"]["macs"] < 0.8 * stages["original"]["macs"]
    assert json.loads((pruned / "removal.json").read_text())["max_difference"] <= 1e-5


@pytest.mark.parametrize("name", runtimes.RUNTIMES)
def test_the_head_is_the_same_in_each_runtime(pruned, name):
    runtime = runtimes.RUNTIMES[name]
    if not runtime.installed:
        pytest.skip(f"{name} is not installed")
    model = export.open_model(pruned)
    images = np.random.default_rng(0).random((1, 32, 32, 1), np.float32)
    expected = np.asarray(network.apply(model.architecture, model.variables, images))
    found = runtime.load(runtimes.make_program(model))(images)
    tolerance = 0.05 if "bf16" in name else 1e-4
    np.testing.assert_allclose(found, expected, atol=tolerance * np.abs(expected).max())


def test_opencvs_importer_gives_the_same_head(pruned):
    if not hasattr(cv2.dnn, "readNetFromDarknet"):
        pytest.skip(f"OpenCV {cv2.__version__} has no Darknet importer; needs opencv-python-headless<5")
    model = export.open_model(pruned / "model.weights")
    text = (pruned / "model.cfg").read_text().partition("[region]")[0]  # it refuses softmax=0
    opencv = cv2.dnn.readNetFromDarknet(
        np.frombuffer(text.encode(), np.uint8), np.fromfile(pruned / "model.weights", np.uint8)
    )
    images = np.random.default_rng(0).random((1, 32, 32, 1), np.float32)
    opencv.setInput(images.transpose(0, 3, 1, 2))
    found = opencv.forward(model.architecture.head_name).transpose(0, 2, 3, 1)
    # OpenCV adds 1e-6 to the variance where Darknet's GPU code and yolojax add 1e-5.
    statistics = jax.tree.map_with_path(
        lambda path, leaf: leaf - np.float32(9e-6) if path[-1].key == "var" else leaf, model.batch_stats
    )
    expected = np.asarray(
        network.apply(model.architecture, {"params": model.params, "batch_stats": statistics}, images)
    )
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("to", ["safetensors", "compressed", "orbax", "darknet"])
def test_it_opens_again_from_each_format(pruned, to, tmp_path):
    if to == "compressed" and not export.can_compress():
        pytest.skip("the coder's library is not installed")
    out = tmp_path / {"safetensors": "m.safetensors", "darknet": "m.weights"}.get(to, "m")
    runs.convert(str(pruned), to, str(out))
    expected, found = export.open_model(pruned), export.open_model(out)
    assert found.architecture == expected.architecture
    jax.tree.map(np.testing.assert_array_equal, found.variables, expected.variables)


def test_detections_of_an_onnx_file_are_those_of_jax(pruned, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (3, 40, 50, 3), np.uint8)
    for number, image in enumerate(images):
        cv2.imwrite(str(tmp_path / f"{number}.png"), image)
    paths = [str(tmp_path / f"{number}.png") for number in range(3)]
    runs.convert(str(pruned), "onnx", str(tmp_path / "m.onnx"))
    found = []
    for program, runtime in (
        (runtimes.make_program(export.open_model(pruned)), "jax"),
        (runtimes.open_program(tmp_path / "m.onnx"), "onnxruntime"),
    ):
        runs.detect_files(program, paths, tmp_path / runtime, training.Protocol(32), runtime=runtime)
        found.append(json.loads((tmp_path / runtime / "detections.json").read_text())["images"])
    assert sum(len(image["objects"]) for image in found[0]) > 3
    for ours, theirs in zip(*found, strict=True):
        assert len(ours["objects"]) == len(theirs["objects"])


def test_int8_is_calibrated_on_such_images(pruned, settings, tmp_path):
    out = tmp_path / "m.onnx"
    source = settings.data.source
    runs.convert(str(pruned), "onnx", str(out), int8=True, calibrate=source, calibrate_images=2)
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == ["batch", 1, 32, 32]


def test_scores_without_labels_too(start, settings):
    model = export.open_model(start)
    image = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    truth = helpers.random_batch(np.random.default_rng(0), 2, 32, classes=2)["truth"]
    for criterion in ("fisher", "unpredictability"):
        scores = pruning.scores(
            criterion,
            model.architecture,
            model.params,
            kind="filter",
            batch_stats=model.batch_stats,
            batches=[{"image": image, "truth": truth}],
        )
        assert all(np.all(np.isfinite(value)) for value in scores.values())


def test_images_of_four_channels_are_refused_before_data_are_touched(settings, tmp_path):
    layers = architecture().layers
    helpers.save_network(tmp_path, Architecture(network.Net(32, 32, 4), layers))
    settings = settings.replace(model={"start": str(tmp_path / "m.weights")}, data={"source": "devkit:gone"})
    with pytest.raises(ValueError, match="a network of channels=4, expected 3"):
        runs.run_pruning(settings, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert darknet.read_cfg(tmp_path / "m.cfg").net.channels == 4
