"""A network as a function of one image, for pictures and notebooks."""

import functools

import cv2
import jax
import numpy as np

from yolojax import detection, network
from yolojax.network import Model
from yolojax.training.evaluation import Protocol, check_size


class Detector:
    """`detector(image)` finds the objects of one image; compiled once."""

    def __init__(self, model: Model, protocol: Protocol):
        """Scores below `protocol.score_threshold` are not returned."""
        check_size(model.architecture, protocol.size)
        self._size = protocol.size
        self._variables = jax.device_put(model.variables)
        self._find = jax.jit(functools.partial(_find, model.architecture, protocol))

    def __call__(self, image: np.ndarray) -> detection.Detections:
        """(H, W, 3) uint8 RGB -> boxes in 1-based pixels of that image, scores and labels, best first."""
        height, width = image.shape[:2]
        small = cv2.resize(image, (self._size, self._size), interpolation=cv2.INTER_LINEAR)
        boxes, scores = jax.device_get(self._find(self._variables, small[None]))
        found = detection.to_detections(boxes[0], scores[0], width, height)
        order = np.argsort(-found.scores, kind="stable")
        return detection.Detections(*(leaf[order] for leaf in found))


def _find(
    architecture: network.Architecture,
    protocol: Protocol,
    variables: network.Variables,
    images: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    head = network.apply(architecture, variables, network.to_float(images))
    boxes, scores = detection.decode(architecture, head)
    scores = detection.nms(boxes, scores, iou_threshold=protocol.nms_iou, score_threshold=protocol.score_threshold)
    return boxes, scores
