import functools

import jax
import numpy as np
import pytest

from yolojax import detection


def plain_iou(a, b):
    sides = [
        min(a[k] + a[k + 2] / 2, b[k] + b[k + 2] / 2) - max(a[k] - a[k + 2] / 2, b[k] - b[k + 2] / 2) for k in (0, 1)
    ]
    both = max(sides[0], 0) * max(sides[1], 0)
    return both / (a[2] * a[3] + b[2] * b[3] - both)


def plain_nms(boxes, scores, iou_threshold, score_threshold):
    """Darknet's `do_nms_sort`: per class, the best box left deletes those that overlap it."""
    kept = np.where(scores >= score_threshold, scores, 0)
    for column in kept.T:
        order = sorted(range(len(column)), key=lambda i: (-column[i], i))
        for at, i in enumerate(order):
            if column[i] > 0:
                for j in order[at + 1 :]:
                    if plain_iou(boxes[i], boxes[j]) > iou_threshold:
                        column[j] = 0
    return kept


@functools.cache
def jitted():
    return jax.jit(functools.partial(detection.nms, iou_threshold=0.45, score_threshold=0.25))


def agree(boxes, scores):
    """Compares, and returns how many candidates were kept and how many there were."""
    expected = [plain_nms(*image, 0.45, 0.25) for image in zip(boxes, scores, strict=True)]
    np.testing.assert_array_equal(jitted()(boxes, scores), expected)
    return np.array([np.count_nonzero(expected), np.count_nonzero(scores >= 0.25)])


def test_random_boxes_agree_with_plain_loops():
    rng = np.random.default_rng(0)
    counts = np.zeros(2, int)
    for _ in range(60):
        boxes = rng.uniform(0.2, 0.8, (2, 16, 4)).astype(np.float32)
        counts += agree(boxes, rng.uniform(0, 1, (2, 16, 3)).astype(np.float32))
    assert 0.2 * counts[1] < counts[0] < 0.8 * counts[1]


def test_ties_rank_by_index():
    rng = np.random.default_rng(1)
    for _ in range(60):
        # Quarters are exact in float32, so a box and its copy tie in everything.
        boxes = (rng.integers(1, 5, (2, 16, 4)) / 4).astype(np.float32)
        agree(boxes, (rng.integers(0, 4, (2, 16, 3)) / 4).astype(np.float32))


def test_chains_in_which_every_second_box_survives():
    rng = np.random.default_rng(2)
    for _ in range(20):
        # Neighbours overlap by 0.6, second neighbours by 1/3: kept and deleted alternate along the chain.
        boxes = np.stack([np.arange(16) / 4, np.zeros(16), np.ones(16), np.ones(16)], axis=-1).astype(np.float32)
        falling = np.linspace(0.9, 0.3, 16, dtype=np.float32)
        scores = np.stack([falling, falling[::-1], rng.permutation(falling)], axis=-1)
        assert np.count_nonzero(plain_nms(boxes, scores, 0.45, 0.25)[:, 0]) == 8
        order = rng.permutation(16)
        agree(np.stack([boxes, boxes[order]]), np.stack([scores, scores[order]]))


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_alike(value):
    boxes = np.full((2, 16, 4), 0.5, np.float32)
    found = np.asarray(jitted()(boxes, np.full((2, 16, 3), value, np.float32)))
    assert np.all(found[:, 0] == value)
    assert not found[:, 1:].any()


def test_thresholds_not_jitted():
    boxes = np.float32([[[0.5, 0.5, 1, 1], [0.5, 0.5, 1, 0.5], [0.5, 0.5, 1, 0.375]]])  # IoU 1/2 and 3/8 with the first
    scores = np.float32([[[0.5], [0.25], [0.125]]])
    assert detection.nms(boxes, scores, iou_threshold=0.5, score_threshold=0.125).ravel().tolist() == [0.5, 0.25, 0]
    assert detection.nms(boxes, scores, iou_threshold=0.4, score_threshold=0.2).ravel().tolist() == [0.5, 0, 0]
    assert detection.nms(boxes, scores, iou_threshold=0.4).ravel().tolist() == [0.5, 0, 0.125]


def test_a_batch_of_any_size_is_its_images_one_by_one():
    rng = np.random.default_rng(3)
    boxes = rng.uniform(0.2, 0.8, (11, 24, 4)).astype(np.float32)
    scores = rng.uniform(0, 1, (11, 24, 2)).astype(np.float32)
    agree(boxes, scores)
