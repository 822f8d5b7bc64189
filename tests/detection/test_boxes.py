import jax
import numpy as np

from yolojax.detection import boxes


def plain_iou(a, b):
    """Darknet's `box_iou`."""

    def overlap(x1, w1, x2, w2):
        return min(x1 + w1 / 2, x2 + w2 / 2) - max(x1 - w1 / 2, x2 - w2 / 2)

    w, h = overlap(a[0], a[2], b[0], b[2]), overlap(a[1], a[3], b[1], b[3])
    if w < 0 or h < 0:
        return 0.0
    union = a[2] * a[3] + b[2] * b[3] - w * h
    return w * h / union if union > 0 else 0.0


def test_iou_of_known_boxes():
    base = np.float32([1, 1, 2, 2])
    others = np.float32([[1, 1, 2, 2], [2, 1, 2, 2], [3, 1, 2, 2], [9, 9, 1, 1], [1, 1, 1, 1], [1, 1, 0, 0]])
    np.testing.assert_allclose(boxes.iou_xywh(base[None], others), [1, 1 / 3, 0, 0, 1 / 4, 0])


def test_iou_of_two_empty_boxes_is_zero():
    assert float(boxes.iou_xywh(np.zeros(4, np.float32), np.zeros(4, np.float32))) == 0.0


def test_iou_agrees_with_plain_loops_jitted_or_not():
    rng = np.random.default_rng(0)
    a, b = rng.uniform(0, 1, (2, 25, 4)).astype(np.float32)
    expected = [[plain_iou(x, y) for y in b.astype(float)] for x in a.astype(float)]
    for function in (boxes.iou_xywh, jax.jit(boxes.iou_xywh)):
        np.testing.assert_allclose(function(a[:, None], b[None]), expected, rtol=2e-5, atol=1e-6)
