"""The generated task: the same everywhere, boxes on the pixels, all classes and scales."""

import collections
import hashlib

import numpy as np
import pytest

from yolojax.data.annotations import Found
from yolojax.data.shapes import SHAPE_NAMES, SIZE, _box, _shape, draw_sample


@pytest.mark.parametrize(
    ("split", "index", "digest"),
    [
        ("train", 0, "6c2b817a16ddabb3"),
        ("train", 999, "7dc3a1bcd61fc9a3"),
        ("validation", 0, "cb6b9e337f38c4cc"),
        ("test", 199, "d53fe5dbdc77c527"),
    ],
)
def test_the_same_pixels_on_every_machine(split, index, digest):
    image, _ = draw_sample(split, index)
    assert (image.shape, image.dtype) == ((SIZE, SIZE, 3), np.uint8)
    assert hashlib.sha256(image.tobytes()).hexdigest()[:16] == digest


def test_the_same_objects_on_every_machine():
    assert draw_sample("train", 7)[1] == [
        Found("square", (81.0, 54.0, 131.0, 98.0)),
        Found("square", (19.0, 78.0, 99.0, 154.0)),
        Found("circle", (24.0, 86.0, 62.0, 118.0)),
    ]


def test_the_task_has_every_class_scale_and_overlap():
    samples = [draw_sample("validation", i)[1] for i in range(60)]
    names = collections.Counter(found.name for objects in samples for found in objects)
    assert set(names) == set(SHAPE_NAMES)
    assert min(names.values()) > 0.5 * max(names.values())
    boxes = np.array([found.box for objects in samples for found in objects])
    assert boxes.min() >= 1
    assert boxes.max() <= SIZE
    sides = boxes[:, 2:] - boxes[:, :2]
    assert sides.min() < 20
    assert sides.max() > 70
    overlapping = [a for objects in samples for a in objects for b in objects if a is not b and overlap(a, b)]
    assert len(overlapping) > 20


def overlap(a: Found, b: Found) -> bool:
    return all(a.box[i] < b.box[i + 2] and b.box[i] < a.box[i + 2] for i in (0, 1))


@pytest.mark.parametrize(("label", "share"), [(0, np.pi / 4), (1, 1.0), (2, 0.5), (3, 5 / 9)])
def test_a_shape_fills_its_share_of_its_box(label, share):
    for seed in range(20):
        mask = _shape(np.random.default_rng(seed), label)
        xmin, ymin, xmax, ymax = map(int, _box(mask))
        inside = mask[ymin - 1 : ymax, xmin - 1 : xmax]
        assert inside.sum() == mask.sum()
        assert abs(inside.mean() - share) < 0.12  # the smallest have few pixels
