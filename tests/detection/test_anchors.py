import itertools

import numpy as np
import pytest

from yolojax import detection
from yolojax.detection.anchors import shape_iou


def clusters(seed=0, each=30):
    """Boxes around three shapes, shuffled."""
    rng = np.random.default_rng(seed)
    centres = np.array([[1.0, 1.0], [2.0, 5.0], [8.0, 3.0]])
    sizes = np.concatenate([centre * rng.uniform(0.95, 1.05, (each, 2)) for centre in centres])
    return rng.permutation(sizes)


def test_shape_iou():
    found = shape_iou(np.array([[2.0, 2.0], [1.0, 4.0]]), np.array([[2.0, 2.0], [4.0, 1.0], [1.0, 1.0]]))
    np.testing.assert_allclose(found, [[1, 2 / 6, 1 / 4], [2 / 6, 1 / 7, 1 / 4]])


@pytest.mark.parametrize("seed", range(5))
def test_separate_clusters_are_found_smallest_first(seed):
    found = detection.kmeans_anchors(clusters(), 3, seed=seed)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, [[1, 1], [2, 5], [8, 3]], rtol=0.02)


def test_the_result_is_stable_and_the_seed_decides():
    sizes = np.random.default_rng(1).uniform(0.1, 10, (200, 2))
    found = detection.kmeans_anchors(sizes, 5, seed=3)
    np.testing.assert_array_equal(found, detection.kmeans_anchors(sizes, 5, seed=3))
    assert np.all(np.diff(found.prod(axis=1)) > 0)
    nearest = shape_iou(sizes, found).argmax(axis=1)
    np.testing.assert_allclose(found, [sizes[nearest == i].mean(axis=0) for i in range(5)])


def test_as_many_anchors_as_shapes_fit_perfectly():
    sizes = np.array([[1.0, 1.0], [4.0, 2.0], [1.0, 1.0]])
    found = detection.kmeans_anchors(sizes, 2, seed=0)
    np.testing.assert_array_equal(found, [[1, 1], [4, 2]])
    assert detection.mean_iou(sizes, found) == 1.0


def test_too_few_shapes():
    with pytest.raises(ValueError, match=r"2 different box shapes, expected at least k = 3"):
        detection.kmeans_anchors(np.array([[1.0, 1.0], [4.0, 2.0], [1.0, 1.0]]), 3, seed=0)


def test_mean_iou_agrees_with_plain_loops():
    sizes, anchors = clusters(2, 4), np.array([[1.0, 2.0], [4.0, 4.0]])
    best = dict.fromkeys(range(len(sizes)), 0.0)
    for (i, size), anchor in itertools.product(enumerate(sizes), anchors):
        both = min(size[0], anchor[0]) * min(size[1], anchor[1])
        best[i] = max(best[i], both / (size.prod() + anchor.prod() - both))
    assert detection.mean_iou(sizes, anchors) == pytest.approx(sum(best.values()) / len(sizes), rel=1e-12)
