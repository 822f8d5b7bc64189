"""What is in one image: the objects of its annotation, and the detections of a network. NumPy, on the host."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int


class Objects(NamedTuple):
    """The truth of one image; boxes are xmin, ymin, xmax, ymax in 1-based inclusive pixels."""

    boxes: Float[np.ndarray, "objects 4"]
    labels: Int[np.ndarray, " objects"]
    difficult: Bool[np.ndarray, " objects"]


class Detections(NamedTuple):
    """What was found in one image; boxes are as in Objects."""

    boxes: Float[np.ndarray, "detections 4"]
    scores: Float[np.ndarray, " detections"]
    labels: Int[np.ndarray, " detections"]


def to_detections(
    boxes: Float[np.ndarray, "boxes 4"], scores: Float[np.ndarray, "boxes classes"], width: int, height: int
) -> Detections:
    """Detections of a `width` x `height` image, in VOC's pixels: (x - w/2) * width + 1, clamped to the image.

    `boxes` are xywh relative to the image, `scores` are those after NMS; every score above 0 counts.
    """
    index, labels = np.nonzero(scores > 0)
    xywh = boxes[index].astype(np.float64)
    size = np.array([width, height], np.float64)
    low = np.clip((xywh[:, :2] - xywh[:, 2:] / 2) * size + 1, 1, size)
    high = np.clip((xywh[:, :2] + xywh[:, 2:] / 2) * size + 1, 1, size)
    return Detections(np.concatenate([low, high], axis=1), scores[index, labels], labels.astype(np.int32))
