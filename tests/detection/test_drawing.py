import itertools

import cv2
import numpy as np
import pytest

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
    background = np.all(drawn[:58] == detection.drawing.colour(0), axis=-1)
    rows = background[:, 0]
    assert rows.sum() > 3
    ink = np.flatnonzero(~background[rows].all(axis=0))
    assert 55 < ink.max() < 63


def test_twenty_classes_have_twenty_colours():
    colours = {detection.drawing.colour(label) for label in range(20)}
    assert len(colours) == 20


def test_the_colours_of_the_palette_are_far_apart():
    """In CIE L*a*b*, where a distance of about 2 can just be seen."""
    colours = np.array([[detection.drawing.colour(label) for label in range(20)]], np.float32) / 255
    lab = cv2.cvtColor(colours, cv2.COLOR_RGB2LAB)[0]
    assert min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(lab, 2)) > 15


@pytest.mark.parametrize(
    ("background", "ink"), [((255, 255, 255), 0), ((0, 0, 0), 255), ((0, 0, 117), 255), ((255, 225, 25), 0)]
)
def test_ink_has_contrast(background, ink):
    assert detection.drawing.ink_on(background) == (ink,) * 3


def contrast(a, b):
    """WCAG 2's ratio, in 1..21."""

    def luminance(colour):
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in np.array(colour) / 255]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("ground", [(0, 0, 0), (128, 128, 128), (255, 255, 255), detection.drawing.colour(0)])
@pytest.mark.parametrize("label", range(20))
def test_a_box_stands_apart_from_any_ground(ground, label):
    """Its own line does, or the one around that."""
    image = np.full((100, 100, 3), ground, np.uint8)
    drawn = detection.draw(image, np.array([[20.0, 30, 80, 70]]), np.array([label]), None, ("a",) * 20, text_size=0)
    assert max(contrast(ground, pixel) for pixel in drawn[50, 10:30]) > 3


def test_lines_are_in_proportion_to_the_picture():
    def line(side):
        image = np.zeros((side, side, 3), np.uint8)
        box = np.array([[0.25, 0.25, 0.75, 0.75]]) * side
        drawn = detection.draw(image, box, np.array([0]), None, ("a",), text_size=0)
        return int(np.all(drawn[side // 2] == detection.drawing.colour(0), axis=-1).sum()) // 2

    assert line(1000) > 2 * line(300) > line(100) > 0


def test_names_in_any_alphabet_are_written():
    """A letter that the font lacks would be the same box as another one that it lacks."""
    image, box = np.zeros((60, 200, 3), np.uint8), np.array([[20.0, 30, 180, 55]])
    drawn = [detection.draw(image, box, np.array([0]), None, (name,)) for name in ("Ж", "Ω", "é", "?")]
    assert all(not np.array_equal(a, b) for a, b in itertools.combinations(drawn, 2))
