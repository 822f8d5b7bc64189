import numpy as np
import pytest

from tests import helpers
from yolojax import data, detection, network, runtimes, training
from yolojax.training.evaluation import as_truth


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


def test_the_detector_finds_the_same(squares, one_batch):
    architecture = helpers.small_architecture(classes=2)
    model = network.Model(architecture, helpers.random_variables(architecture), squares.names)
    detector = training.Detector(model, training.Protocol(size=32, score_threshold=0.02))
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
    with pytest.raises(
        ValueError,
        match=r"size 36 does not fit in reorg_09: a 9x9 map .* sizes that do, near 36: 32, 37",
    ):
        training.Evaluator(helpers.small_architecture(), squares, training.Protocol(size=36), batch_size=4)


def hand_made(*objects):
    """(box, score, label) of one image."""
    boxes, scores, labels = zip(*objects, strict=True)
    return detection.Detections(np.array(boxes, float), np.array(scores), np.array(labels, np.int32))


def test_what_the_unpruned_network_finds_stands_in_for_labels():
    images = [
        data.Annotation(name, 50, 50, detection.Objects(np.zeros((0, 4)), np.zeros(0, np.int32), np.zeros(0, bool)))
        for name in "ab"
    ]
    left, right = [1.0, 1, 20, 20], [25.0, 25, 45, 45]
    unpruned = [hand_made((left, 0.9, 0), (right, 0.25, 1)), hand_made((left, 0.24, 1), (right, 0.6, 0))]
    truth = as_truth(images, unpruned)
    assert [annotation.image_id for annotation in truth] == ["a", "b"]
    assert [annotation.objects.labels.tolist() for annotation in truth] == [[0, 1], [0]]
    assert truth[1].objects.boxes.tolist() == [right]
    names, protocol = ("dog", "cat"), training.Protocol(agreement=True)
    same = training.score(truth, unpruned, names, protocol)
    assert same.ap_area == {"dog": 1.0, "cat": 1.0}
    assert same.objects == 3
    # One of two dogs is found where the unpruned network found it, and the cat is taken for a dog.
    pruned = [hand_made((left, 0.8, 0), (right, 0.3, 0)), hand_made((left, 0.1, 0))]
    found = training.score(truth, pruned, names, protocol)
    assert found.ap_area == {"dog": pytest.approx(0.5), "cat": 0.0}


def test_an_evaluator_agrees_with_its_own_network(squares):
    evaluator, variables = random_evaluator(squares, 12)
    agreeing = evaluator.agreeing_with(evaluator.predict(variables))
    result = agreeing.evaluate(variables)
    assert result.objects == sum(len(annotation.objects.labels) for annotation in agreeing.dataset.truth()) > 0
    assert {value for value in result.ap_area.values() if value is not None} == {1.0}
    other = helpers.random_variables(helpers.small_architecture(classes=2), seed=1)
    assert agreeing.evaluate(other).map_area < 1.0
    assert evaluator.dataset.found is None  # it is left as it was


def test_a_protocol_says_what_is_the_truth():
    text = "without labels: against what the unpruned network finds at confidence >= "
    assert text + "0.25" in str(training.Protocol(agreement=True))
    assert text + "0.4" in str(training.Protocol(agreement=True, score_threshold=0.4))
    assert "without labels" not in str(training.Protocol())
    assert [protocol.quantity for protocol in (training.Matching(), training.Protocol(agreement=True))] == [
        "mAP",
        "agreement",
    ]


def test_another_runtime_finds_the_same(squares, one_batch):
    architecture = helpers.small_architecture(classes=2)
    program = runtimes.make_program(network.Model(architecture, helpers.random_variables(architecture), squares.names))
    protocol = training.Protocol(size=32, score_threshold=0.02)
    session = runtimes.RUNTIMES["onnxruntime"].load(program, batch=4)
    evaluator = training.Evaluator(architecture, squares, protocol, batch_size=4, session=session)
    for a, b in zip(evaluator.predict(None), one_batch, strict=True):
        np.testing.assert_array_equal(a.labels, b.labels)
        np.testing.assert_allclose(a.boxes, b.boxes, atol=1e-3)
        np.testing.assert_allclose(a.scores, b.scores, atol=1e-5)
