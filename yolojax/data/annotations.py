"""The objects of an image, whatever format they come from, and what happens to those that are wrong.

| what | what happens |
|---|---|
| a box of no area, or whose sides are swapped | dropped, counted |
| a box partly outside the image | clipped, counted |
| a box wholly outside | dropped, counted |
| an object of a class that is not in the names | dropped, counted |
| an image without objects, or without a file of YOLO labels | kept |
| a grey or CMYK image | read as RGB |
| a listed image, or its annotation, that is missing | skipped, counted |
| an image that cannot be decoded, or ends too early | skipped, counted |
| an annotation that its format cannot read | AnnotationError with the file |
| a split without a usable image, or without an object of a wanted class | ValueError |

This is decided when a data set is prepared, so that training does not fail halfway. The counts are kept with the
prepared data and go to the log, in one line, each time the split is opened.
"""

import collections
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from absl import logging

from yolojax.detection import Objects

UNREADABLE = "images that cannot be decoded skipped"
POSES = ("frontal", "rear", "left", "right", "unspecified")


class AnnotationError(ValueError):
    """An annotation that cannot be read; the message is one line, with the file."""


class Annotation(NamedTuple):
    """One image: its id (the file's stem), size in pixels, and objects."""

    image_id: str
    width: int
    height: int
    objects: Objects


class Found(NamedTuple):
    """One object of an annotation.

    Attributes:
      name: the class.
      box: xmin, ymin, xmax, ymax in 1-based inclusive pixels; finite numbers. `clean_objects` handles all else that may
        be wrong with it.
      difficult: VOC's average precision counts the object neither as found nor as missed.
      truncated: only a part of the object is in the image.
      pose: one of `POSES`.
    """

    name: str
    box: tuple[float, float, float, float]
    difficult: bool = False
    truncated: bool = False
    pose: str = "unspecified"


class Counts(collections.Counter[str]):
    """How often each decision of the table above was taken.

    Attributes:
      classes: the objects of each class, used or not.
      damaged: the first image that could not be decoded; "" where there is none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.classes: collections.Counter[str] = collections.Counter()
        self.damaged = ""

    def __str__(self) -> str:
        """One line, "" when all counts are 0."""
        return ", ".join(
            f"{count} {what}" + (f" (first {self.damaged})" if what == UNREADABLE else "")
            for what, count in sorted(self.items())
        )

    def skip_image(self, name: str) -> None:
        """Counts an image that cannot be decoded."""
        self.damaged = self.damaged or name
        self[UNREADABLE] += 1

    def log(self, source: str) -> None:
        """Writes one warning, unless all counts are 0."""
        if self:
            logging.warning("%s: %s", source, self)


def clean_objects(found: Sequence[Found], width: int, height: int, names: Sequence[str], counts: Counts) -> list[Found]:
    """The usable objects of a `width` x `height` image, clipped to it; what is not usable is counted."""
    usable = []
    for item in found:
        xmin, ymin, xmax, ymax = item.box
        box = (max(xmin, 1.0), max(ymin, 1.0), min(xmax, float(width)), min(ymax, float(height)))
        counts.classes[item.name] += 1
        if item.name not in names:
            counts["objects of an unknown class dropped"] += 1
        elif _no_area(item.box):
            counts["boxes of no area dropped"] += 1
        elif _no_area(box):
            counts["boxes outside the image dropped"] += 1
        else:
            # Many devkits count from 0; a pixel beyond the edge is not worth a line.
            if xmin < 0 or ymin < 0 or xmax > width + 1 or ymax > height + 1:
                counts["boxes clipped to the image"] += 1
            usable.append(item._replace(box=box))
    return usable


def _no_area(box: tuple[float, float, float, float]) -> bool:
    """Whether the box is empty in whole pixels, in which boxes are read back."""
    xmin, ymin, xmax, ymax = map(round, box)
    return xmax <= xmin or ymax <= ymin


def to_objects(found: Sequence[Found], names: Sequence[str]) -> Objects:
    """The objects as arrays; a label is the position of the class in `names`."""
    return Objects(
        np.array([item.box for item in found], np.float64).reshape(-1, 4),
        np.array([names.index(item.name) for item in found], np.int32),
        np.array([item.difficult for item in found], bool),
    )
