"""Test images side by side: the truth, and what each network of a run finds."""

import pathlib
from collections.abc import Sequence
from typing import TypedDict

import cv2
import numpy as np

from yolojax import data, detection
from yolojax.files import write_bytes

HEIGHT = 240
CAPTION = 28


class Sample(TypedDict):
    """What was found in one image, as JSON values."""

    boxes: list[list[float]]  # xmin, ymin, xmax, ymax in 1-based pixels
    scores: list[float]
    labels: list[int]


def sample_indices(images: int, count: int) -> list[int]:
    """`count` images spread evenly over a data set of `images`."""
    return [int(i) for i in np.linspace(0, images - 1, min(count, images))]


def sample(detections: Sequence[detection.Detections], count: int, *, threshold: float = 0.25) -> list[Sample]:
    """What was found in `sample_indices`, from score `threshold` on."""
    found: list[Sample] = []
    for index in sample_indices(len(detections), count):
        boxes, scores, labels = detections[index]
        keep = scores >= threshold
        found.append(
            {
                "boxes": np.round(boxes[keep], 2).astype(float).tolist(),
                "scores": np.round(scores[keep], 5).astype(float).tolist(),
                "labels": labels[keep].astype(int).tolist(),
            }
        )
    return found


class Gallery:
    """A picture with one row per image and one column per network; the first column is the truth, where it is known."""

    def __init__(self, dataset: data.Dataset, count: int, *, height: int = HEIGHT):
        """Rows are `sample_indices` of the data set, each `height` pixels high; below 200 boxes have no text."""
        self._height = height
        indices = sample_indices(len(dataset), count)
        annotations = dataset.truth()
        self._images = [dataset.image(i) for i in indices]
        self._names = dataset.names
        truth = [annotations[i].objects for i in indices]
        self._columns: list[tuple[str, list[np.ndarray]]] = []
        if dataset.labelled:
            cells = [self._draw(n, objects.boxes, objects.labels, None) for n, objects in enumerate(truth)]
            self._columns.append(("truth", cells))

    def add(self, caption: str, samples: Sequence[Sample]) -> None:
        """A column of what `sample` gave."""
        cells = []
        for row, found in enumerate(samples):
            boxes = np.array(found["boxes"], np.float64).reshape(-1, 4)
            cells.append(self._draw(row, boxes, np.array(found["labels"], int), np.array(found["scores"])))
        self._columns.append((caption, cells))

    def save(self, path: pathlib.Path) -> None:
        """Writes the picture, as PNG or JPEG by its suffix."""
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
        picture = np.concatenate(columns, axis=1)
        write_image(path, np.concatenate([picture, self._legend(picture.shape[1])]))

    def _legend(self, width: int) -> np.ndarray:
        """The class names in their colours, in as many lines as they need."""
        lines, x = [np.full((CAPTION, width, 3), 255, np.uint8)], 4
        for label, name in enumerate(self._names):
            (wide, _), _ = cv2.getTextSize(name, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)
            if x > 4 and x + wide > width:
                lines, x = [*lines, np.full((CAPTION, width, 3), 255, np.uint8)], 4
            colour = detection.colour(label, len(self._names))
            cv2.putText(lines[-1], name, (x, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)
            x += wide + 16
        return np.concatenate(lines)

    def _draw(self, row: int, boxes: np.ndarray, labels: np.ndarray, scores: np.ndarray | None) -> np.ndarray:
        image = np.asarray(self._images[row])
        scale = self._height / image.shape[0]
        image = cv2.resize(image, (round(image.shape[1] * scale), self._height), interpolation=cv2.INTER_AREA)
        return detection.draw(image, (boxes - 1) * scale, labels, scores, self._names, text=self._height >= 200)


def write_image(path: pathlib.Path, image: np.ndarray) -> None:
    """Writes an RGB uint8 image whole or not at all, as PNG or JPEG by its suffix."""
    options = [cv2.IMWRITE_JPEG_QUALITY, 75] if path.suffix == ".jpg" else []
    ok, encoded = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    assert ok
    write_bytes(path, encoded.tobytes())
