"""Boxes and labels drawn on an image."""

import colorsys
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Int, Num, UInt8

FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw(
    image: UInt8[np.ndarray, "height width 3"],
    boxes: Num[np.ndarray, "boxes 4"],
    labels: Int[np.ndarray, " boxes"],
    scores: Num[np.ndarray, " boxes"] | None,
    names: Sequence[str],
    *,
    text: bool = True,
) -> UInt8[np.ndarray, "height width 3"]:
    """A copy of `image` with boxes on it, the best on top.

    Args:
      image: RGB.
      boxes: left, top, right, bottom in pixels from 0.
      labels: indices into `names`; each class has its colour.
      scores: shown beside the name; None for a truth.
      names: class names.
      text: whether to write names and scores; boxes in small pictures do without.
    """
    image = np.ascontiguousarray(image).copy()
    width = max(1, round(min(image.shape[:2]) / 200))
    order = np.arange(len(boxes)) if scores is None else np.argsort(scores, kind="stable")
    for i in order:
        label = int(labels[i])
        left, top, right, bottom = (round(float(v)) for v in boxes[i])
        cv2.rectangle(image, (left, top), (right, bottom), colour(label, len(names)), width, cv2.LINE_AA)
        if text:
            caption = names[label] if scores is None else f"{names[label]} {scores[i]:.2f}"
            _write(image, caption, left, top, colour(label, len(names)))
    return image


def colour(label: int, count: int) -> tuple[int, int, int]:
    """The RGB colour of a class among `count`; neighbours in hue differ in brightness too."""
    red, green, blue = colorsys.hsv_to_rgb(label / max(count, 1), 0.9, 0.65 if label % 2 else 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def _write(
    image: UInt8[np.ndarray, "height width 3"], text: str, left: int, top: int, background: tuple[int, int, int]
) -> None:
    """Text on a filled rectangle above (left, top), moved, and shrunk if it must, to stay inside the image."""
    height, width = image.shape[:2]
    scale = max(0.4, min(height, width) / 1000)
    thick = max(1, round(2 * scale))
    (wide, high), below = cv2.getTextSize(text, FONT, scale, thick)
    if wide + 2 > width:
        scale, thick = scale * (width - 2) / (wide + thick), 1
        (wide, high), below = cv2.getTextSize(text, FONT, scale, thick)
    below += thick
    left = max(min(left, width - wide - 2), 0)
    top = min(max(top, high + below + 2), height)
    cv2.rectangle(image, (left, top - high - below - 2), (left + wide + 2, top), background, -1)
    red, green, blue = background
    ink = (0, 0, 0) if 0.3 * red + 0.59 * green + 0.11 * blue > 128 else (255, 255, 255)
    cv2.putText(image, text, (left + 1, top - below), FONT, scale, ink, thick, cv2.LINE_AA)
