"""A network as a function of one image, for pictures and notebooks."""

import cv2
import numpy as np

from yolojax import detection, network, runtimes
from yolojax.network import Model
from yolojax.training.evaluation import Protocol
from yolojax.training.sessions import session_step


class Detector:
    """`detector(image)` finds the objects of one image; compiled once."""

    def __init__(self, model: Model | runtimes.Program, protocol: Protocol, *, session: runtimes.Session | None = None):
        """Scores below `protocol.score_threshold` are not returned; JAX runs the network where no `session` does."""
        network.check_channels(model.architecture)
        network.check_size(model.architecture, protocol.size)
        self._size = protocol.size
        program = model if isinstance(model, runtimes.Program) else runtimes.make_program(model, size=protocol.size)
        self._session = session or runtimes.RUNTIMES["jax"].load(program)
        self._predict = session_step(
            self._session, program.architecture, score_threshold=protocol.score_threshold, nms_iou=protocol.nms_iou
        )

    def __call__(self, image: np.ndarray) -> detection.Detections:
        """(H, W, 3) uint8 RGB -> boxes in 1-based pixels of that image, scores and labels, best first."""
        height, width = image.shape[:2]
        small = cv2.resize(image, (self._size, self._size), interpolation=cv2.INTER_LINEAR)
        result = self._predict(None, {"image": small[None]})
        found = detection.to_detections(result["boxes"][0], result["scores"][0], width, height)
        order = np.argsort(-found.scores, kind="stable")
        return detection.Detections(*(leaf[order] for leaf in found))
