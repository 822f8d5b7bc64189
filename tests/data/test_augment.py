"""Darknet's augmentation against plain loops, colorsys and painted squares."""

import colorsys
import dataclasses

import cv2
import numpy as np
import pytest

from yolojax.data import AugmentConfig, augment
from yolojax.data.augment import _factor, crop_resize, distort, move_boxes

NONE = AugmentConfig(jitter=0.0, hue=0.0, saturation=1.0, exposure=1.0, flip=False)
RAMP = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)


def darknet_boxes(truth, width, height, left, top, right, bottom):
    """correct_boxes and the filter of fill_truth_detection, without the flip, one box at a time."""
    sx, sy = (width - left - right) / width, (height - top - bottom) / height
    dx, dy = left / width / sx, top / height / sy
    kept = []
    for x, y, w, h, label in truth:
        edges = [(x - w / 2) / sx - dx, (x + w / 2) / sx - dx, (y - h / 2) / sy - dy, (y + h / 2) / sy - dy]
        a, b, c, d = (min(max(edge, 0), 1) for edge in edges)
        if b - a >= 0.001 and d - c >= 0.001:
            kept.append([(a + b) / 2, (c + d) / 2, b - a, d - c, label])
    return np.array(kept).reshape(-1, 5)


def test_nothing_asked_nothing_done():
    truth = np.array([[0.5, 0.25, 0.5, 0.5, 2]], np.float32)
    image, boxes = augment(RAMP, truth, 4, NONE, np.random.default_rng(0))
    assert image.tolist() == RAMP.tolist()
    assert boxes.tolist() == truth.tolist()
    assert (image.dtype, boxes.dtype) == (np.uint8, np.float32)


def test_without_jitter_it_is_a_resize():
    image = cv2.resize(np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8), (80, 60))
    ours = crop_resize(image, 0, 0, 80, 60, 32).astype(int)
    assert np.abs(ours - cv2.resize(image, (32, 32))).max() <= 3  # warpAffine's coordinates are in 1/32 pixels


def test_a_crop_inside():
    assert crop_resize(RAMP, 1, 2, 2, 2, 2).tolist() == RAMP[2:4, 1:3].tolist()


def test_outside_the_edge_goes_on():
    expected = np.pad(RAMP, ((2, 1), (1, 2), (0, 0)), mode="edge")
    assert crop_resize(RAMP, -1, -2, 7, 7, 7).tolist() == expected.tolist()


def test_boxes_as_darknet_moves_them():
    rng = np.random.default_rng(1)
    dropped = 0
    for _ in range(200):
        truth = np.concatenate(
            [rng.uniform(0, 1, (6, 2)), rng.uniform(0.01, 0.5, (6, 2)), rng.integers(0, 9, (6, 1))], 1
        )
        left, top, right, bottom = rng.integers(-20, 21, 4)
        expected = darknet_boxes(truth, 100, 80, left, top, right, bottom)
        extent = np.array([(100 - left - right) / 100, (80 - top - bottom) / 80])
        ours = move_boxes(truth.astype(np.float32), np.array([left / 100, top / 80]), extent)
        np.testing.assert_allclose(ours, expected, atol=1e-6)
        dropped += 6 - len(expected)
    assert dropped > 10


def test_boxes_follow_the_pixels():
    """A bright square stays under its box, whatever the crop and flip."""
    config = dataclasses.replace(NONE, jitter=0.3, flip=True)
    image = np.zeros((100, 120, 3), np.uint8)
    image[30:60, 40:90] = 255
    truth = np.array([[65 / 120, 45 / 100, 50 / 120, 30 / 100, 0]], np.float32)
    lefts = set()
    for seed in range(50):
        view, boxes = augment(image, truth, 128, config, np.random.default_rng(seed))
        x, y, w, h = boxes[0, :4] * 128
        rows, columns = np.nonzero(view[..., 0] > 127)
        found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(found, [x - w / 2, y - h / 2, x + w / 2, y + h / 2], atol=1.01)
        lefts.add(int(found[0]))
    assert len(lefts) > 10


def test_a_flip_half_of_the_time():
    config = dataclasses.replace(NONE, flip=True)
    truth = np.array([[0.25, 0.5, 0.1, 0.2, 0]], np.float32)
    flips = 0
    for seed in range(400):
        image, boxes = augment(RAMP, truth, 4, config, np.random.default_rng(seed))
        flipped = bool(boxes[0, 0] > 0.5)
        np.testing.assert_array_equal(image, RAMP[:, ::-1] if flipped else RAMP)
        np.testing.assert_allclose(boxes, [[0.75 if flipped else 0.25, 0.5, 0.1, 0.2, 0]], rtol=1e-6)
        flips += flipped
    assert 150 < flips < 250


@pytest.mark.parametrize(
    ("hue", "saturation", "exposure"),
    [(0, 1, 1), (0.1, 1, 1), (-0.4, 1, 1), (0, 1.5, 1), (0.05, 0.7, 1.5), (0, 1.5, 1.5)],
)
def test_colours_against_colorsys(hue, saturation, exposure):
    image = np.random.default_rng(2).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    expected = np.zeros(image.shape)
    for row, column in np.ndindex(9, 11):
        h, s, v = colorsys.rgb_to_hsv(*(image[row, column] / 255))
        rgb = colorsys.hsv_to_rgb((h + hue) % 1, s * saturation, v * exposure)
        expected[row, column] = np.clip(rgb, 0, 1) * 255
    assert np.abs(distort(image, hue, saturation, exposure) - expected).max() <= 1


def test_factors_are_in_range_and_as_often_under_one():
    factors = np.array([_factor(1.5, np.random.default_rng(seed)) for seed in range(400)])
    assert factors.min() >= 1 / 1.5
    assert factors.max() <= 1.5
    assert 150 < np.sum(factors < 1) < 250


def test_the_generator_decides_everything():
    image = np.random.default_rng(3).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    truth = np.random.default_rng(4).uniform(0.3, 0.7, (7, 5)).astype(np.float32)

    def run(seed):
        return augment(image, truth, 32, AugmentConfig(), np.random.default_rng(seed))

    for ours, again in zip(run(5), run(5), strict=True):
        np.testing.assert_array_equal(ours, again)
    assert not np.array_equal(run(5)[0], run(6)[0])


def test_no_objects():
    _, boxes = augment(RAMP, np.zeros((0, 5), np.float32), 8, AugmentConfig(), np.random.default_rng(0))
    assert boxes.shape == (0, 5)
