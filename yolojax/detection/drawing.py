"""Boxes and labels drawn on an image."""

import colorsys
from collections.abc import Sequence

import cv2
import numpy as np


def draw(
    image: np.ndarray, boxes: np.ndarray, labels: np.ndarray, scores: np.ndarray | None, names: Sequence[str]
) -> np.ndarray:
    """A copy of `image` with boxes on it, the best on top.

    Args:
      image: (H, W, 3) uint8 RGB.
      boxes: (N, 4) left, top, right, bottom in pixels from 0.
      labels: (N,) indices into `names`; each class has its colour.
      scores: (N,) shown beside the name; None for a truth.
      names: class names.
    """
    image = np.ascontiguousarray(image).copy()
    width = max(1, round(min(image.shape[:2]) / 200))
    order = np.arange(len(boxes)) if scores is None else np.argsort(scores, kind="stable")
    for i in order:
        label = int(labels[i])
        left, top, right, bottom = (round(float(v)) for v in boxes[i])
        cv2.rectangle(image, (left, top), (right, bottom), colour(label, len(names)), width, cv2.LINE_AA)
        text = names[label] if scores is None else f"{names[label]} {scores[i]:.2f}"
        _write(image, text, left, top, colour(label, len(names)))
    return image


def colour(label: int, count: int) -> tuple[int, int, int]:
    """The RGB colour of a class among `count`."""
    red, green, blue = colorsys.hsv_to_rgb(label / max(count, 1), 0.9, 0.95)
    return round(255 * red), round(255 * green), round(255 * blue)


def _write(image: np.ndarray, text: str, left: int, top: int, background: tuple[int, int, int]) -> None:
    """Text on a filled rectangle above (left, top), moved so that it stays inside the image."""
    scale = max(0.3, min(image.shape[:2]) / 1000)
    (wide, high), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    left = min(max(left, 0), max(image.shape[1] - wide - 2, 0))
    top = min(max(top, high + below + 2), image.shape[0])
    cv2.rectangle(image, (left, top - high - below - 2), (left + wide + 2, top), background, -1)
    red, green, blue = background
    ink = (0, 0, 0) if 0.3 * red + 0.59 * green + 0.11 * blue > 128 else (255, 255, 255)
    cv2.putText(image, text, (left + 1, top - below), cv2.FONT_HERSHEY_SIMPLEX, scale, ink, 1, cv2.LINE_AA)
