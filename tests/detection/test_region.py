import dataclasses

import jax
import numpy as np
import pytest

from tests import helpers
from yolojax import darknet, detection


@pytest.fixture(scope="module")
def oracle(shared_data):
    with np.load(shared_data / "darknet-oracle" / "forward.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def architecture(shared_data):
    return darknet.read_cfg(shared_data / "darknet-oracle" / "mini.cfg")


def test_decode_agrees_with_darknet(architecture, oracle):
    boxes, scores = jax.jit(lambda head: detection.decode(architecture, head))(oracle["head"].transpose(0, 2, 3, 1))
    # (B, A*9, H, W) -> (B, H, W, A, 9): tx, ty, tw, th, objectness, classes; all but tw and th activated
    region = oracle["region"].reshape(4, 3, 9, 8, 8).transpose(0, 3, 4, 1, 2).astype(np.float64)
    rows, columns = np.mgrid[:8, :8][..., None]
    anchors = np.array(architecture.region.anchors)
    expected = np.stack(
        [
            (columns + region[..., 0]) / 8,
            (rows + region[..., 1]) / 8,
            anchors[:, 0] * np.exp(region[..., 2]) / 8,
            anchors[:, 1] * np.exp(region[..., 3]) / 8,
        ],
        axis=-1,
    )
    np.testing.assert_allclose(boxes, expected.reshape(4, 192, 4), rtol=1e-5)
    np.testing.assert_allclose(scores, (region[..., 4:5] * region[..., 5:]).reshape(4, 192, 4), rtol=1e-5, atol=1e-7)


def test_logistic_classes_by_hand():
    architecture = helpers.small_architecture(32, classes=4)
    region = dataclasses.replace(architecture.region, softmax=False)
    architecture = dataclasses.replace(architecture, layers=(*architecture.layers[:-1], region))
    head = np.zeros((1, 4, 4, 18), np.float32)
    head[0, 1, 2, 9:] = [0, 0, 0, 0, np.log(4), np.log(9), 0, -np.log(3), 0]
    _, scores = detection.decode(architecture, head)
    np.testing.assert_allclose(scores[0, (1 * 4 + 2) * 2 + 1], np.array([0.9, 0.5, 0.25, 0.5]) * 0.8, rtol=1e-6)


def test_one_cell_by_hand():
    architecture = helpers.small_architecture(32, classes=4)
    head = np.zeros((1, 4, 4, 18), np.float32)
    head[0, 1, 2, 9:] = [0, np.log(3), np.log(2), 0, np.log(4), np.log(5), 0, 0, 0]  # the second anchor
    boxes, scores = detection.decode(architecture, head)
    assert boxes.shape == (1, 32, 4)
    assert scores.shape == (1, 32, 4)
    place = (1 * 4 + 2) * 2 + 1
    np.testing.assert_allclose(boxes[0, place], [2.5 / 4, 1.75 / 4, 3 / 4, 1.5 / 4], rtol=1e-6)
    np.testing.assert_allclose(scores[0, place], np.array([5, 1, 1, 1]) / 8 * 0.8, rtol=1e-6)
    np.testing.assert_allclose(boxes[0, 0], [0.5 / 4, 0.5 / 4, 0.6 / 4, 0.6 / 4], rtol=1e-6)
    np.testing.assert_allclose(scores[0, 0], [1 / 8] * 4, rtol=1e-6)
