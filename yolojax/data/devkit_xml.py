"""Reads one devkit annotation: XML to the objects of an image."""

import math
from xml.etree import ElementTree

from yolojax import darknet
from yolojax.data.annotations import POSES, AnnotationError, Found

MAX_BYTES = 1 << 20
MAX_SIDE = 1_000_000  # pixels


def parse_annotation(data: bytes, source: str) -> tuple[int, int, list[Found]]:
    """Width and height of the image in pixels (0 where the XML does not say), and its objects.

    Raises AnnotationError, which names the file as `source`, for anything but a devkit annotation. A DOCTYPE is
    refused: without one no entity expands, and no other file is read.
    """
    if len(data) > MAX_BYTES:
        raise AnnotationError(f"{source}: more than {MAX_BYTES} bytes, expected a devkit annotation")
    try:
        root = ElementTree.fromstring(data, ElementTree.XMLParser(target=_PlainBuilder()))
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise AnnotationError(f"{source}: {error}, expected a devkit annotation in XML") from None
    if root.tag != "annotation":
        raise AnnotationError(f"{source}: <{root.tag[:40]}>, expected <annotation>")
    width, height = (_number(root, f"size/{side}", source, 0.0) for side in ("width", "height"))
    if max(width, height) > MAX_SIDE:
        raise AnnotationError(f"{source}: a size of {width:.6g}x{height:.6g}, expected at most {MAX_SIDE} pixels")
    return int(width), int(height), [_found(element, source) for element in root.findall("object")]


class _PlainBuilder(ElementTree.TreeBuilder):
    """Refuses a DOCTYPE in any encoding: entities need one, and devkit annotations do without."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError("has a DOCTYPE")


def _found(element: ElementTree.Element, source: str) -> Found:
    name = (element.findtext("name") or "").strip()
    if not name:
        raise AnnotationError(f"{source}: an object without a name, expected <name>")
    try:
        darknet.check_name(name, source)
    except ValueError as error:
        raise AnnotationError(str(error)) from None
    xmin, ymin, xmax, ymax = (_number(element, f"bndbox/{side}", source) for side in ("xmin", "ymin", "xmax", "ymax"))
    difficult, truncated = (_number(element, mark, source, 0.0) == 1 for mark in ("difficult", "truncated"))
    pose = (element.findtext("pose") or "").lower()
    return Found(name, (xmin, ymin, xmax, ymax), difficult, truncated, pose if pose in POSES else "unspecified")


def _number(element: ElementTree.Element, path: str, source: str, default: float | None = None) -> float:
    text = element.findtext(path)
    if text is None and default is not None:
        return default
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise AnnotationError(f"{source}: <{path}> is {(text or '')[:40]!r}, expected a number")
    return value
