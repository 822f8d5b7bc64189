"""What an image shows, from whatever format, with a decision for everything that is wrong with it.

| what | what happens |
|---|---|
| a box of no area, or turned around | dropped, counted |
| a box partly outside the image | clipped, counted |
| a box wholly outside | dropped, counted |
| a class that is not in the names | dropped, counted |
| an image without objects | kept |
| a grey or CMYK image | read as RGB |
| a listed image, or its annotation, that is missing | skipped, counted |
| an image that cannot be decoded, or ends too early | skipped, counted |
| an annotation that its format cannot read | AnnotationError with the file |
| a split without a usable image | ValueError |

All is decided when a data set is prepared, so that no worker fails halfway. The counts are kept with the prepared data
and go to the log, in one line, each time the split is opened.
"""

import collections
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from absl import logging

from yolojax.detection import Objects

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
    """One object as a format tells of it: class, box (xmin, ymin, xmax, ymax) in 1-based pixels, the devkit's remarks.

    The box holds finite numbers; what else may be wrong with it, `clean_objects` decides. `pose` is one of `POSES`.
    """

    name: str
    box: tuple[float, float, float, float]
    difficult: bool = False
    truncated: bool = False
    pose: str = "unspecified"


class Counts(collections.Counter[str]):
    """How often each decision of the table above was taken."""

    def __str__(self) -> str:
        """One line; empty when nothing happened."""
        return ", ".join(f"{count} {what}" for what, count in sorted(self.items()))

    def log(self, source: str) -> None:
        """One warning; none when nothing happened."""
        if self:
            logging.warning("%s: %s", source, self)


def clean_objects(found: Sequence[Found], width: int, height: int, names: Sequence[str], counts: Counts) -> list[Found]:
    """The usable objects of a `width` x `height` image, clipped to it; what is not usable is counted."""
    usable = []
    for item in found:
        xmin, ymin, xmax, ymax = item.box
        box = (max(xmin, 1.0), max(ymin, 1.0), min(xmax, float(width)), min(ymax, float(height)))
        if item.name not in names:
            counts["objects of an unknown class dropped"] += 1
        elif _no_area(item.box):
            counts["boxes of no area dropped"] += 1
        elif _no_area(box):
            counts["boxes outside the image dropped"] += 1
        else:
            # Many devkits count from 0; a pixel over the edge is no news.
            if xmin < 0 or ymin < 0 or xmax > width + 1 or ymax > height + 1:
                counts["boxes clipped to the image"] += 1
            usable.append(item._replace(box=box))
    return usable


def _no_area(box: tuple[float, float, float, float]) -> bool:
    """In whole pixels, as boxes are read back."""
    xmin, ymin, xmax, ymax = map(round, box)
    return xmax <= xmin or ymax <= ymin


def to_objects(found: Sequence[Found], names: Sequence[str]) -> Objects:
    """Objects as arrays; a label is the class's place in `names`."""
    return Objects(
        np.array([item.box for item in found], np.float64).reshape(-1, 4),
        np.array([names.index(item.name) for item in found], np.int32),
        np.array([item.difficult for item in found], bool),
    )
