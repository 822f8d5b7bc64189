import sys

import numpy as np
import onnx
import onnxruntime
import pytest

from tests.export import networks
from yolojax import export, network
from yolojax.network import Architecture, Convolutional, Net

SEEDS = range(6)


def run(model, images):
    """ONNX Runtime's outputs for (B, H, W, 3) images."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"images": images.transpose(0, 3, 1, 2)})


def assert_same_head(architecture, variables, model, images):
    (head,) = run(model, images)
    expected = np.asarray(networks.apply(architecture, variables, images))
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(head.transpose(0, 2, 3, 1), expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def assert_same_detections(architecture, variables, suppression, images):
    """Compares with `decode` and `nms`; returns how many scores are kept, and how many are suppressed."""
    boxes, scores, labels, image = run(export.onnx_model(architecture, variables, suppression=suppression), images)
    xywh, before, after = map(np.asarray, networks.detect(architecture, variables, images, suppression))
    rows, index, classes = np.nonzero(after)
    xywh = xywh[rows, index]
    corners = np.clip([xywh[:, :2] - xywh[:, 2:] / 2, xywh[:, :2] + xywh[:, 2:] / 2], 0, 1)
    expected = np.stack([rows, classes, after[rows, index, classes], *corners[0].T, *corners[1].T], axis=1)
    found = np.stack([image, labels, scores, *boxes.T], axis=1)
    assert found.shape == expected.shape
    # The best match of each: equal scores up to rounding may be in another order.
    distance = np.abs(found[:, None] - expected[None]).max(axis=2)
    np.testing.assert_array_equal(np.sort(distance.argmin(axis=1)), np.arange(len(found)))
    assert distance.min(axis=1).max(initial=0) < 1e-5
    np.testing.assert_array_equal(np.lexsort((-scores, labels, image)), np.arange(len(found)))
    return len(found), int(np.sum(before >= suppression.score_threshold)) - len(found)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_head_is_the_same_on_random_architectures(seed):
    architecture = networks.random_architecture(seed)
    variables = networks.random_variables(architecture, seed)
    model = export.onnx_model(architecture, variables)
    for batch in (1, 3):
        assert_same_head(architecture, variables, model, networks.random_images(architecture, batch, seed))


def test_a_classifier():
    architecture = networks.classifier()
    variables = networks.random_variables(architecture)
    images = networks.random_images(architecture, 2)
    assert_same_head(architecture, variables, export.onnx_model(architecture, variables), images)


@pytest.mark.parametrize("activation", network.ACTIVATIONS)
def test_each_activation(activation):
    layers = (Convolutional(6, 3, padding=1, batch_normalize=True, activation=activation), Convolutional(5))
    architecture = Architecture(Net(8, 8), layers)
    variables = networks.random_variables(architecture)
    variables["params"]["conv_00"]["kernel"] *= np.float32(6)  # onto every piece of the function
    model = export.onnx_model(architecture, variables)
    assert_same_head(architecture, variables, model, networks.random_images(architecture, 2))


def test_the_random_architectures_differ_and_hold_every_layer_kind():
    kinds = [tuple(type(layer).__name__ for layer in networks.random_architecture(seed).layers) for seed in SEEDS]
    assert len(set(kinds)) > 3
    assert set(kinds[0]) == {"Convolutional", "Maxpool", "Route", "Reorg", "Region"}


def test_the_head_is_the_masked_networks_after_removal():
    architecture = networks.random_architecture(1)
    variables = networks.random_variables(architecture, 1)
    masked, (smaller, small_variables) = networks.removed(architecture, variables)
    model = export.onnx_model(smaller, small_variables)
    sizes = {constant.name: len(constant.raw_data) for constant in model.graph.initializer}
    before = {
        constant.name: len(constant.raw_data)
        for constant in export.onnx_model(architecture, variables).graph.initializer
    }
    assert sum(sizes.values()) < 0.8 * sum(before.values())
    assert_same_head(architecture, masked, model, networks.random_images(architecture, 2))


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("suppression", [export.Suppression(), export.Suppression(0.1, 0.08)], ids=str)
@pytest.mark.parametrize("softmax", [True, False])
def test_the_detections_are_the_same(seed, suppression, softmax):
    architecture = networks.with_region(networks.random_architecture(seed).resized(48, 72), softmax=softmax)
    variables = networks.random_variables(architecture, seed)
    variables["params"][architecture.head_name]["kernel"] *= np.float32(0.3)  # boxes near their anchors overlap
    images = networks.random_images(architecture, 3, seed)
    kept, suppressed = assert_same_detections(architecture, variables, suppression, images)
    assert kept > 10
    assert suppressed > 10


def test_equal_scores_rank_by_index_and_a_score_at_the_threshold_stays():
    architecture, variables = networks.even_network()
    images = networks.random_images(architecture, 2)
    kept, suppressed = assert_same_detections(architecture, variables, export.Suppression(0.45, 0.25), images)
    assert kept + suppressed == 2 * 4 * 4 * 2 * 2
    assert suppressed > 0
    above = export.onnx_model(architecture, variables, suppression=export.Suppression(0.45, 0.2500001))
    assert [output.shape for output in run(above, images)] == [(0, 4), (0,), (0,), (0,)]


def test_a_threshold_of_zero_drops_scores_of_zero():
    architecture, variables = networks.even_network()
    variables["params"]["conv_01"]["bias"][6] = 200  # softmax: 0 for the other class
    images = networks.random_images(architecture, 1)
    found, scores, labels, _ = run(
        export.onnx_model(architecture, variables, suppression=export.Suppression(1.0, 0.0)), images
    )
    assert found.shape == (16 + 32, 4)
    assert scores.min() > 0
    assert sorted(np.bincount(labels)) == [16, 32]


def test_the_file_is_plain_onnx_with_a_free_batch(tmp_path):
    architecture = networks.random_architecture(0)
    path = tmp_path / "m.onnx"
    export.write_onnx(architecture, networks.random_variables(architecture), path)
    onnx.checker.check_model(str(path), full_check=True)
    model = onnx.load(path)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 17)]
    assert model.ir_version == 8
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
    shape = model.graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_param or d.dim_value for d in shape] == ["batch", 3, 16, 24]


def test_the_cards_example_runs(tmp_path, monkeypatch):
    architecture = networks.random_architecture(0)
    variables = networks.random_variables(architecture)
    monkeypatch.chdir(tmp_path)
    export.write_onnx(architecture, variables, "m.onnx")
    export.write_onnx(architecture, variables, "d.onnx", suppression=export.Suppression())
    values = {}
    exec(networks.example("m.onnx"), values)
    rows, columns, channels = architecture.shapes[-1]
    assert values["head"].shape == (1, channels, rows, columns)
    exec(networks.example("d.onnx"), values)
    assert values["boxes"].shape == (len(values["labels"]), 4)
    assert len(values["image"]) == len(values["scores"]) > 0


def test_mistakes(tmp_path, monkeypatch):
    architecture, variables = networks.even_network()
    backbone = type(architecture)(architecture.net, architecture.layers[:-1])
    with pytest.raises(ValueError, match=r"no \[region\] layer"):
        export.onnx_model(backbone, variables, suppression=export.Suppression())
    with pytest.raises(ValueError, match=r"iou_threshold 1\.5, expected a number in 0\.\.1"):
        export.Suppression(iou_threshold=1.5)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ValueError, match=r"^the package onnx is not installed; pip install yolojax\[export\]$"):
        export.write_onnx(architecture, variables, tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []
