import numpy as np

from yolojax import detection


def test_a_box_is_drawn_in_its_classs_colour_and_the_input_stays():
    image = np.zeros((100, 120, 3), np.uint8)
    image.setflags(write=False)
    boxes = np.array([[30.0, 40, 80, 90], [5, 5, 20, 20]])
    drawn = detection.draw(image, boxes, np.array([0, 1]), np.array([0.9, 0.8]), ("cat", "dog"))
    assert not image.any()
    assert drawn.shape == image.shape
    assert drawn[90, 55].any()  # the lower edge
    assert drawn[60, 80].any()  # the right one
    assert not drawn[70, 55].any()  # the inside
    assert not np.array_equal(drawn[90, 55], drawn[20, 12])  # two classes, two colours


def test_labels_and_boxes_over_the_edge():
    image = np.zeros((60, 60, 3), np.uint8)
    boxes = np.array([[-20.0, -20, 200, 200], [55, 1, 59, 5]])
    drawn = detection.draw(image, boxes, np.array([0, 0]), None, ("a very long class name indeed",))
    assert drawn.any()


def test_nothing_to_draw():
    image = np.full((10, 10, 3), 7, np.uint8)
    empty = np.zeros(0, np.int32)
    np.testing.assert_array_equal(detection.draw(image, np.zeros((0, 4)), empty, np.zeros(0), ("a",)), image)


def test_a_label_too_wide_shrinks_to_the_image():
    """Its ink ends before the last column, as it could not if it were cut off there."""
    image = np.zeros((80, 64, 3), np.uint8)
    drawn = detection.draw(image, np.array([[10.0, 60, 20, 70]]), np.array([0]), None, ("W" * 16,))
    background = np.all(drawn[:58] == detection.drawing.colour(0, 1), axis=-1)
    rows = background[:, 0]
    assert rows.sum() > 3
    ink = np.flatnonzero(~background[rows].all(axis=0))
    assert 55 < ink.max() < 63


def test_twenty_classes_have_twenty_colours():
    colours = {detection.drawing.colour(label, 20) for label in range(20)}
    assert len(colours) == 20
