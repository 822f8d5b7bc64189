import numpy as np
import pytest

from tests import helpers
from yolojax import detection, network, training


def random_evaluator(dataset, batch_size):
    architecture = helpers.small_architecture(classes=2)
    protocol = training.Protocol(size=32, score_threshold=0.02)
    return training.Evaluator(architecture, dataset, protocol, batch_size=batch_size), helpers.random_variables(
        architecture
    )


@pytest.fixture(scope="module")
def one_batch(squares):
    evaluator, variables = random_evaluator(squares, 12)
    return evaluator.predict(variables)


@pytest.mark.parametrize("batch_size", [1, 8])
def test_every_image_once_whatever_the_batch(squares, one_batch, batch_size):
    evaluator, variables = random_evaluator(squares, batch_size)
    found = evaluator.predict(variables)
    assert len(found) == len(squares) == 10
    assert sum(len(image.scores) for image in found) > 0
    for a, b in zip(found, one_batch, strict=True):
        np.testing.assert_array_equal(a.labels, b.labels)
        np.testing.assert_allclose(a.boxes, b.boxes, atol=1e-3)
        np.testing.assert_allclose(a.scores, b.scores, atol=1e-5)


@pytest.mark.parametrize("fast", [False, True])
def test_the_detector_finds_the_same(squares, one_batch, fast):
    architecture = helpers.small_architecture(classes=2)
    model = network.Model(architecture, helpers.random_variables(architecture), squares.names)
    detector = training.Detector(model, training.Protocol(size=32, score_threshold=0.02), fast=fast)
    for index in (1, 4):
        found = detector(squares.image(index))
        np.testing.assert_allclose(np.sort(found.scores), np.sort(one_batch[index].scores), atol=1e-4)
        assert np.all(np.diff(found.scores) <= 0)


def test_images_without_a_detection_count(squares):
    truth = squares.truth()
    perfect = [detection.Detections(a.objects.boxes, np.ones(len(a.objects.labels)), a.objects.labels) for a in truth]
    protocol = training.Protocol()
    assert training.score(truth, perfect, squares.names, protocol).map_area == pytest.approx(1.0)
    nothing = detection.Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int32))
    half = [image if i % 2 else nothing for i, image in enumerate(perfect)]
    result = training.score(truth, half, squares.names, protocol)
    found = sum(len(image.scores) for image in half)
    assert result.images == 10
    assert result.detections == found < result.objects
    assert result.map_area < 1.0


def test_a_size_that_does_not_divide(squares):
    with pytest.raises(ValueError, match="size 36, expected a positive multiple of the network's stride 8"):
        training.Evaluator(helpers.small_architecture(), squares, training.Protocol(size=36), batch_size=4)
