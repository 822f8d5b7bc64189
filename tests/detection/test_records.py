import numpy as np

from yolojax import detection


def test_to_detections_in_the_devkits_pixels():
    boxes = np.float32([[0.5, 0.5, 0.5, 0.25], [0.25, 0.25, 1, 1], [0.5, 0.5, 0.125, 0.125]])
    scores = np.float32([[0.5, 0, 0.25], [0, 0.75, 0], [0, 0, 0]])
    found = detection.to_detections(boxes, scores, 200, 80)
    # Left 0.25 * 200 + 1; the second box ends at 0.75 of each side and starts outside the image.
    np.testing.assert_array_equal(found.boxes, [[51, 31, 151, 51], [51, 31, 151, 51], [1, 1, 151, 61]])
    np.testing.assert_array_equal(found.scores, np.float32([0.5, 0.25, 0.75]))
    np.testing.assert_array_equal(found.labels, [0, 2, 1])
    assert found.boxes.dtype == np.float64
    assert found.labels.dtype == np.int32


def test_a_box_to_the_right_border_ends_at_the_last_pixel():
    found = detection.to_detections(np.float32([[0.5, 0.5, 1, 1]]), np.float32([[1]]), 30, 20)
    np.testing.assert_array_equal(found.boxes, [[1, 1, 30, 20]])


def test_nothing_found_keeps_the_shapes():
    found = detection.to_detections(np.zeros((3, 4), np.float32), np.zeros((3, 2), np.float32), 30, 20)
    assert found.boxes.shape == (0, 4)
    assert found.scores.shape == found.labels.shape == (0,)
