"""Test images side by side: the truth, and what each network of a run finds."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import TypedDict

import cv2
import numpy as np
from PIL import Image, ImageDraw

from yolojax import data, detection
from yolojax.detection import drawing
from yolojax.files import write_bytes

HEIGHT = 300
SMALL = 200  # pixels of height, below which boxes have no text
GAP = 6
# The ground is dark on light pages too: photographs and the colours of boxes stand out from it.
GROUND, INK, DIM = (22, 25, 29), (240, 243, 246), (159, 167, 176)


class Sample(TypedDict):
    """What was found in one image, as JSON values."""

    boxes: list[list[float]]  # xmin, ymin, xmax, ymax in 1-based pixels
    scores: list[float]
    labels: list[int]


@dataclasses.dataclass(frozen=True)
class _Column:
    """What is over a column, and its pictures from top to bottom."""

    caption: str
    note: str
    cells: Sequence[np.ndarray]

    @property
    def width(self) -> int:
        return max(cell.shape[1] for cell in self.cells)


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
        """Rows are `sample_indices` of the data set, each `height` pixels high; below `SMALL` boxes have no text."""
        self._height = height
        indices = sample_indices(len(dataset), count)
        annotations = dataset.truth()
        self._images = [dataset.image(i) for i in indices]
        self._names = dataset.names
        self._seen: set[int] = set()
        self._columns: list[_Column] = []
        if dataset.labelled:
            truth = [annotations[i].objects for i in indices]
            cells = [self._draw(n, objects.boxes, objects.labels, None) for n, objects in enumerate(truth)]
            self._columns.append(_Column("truth", "", cells))

    def add(self, caption: str, samples: Sequence[Sample], *, note: str = "") -> None:
        """A column of what `sample` gave; the `note`, such as its mAP, goes under the caption."""
        cells = []
        for row, found in enumerate(samples):
            boxes = np.array(found["boxes"], np.float64).reshape(-1, 4)
            cells.append(self._draw(row, boxes, np.array(found["labels"], int), np.array(found["scores"])))
        self._columns.append(_Column(caption, note, cells))

    def save(self, path: pathlib.Path) -> None:
        """Writes the picture, as PNG or JPEG by its suffix; nothing where it has no images."""
        if not self._images:
            return
        text = max(11, self._height // 17)
        head = 3 * text if any(column.note for column in self._columns) else 2 * text
        width = sum(column.width + GAP for column in self._columns) + GAP
        height = head + len(self._images) * (self._height + GAP)
        picture = Image.new("RGB", (width, height), GROUND)
        pen, x = ImageDraw.Draw(picture), GAP
        for column in self._columns:
            for place, line, ink, bold in ((0.3, column.caption, INK, True), (1.55, column.note, DIM, False)):
                font = drawing.fitted(line, text, column.width, bold=bold)
                pen.text((x, round(place * text)), line, fill=ink, font=font)
            for row, cell in enumerate(column.cells):
                picture.paste(Image.fromarray(cell), (x, head + row * (self._height + GAP)))
            x += column.width + GAP
        write_image(path, np.concatenate([np.asarray(picture), self._legend(width, text)]))

    def _legend(self, width: int, text: int) -> np.ndarray:
        """The classes that have a box, in their colours, in as many lines as they need."""
        font, spots, x, y = drawing.font(text), [], GAP, 0
        for label in sorted(self._seen):
            wide = round(font.getlength(self._names[label])) + 2 * text
            if x > GAP and x + wide > width:
                x, y = GAP, y + 2 * text
            spots.append((label, x, y))
            x += wide + text
        picture = Image.new("RGB", (width, y + 2 * text), GROUND)
        pen = ImageDraw.Draw(picture)
        for label, x, y in spots:
            pen.rectangle((x, y + text // 2, x + text, y + text // 2 + text), fill=detection.colour(label), outline=INK)
            pen.text((x + 1.5 * text, y + text // 2 - text // 8), self._names[label], fill=INK, font=font)
        return np.asarray(picture)

    def _draw(self, row: int, boxes: np.ndarray, labels: np.ndarray, scores: np.ndarray | None) -> np.ndarray:
        image = np.asarray(self._images[row])
        scale = self._height / image.shape[0]
        shape = max(1, round(image.shape[1] * scale)), self._height
        image = cv2.resize(image, shape, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        self._seen |= {int(label) for label in labels}
        size = self._height // 20 if self._height >= SMALL else 0
        return detection.draw(image, (boxes - 1) * scale, labels, scores, self._names, text_size=size)


def write_image(path: pathlib.Path, image: np.ndarray) -> None:
    """Writes an RGB uint8 image whole or not at all, as PNG or JPEG by its suffix."""
    full_colour = cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444  # thin lines keep theirs
    options = [cv2.IMWRITE_JPEG_QUALITY, 85, *full_colour] if path.suffix == ".jpg" else []
    ok, encoded = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    assert ok
    write_bytes(path, encoded.tobytes())
