"""What is in one image: the objects of its annotation, and the detections of a network. NumPy, on the host."""

from typing import NamedTuple

import numpy as np


class Objects(NamedTuple):
    """The truth of one image: boxes (N, 4) float64 xmin, ymin, xmax, ymax in 1-based inclusive pixels, labels (N,)
    int32, difficult (N,) bool."""

    boxes: np.ndarray
    labels: np.ndarray
    difficult: np.ndarray


class Detections(NamedTuple):
    """What was found in one image: boxes (N, 4) as in Objects, scores (N,), labels (N,) int32."""

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray


def to_detections(boxes: np.ndarray, scores: np.ndarray, width: int, height: int) -> Detections:
    """Detections of a `width` x `height` image, in VOC's pixels: (x - w/2) * width + 1, clamped to the image.

    `boxes` (N, 4) are xywh relative to the image, `scores` (N, C) are those after NMS; every score above 0 counts.
    """
    index, labels = np.nonzero(scores > 0)
    xywh = boxes[index].astype(np.float64)
    size = np.array([width, height], np.float64)
    low = np.clip((xywh[:, :2] - xywh[:, 2:] / 2) * size + 1, 1, size)
    high = np.clip((xywh[:, :2] + xywh[:, 2:] / 2) * size + 1, 1, size)
    return Detections(np.concatenate([low, high], axis=1), scores[index, labels], labels.astype(np.int32))
