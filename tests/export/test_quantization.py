"""Quantised networks: int8 where it should be, near the float32 one, and still what they were."""

import numpy as np
import onnx
import onnxruntime
import pytest

from tests import helpers
from tests.export import networks
from yolojax import export

NAMES = ("a", "b", "c", "d")


@pytest.fixture(scope="module")
def plain():
    architecture = helpers.small_architecture()
    model = export.onnx_model(architecture, networks.random_variables(architecture), names=NAMES)
    return architecture, model.SerializeToString()


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((6, 3, 32, 32), np.float32)


@pytest.fixture(scope="module")
def quantized(plain, images):
    return export.quantize_onnx(plain[1], images)


def run(data, images):
    return onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]).run(None, {"images": images})


def test_the_head_is_near_and_not_the_same(plain, quantized, images):
    (expected,), (found,) = run(plain[1], images), run(quantized, images)
    error = np.linalg.norm(found - expected) / np.linalg.norm(expected)
    assert 1e-5 < error < 0.1


def test_all_convolutions_but_the_first_and_the_last_have_int8_weights(plain, quantized):
    graph = onnx.load_from_string(quantized).graph
    dtypes = {tensor.name: tensor.data_type for tensor in graph.initializer}
    weights = {
        node.output[0]: dtypes[node.input[0]]
        for node in graph.node
        if node.op_type == "DequantizeLinear"
        if node.input[0] in dtypes
    }
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    in_int8 = [weights.get(node.input[1]) == onnx.TensorProto.INT8 for node in convolutions]
    assert in_int8 == [False, *[True] * (len(convolutions) - 2), False]
    scales = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and dtypes.get(node.input[0]) == onnx.TensorProto.INT8:
            assert scales[node.input[1]].shape == (scales[node.input[0]].shape[0],)
            assert not scales[node.input[2]].any()


def test_it_says_what_it_is_as_before(plain, quantized, tmp_path):
    (tmp_path / "m.onnx").write_bytes(quantized)
    about = export.read_deployed(tmp_path / "m.onnx")
    assert (about.architecture, about.names) == (plain[0], NAMES)


def test_detections_are_added_in_float(plain, quantized, images):
    architecture, model = plain
    suppression = export.Suppression(score_threshold=0.1)
    variables = networks.random_variables(architecture)
    expected = run(export.onnx_model(architecture, variables, suppression=suppression).SerializeToString(), images)
    for found, wanted in zip(
        run(export.with_detections(model, architecture, suppression), images), expected, strict=True
    ):
        np.testing.assert_array_equal(found, wanted)
    whole = export.with_detections(quantized, architecture, suppression)
    boxes, scores, labels, image = run(whole, images)
    assert len(boxes) == len(scores) == len(labels) == len(image) > 0
    added = [
        node.op_type for node in onnx.load_from_string(whole).graph.node if node.name.startswith(("nms", "decode"))
    ]
    assert "Sigmoid" in added
    assert "QuantizeLinear" not in added


def test_what_cannot_be_quantised(images):
    architecture, variables = networks.even_network()
    model = export.onnx_model(architecture, variables).SerializeToString()
    with pytest.raises(ValueError, match="2 convolutions, of which the first and the last stay in float: no int8"):
        export.quantize_onnx(model, images[:, :, :8, :8])
    with pytest.raises(ValueError, match="no image to calibrate on"):
        export.quantize_onnx(model, images[:0])
