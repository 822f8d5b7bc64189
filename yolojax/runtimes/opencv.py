"""OpenCV's DNN module on a CPU."""

import cv2
import numpy as np

from yolojax.runtimes.machine import cores
from yolojax.runtimes.program import Program
from yolojax.runtimes.runtime import Session, median_by_layer


class OpencvSession(Session):
    """A network of cv2.dnn. The number of threads is the process's."""

    def __init__(self, program: Program, *, threads: int):
        self._program, self._threads = program, threads or cores()
        self._net = cv2.dnn.readNetFromONNX(np.frombuffer(program.onnx, np.uint8))

    def run(self, arranged: np.ndarray) -> np.ndarray:
        cv2.setNumThreads(self._threads)
        self._net.setInput(arranged)
        return self._net.forward().transpose(0, 2, 3, 1)

    def layer_seconds(self, arranged: np.ndarray, rounds: int) -> dict[str, float]:
        found = []
        for _ in range(rounds):
            self.run(arranged)
            _, ticks = self._net.getPerfProfile()
            seconds = np.ravel(ticks) / cv2.getTickFrequency()
            found.append(list(zip(self._net.getLayerNames(), seconds.tolist(), strict=True)))
        return median_by_layer(self._program, found)
