"""Where the labels of boxes go in a picture, so that none covers another."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int


class Rectangle(NamedTuple):
    """A rectangle in pixels; right and bottom are outside."""

    left: int
    top: int
    right: int
    bottom: int


def place_labels(
    boxes: Sequence[Rectangle],
    sizes: Sequence[tuple[int, int]],
    width: int,
    height: int,
    *,
    taken: Sequence[Rectangle] = (),
) -> list[Rectangle]:
    """A place for the label of each box, the first box choosing first.

    A label goes above its box, else below, else inside, else beside it, else up or down from there: the first place
    that lies in the picture and is free of the labels before. Where there is none, it covers as little of them as it
    can.

    Args:
      boxes: in order of importance.
      sizes: (width, height) of each label.
      width: of the picture.
      height: of the picture.
      taken: places that are not free to begin with.
    """
    found: list[Rectangle] = []
    for box, (wide, high) in zip(boxes, sizes, strict=True):
        corners = [*_around(box, wide, high), *_along(box, wide, high, height)]
        inside = [
            Rectangle(x, top, x + wide, top + high)
            for left, top in corners
            if 0 <= top <= height - high
            for x in (max(0, min(left, width - wide)),)
        ]
        inside = inside or [Rectangle(0, 0, wide, high)]  # higher than the picture
        found.append(inside[int(np.argmin(_covered(inside, [*taken, *found])))])
    return found


def _around(box: Rectangle, wide: int, high: int) -> Iterator[tuple[int, int]]:
    """The corners (left, top) of a label at its box, the best first."""
    for top in (box.top - high, box.bottom, box.top, box.bottom - high):
        yield box.left, top
        yield box.right - wide, top
    yield box.right, box.top
    yield box.left - wide, box.top


def _along(box: Rectangle, wide: int, high: int, height: int) -> Iterator[tuple[int, int]]:
    """The corners of a label above and below that, from the top of its box outwards, a quarter of a label at a time."""
    step = max(1, high // 4)
    for away in range(step, height + step, step):
        for top in (box.top + away, box.top - away):
            yield box.left, top
            yield box.right - wide, top


def _covered(places: Sequence[Rectangle], others: Sequence[Rectangle]) -> Int[np.ndarray, " places"]:
    """What each place covers of the others, in pixels; the sum over them."""
    left, top, right, bottom = np.array(places, np.int64).T[..., None]
    other = np.array(others, np.int64).reshape(-1, 4).T
    wide = np.minimum(right, other[2]) - np.maximum(left, other[0])
    high = np.minimum(bottom, other[3]) - np.maximum(top, other[1])
    return np.sum(np.maximum(wide, 0) * np.maximum(high, 0), axis=1)
