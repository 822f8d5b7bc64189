"""Boxes and labels drawn on an image."""

import functools
import pathlib
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Int, Num, UInt8
from PIL import Image, ImageDraw, ImageFont

from yolojax.detection.label_places import Rectangle, place_labels

Colour = tuple[int, int, int]
# Sasha Trubetskoy's list of simple, distinct colours, those that stand out in photographs first.
# https://sashamaps.net/docs/resources/20-colors/
PALETTE = (
    *("#e6194b", "#ffe119", "#4363d8", "#3cb44b", "#f58231", "#42d4f4", "#f032e6", "#bfef45", "#fabed4", "#469990"),
    *("#911eb4", "#ffd8b1", "#800000", "#aaffc3", "#9a6324", "#dcbeff", "#808000", "#000075", "#fffac8", "#a9a9a9"),
)
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
SMALLEST = 11  # pixels of text


def draw(
    image: UInt8[np.ndarray, "height width 3"],
    boxes: Num[np.ndarray, "boxes 4"],
    labels: Int[np.ndarray, " boxes"],
    scores: Num[np.ndarray, " boxes"] | None,
    names: Sequence[str],
    *,
    text_size: int | None = None,
) -> UInt8[np.ndarray, "height width 3"]:
    """A copy of `image` with boxes on it, the best on top; a line of the other extreme sets each off from the picture.

    Args:
      image: RGB.
      boxes: left, top, right, bottom in pixels from 0.
      labels: indices into `names`; each class has its colour.
      scores: shown beside the name; None for a truth.
      names: class names.
      text_size: of names and scores in pixels, by default in proportion to the picture; 0 leaves them out.
    """
    image = np.ascontiguousarray(image).copy()
    if not len(boxes):
        return image
    height, width = image.shape[:2]
    line = max(2, round(min(height, width) / 110))
    order = np.arange(len(boxes)) if scores is None else np.argsort(-scores, kind="stable")  # the best first
    shown = [_inside(boxes[i], line, width, height) for i in order]
    colours = [colour(int(labels[i])) for i in order]
    for box, fill in reversed(list(zip(shown, colours, strict=True))):
        corners = (box.left, box.top), (box.right, box.bottom)
        cv2.rectangle(image, *corners, ink_on(fill), line + 2)
        cv2.rectangle(image, *corners, fill, line)
    size = max(SMALLEST, round(min(height, width) / 32)) if text_size is None else text_size
    if not size:
        return image
    captions = [names[labels[i]] if scores is None else f"{names[labels[i]]} {scores[i]:.2f}" for i in order]
    return _with_labels(image, shown, captions, colours, size, line)


def colour(label: int) -> Colour:
    """The RGB colour of a class. From the twenty-first class on they come again."""
    code = PALETTE[label % len(PALETTE)]
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)


def ink_on(background: Colour) -> Colour:
    """Black or white, whichever has more contrast to the background (WCAG 2's ratio)."""
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in np.array(background) / 255]
    luminance = float(np.dot(linear, (0.2126, 0.7152, 0.0722)))
    return BLACK if (luminance + 0.05) ** 2 > 1.05 * 0.05 else WHITE


@functools.cache
def font(size: float, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib brings and which has letters of most alphabets; `size` in pixels."""
    import matplotlib  # not needed by those who draw nothing

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(pathlib.Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)


def fitted(text: str, size: float, width: float, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """The font in which the text is no wider than `width` pixels; `size` where that is."""
    wide = font(size, bold=bold).getlength(text)
    return font(size * width / wide, bold=bold) if wide > width > 0 else font(size, bold=bold)


def _inside(box: Num[np.ndarray, " 4"], line: int, width: int, height: int) -> Rectangle:
    """The box, its edges moved into the picture so that its lines are seen."""
    left, right = np.clip(np.round(box[[0, 2]]), line // 2, width - 1 - line // 2).astype(int)
    top, bottom = np.clip(np.round(box[[1, 3]]), line // 2, height - 1 - line // 2).astype(int)
    return Rectangle(int(left), int(top), int(right), int(bottom))


def _with_labels(
    image: UInt8[np.ndarray, "height width 3"],
    boxes: Sequence[Rectangle],
    captions: Sequence[str],
    colours: Sequence[Colour],
    size: int,
    line: int,
) -> UInt8[np.ndarray, "height width 3"]:
    """The image with a caption at each box, on a ground of its colour; the first chooses its place first."""
    height, width = image.shape[:2]
    pad = max(1, size // 5)
    fonts = [fitted(text, size, width - 2 * pad) for text in captions]
    sizes = [
        (min(width, round(shape.getlength(text)) + 2 * pad), sum(shape.getmetrics()))
        for text, shape in zip(captions, fonts, strict=True)
    ]
    half = line // 2 + 1  # labels begin where the line ends
    outer = [Rectangle(b.left - half, b.top - half, b.right + half, b.bottom + half) for b in boxes]
    picture = Image.fromarray(image)
    pen = ImageDraw.Draw(picture)
    places = place_labels(outer, sizes, width, height)
    for place, text, shape, fill in zip(places, captions, fonts, colours, strict=True):
        pen.rectangle((place.left, place.top, place.right - 1, place.bottom - 1), fill=fill)
        pen.text((place.left + pad, place.top), text, fill=ink_on(fill), font=shape)
    return np.asarray(picture)
