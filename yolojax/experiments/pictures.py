"""Test images side by side: the truth, and what each network of a run finds."""

import pathlib
from collections.abc import Sequence

import cv2
import numpy as np

from yolojax import darknet, data, detection

HEIGHT = 240
CAPTION = 28


class Gallery:
    """A picture with one row per image and one column per network."""

    def __init__(self, dataset: data.Dataset, count: int, *, threshold: float = 0.25):
        """`count` images spread evenly over the data set; boxes from score `threshold` on are drawn."""
        annotations = dataset.truth()
        self._threshold = threshold
        self._indices = np.linspace(0, len(annotations) - 1, min(count, len(annotations))).astype(int)
        self._images = [dataset.image(int(i)) for i in self._indices]
        self._names = dataset.names
        truth = [annotations[i].objects for i in self._indices]
        self._columns = [
            ("truth", [self._draw(n, objects.boxes, objects.labels, None) for n, objects in enumerate(truth)])
        ]

    def add(self, caption: str, detections: Sequence[detection.Detections]) -> None:
        """A column with the detections (of every image of the data set)."""
        cells = []
        for row, index in enumerate(self._indices):
            keep = detections[index].scores >= self._threshold
            boxes, scores, labels = (leaf[keep] for leaf in detections[index])
            cells.append(self._draw(row, boxes, labels, scores))
        self._columns.append((caption, cells))

    def save(self, path: pathlib.Path) -> None:
        """Writes the picture as PNG."""
        columns = []
        for caption, cells in self._columns:
            width = max(cell.shape[1] for cell in cells)
            title = np.full((CAPTION, width, 3), 255, np.uint8)
            cv2.putText(title, caption, (4, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
            padded = [
                np.pad(cell, ((0, 4), (0, width - cell.shape[1] + 4), (0, 0)), constant_values=255) for cell in cells
            ]
            title = np.pad(title, ((0, 0), (0, 4), (0, 0)), constant_values=255)
            columns.append(np.concatenate([title, *padded]))
        write_png(path, np.concatenate(columns, axis=1))

    def _draw(self, row: int, boxes: np.ndarray, labels: np.ndarray, scores: np.ndarray | None) -> np.ndarray:
        image = np.asarray(self._images[row])
        scale = HEIGHT / image.shape[0]
        image = cv2.resize(image, (round(image.shape[1] * scale), HEIGHT), interpolation=cv2.INTER_AREA)
        return detection.draw(image, (boxes - 1) * scale, labels, scores, self._names)


def write_png(path: pathlib.Path, image: np.ndarray) -> None:
    """Writes an RGB uint8 image whole or not at all."""
    ok, encoded = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    assert ok
    with darknet.replacing(path) as beside:
        beside.write_bytes(encoded.tobytes())
