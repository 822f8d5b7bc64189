import itertools

import numpy as np
import pytest

from yolojax.detection.label_places import Rectangle, place_labels


def overlap(a, b):
    """By painting both."""
    canvas = np.zeros((400, 400), int)
    for place in (a, b):
        canvas[place.top : place.bottom, place.left : place.right] += 1
    return int((canvas == 2).sum())


@pytest.mark.parametrize(
    ("box", "place"),
    [
        (Rectangle(20, 30, 60, 70), (20, 20)),  # above
        (Rectangle(90, 30, 99, 70), (70, 20)),  # above, moved into the picture
        (Rectangle(20, 5, 60, 50), (20, 50)),  # no room above: below
        (Rectangle(20, 5, 60, 98), (20, 5)),  # nor below: inside
        (Rectangle(-20, 30, 5, 70), (0, 20)),
    ],
)
def test_where_a_label_goes_alone(box, place):
    (found,) = place_labels([box], [(30, 10)], 100, 100)
    assert found == Rectangle(*place, place[0] + 30, place[1] + 10)


def test_labels_of_the_same_box_do_not_cover_each_other():
    found = place_labels([Rectangle(40, 40, 60, 60)] * 12, [(50, 12)] * 12, 100, 100)
    free = [overlap(a, b) for a, b in itertools.combinations(found[:6], 2)]
    assert free == [0] * len(free)
    assert len(set(found[:6])) == 6
    assert all(place.left >= 0 and place.top >= 0 and place.right <= 100 and place.bottom <= 100 for place in found)


def test_where_there_is_room_nothing_is_covered():
    rng = np.random.default_rng(0)
    for _ in range(30):
        corners = rng.integers(0, 300, (6, 2)).tolist()
        boxes = [Rectangle(x, y, x + int(rng.integers(5, 90)), y + int(rng.integers(5, 90))) for x, y in corners]
        found = place_labels(boxes, [(int(w), 12) for w in rng.integers(20, 80, 6)], 400, 400)
        assert all(overlap(a, b) == 0 for a, b in itertools.combinations(found, 2))


def test_a_label_that_is_larger_than_the_picture_begins_in_its_corner():
    assert place_labels([Rectangle(1, 1, 3, 3)], [(30, 20)], 10, 10) == [Rectangle(0, 0, 30, 20)]
