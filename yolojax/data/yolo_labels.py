"""Reads one label file of Darknet and its descendants: a line per object, in shares of the image's sides."""

import math

from yolojax.data.annotations import AnnotationError, Found

MAX_BYTES = 1 << 24
FURTHEST = 2.0  # shares beyond -1..2 are not shares


def parse_labels(data: bytes, names: tuple[str, ...], width: int, height: int, source: str) -> list[Found]:
    """The objects in a label file; boxes in 1-based pixels, as Darknet's voc_label.py reads them, turned around.

    Args:
      data: lines of `class x y width height`, the centre first; or of a class and the points of a polygon, whose
        bounds are taken.
      names: the classes by their index.
      width: of the image, in pixels.
      height: likewise.
      source: the file, in errors.

    Raises:
      AnnotationError: another number of fields, a number that is none or no share of a side, or a class without a name.
    """
    if len(data) > MAX_BYTES:
        raise AnnotationError(f"{source}: more than {MAX_BYTES} bytes, expected the labels of one image")
    found = []
    for line, text in enumerate(data.decode("utf-8", "replace").splitlines(), start=1):
        fields = text.split()
        if not fields:
            continue
        where = f"{source}:{line}"
        if len(fields) != 5 and (len(fields) < 7 or len(fields) % 2 == 0):
            raise AnnotationError(f"{where}: {len(fields)} fields, expected 5: class x y width height")
        shares = [_share(field, where) for field in fields[1:]]
        left, top, right, bottom = _bounds(shares)
        box = (left * width + 1, top * height + 1, right * width + 1, bottom * height + 1)
        # A text has six digits: what is beyond a hundredth of a pixel is not in it.
        xmin, ymin, xmax, ymax = (round(side, 2) for side in box)
        found.append(Found(_name(fields[0], names, where), (xmin, ymin, xmax, ymax)))
    return found


def _bounds(shares: list[float]) -> tuple[float, float, float, float]:
    if len(shares) == 4:
        x, y, width, height = shares
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2
    return min(shares[::2]), min(shares[1::2]), max(shares[::2]), max(shares[1::2])


def _share(field: str, where: str) -> float:
    try:
        value = float(field)
    except ValueError:
        value = math.nan
    if not 1 - FURTHEST <= value <= FURTHEST:
        raise AnnotationError(f"{where}: {field[:40]!r}, expected a share of the image's side, from 0 to 1")
    return value


def _name(field: str, names: tuple[str, ...], where: str) -> str:
    if field.isascii() and field.isdigit() and len(field) < 10 and int(field) < len(names):
        return names[int(field)]
    raise AnnotationError(
        f"{where}: class {field[:40]!r}, expected 0..{len(names) - 1}, as there are {len(names)} names"
    )
